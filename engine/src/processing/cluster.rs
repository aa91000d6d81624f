//! Clusters of geometries by distance.

use std::collections::HashMap;

use geo_types::{Coord, Geometry};

use crate::geometry::Bounds;
use crate::predicate::distance;

/// The cluster of every geometry by the method DBSCAN, counted from 0 in the order of the first member;
/// `None` for what is in none, and for NULL (`None`) and EMPTY.
///
/// A geometry with at least `least` geometries, itself among them, within distance `reach` is a
/// core; cores within the distance of each other share a cluster, and what is near a core is in its.
pub fn dbscan(geometries: &[Option<Geometry<f64>>], reach: f64, least: usize) -> Vec<Option<i32>> {
    let n = geometries.len();
    let bounds: Vec<Bounds> = geometries.iter().map(bounds_of).collect();
    let near = Neighbours::new(geometries, &bounds, reach);
    let mut all: Vec<Vec<u32>> = vec![];
    for i in 0..n {
        all.push(near.of(i));
    }
    let core: Vec<bool> = all
        .iter()
        .map(|near| !near.is_empty() && near.len() >= least.max(1))
        .collect();
    let mut cluster: Vec<Option<i32>> = vec![None; n];
    let mut next = 0;
    let mut stack = vec![];
    for start in 0..n {
        if !core[start] || cluster[start].is_some() {
            continue;
        }
        stack.push(start);
        cluster[start] = Some(next);
        while let Some(i) = stack.pop() {
            for j in all[i].iter().map(|j| *j as usize) {
                if cluster[j].is_none() {
                    cluster[j] = Some(next);
                    if core[j] {
                        stack.push(j);
                    }
                }
            }
        }
        next += 1;
    }
    cluster
}

fn bounds_of(geometry: &Option<Geometry<f64>>) -> Bounds {
    use geo::CoordsIter;
    let mut all = Bounds::EMPTY;
    for c in geometry.iter().flat_map(|g| g.coords_iter()) {
        all.add(c.x, c.y);
    }
    all
}

/// Geometries by the cells, as wide as the reach, that their rectangles touch.
struct Neighbours<'a> {
    geometries: &'a [Option<Geometry<f64>>],
    bounds: &'a [Bounds],
    reach: f64,
    cell: f64,
    cells: HashMap<(i64, i64), Vec<u32>>,
    /// Geometries over many cells, looked at every time.
    wide: Vec<u32>,
}

/// A geometry over more cells than this is wide.
const MANY_CELLS: i64 = 64;

impl<'a> Neighbours<'a> {
    fn new(geometries: &'a [Option<Geometry<f64>>], bounds: &'a [Bounds], reach: f64) -> Self {
        let greatest = bounds
            .iter()
            .filter(|b| !b.is_empty())
            .fold(0.0f64, |m, b| {
                m.max(b.max_x.abs())
                    .max(b.max_y.abs())
                    .max(b.min_x.abs())
                    .max(b.min_y.abs())
            });
        // Cell numbers stay well within whole numbers.
        let cell = reach.max(greatest * 1e-12).max(f64::MIN_POSITIVE);
        let mut this = Self {
            geometries,
            bounds,
            reach,
            cell,
            cells: HashMap::new(),
            wide: vec![],
        };
        for (i, b) in bounds.iter().enumerate().filter(|(_, b)| !b.is_empty()) {
            let (x0, y0, x1, y1) = this.span(b);
            if (x1 - x0 + 1).saturating_mul(y1 - y0 + 1) > MANY_CELLS {
                this.wide.push(i as u32);
                continue;
            }
            for x in x0..=x1 {
                for y in y0..=y1 {
                    this.cells.entry((x, y)).or_default().push(i as u32);
                }
            }
        }
        this
    }

    fn span(&self, b: &Bounds) -> (i64, i64, i64, i64) {
        let at = |v: f64| (v / self.cell).floor() as i64;
        (at(b.min_x), at(b.min_y), at(b.max_x), at(b.max_y))
    }

    /// Geometries within the reach of one, itself among them, in order.
    fn of(&self, i: usize) -> Vec<u32> {
        let Some(geometry) = &self.geometries[i] else {
            return vec![];
        };
        let around = self.bounds[i].expand(self.reach);
        if around.is_empty() {
            return vec![];
        }
        let (x0, y0, x1, y1) = self.span(&around);
        let few = (x1 - x0 + 1).saturating_mul(y1 - y0 + 1) <= 4 * MANY_CELLS;
        let mut candidates: Vec<u32> = match few {
            true => (x0..=x1)
                .flat_map(|x| (y0..=y1).map(move |y| (x, y)))
                .filter_map(|cell| self.cells.get(&cell))
                .flatten()
                .chain(&self.wide)
                .copied()
                .collect(),
            false => (0..self.bounds.len() as u32).collect(),
        };
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|j| {
            around.intersects(&self.bounds[*j as usize]) && self.within(geometry, *j as usize)
        });
        candidates
    }

    fn within(&self, geometry: &Geometry<f64>, j: usize) -> bool {
        match (geometry, &self.geometries[j]) {
            (Geometry::Point(p), Some(Geometry::Point(q))) => {
                (p.x() - q.x()).hypot(p.y() - q.y()) <= self.reach
            }
            (a, Some(b)) => distance(a, b).is_some_and(|d| d <= self.reach),
            _ => false,
        }
    }
}

/// After so many rounds the means hardly move.
const MOST_ROUNDS: usize = 1000;

/// The cluster of every place by the method of k means, counted from 0; `None` where there is no place. There
/// are as many clusters as there are different places, if that is fewer than `k`.
///
/// The first mean is the first place, each further one the place farthest from all before: the
/// same places give the same clusters.
pub fn kmeans(places: &[Option<Coord<f64>>], k: usize) -> Vec<Option<i32>> {
    let known: Vec<Coord<f64>> = places.iter().flatten().copied().collect();
    let square = |p: Coord<f64>, q: Coord<f64>| (p.x - q.x).powi(2) + (p.y - q.y).powi(2);
    let mut means: Vec<Coord<f64>> = known.first().copied().into_iter().collect();
    let mut away: Vec<f64> = known
        .iter()
        .map(|p| means.first().map_or(0.0, |m| square(*p, *m)))
        .collect();
    while means.len() < k.min(known.len()) {
        let farthest = (0..known.len()).max_by(|i, j| away[*i].total_cmp(&away[*j]).then(j.cmp(i)));
        let Some(farthest) = farthest.filter(|i| away[*i] > 0.0) else {
            break;
        };
        let mean = known[farthest];
        means.push(mean);
        for (away, p) in away.iter_mut().zip(&known) {
            *away = away.min(square(*p, mean));
        }
    }
    let nearest = |means: &[Coord<f64>], p: Coord<f64>| {
        (0..means.len())
            .min_by(|i, j| square(p, means[*i]).total_cmp(&square(p, means[*j])))
            .unwrap_or_default()
    };
    let mut of: Vec<usize> = known.iter().map(|p| nearest(&means, *p)).collect();
    for _ in 0..MOST_ROUNDS {
        let mut sums = vec![(0.0, 0.0, 0usize); means.len()];
        for (p, cluster) in known.iter().zip(&of) {
            let sum = &mut sums[*cluster];
            *sum = (sum.0 + p.x, sum.1 + p.y, sum.2 + 1);
        }
        for (mean, (x, y, n)) in means.iter_mut().zip(sums) {
            if n > 0 {
                *mean = Coord {
                    x: x / n as f64,
                    y: y / n as f64,
                };
            }
        }
        let next: Vec<usize> = known.iter().map(|p| nearest(&means, *p)).collect();
        if next == of {
            break;
        }
        of = next;
    }
    let mut of = of.into_iter();
    places
        .iter()
        .map(|place| place.and_then(|_| of.next()).map(|cluster| cluster as i32))
        .collect()
}

#[cfg(test)]
mod tests {
    use geo_types::Point;

    use super::*;

    #[test]
    fn groups_borders_and_noise() {
        let points = [
            (0.0, 0.0),
            (1.0, 0.0),
            (2.0, 0.0),
            (50.0, 50.0),
            (9.0, 0.0),
            (9.5, 0.0),
        ];
        let mut all: Vec<Option<Geometry<f64>>> = points
            .iter()
            .map(|p| Some(Geometry::Point(Point::from(*p))))
            .collect();
        all.push(None);
        let clusters = dbscan(&all, 1.0, 2);
        assert_eq!(
            clusters,
            [Some(0), Some(0), Some(0), None, Some(1), Some(1), None]
        );
        // The ends are no cores, yet near one.
        assert_eq!(dbscan(&all, 1.0, 3)[..4], [Some(0), Some(0), Some(0), None]);
        assert_eq!(dbscan(&all, 0.0, 1).iter().flatten().count(), 6);
        let places: Vec<_> = points
            .iter()
            .map(|(x, y)| Some(Coord { x: *x, y: *y }))
            .collect();
        let clusters = kmeans(&places, 2);
        assert_eq!(
            clusters,
            [Some(0), Some(0), Some(0), Some(1), Some(0), Some(0)]
        );
        assert_eq!(kmeans(&[None, None], 2), [None, None]);
    }
}

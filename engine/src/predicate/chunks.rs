//! Edges in runs with a rectangle each, for distances of geometries of many vertices.
//!
//! ```text
//!  edges of a   [ run ][ run ][ run ] ...       rectangles of all pairs of runs: how near they may be, how far at most
//!  edges of b   [ run ][ run ] ...                 |
//!                                     pairs that may be the nearest, the nearest first: edge by edge
//! ```
//!
//! Edges that follow each other lie near each other, so that runs need no sorting.

use geo_types::Coord;

use super::distance::{SLACK, bounds_distance, length, point_segment};
use crate::geometry::Bounds;

/// An edge.
pub(crate) type Edge = [Coord<f64>; 2];

/// Edges of a run at least.
const LEAST: usize = 32;

/// Runs of a geometry at most: a few million pairs of them are looked at in no time.
const MOST_RUNS: usize = 4096;

/// Pairs of edges from which runs are worth while.
pub(crate) const MANY_PAIRS: usize = 1 << 20;

/// Edges, in runs.
#[derive(Debug)]
pub(crate) struct Chunks {
    edges: Vec<Edge>,
    size: usize,
    bounds: Vec<Bounds>,
    /// The run in which the last place looked for was nearest.
    recent: usize,
}

impl Chunks {
    /// Cuts edges into runs.
    pub(crate) fn new(edges: Vec<Edge>) -> Self {
        let size = LEAST.max(edges.len().div_ceil(MOST_RUNS));
        let bounds = edges.chunks(size);
        let bounds = bounds
            .map(|run| Bounds::around(run.iter().flatten()))
            .collect();
        Self {
            edges,
            size,
            bounds,
            recent: 0,
        }
    }

    fn run(&self, i: usize) -> &[Edge] {
        let start = i * self.size;
        &self.edges[start..self.edges.len().min(start + self.size)]
    }

    /// Visits pairs of runs, the nearest first, until what is visited lies closer than the next pair may. The closure
    /// returns the least distance there is so far.
    pub(crate) fn nearest_runs(
        &self,
        other: &Self,
        mut visit: impl FnMut(&[Edge], &[Edge]) -> f64,
    ) {
        let mut most = f64::INFINITY;
        for a in &self.bounds {
            for b in &other.bounds {
                most = most.min(farthest(a, b));
            }
        }
        let mut pairs = vec![];
        for (i, a) in self.bounds.iter().enumerate() {
            for (j, b) in other.bounds.iter().enumerate() {
                let near = bounds_distance(a, b);
                if near <= most * SLACK {
                    pairs.push((near, i, j));
                }
            }
        }
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut least = f64::INFINITY;
        for (near, i, j) in pairs {
            if near > least * SLACK {
                break;
            }
            least = visit(self.run(i), other.run(j));
        }
    }

    /// The distance of a place from the nearest edge; anything at most `enough` in place of a smaller one. Infinite if
    /// there are no edges.
    pub(crate) fn distance(&mut self, p: Coord<f64>, enough: f64) -> f64 {
        let place = Bounds::point(p.x, p.y);
        let mut best = f64::INFINITY;
        let first = self.recent;
        for i in std::iter::once(first).chain(0..self.bounds.len()) {
            if best <= enough {
                break;
            }
            let Some(bounds) = self.bounds.get(i) else {
                break;
            };
            if bounds_distance(bounds, &place) > best * SLACK {
                continue;
            }
            let ends = self.run(i).iter();
            let nearest = ends
                .map(|[a, b]| point_segment(p, *a, *b))
                .fold(f64::INFINITY, f64::min);
            if nearest < best {
                best = nearest;
                self.recent = i;
            }
        }
        best
    }
}

/// How far apart places in two rectangles may be.
fn farthest(a: &Bounds, b: &Bounds) -> f64 {
    let reach = |a: (f64, f64), b: (f64, f64)| (a.1 - b.0).abs().max((b.1 - a.0).abs());
    length(
        reach((a.min_x, a.max_x), (b.min_x, b.max_x)),
        reach((a.min_y, a.max_y), (b.min_y, b.max_y)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wiggly line of so many edges.
    fn wiggle(n: usize, x: f64, y: f64) -> Vec<Edge> {
        let at = |i: usize| Coord {
            x: x + (i as f64 * 0.01).sin() * 5.0,
            y: y + (i as f64 * 0.017).cos() * 3.0 + (i % 7) as f64 * 0.01,
        };
        (0..n).map(|i| [at(i), at(i + 1)]).collect()
    }

    #[test]
    fn the_nearest_pair_is_among_those_visited() {
        for (n, m, dx, dy) in [
            (500, 700, 30.0, 1.0),
            (40, 3000, 0.5, 9.0),
            (1, 1, 0.0, 1.0),
        ] {
            let (a, b) = (wiggle(n, 0.0, 0.0), wiggle(m, dx, dy));
            let ends = |p: &[Edge], q: &[Edge]| {
                let ends = p.iter().flat_map(|e| q.iter().map(move |f| (e, f)));
                ends.map(|(e, f)| {
                    point_segment(e[0], f[0], f[1]).min(point_segment(f[0], e[0], e[1]))
                })
                .fold(f64::INFINITY, f64::min)
            };
            let slow = ends(&a, &b);
            let (a, b) = (Chunks::new(a), Chunks::new(b));
            let (mut best, mut visited) = (f64::INFINITY, 0);
            a.nearest_runs(&b, |p, q| {
                visited += p.len() * q.len();
                best = best.min(ends(p, q));
                best
            });
            assert_eq!(best, slow);
            assert!(n < 100 || visited < n * m / 4, "{visited}");
        }
    }

    #[test]
    fn places_find_their_edge() {
        let edges = wiggle(1000, 0.0, 0.0);
        let mut chunks = Chunks::new(edges.clone());
        for i in 0..50 {
            let p = Coord {
                x: f64::from(i) * 0.3 - 7.0,
                y: f64::from(i * 13 % 17) - 8.0,
            };
            let slow = edges.iter().map(|e| point_segment(p, e[0], e[1]));
            assert_eq!(chunks.distance(p, 0.0), slow.fold(f64::INFINITY, f64::min));
        }
        assert_eq!(
            Chunks::new(vec![]).distance(Coord { x: 0.0, y: 0.0 }, 0.0),
            f64::INFINITY
        );
    }
}

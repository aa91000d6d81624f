//! The convex hull, by Andrew's monotone chain with exact orientation tests.

use geo_types::{Coord, Geometry, LineString, Point, Polygon};

use crate::predicate::orient::{compare, orient};

/// Below this many points nothing is gained by throwing inner ones away first.
const MANY: usize = 64;

/// Reorders `points` to the corners of their convex hull, each once: clockwise from the lowest one (of
/// these, the leftmost), as PostGIS has it. Points on its edges are no corners. Points without area
/// leave two corners in reading order, or one.
pub fn convex_hull(points: &mut Vec<Coord<f64>>) {
    if points.len() > MANY {
        drop_inner(points);
    }
    points.sort_unstable_by(|a, b| compare(*a, *b));
    points.dedup();
    let n = points.len();
    if n < 3 {
        return;
    }
    let mut hull: Vec<Coord<f64>> = Vec::with_capacity(16);
    // The upper chain from left to right, then the lower one back: clockwise.
    for pass in 0..2 {
        let base = hull.len();
        let mut add = |p: Coord<f64>| {
            while hull.len() >= base + 2 {
                let (a, b) = (hull[hull.len() - 2], hull[hull.len() - 1]);
                if orient(a, b, p) < 0.0 {
                    break;
                }
                hull.pop();
            }
            hull.push(p);
        };
        match pass {
            0 => points.iter().for_each(|p| add(*p)),
            _ => points.iter().rev().for_each(|p| add(*p)),
        }
        // Its last corner is the first of the other chain.
        hull.pop();
    }
    let lowest = (0..hull.len()).min_by(|i, j| {
        let (a, b) = (hull[*i], hull[*j]);
        a.y.total_cmp(&b.y).then(a.x.total_cmp(&b.x))
    });
    if hull.len() > 2 {
        hull.rotate_left(lowest.unwrap_or_default());
    }
    *points = hull;
}

/// Drops points strictly inside the quadrilateral of the extremes: no corner is among them.
fn drop_inner(points: &mut Vec<Coord<f64>>) {
    let Some(first) = points.first().copied() else {
        return;
    };
    let [mut west, mut south, mut east, mut north] = [first; 4];
    for p in points.iter() {
        if p.x < west.x {
            west = *p;
        }
        if p.x > east.x {
            east = *p;
        }
        if p.y < south.y {
            south = *p;
        }
        if p.y > north.y {
            north = *p;
        }
    }
    let corners = [west, south, east, north, west];
    let inside = |p: &Coord<f64>| corners.windows(2).all(|w| orient(w[0], w[1], *p) > 0.0);
    points.retain(|p| !inside(p));
}

/// The convex hull as a geometry: a polygon, a line, a point, or GEOMETRYCOLLECTION EMPTY of no
/// points.
pub fn hull_geometry(points: &mut Vec<Coord<f64>>) -> Geometry<f64> {
    convex_hull(points);
    match points.as_slice() {
        [] => Geometry::GeometryCollection(Default::default()),
        [only] => Geometry::Point(Point(*only)),
        [a, b] => Geometry::LineString(LineString(vec![*a, *b])),
        corners => {
            let ring = corners.iter().chain(&corners[..1]).copied().collect();
            Geometry::Polygon(Polygon::new(LineString(ring), vec![]))
        }
    }
}

#[cfg(test)]
mod tests {
    use geo::ConvexHull;
    use geo_types::MultiPoint;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn corners(points: &[(f64, f64)]) -> MultiPoint<f64> {
        let mut points: Vec<Coord<f64>> =
            points.iter().map(|(x, y)| Coord { x: *x, y: *y }).collect();
        convex_hull(&mut points);
        MultiPoint(points.into_iter().map(Point).collect())
    }

    #[test]
    fn corners_alone_clockwise_from_the_lowest() {
        let square = [
            (0.0, 0.0),
            (1.0, 0.0),
            (2.0, 0.0),
            (2.0, 2.0),
            (0.0, 2.0),
            (1.0, 1.0),
        ];
        let expected: MultiPoint<f64> = vec![(0.0, 0.0), (0.0, 2.0), (2.0, 2.0), (2.0, 0.0)].into();
        assert_eq!(corners(&square), expected);
    }

    #[test]
    fn flat_and_single() {
        let expected: MultiPoint<f64> = vec![(0.0, 0.0), (3.0, 3.0)].into();
        assert_eq!(
            corners(&[(1.0, 1.0), (3.0, 3.0), (0.0, 0.0), (2.0, 2.0)]),
            expected
        );
        assert_eq!(corners(&[(1.0, 1.0), (1.0, 1.0)]).0.len(), 1);
        assert_eq!(corners(&[]).0.len(), 0);
    }

    #[test]
    fn the_same_area_as_another_algorithm() {
        use geo::Area;
        let mut rng = StdRng::seed_from_u64(3);
        for n in [3, 5, 60, 70, 1000] {
            let points: Vec<(f64, f64)> = (0..n)
                .map(|_| (rng.random_range(0.0..9.0), rng.random_range(0.0..9.0)))
                .collect();
            let ours = corners(&points);
            let theirs = MultiPoint::from(points).convex_hull();
            assert_eq!(ours.0.len() + 1, theirs.exterior().0.len());
            let ring = LineString(ours.0.iter().map(|p| p.0).collect());
            let area = Polygon::new(ring, vec![]).unsigned_area();
            assert!((area - theirs.unsigned_area()).abs() < 1e-9);
        }
    }
}

//! Polygons and points, always the same for the same numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use geo::{Coord, LineString, Point, Polygon};
use geoflow_engine::geometry::{GeometryArray, GeometryType};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A star of `n` corners around a centre, its radius wild between 0.5 and 1, that does not cross itself.
pub(crate) fn star(n: usize, (x, y): (f64, f64), seed: u64) -> Polygon<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    let corner = |i: usize| {
        let angle = i as f64 * std::f64::consts::TAU / n as f64;
        let radius = rng.random_range(0.5..1.0);
        Coord {
            x: x + radius * angle.cos(),
            y: y + radius * angle.sin(),
        }
    };
    Polygon::new(LineString((0..n).map(corner).collect()), vec![])
}

/// Points in a square of side 2 around a centre.
pub(crate) fn points(n: usize, (x, y): (f64, f64), seed: u64) -> Vec<Point<f64>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut near = |center: f64| center + rng.random_range(-1.0..1.0);
    (0..n).map(|_| Point::new(near(x), near(y))).collect()
}

/// A column of polygons as WKB.
pub(crate) fn polygon_column(polygons: &[Polygon<f64>]) -> ArrayRef {
    let wkb = polygons.iter().map(|polygon| {
        let ring = &polygon.exterior().0;
        let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0];
        wkb.extend((ring.len() as u32).to_le_bytes());
        for c in ring {
            wkb.extend(c.x.to_le_bytes());
            wkb.extend(c.y.to_le_bytes());
        }
        wkb
    });
    Arc::new(BinaryArray::from_iter_values(wkb))
}

/// A column of points as WKB.
pub(crate) fn point_column(points: &[Point<f64>]) -> ArrayRef {
    let wkb = points.iter().map(|point| {
        let mut wkb = vec![1, 1, 0, 0, 0];
        wkb.extend(point.x().to_le_bytes());
        wkb.extend(point.y().to_le_bytes());
        wkb
    });
    Arc::new(BinaryArray::from_iter_values(wkb))
}

/// The view that kernels take.
pub(crate) fn view(column: &ArrayRef) -> GeometryArray {
    GeometryArray::try_new(column, &GeometryType::wkb(None)).unwrap()
}

#![expect(clippy::unwrap_used, reason = "tests")]

use geo::{Area, Geometry};
use geo_types::{Coord, LineString, Polygon};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wkt::{ToWkt, TryFromWkt};

use super::Operation::*;
use super::*;

fn g(wkt: &str) -> Geometry<f64> {
    Geometry::try_from_wkt_str(wkt).unwrap()
}

fn show(a: &str, b: &str, operation: Operation) -> String {
    overlay(&g(a), &g(b), operation).wkt_string()
}

const SQUARE: &str = "POLYGON((0 0,2 0,2 2,0 2,0 0))";

#[test]
fn squares_that_overlap_share_a_side_touch_and_are_apart() {
    assert_eq!(
        show(SQUARE, "POLYGON((1 1,3 1,3 3,1 3,1 1))", Intersection),
        "POLYGON((1 1,1 2,2 2,2 1,1 1))"
    );
    assert_eq!(
        show(SQUARE, "POLYGON((2 0,4 0,4 2,2 2,2 0))", Intersection),
        "LINESTRING(2 0,2 2)"
    );
    assert_eq!(
        show(SQUARE, "POLYGON((2 2,4 2,4 4,2 4,2 2))", Intersection),
        "POINT(2 2)"
    );
    assert_eq!(
        show(SQUARE, "POLYGON((3 3,4 3,4 4,3 4,3 3))", Intersection),
        "POLYGON EMPTY"
    );
    assert_eq!(
        show(SQUARE, "POLYGON((2 0,4 0,4 2,2 2,2 0))", Union),
        "POLYGON((0 0,0 2,2 2,4 2,4 0,2 0,0 0))"
    );
    assert_eq!(show(SQUARE, SQUARE, Difference), "POLYGON EMPTY");
}

#[test]
fn holes_islands_and_pinches() {
    let frame = "POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,3 6,6 6,6 3,3 3))";
    let plug = "POLYGON((3 3,3 6,6 6,6 3,3 3))";
    assert_eq!(overlay(&g(frame), &g(plug), Union).unsigned_area(), 81.0);
    assert_eq!(
        show(frame, plug, Intersection),
        "LINESTRING(3 3,3 6,6 6,6 3,3 3)"
    );
    let big = "POLYGON((-1 -1,10 -1,10 10,-1 10,-1 -1))";
    let Geometry::MultiPolygon(parts) = overlay(&g(big), &g(frame), SymDifference) else {
        unreachable!()
    };
    assert_eq!(parts.0.len(), 2);
    assert_eq!(parts.unsigned_area(), 121.0 - 81.0 + 9.0);
}

#[test]
fn lines_and_points() {
    assert_eq!(
        show("LINESTRING(-1 1,3 1)", SQUARE, Intersection),
        "LINESTRING(0 1,2 1)"
    );
    assert_eq!(
        show("LINESTRING(-1 1,3 1)", SQUARE, Difference),
        "MULTILINESTRING((-1 1,0 1),(2 1,3 1))"
    );
    assert_eq!(
        show("LINESTRING(0 0,2 2)", "LINESTRING(0 2,2 0)", Intersection),
        "POINT(1 1)"
    );
    assert_eq!(
        show("MULTIPOINT(1 1,5 5)", SQUARE, Intersection),
        "POINT(1 1)"
    );
    assert_eq!(
        show("MULTIPOINT(1 1,5 5)", SQUARE, Union),
        "GEOMETRYCOLLECTION(POLYGON((0 0,0 2,2 2,2 0,0 0)),POINT(5 5))"
    );
    assert_eq!(show("POINT(1 1)", SQUARE, Difference), "MULTIPOINT EMPTY");
}

/// A ring of random vertices: crossing itself, with spikes, on a coarse grid or anywhere.
fn ring(rng: &mut StdRng, n: usize, coarse: bool) -> Polygon<f64> {
    let points = (0..n).map(|_| {
        let mut v = || match coarse {
            true => f64::from(rng.random_range(0..8)),
            false => rng.random_range(24.9..25.1),
        };
        Coord { x: v(), y: v() }
    });
    Polygon::new(LineString(points.collect()), vec![])
}

/// A ring around a centre, so that it is valid.
fn star(rng: &mut StdRng, n: usize) -> Polygon<f64> {
    let (cx, cy) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
    let points = (0..n).map(|i| {
        let angle = i as f64 / n as f64 * std::f64::consts::TAU;
        let r = rng.random_range(0.05..1.0);
        Coord {
            x: cx + r * angle.cos(),
            y: cy + r * angle.sin(),
        }
    });
    Polygon::new(LineString(points.collect()), vec![])
}

#[test]
fn areas_add_up() {
    let mut rng = StdRng::seed_from_u64(7);
    for case in 0..300 {
        let pick = |rng: &mut StdRng| match case % 3 {
            0 => ring(rng, 5, true),
            1 => ring(rng, 9, false),
            _ => star(rng, 60),
        };
        let (a, b) = (
            Geometry::Polygon(pick(&mut rng)),
            Geometry::Polygon(pick(&mut rng)),
        );
        let area = |operation| overlay(&a, &b, operation).unsigned_area();
        let whole = |g: &Geometry<f64>| union_all([g]).unwrap().unsigned_area();
        let (both, either) = (area(Intersection), area(Union));
        let close = |x: f64, y: f64| (x - y).abs() < 1e-9 * either.max(1e-3);
        assert!(
            close(both + either, whole(&a) + whole(&b)),
            "{case} {a:?} {b:?}"
        );
        assert!(
            close(area(Difference) + both, whole(&a)),
            "{case} {a:?} {b:?}"
        );
        assert!(
            close(area(SymDifference), either - both),
            "{case} {a:?} {b:?}"
        );
    }
}

#[test]
fn a_grid_of_squares_becomes_one() {
    let squares: Vec<Geometry<f64>> = (0..400)
        .map(|i| {
            let (x, y) = (f64::from(i % 20), f64::from(i / 20));
            Geometry::Rect(geo_types::Rect::new((x, y), (x + 1.0, y + 1.0)))
        })
        .collect();
    let Geometry::Polygon(all) = union_all(&squares).unwrap() else {
        unreachable!()
    };
    assert_eq!(all.unsigned_area(), 400.0);
    assert!(all.interiors().is_empty());
    // Every second one, so that they touch at corners alone.
    let board = squares
        .iter()
        .enumerate()
        .filter(|(i, _)| (i % 20 + i / 20) % 2 == 0);
    let Geometry::MultiPolygon(parts) = union_all(board.map(|(_, s)| s)).unwrap() else {
        unreachable!()
    };
    assert_eq!((parts.0.len(), parts.unsigned_area()), (200, 200.0));
}

#![expect(clippy::unwrap_used, reason = "tests")]

use geo::{Area, BoundingRect, Contains, Intersects};
use geo_types::{Coord, Geometry, LineString, MultiPoint, Point, Polygon};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::geometry::{Ordinates, wkb, wkt_to_wkb};
use crate::overlay::invalid;

fn geometry(text: &str) -> Geometry<f64> {
    let mut bytes = vec![];
    wkt_to_wkb(text, &mut bytes).unwrap();
    wkb::decode(&bytes).unwrap()
}

/// Points anywhere, on a coarse grid (many on one circle or line), or almost on a line.
fn points(rng: &mut StdRng, n: usize, kind: usize) -> MultiPoint<f64> {
    let mut point = |_| {
        let (x, y): (f64, f64) = (rng.random_range(0.0..9.0), rng.random_range(0.0..9.0));
        match kind {
            0 => Point::new(x, y),
            1 => Point::new(x.floor(), y.floor()),
            _ => Point::new(x, x * 0.3 + y * 1e-9),
        }
    };
    MultiPoint((0..n).map(&mut point).collect())
}

#[test]
fn no_circle_around_a_triangle_holds_a_point() {
    let mut rng = StdRng::seed_from_u64(5);
    for kind in 0..3 {
        for n in [3, 4, 10, 60] {
            let points = points(&mut rng, n, kind);
            let built = Triangulation::new(&Geometry::MultiPoint(points.clone())).unwrap();
            let mut area = 0.0;
            for [a, b, c] in built.triangles() {
                let robust = |p: Coord<f64>| robust::Coord { x: p.x, y: p.y };
                for p in &points {
                    let side = robust::incircle(robust(a), robust(b), robust(c), robust(p.0));
                    assert!(side <= 0.0, "{a:?} {b:?} {c:?} {p:?}");
                }
                area += ((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)) / 2.0;
            }
            let mut corners: Vec<Coord<f64>> = points.iter().map(|p| p.0).collect();
            let hull = hull_geometry(&mut corners).unsigned_area();
            assert!((area - hull).abs() < 1e-9, "{area} {hull}");
        }
    }
}

#[test]
fn cells_fill_the_frame_and_hold_what_is_closest() {
    let mut rng = StdRng::seed_from_u64(6);
    for kind in 0..3 {
        for n in [2, 3, 4, 10, 60] {
            let sites = points(&mut rng, n, kind);
            let built = voronoi(&Geometry::MultiPoint(sites.clone()), None).unwrap();
            let mut distinct: Vec<(u64, u64)> = sites
                .iter()
                .map(|p| (p.x().to_bits(), p.y().to_bits()))
                .collect();
            distinct.sort_unstable();
            distinct.dedup();
            if distinct.len() < 2 {
                assert!(built.cells.is_empty());
                continue;
            }
            assert_eq!(built.cells.len(), distinct.len(), "{kind} {n}");
            let frame = sites.bounding_rect().unwrap();
            let margin = frame.width().max(frame.height());
            let whole = (frame.width() + 2.0 * margin) * (frame.height() + 2.0 * margin);
            let sum: f64 = built.cells.iter().map(Area::unsigned_area).sum();
            assert!(
                (sum - whole).abs() < 1e-7 * whole,
                "{kind} {n}: {sum} {whole}"
            );
            for _ in 0..40 {
                let p = Point::new(
                    rng.random_range(frame.min().x - margin..=frame.max().x + margin),
                    rng.random_range(frame.min().y - margin..=frame.max().y + margin),
                );
                let far = |s: &Point<f64>| (s.x() - p.x()).hypot(s.y() - p.y());
                let nearest = sites.iter().map(far).fold(f64::INFINITY, f64::min);
                for cell in built.cells.iter().filter(|cell| cell.contains(&p)) {
                    // Its site is one of the nearest.
                    let own = sites.iter().filter(|s| cell.intersects(*s)).map(far);
                    let own = own.fold(f64::INFINITY, f64::min);
                    assert!(
                        (own - nearest).abs() < 1e-6 * margin,
                        "{kind} {n} {own} {nearest}"
                    );
                }
            }
        }
    }
}

#[test]
fn circles_hold_everything_and_touch_two() {
    let mut rng = StdRng::seed_from_u64(7);
    for kind in 0..3 {
        for n in [1, 2, 3, 10, 60] {
            let all = points(&mut rng, n, kind);
            let circle = bounding_circle(&Geometry::MultiPoint(all.clone())).unwrap();
            let far = |p: &Point<f64>| (p.x() - circle.centre.x).hypot(p.y() - circle.centre.y);
            assert!(all.iter().all(|p| far(p) <= circle.radius * (1.0 + 1e-9)));
            let on = all
                .iter()
                .filter(|p| far(p) >= circle.radius * (1.0 - 1e-9));
            assert!(on.count() >= n.min(2));
        }
    }
}

#[test]
fn concave_hulls_hold_all_points() {
    let mut rng = StdRng::seed_from_u64(8);
    for kind in 0..2 {
        for holes in [false, true] {
            let all = Geometry::MultiPoint(points(&mut rng, 80, kind));
            let mut before = f64::INFINITY;
            for ratio in [1.0, 0.5, 0.2, 0.0] {
                let hull = concave_hull(&all, ratio, holes).unwrap();
                assert!(matches!(hull, Geometry::Polygon(_)), "{hull:?}");
                assert!(invalid(&hull).is_none());
                assert!(hull.unsigned_area() <= before);
                before = hull.unsigned_area();
                let Geometry::MultiPoint(points) = &all else {
                    unreachable!()
                };
                assert!(points.iter().all(|p| hull.intersects(p)));
            }
        }
    }
}

/// A polygon around the origin, often with narrow bays.
fn star(rng: &mut StdRng, n: usize) -> Polygon<f64> {
    let mut ring: Vec<Coord<f64>> = (0..n)
        .map(|i| {
            let angle = i as f64 / n as f64 * std::f64::consts::TAU;
            let radius = rng.random_range(1.0..9.0);
            Coord {
                x: radius * angle.cos(),
                y: radius * angle.sin(),
            }
        })
        .collect();
    ring.push(ring[0]);
    Polygon::new(LineString(ring), vec![])
}

#[test]
fn pieces_make_the_whole() {
    let mut rng = StdRng::seed_from_u64(9);
    for n in [5, 40, 300] {
        let whole = star(&mut rng, n);
        let pieces = subdivide(&Geometry::Polygon(whole.clone()), 12);
        let sum: f64 = pieces.iter().map(Area::unsigned_area).sum();
        assert!((sum - whole.unsigned_area()).abs() < 1e-9 * sum);
        assert!(
            pieces
                .iter()
                .all(|p| geo::CoordsIter::coords_count(p) <= 12)
        );
        assert!(pieces.iter().all(|p| invalid(p).is_none()));
    }
    let line = geometry("LINESTRING(0 0,1 1,2 0,3 1,4 0,5 1)");
    let pieces = subdivide(&line, 3);
    assert!(pieces.iter().all(|p| geo::CoordsIter::coords_count(p) <= 3));
    assert!(subdivide(&geometry("POLYGON EMPTY"), 5).is_empty());
}

#[test]
fn simplified_rings_stay_apart() {
    let mut rng = StdRng::seed_from_u64(10);
    let ordinates = |c: &Coord<f64>| Ordinates {
        x: c.x,
        y: c.y,
        z: 0.0,
        m: 0.0,
    };
    for n in [8, 60, 400] {
        for tolerance in [0.1, 1.0, 5.0, 100.0] {
            let shape = star(&mut rng, n);
            let run = shape.exterior().0.iter().map(ordinates).collect();
            let mut runs = vec![run];
            simplify_runs(&mut runs, tolerance);
            let ring = runs[0].iter().map(|c| Coord { x: c.x, y: c.y }).collect();
            let simple = Geometry::Polygon(Polygon::new(LineString(ring), vec![]));
            assert!(invalid(&simple).is_none(), "{n} {tolerance}: {simple:?}");
        }
    }
}

#![expect(clippy::unwrap_used, reason = "tests")]

use geo::{Area, BoundingRect, Contains, CoordsIter, Euclidean, Intersects, Length};
use geo_types::{Coord, Geometry, LineString, MultiPoint, Point, Polygon};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::geometry::{Ordinates, wkb, wkt_to_wkb};
use crate::overlay::{Operation, invalid, overlay, union_all};

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

/// Pieces of few vertices, valid, none over another, that are the whole again.
fn assert_pieces(whole: &Geometry<f64>, most: usize) -> usize {
    let pieces = subdivide(whole, most);
    let sum: f64 = pieces.iter().map(Area::unsigned_area).sum();
    let area = whole.unsigned_area();
    assert!((sum - area).abs() <= 1e-9 * sum, "{sum} {area}");
    assert!(pieces.iter().all(|p| p.coords_count() <= most));
    assert!(pieces.iter().all(|p| invalid(p).is_none()));
    let back = union_all(&pieces).unwrap();
    let difference = overlay(&back, whole, Operation::SymDifference);
    let (left, limit) = (difference.unsigned_area(), 1e-9 * sum);
    assert!(left <= limit, "{left} {area}");
    pieces.len()
}

#[test]
fn pieces_make_the_whole() {
    let mut rng = StdRng::seed_from_u64(9);
    for n in [5, 40, 300] {
        let whole = star(&mut rng, n);
        assert_pieces(&Geometry::Polygon(whole.clone()), 12);
        // With holes that touch nothing, some of which the cuts meet.
        let mut holes = vec![];
        for (x, y) in [(0.0, 0.0), (0.5, 0.2), (-0.3, 0.4), (-0.2, -0.6)] {
            let ring = star(&mut rng, 9).exterior().clone();
            let small = ring.0.iter().map(|c| Coord {
                x: x + c.x / 80.0,
                y: y + c.y / 80.0,
            });
            holes.push(LineString(small.collect()));
        }
        let holed = Polygon::new(whole.exterior().clone(), holes);
        if invalid(&Geometry::Polygon(holed.clone())).is_none() {
            assert_pieces(&Geometry::Polygon(holed), 12);
        }
    }
    // A shape of the grid, whose vertices lie on many lines along the axes; holes that touch.
    for text in [
        "POLYGON((0 0,9 0,9 1,3 1,3 2,9 2,9 3,3 3,3 4,9 4,9 5,0 5,0 0),(1 1,2 1,2 4,1 4,1 1))",
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(0 2,2 1,3 2,2 3,0 2))",
        "POLYGON((0 0,8 0,8 8,0 8,0 0),(1 1,4 4,1 4,1 1),(4 4,7 4,7 7,4 4),(4 4,4 1,7 1,4 4),(4 4,4 7,1 7,4 4))",
    ] {
        let whole = geometry(text);
        assert!(invalid(&whole).is_none());
        assert!(assert_pieces(&whole, 5) > 3);
    }
    // What rings of an invalid polygon wind around.
    let bowtie = geometry("POLYGON((0 0,4 4,4 0,0 4,0 0))");
    let sum: f64 = subdivide(&bowtie, 4).iter().map(Area::unsigned_area).sum();
    assert!((sum - 8.0).abs() < 1e-9);
    let line = geometry("LINESTRING(0 0,1 1,2 0,3 1,4 0,5 1)");
    let pieces = subdivide(&line, 3);
    assert!(pieces.iter().all(|p| p.coords_count() <= 3));
    let along = |p: &Geometry<f64>| match p {
        Geometry::LineString(line) => Euclidean.length(line),
        _ => unreachable!("{p:?}"),
    };
    let length: f64 = pieces.iter().map(along).sum();
    assert!((length - 5.0 * 2f64.sqrt()).abs() < 1e-12);
    assert!(subdivide(&geometry("POLYGON EMPTY"), 5).is_empty());
    let mixed = geometry(
        "GEOMETRYCOLLECTION(POINT(1 1),MULTIPOINT((1 2),(3 4)),MULTILINESTRING((0 0,1 1),(2 2,3 3)),POLYGON((0 0,1 0,1 1,0 0)))",
    );
    assert_eq!(subdivide(&mixed, 5).len(), 6);
}

/// A polygon of nearly 200,000 vertices takes a fraction of a second, optimized; overlays of it would take minutes.
#[test]
fn a_long_coast_is_cut_at_once() {
    let mut rng = StdRng::seed_from_u64(12);
    let whole = Geometry::Polygon(star(&mut rng, 20_000));
    let pieces = subdivide(&whole, 256);
    let sum: f64 = pieces.iter().map(Area::unsigned_area).sum();
    assert!((sum - whole.unsigned_area()).abs() < 1e-9 * sum);
    assert!(pieces.iter().all(|p| p.coords_count() <= 256));
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

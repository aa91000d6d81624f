//! Predicates of which one side is a single point: its location decides, nothing is allocated.

use geo_types::Coord;

use super::SpatialPredicate;
use super::decide::decide;
use super::decoded::Decoded;
use super::distance::{point_nearest, point_point};
use super::matrix::Location;
use super::point_rules;
use super::shape::{Kind, Shape};

/// `predicate(p, q)` of two points.
#[inline]
pub(super) fn decide_two_points(
    predicate: SpatialPredicate,
    p: Coord<f64>,
    q: Coord<f64>,
    distance: f64,
) -> bool {
    match predicate {
        SpatialPredicate::DWithin => point_point(p, q) <= distance,
        _ => point_rules::holds_for_two(predicate, p == q),
    }
}

/// `predicate(decoded, point)`, and whether that took an edge.
#[inline]
pub(super) fn decide_point(
    predicate: SpatialPredicate,
    decoded: &Decoded,
    p: Coord<f64>,
    distance: f64,
) -> (bool, bool) {
    match decoded {
        Decoded::Empty => (false, false),
        Decoded::One(shape) if predicate == SpatialPredicate::DWithin => (
            distance >= 0.0 && point_nearest(p, shape, distance, distance) <= distance,
            true,
        ),
        Decoded::One(shape) => {
            let (location, exact) = locate(shape, p);
            let hit = match shape.kind {
                Kind::Point => point_rules::holds_for_points(predicate, shape, location),
                _ => point_rules::holds(predicate, location),
            };
            (hit, exact)
        }
        Decoded::Mixed(_) => {
            let point = Decoded::One(Shape::points(vec![p]));
            (decide(predicate, decoded, &point, distance), true)
        }
    }
}

/// Where a point lies, and whether that took an edge.
#[inline]
fn locate(shape: &Shape, p: Coord<f64>) -> (Location, bool) {
    let b = &shape.bounds;
    if !(p.x >= b.min_x && p.x <= b.max_x && p.y >= b.min_y && p.y <= b.max_y) {
        return (Location::Exterior, false);
    }
    match shape.built_raster().and_then(|raster| raster.locate(p)) {
        Some(location) => (location, false),
        None => (shape.locate(p), true),
    }
}

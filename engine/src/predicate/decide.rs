//! One predicate of two decoded geometries.

use super::SpatialPredicate;
use super::decoded::Decoded;
use super::distance::{self, within};
use super::intersects::intersects;
use super::matrix::{B, E, I, Location, Matrix};
use super::mixed::relate_parts;
use super::point_rules;
use super::relate::{Detail, relate};
use super::shape::{Kind, Shape};

/// Whether `predicate(a, b)` holds. EMPTY is in no relation but equality with EMPTY.
pub(crate) fn decide(predicate: SpatialPredicate, a: &Decoded, b: &Decoded, distance: f64) -> bool {
    match (a, b) {
        (Decoded::Empty, Decoded::Empty) => predicate == SpatialPredicate::Equals,
        (Decoded::Empty, _) | (_, Decoded::Empty) => false,
        // As PostGIS does, so that invalid geometries equal themselves too.
        _ if predicate == SpatialPredicate::Equals && a.is_identical(b) => true,
        (Decoded::One(a), Decoded::One(b)) => decide_shapes(predicate, a, b, distance),
        _ => decide_mixed(predicate, a, b, distance),
    }
}

/// Whether `predicate(a, b)` holds.
pub(crate) fn decide_shapes(
    predicate: SpatialPredicate,
    a: &Shape,
    b: &Shape,
    distance: f64,
) -> bool {
    if predicate != SpatialPredicate::DWithin {
        if let Some(location) = by_raster(a, b) {
            return point_rules::holds(predicate, location);
        }
        if let Some(location) = by_raster(b, a) {
            return point_rules::holds(predicate.flip(), location);
        }
    }
    let bounds_allow = match predicate {
        SpatialPredicate::DWithin => return within(a, b, distance),
        SpatialPredicate::Intersects => return intersects(a, b),
        SpatialPredicate::Contains | SpatialPredicate::Covers => a.bounds.contains(&b.bounds),
        SpatialPredicate::Within | SpatialPredicate::CoveredBy => b.bounds.contains(&a.bounds),
        SpatialPredicate::Equals => a.kind == b.kind && a.bounds == b.bounds,
        SpatialPredicate::Overlaps => a.kind == b.kind && a.bounds.intersects(&b.bounds),
        SpatialPredicate::Touches => {
            (a.kind, b.kind) != (Kind::Point, Kind::Point) && a.bounds.intersects(&b.bounds)
        }
        SpatialPredicate::Crosses => {
            (a.kind != b.kind || a.kind == Kind::Line) && a.bounds.intersects(&b.bounds)
        }
    };
    // The greater dimension never lies in the smaller.
    let dimensions_allow = match predicate {
        SpatialPredicate::Contains | SpatialPredicate::Covers => a.kind >= b.kind,
        SpatialPredicate::Within | SpatialPredicate::CoveredBy => a.kind <= b.kind,
        _ => true,
    };
    bounds_allow
        && dimensions_allow
        && relate(a, b, Detail::Predicates).satisfies(predicate, a.kind, b.kind)
}

/// Where `b` lies in `a`, wholly inside or outside, if a raster says so; the predicates then hold
/// as they would for a point there.
fn by_raster(a: &Shape, b: &Shape) -> Option<Location> {
    let raster = a.built_raster()?;
    match a.bounds.contains(&b.bounds) {
        true => raster.locate_bounds(&b.bounds),
        false => None,
    }
}

/// The DE-9IM matrix of two geometries.
pub(crate) fn matrix(a: &Decoded, b: &Decoded) -> Matrix {
    match (a, b) {
        (Decoded::One(a), Decoded::One(b)) => relate(a, b, Detail::Matrix),
        (Decoded::Empty, _) => relate_empty(b).transposed(),
        (_, Decoded::Empty) => relate_empty(a),
        _ => relate_parts(a, b),
    }
}

/// The matrix with EMPTY: everything lies outside it.
fn relate_empty(a: &Decoded) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    for part in a.parts() {
        let (interior, boundary) = match part.kind {
            Kind::Point => (0, -1),
            Kind::Line if part.ends.is_empty() => (1, -1),
            Kind::Line => (1, 0),
            Kind::Area => (2, 1),
        };
        matrix.raise(I, E, interior);
        matrix.raise(B, E, boundary);
    }
    matrix
}

/// The distance of two geometries; `None` if one is EMPTY.
pub(crate) fn distance(a: &Decoded, b: &Decoded) -> Option<f64> {
    let parts = a.parts().iter();
    parts
        .flat_map(|pa| b.parts().iter().map(move |pb| distance::distance(pa, pb)))
        .reduce(f64::min)
}

fn decide_mixed(predicate: SpatialPredicate, a: &Decoded, b: &Decoded, distance: f64) -> bool {
    let any_pair = |test: &dyn Fn(&Shape, &Shape) -> bool| {
        a.parts()
            .iter()
            .any(|pa| b.parts().iter().any(|pb| test(pa, pb)))
    };
    let (bounds_a, bounds_b) = (a.bounds(), b.bounds());
    match predicate {
        SpatialPredicate::Intersects => return any_pair(&intersects),
        SpatialPredicate::DWithin => return any_pair(&|pa, pb| within(pa, pb, distance)),
        _ if !bounds_a.intersects(&bounds_b) => return false,
        _ => {}
    }
    matrix(a, b).satisfies(predicate, a.kind(), b.kind())
}

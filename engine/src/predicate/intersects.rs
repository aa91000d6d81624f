//! Whether two shapes share a point, with the first evidence.

use std::ops::ControlFlow;

use super::contacts::for_each_meet;
use super::matrix::Location;
use super::shape::{Kind, Shape};

/// Whether `a` and `b` share a point.
pub(crate) fn intersects(a: &Shape, b: &Shape) -> bool {
    if !a.bounds.intersects(&b.bounds) {
        return false;
    }
    match (a.kind, b.kind) {
        (Kind::Point, _) => any_point(a, b),
        (_, Kind::Point) => any_point(b, a),
        _ => {
            // One vertex in the other's interior spares looking at edges.
            a.kind == Kind::Area && inside(a, b.coords[0])
                || b.kind == Kind::Area && inside(b, a.coords[0])
                || edges_meet(a, b)
                // No edges meet: each chain lies wholly inside or outside the other.
                || a.kind == Kind::Area && any_chain_inside(a, b)
                || b.kind == Kind::Area && any_chain_inside(b, a)
        }
    }
}

fn any_point(points: &Shape, other: &Shape) -> bool {
    points
        .coords
        .iter()
        .any(|p| other.locate(*p) != Location::Exterior)
}

fn inside(area: &Shape, p: geo_types::Coord<f64>) -> bool {
    area.locate(p) != Location::Exterior
}

/// The first chain has been looked at.
fn any_chain_inside(area: &Shape, other: &Shape) -> bool {
    (1..other.chain_count()).any(|chain| inside(area, other.coords[other.chain(chain).start]))
}

fn edges_meet(a: &Shape, b: &Shape) -> bool {
    let mut found = false;
    for_each_meet(a, b, |_, _, _| {
        found = true;
        ControlFlow::Break(())
    });
    found
}

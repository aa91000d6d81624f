//! The DE-9IM matrix of two shapes, in exact arithmetic.
//!
//! No intersection point is ever computed. Two edges either cross properly (inside both), and
//! then the matrix of two areas, or of a line and an area, is all but known; or all meeting
//! points are vertices. In that case the chains are cut at those vertices, and each piece lies
//! wholly inside, outside or along the other shape: which of them, orientation tests at its first
//! vertex tell. (The idea is that of RelateNG in JTS, by Martin Davis.)
//!
//! ```text
//!      b ┌────────────┐
//!        │            │        nodes: n1 n2 n3, vertices of either where they meet
//!  a ────n1═══n2──┐   │        n1-n2 runs along b, n2-n3 is inside b, the rest is outside
//!        │        └───n3──
//! ```

use std::ops::ControlFlow;

use geo_types::Coord;

use super::contacts::for_each_meet;
use super::matrix::{B, E, I, Location, Matrix};
use super::nodes::Nodes;
use super::orient::{Meet, compare, on_segment};
use super::shape::{Kind, Shape};

/// How much of the matrix is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// All dimensions.
    Matrix,
    /// Enough for every named predicate.
    Predicates,
}

/// The DE-9IM matrix of `a` and `b`.
pub(crate) fn relate(a: &Shape, b: &Shape, detail: Detail) -> Matrix {
    match (a.kind, b.kind) {
        (Kind::Point, _) => points_any(a, b),
        (_, Kind::Point) => points_any(b, a).transposed(),
        (Kind::Line, Kind::Line) => line_line(a, b),
        (Kind::Line, Kind::Area) => line_area(a, b, detail),
        (Kind::Area, Kind::Line) => line_area(b, a, detail).transposed(),
        (Kind::Area, Kind::Area) => area_area(a, b, detail),
    }
}

/// After a proper crossing that involves an area no predicate is open.
fn after_crossing(detail: Detail) -> ControlFlow<()> {
    match detail {
        Detail::Matrix => ControlFlow::Continue(()),
        Detail::Predicates => ControlFlow::Break(()),
    }
}

/// Whether one of `ends` is the point in which two edges cross.
fn ends_there<'a>(
    mut ends: impl Iterator<Item = &'a Coord<f64>>,
    (a1, a2): (Coord<f64>, Coord<f64>),
    (b1, b2): (Coord<f64>, Coord<f64>),
) -> bool {
    ends.any(|p| on_segment(a1, a2, *p) && on_segment(b1, b2, *p))
}

fn points_any(points: &Shape, other: &Shape) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    for p in &points.coords {
        matrix.raise(I, other.locate(*p), 0);
    }
    match other.kind {
        Kind::Point => {
            let beyond = other.coords.iter().any(|p| points.locate(*p) == E);
            if beyond {
                matrix.raise(E, I, 0);
            }
        }
        Kind::Line => {
            matrix.raise(E, I, 1);
            if other.ends.iter().any(|p| points.locate(*p) == E) {
                matrix.raise(E, B, 0);
            }
        }
        Kind::Area => {
            matrix.raise(E, I, 2);
            matrix.raise(E, B, 1);
        }
    }
    matrix
}

fn line_line(a: &Shape, b: &Shape) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    let (mut on_a, mut on_b) = (Nodes::default(), Nodes::default());
    let at = |matrix: &mut Matrix, p: Coord<f64>| {
        let of = |shape: &Shape| if shape.is_end(p) { B } else { I };
        matrix.raise(of(a), of(b), 0);
    };
    for_each_meet(a, b, |ea, eb, how| {
        match how {
            // Where another line of `a` or `b` ends in the very point, it is no interior point.
            Meet::Proper if matrix.get(I, I) < 0 => {
                let ends = a.ends.iter().chain(&b.ends);
                if !ends_there(ends, a.edge(ea), b.edge(eb)) {
                    matrix.raise(I, I, 0);
                }
            }
            Meet::Proper | Meet::None => {}
            Meet::At(p) => at(&mut matrix, p),
            Meet::Along(p, q) => {
                matrix.raise(I, I, 1);
                at(&mut matrix, p);
                at(&mut matrix, q);
                on_a.along(a, ea, p, q);
                on_b.along(b, eb, p, q);
            }
        }
        ControlFlow::Continue(())
    });
    for p in &a.ends {
        matrix.raise(B, b.locate(*p), 0);
    }
    for p in &b.ends {
        matrix.raise(a.locate(*p), B, 0);
    }
    if !on_a.cover_all_edges(a) {
        matrix.raise(I, E, 1);
    }
    if !on_b.cover_all_edges(b) {
        matrix.raise(E, I, 1);
    }
    matrix
}

fn line_area(line: &Shape, area: &Shape, detail: Detail) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    matrix.raise(E, I, 2);
    let (mut on_line, mut on_area) = (Nodes::default(), Nodes::default());
    let mut crossing = false;
    let node = |matrix: &mut Matrix, p: Coord<f64>| match line.is_end(p) {
        true => matrix.raise(B, B, 0),
        false => matrix.raise(I, B, 0),
    };
    for_each_meet(line, area, |el, ea, how| {
        match how {
            Meet::None => {}
            Meet::Proper => {
                crossing = true;
                if matrix.get(I, B) < 0
                    && !ends_there(line.ends.iter(), line.edge(el), area.edge(ea))
                {
                    matrix.raise(I, B, 0);
                }
                return after_crossing(detail);
            }
            Meet::At(p) => {
                node(&mut matrix, p);
                on_line.at(line, el, p);
            }
            Meet::Along(p, q) => {
                matrix.raise(I, B, 1);
                node(&mut matrix, p);
                node(&mut matrix, q);
                on_line.along(line, el, p, q);
                on_area.along(area, ea, p, q);
            }
        }
        ControlFlow::Continue(())
    });
    for p in &line.ends {
        matrix.raise(B, area.locate(*p), 0);
    }
    if crossing {
        // The line passes from one side of an edge to the other.
        matrix.raise(I, I, 1);
        matrix.raise(I, E, 1);
    } else {
        on_line.for_each_piece(line, area, |location| {
            if location != B {
                matrix.raise(I, location, 1);
            }
        });
    }
    if !on_area.cover_all_edges(area) {
        matrix.raise(E, B, 1);
    }
    matrix
}

fn area_area(a: &Shape, b: &Shape, detail: Detail) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    let (mut on_a, mut on_b) = (Nodes::default(), Nodes::default());
    let mut crossing = false;
    for_each_meet(a, b, |ea, eb, how| {
        match how {
            Meet::None => {}
            Meet::Proper => {
                crossing = true;
                return after_crossing(detail);
            }
            Meet::At(p) => {
                matrix.raise(B, B, 0);
                on_a.at(a, ea, p);
                on_b.at(b, eb, p);
            }
            Meet::Along(p, q) => {
                matrix.raise(B, B, 1);
                on_a.along(a, ea, p, q);
                on_b.along(b, eb, p, q);
                let (b1, b2) = b.edge(eb);
                if compare(p, q) == compare(b1, b2) {
                    // Both interiors on the same side.
                    matrix.raise(I, I, 2);
                } else {
                    matrix.raise(I, E, 2);
                    matrix.raise(E, I, 2);
                }
            }
        }
        ControlFlow::Continue(())
    });
    if crossing {
        // Around the crossing all four combinations of sides are found.
        for (x, y, dimension) in [(I, I, 2), (I, E, 2), (E, I, 2), (B, B, 0)] {
            matrix.raise(x, y, dimension);
        }
        for (x, y) in [(I, B), (B, I), (B, E), (E, B)] {
            matrix.raise(x, y, 1);
        }
        return matrix;
    }
    on_a.for_each_piece(a, b, |location| boundary_piece(&mut matrix, location));
    let mut flipped = matrix.transposed();
    on_b.for_each_piece(b, a, |location| boundary_piece(&mut flipped, location));
    flipped.transposed()
}

/// A piece of the boundary of the first area lies at `location` in the second, its own two sides
/// with it.
fn boundary_piece(matrix: &mut Matrix, location: Location) {
    match location {
        I => {
            matrix.raise(B, I, 1);
            matrix.raise(I, I, 2);
            matrix.raise(E, I, 2);
        }
        E => {
            matrix.raise(B, E, 1);
            matrix.raise(I, E, 2);
        }
        B => {}
    }
}

//! The DE-9IM matrix of geometries of which one is a collection of several kinds.
//!
//! A collection is the union of its elements. The matrix is put together from those of the pairs
//! of elements, which is right for points, and where elements of one collection are apart; where
//! they meet, two things are coarse for lines and polygons: a boundary point of one element counts although another element has it
//! in its interior, and an element counts as covered only if one element of the other covers it
//! alone.

use geo_types::Coord;

use super::decoded::Decoded;
use super::matrix::{B, E, I, Location, Matrix};
use super::relate::{Detail, relate};
use super::shape::{Kind, Shape};

/// The matrix of two geometries, neither of them empty.
pub(super) fn relate_parts(a: &Decoded, b: &Decoded) -> Matrix {
    match (a, b) {
        (Decoded::One(points), _) if points.kind == Kind::Point => points_union(points, b),
        (_, Decoded::One(points)) if points.kind == Kind::Point => {
            points_union(points, a).transposed()
        }
        _ => relate_pairs(a, b),
    }
}

/// Points and a collection of several kinds: each point has its place in the union.
fn points_union(points: &Shape, union: &Decoded) -> Matrix {
    let mut matrix = Matrix::DISJOINT;
    for p in &points.coords {
        matrix.raise(I, locate(union.parts(), *p), 0);
    }
    // The points cover no more of the other than its points and the ends of its lines.
    for part in union.parts() {
        let rest = relate(points, part, Detail::Matrix);
        matrix.raise(E, I, rest.get(E, I));
        let ends_count = part
            .ends
            .iter()
            .any(|p| points.locate(*p) == E && locate(union.parts(), *p) == B);
        if part.kind == Kind::Area || ends_count {
            matrix.raise(E, B, rest.get(E, B));
        }
    }
    matrix
}

/// Where a point lies in a union: areas before lines before points.
fn locate(parts: &[Shape], p: Coord<f64>) -> Location {
    let mut found = E;
    // Parts come in the order of their dimension.
    for part in parts {
        match part.locate(p) {
            I if part.kind == Kind::Area => return I,
            E => {}
            location => found = location,
        }
    }
    found
}

fn relate_pairs(a: &Decoded, b: &Decoded) -> Matrix {
    let mut whole = Matrix::DISJOINT;
    let mut left_of_b: Vec<Matrix> = vec![];
    for pa in a.parts() {
        let mut left_of_a: Option<Matrix> = None;
        for (j, pb) in b.parts().iter().enumerate() {
            let pair = relate(pa, pb, Detail::Matrix);
            for x in [I, B] {
                for y in [I, B] {
                    whole.raise(x, y, pair.get(x, y));
                }
            }
            merge_exteriors(&mut left_of_a, &pair);
            match left_of_b.get_mut(j) {
                Some(so_far) => lower_exteriors(so_far, &pair),
                None => left_of_b.push(pair),
            }
        }
        if let Some(left) = left_of_a {
            whole.raise(I, E, left.get(I, E));
            whole.raise(B, E, left.get(B, E));
        }
    }
    for left in left_of_b {
        whole.raise(E, I, left.get(E, I));
        whole.raise(E, B, left.get(E, B));
    }
    whole
}

fn merge_exteriors(so_far: &mut Option<Matrix>, pair: &Matrix) {
    match so_far {
        Some(so_far) => lower_exteriors(so_far, pair),
        None => *so_far = Some(*pair),
    }
}

/// What is outside all is at most what is outside each.
fn lower_exteriors(so_far: &mut Matrix, pair: &Matrix) {
    for (x, y) in [(I, E), (B, E), (E, I), (E, B)] {
        so_far.lower(x, y, pair.get(x, y));
    }
}

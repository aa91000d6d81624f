//! The DE-9IM matrix of geometries of which one is a collection of several kinds.
//!
//! A collection is the union of its elements. The matrix is put together from those of the pairs
//! of elements, which is right where elements of one collection are apart; where they overlap,
//! two things are coarse: a boundary point of one element counts although another element has it
//! in its interior, and an element counts as covered only if one element of the other covers it
//! alone.

use super::decoded::Decoded;
use super::matrix::{B, E, I, Matrix};
use super::relate::{Detail, relate};

/// The matrix of two geometries, neither of them empty.
pub(super) fn relate_parts(a: &Decoded, b: &Decoded) -> Matrix {
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

//! DE-9IM matrices of whole columns, and the patterns that they are held to.

use std::fmt;
use std::str::FromStr;

use super::Matrix;
use super::decide;
use crate::geometry::GeometryArray;
use crate::{Error, Result};

/// A pattern of a matrix: nine cells, each `T` (anything is shared), `F` (nothing is), `*` (either) or
/// the dimension `0`, `1`, `2` of what is shared. Letters in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixPattern([u8; 9]);

impl FromStr for MatrixPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let cells = text.to_ascii_uppercase();
        match <[u8; 9]>::try_from(cells.as_bytes()) {
            Ok(cells) if cells.iter().all(|cell| b"TF*012".contains(cell)) => Ok(Self(cells)),
            _ => Err(Error::Data(format!(
                "'{text}' is no pattern of a DE-9IM matrix: write nine of T, F, *, 0, 1, 2, as 'T*F**F***'"
            ))),
        }
    }
}

impl MatrixPattern {
    /// Whether a matrix fits.
    pub fn matches(&self, matrix: &Matrix) -> bool {
        matrix
            .dimensions()
            .zip(self.0)
            .all(|(dimension, cell)| match cell {
                b'*' => true,
                b'T' => dimension >= 0,
                b'F' => dimension < 0,
                digit => dimension == (digit - b'0') as i8,
            })
    }

    /// Whether geometries that fit share a point: one of the cells of interiors and boundaries asks for it.
    pub fn implies_intersection(&self) -> bool {
        [0, 1, 3, 4]
            .iter()
            .any(|&cell| matches!(self.0[cell], b'T' | b'0'..=b'2'))
    }
}

impl fmt::Display for MatrixPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The matrix of `a[row]` and `b[row]`; an array of one value stands for that value in every row. `None`
/// for NULL.
///
/// # Errors
/// [`Error::Geometry`] for a value that cannot be decoded.
pub fn relate_row(a: &GeometryArray, b: &GeometryArray, row: usize) -> Result<Option<Matrix>> {
    let at = |array: &GeometryArray| if array.len() == 1 { 0 } else { row };
    Ok(match (a.decoded(at(a))?, b.decoded(at(b))?) {
        (Some(a), Some(b)) => Some(decide::matrix(&a, &b)),
        _ => None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_nine_known_letters() {
        for wrong in [
            "",
            "T*F**F**",
            "T*F**F****",
            "X********",
            "3********",
            "é*******",
        ] {
            assert!(wrong.parse::<MatrixPattern>().is_err(), "{wrong}");
        }
        let pattern: MatrixPattern = "t*f**f***".parse().unwrap();
        assert_eq!(pattern.to_string(), "T*F**F***");
    }

    #[test]
    fn a_shared_point_is_implied_by_interiors_and_boundaries_alone() {
        for (pattern, implied) in [
            ("T********", true),
            ("*0*******", true),
            ("***1*****", true),
            ("****T****", true),
            ("**T***T**", false),
            ("FF*FF****", false),
            ("*********", false),
        ] {
            let pattern: MatrixPattern = pattern.parse().unwrap();
            assert_eq!(pattern.implies_intersection(), implied, "{pattern}");
        }
    }

    #[test]
    fn matrices_are_held_to_patterns() {
        let matches = |pattern: &str| {
            let pattern: MatrixPattern = pattern.parse().unwrap();
            pattern.matches(&Matrix::DISJOINT)
        };
        assert!(matches("FF*FF****"));
        assert!(matches("********2"));
        assert!(!matches("********1"));
        assert!(!matches("T********"));
    }
}

//! The DE-9IM matrix of two geometries, and patterns of it.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_to_iso;
use geoflow_engine::predicate::relate;

use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, Kind, Returns, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_RelateMatch",
        aliases: &[],
        signatures: &[&[
            parameter("matrix", Kind::Text),
            parameter("pattern", Kind::Text),
        ]],
        returns: Returns::Boolean,
        about: "Whether a DE-9IM matrix fits a pattern of T, F, *, 0, 1 and 2.",
        empty: "There are no geometries.",
        examples: &[("ST_RelateMatch('0FFFFF212', 'T*F**F***')", "true")],
        evaluate: Scalar(matches),
    },
    Function {
        name: "ST_ContainsProperly",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Boolean,
        about: "Whether all of b lies in the interior of a, and touches its boundary nowhere.",
        empty: "EMPTY is in this relation to nothing.",
        examples: &[(
            "ST_ContainsProperly('POLYGON((0 0,2 0,2 2,0 2,0 0))', 'POINT(0 1)')",
            "false",
        )],
        evaluate: Scalar(|call| fits(call, "T**FF*FF*")),
    },
    Function {
        name: "ST_WithinProperly",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Boolean,
        about: "Whether all of a lies in the interior of b, and touches its boundary nowhere.",
        empty: "EMPTY is in this relation to nothing.",
        examples: &[(
            "ST_WithinProperly('POINT(1 1)', 'POLYGON((0 0,2 0,2 2,0 2,0 0))')",
            "true",
        )],
        evaluate: Scalar(|call| fits(call, "TFF*FF***")),
    },
    Function {
        name: "ST_OrderingEquals",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Boolean,
        about: "Whether a and b have the same type and the same coordinates in the same order.",
        empty: "EMPTY of the same type is equal.",
        examples: &[(
            "ST_OrderingEquals('LINESTRING(0 0,1 1)', 'LINESTRING(1 1,0 0)')",
            "false",
        )],
        evaluate: Scalar(ordering_equals),
    },
];

/// Whether a matrix fits a pattern.
///
/// # Errors
/// A text that is no pattern.
fn fit(matrix: &str, pattern: &str) -> Result<bool, Error> {
    let proper = |c: char| "TF*012".contains(c.to_ascii_uppercase());
    if pattern.len() != 9 || !pattern.chars().all(proper) {
        return Err(Error::Data(format!(
            "\"{pattern}\" is no pattern: it has nine of T, F, *, 0, 1 and 2"
        )));
    }
    if matrix.len() != 9
        || !matrix
            .chars()
            .all(|c| "F012".contains(c.to_ascii_uppercase()))
    {
        return Err(Error::Data(format!(
            "\"{matrix}\" is no matrix: it has nine of F, 0, 1 and 2"
        )));
    }
    let fits = |(m, p): (char, char)| match p.to_ascii_uppercase() {
        '*' => true,
        'T' => m != 'F',
        p => m.eq_ignore_ascii_case(&p),
    };
    Ok(matrix.chars().zip(pattern.chars()).all(fits))
}

fn matches(call: &Call<'_>) -> Result<ArrayRef> {
    let (matrix, pattern) = (call.text(0)?, call.text(1)?);
    call.booleans(|row| fit(matrix(row), pattern(row)).map(Some))
}

fn fits(call: &Call<'_>, pattern: &str) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.booleans(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        fit(&relate(&a, &b).to_string(), pattern).map(Some)
    })
}

fn ordering_equals(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    let (mut left, mut right) = (vec![], vec![]);
    call.booleans(|row| {
        left.clear();
        right.clear();
        wkb_to_iso(a.wkb(row)?, &mut left).map_err(|e| a.invalid(row, e))?;
        wkb_to_iso(b.wkb(row)?, &mut right).map_err(|e| b.invalid(row, e))?;
        Ok(Some(left == right))
    })
}

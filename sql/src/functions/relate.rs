//! The DE-9IM matrix as text, and tests of it by a pattern.

use std::fmt::Write;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::predicate::{Matrix, MatrixPattern, relate_row};

use super::args::whose;
use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, Kind, Parameter, Returns, parameter};

const PATTERN: Parameter = parameter("pattern", Kind::Text);

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "ST_Relate",
    aliases: &[],
    signatures: &[&[A, B], &[A, B, PATTERN]],
    returns: Returns::Relation,
    about: "The DE-9IM matrix of a and b: the dimensions of what interior, boundary and exterior of a share with those of b, F for nothing. With a pattern, whether the matrix fits its nine cells: T (something is shared), F (nothing), * (either), or the dimension 0, 1, 2 of what is shared. As the condition of a join it goes through the spatial index, if the pattern asks for a shared point of interiors or boundaries.",
    empty: "EMPTY has neither interior nor boundary. A pattern that is none is an error.",
    examples: &[
        (
            "ST_Relate('POINT(1 1)', 'LINESTRING(0 0,2 2)')",
            "0FFFFF102",
        ),
        (
            "ST_Relate('POINT(1 1)', 'LINESTRING(0 0,2 2)', 'T********')",
            "true",
        ),
    ],
    evaluate: Scalar(|call| match call.arity() {
        2 => matrix(call),
        _ => fits(call),
    }),
}];

fn relation(call: &Call<'_>, row: usize) -> Result<Option<Matrix>, Error> {
    let (a, b) = (call.geometry(0), call.geometry(1));
    let (Ok(a), Ok(b)) = (a, b) else {
        return Err(Error::Internal("ST_Relate without geometries".into()));
    };
    relate_row(a.array(), b.array(), row).map_err(|e| whose(a, b, e))
}

fn matrix(call: &Call<'_>) -> Result<ArrayRef> {
    call.texts(|row, text| {
        if let Some(matrix) = relation(call, row)? {
            // Writing into a string does not fail.
            let _ = write!(text, "{matrix}");
        }
        Ok(())
    })
}

fn fits(call: &Call<'_>) -> Result<ArrayRef> {
    let pattern = call.text(2)?;
    let mut last: Option<(String, MatrixPattern)> = None;
    call.booleans(|row| {
        let text = pattern(row);
        let pattern = match &last {
            Some((known, pattern)) if known == text => *pattern,
            _ => {
                let parsed: MatrixPattern = text.parse()?;
                last = Some((text.to_owned(), parsed));
                parsed
            }
        };
        Ok(relation(call, row)?.map(|matrix| pattern.matches(&matrix)))
    })
}

//! Predicates over whole columns, for the scalar functions.

use arrow::array::BooleanArray;
use arrow::array::builder::BooleanBuilder;
use geo_types::Geometry;

use super::{Distances, ProbeBatch, SpatialPredicate};
use crate::geometry::GeometryArray;
use crate::{Error, Result};

/// `predicate(a[i], b[i])` for every row. NULL on either side gives NULL.
///
/// # Errors
/// [`Error::Geometry`] for a value that cannot be decoded; [`Error::Internal`] for columns of
/// different lengths.
pub fn evaluate_arrays(
    predicate: SpatialPredicate,
    a: &GeometryArray,
    b: &GeometryArray,
    distance: Distances<'_>,
) -> Result<BooleanArray> {
    if a.len() != b.len() {
        return Err(Error::Internal(format!(
            "{predicate} over columns of {} and {} rows",
            a.len(),
            b.len()
        )));
    }
    let mut holds = BooleanBuilder::with_capacity(a.len());
    for i in 0..a.len() {
        match (a.geometry(i)?, b.geometry(i)?) {
            (Some(a), Some(b)) => holds.append_value(predicate.evaluate(&a, &b, distance.get(i))),
            _ => holds.append_null(),
        }
    }
    Ok(holds.finish())
}

/// `predicate(constant, array[i])` for every row, or `predicate(array[i], constant)` if the
/// constant is not on the left. NULL rows give NULL.
///
/// # Errors
/// [`Error::Geometry`] for a value that cannot be decoded.
pub fn evaluate_constant(
    predicate: SpatialPredicate,
    constant: &Geometry<f64>,
    constant_is_left: bool,
    array: &GeometryArray,
    distance: Distances<'_>,
) -> Result<BooleanArray> {
    let oriented = if constant_is_left {
        predicate
    } else {
        predicate.flip()
    };
    let batch = ProbeBatch::try_new(array.clone())?;
    let mut holds = BooleanBuilder::with_capacity(batch.len());
    for i in 0..batch.len() {
        if batch.is_null(i) {
            holds.append_null();
            continue;
        }
        let d = distance.get(i);
        holds.append_option(batch.with_geometry(i, |g| oriented.evaluate(constant, g, d))?);
    }
    Ok(holds.finish())
}

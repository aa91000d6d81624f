//! Predicates, distances and matrices over single pairs and whole columns, for the scalar
//! functions.

use arrow::array::builder::{BooleanBuilder, Float64Builder};
use arrow::array::{BooleanArray, Float64Array};
use arrow::buffer::BooleanBuffer;
use geo_types::{Coord, Geometry};

use super::decide::{self, decide};
use super::decode::from_geometry;
use super::decoded::Decoded;
use super::distance::{SLACK, point_nearest, point_point};
use super::options::Build;
use super::points::{decide_point, decide_two_points};
use super::recent::Recent;
use super::{Distances, Matrix, SpatialPredicate};
use crate::geometry::{Bounds, GeometryArray};
use crate::{Error, Result};

/// `predicate(a[i], b[i])` for every row. NULL on either side gives NULL; so does not a NULL
/// distance, which the caller masks.
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
    same_length(a, b)?;
    let (mut recent_a, mut recent_b) = (Recent::new(a), Recent::new(b));
    let mut holds = BooleanBuilder::with_capacity(a.len());
    for i in 0..a.len() {
        let d = distance.get(i);
        let hit = match (a.point(i), b.point(i)) {
            (Some(p), Some(q)) => Some(decide_two_points(predicate, p, q, d)),
            (Some(p), None) => recent_b
                .decoded(i)?
                .map(|b| decide_point(predicate.flip(), b, p, d).0),
            (None, Some(q)) => recent_a
                .decoded(i)?
                .map(|a| decide_point(predicate, a, q, d).0),
            (None, None) => match (recent_a.decoded(i)?, recent_b.decoded(i)?) {
                (Some(a), Some(b)) => Some(decide(predicate, a, b, d)),
                _ => None,
            },
        };
        holds.append_option(hit);
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
    let oriented = match constant_is_left {
        true => predicate,
        false => predicate.flip(),
    };
    let constant = prepared_constant(constant, array.len());
    let bounds = constant.bounds();
    if let Some((reach, d)) = reach_of_points(oriented, &constant, distance) {
        let (mut x, mut y) = (vec![], vec![]);
        if array.points(&mut x, &mut y)? {
            // Most points are too far, and that takes no more than four comparisons. NULL and EMPTY
            // are NaN, which is nowhere.
            let holds = BooleanBuffer::collect_bool(x.len(), |i| {
                let p = Coord { x: x[i], y: y[i] };
                reach.contains(&Bounds::point(p.x, p.y))
                    && decide_point(oriented, &constant, p, d).0
            });
            return Ok(BooleanArray::new(holds, array.nulls().cloned()));
        }
    }
    let mut recent = Recent::new(array);
    let mut holds = BooleanBuilder::with_capacity(array.len());
    for i in 0..array.len() {
        let d = distance.get(i);
        holds.append_option(match array.point(i) {
            Some(p) => Some(decide_point(oriented, &constant, p, d).0),
            // The rectangle of a value is read from its bytes: most values need no more.
            None if lies_apart(oriented, &bounds, array, i)? => Some(false),
            None => recent
                .decoded(i)?
                .map(|other| decide(oriented, &constant, other, d)),
        });
    }
    Ok(holds.finish())
}

/// The distance of `a[i]` and `b[i]`, in the units of the coordinates. NULL for NULL and EMPTY.
///
/// # Errors
/// As [`evaluate_arrays`].
pub fn distance_arrays(a: &GeometryArray, b: &GeometryArray) -> Result<Float64Array> {
    same_length(a, b)?;
    let (mut recent_a, mut recent_b) = (Recent::new(a), Recent::new(b));
    let mut all = Float64Builder::with_capacity(a.len());
    for i in 0..a.len() {
        let one = match (a.point(i), b.point(i)) {
            (Some(p), Some(q)) => Some(point_point(p, q)),
            (Some(p), None) => recent_b.decoded(i)?.and_then(|b| distance_to_point(b, p)),
            (None, Some(q)) => recent_a.decoded(i)?.and_then(|a| distance_to_point(a, q)),
            (None, None) => match (recent_a.decoded(i)?, recent_b.decoded(i)?) {
                (Some(a), Some(b)) => decide::distance(a, b),
                _ => None,
            },
        };
        all.append_option(one);
    }
    Ok(all.finish())
}

/// The distance of `constant` and `array[i]`. NULL for NULL and EMPTY.
///
/// # Errors
/// As [`evaluate_constant`].
pub fn distance_constant(constant: &Geometry<f64>, array: &GeometryArray) -> Result<Float64Array> {
    let constant = prepared_constant(constant, array.len());
    let mut recent = Recent::new(array);
    let mut all = Float64Builder::with_capacity(array.len());
    for i in 0..array.len() {
        all.append_option(match array.point(i) {
            Some(p) => distance_to_point(&constant, p),
            None => recent
                .decoded(i)?
                .and_then(|other| decide::distance(&constant, other)),
        });
    }
    Ok(all.finish())
}

/// The distance of two geometries whose coordinates are finite; `None` if one is EMPTY.
pub fn distance(a: &Geometry<f64>, b: &Geometry<f64>) -> Option<f64> {
    decide::distance(&from_geometry(a), &from_geometry(b))
}

/// The DE-9IM matrix of two geometries whose coordinates are finite, EMPTY ones included.
pub fn relate(a: &Geometry<f64>, b: &Geometry<f64>) -> Matrix {
    decide::matrix(&from_geometry(a), &from_geometry(b))
}

/// The rectangle within which a point must lie for `predicate(constant, point)` to hold, and the
/// distance; `None` where there are many distances, or EMPTY satisfies the predicate.
fn reach_of_points(
    predicate: SpatialPredicate,
    constant: &Decoded,
    distance: Distances<'_>,
) -> Option<(Bounds, f64)> {
    let bounds = constant.bounds();
    match (predicate, distance) {
        (SpatialPredicate::DWithin, Distances::Constant(d)) if d >= 0.0 => {
            Some((bounds.expand(d * SLACK), d))
        }
        (SpatialPredicate::DWithin | SpatialPredicate::Equals, _) => None,
        _ => Some((bounds, f64::NAN)),
    }
}

/// Whether a value has a rectangle that lies apart from `bounds`, so that the value is in no relation to
/// what is there.
///
/// # Errors
/// As [`GeometryArray::bounds`].
fn lies_apart(
    predicate: SpatialPredicate,
    bounds: &Bounds,
    array: &GeometryArray,
    row: usize,
) -> Result<bool> {
    if predicate == SpatialPredicate::DWithin || bounds.is_empty() || array.wkb(row).is_none() {
        return Ok(false);
    }
    let other = array.bounds(row)?;
    // EMPTY may be equal to EMPTY.
    Ok(!other.is_empty() && !other.intersects(bounds))
}

fn distance_to_point(a: &Decoded, p: Coord<f64>) -> Option<f64> {
    let parts = a.parts().iter();
    parts
        .map(|part| point_nearest(p, part, f64::INFINITY, f64::NEG_INFINITY))
        .reduce(f64::min)
}

fn prepared_constant(constant: &Geometry<f64>, rows: usize) -> Decoded {
    let constant = from_geometry(constant);
    constant.ask(rows, Build::Auto);
    constant
}

fn same_length(a: &GeometryArray, b: &GeometryArray) -> Result<()> {
    match a.len() == b.len() {
        true => Ok(()),
        false => Err(Error::Internal(format!(
            "a function of columns of {} and {} rows",
            a.len(),
            b.len()
        ))),
    }
}

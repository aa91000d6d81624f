//! The other side of a refinement: one batch of geometries that pass by once.

use std::sync::OnceLock;

use geo_types::Coord;

use super::decoded::Decoded;
use crate::geometry::{Bounds, GeometryArray};
use crate::{Error, Result};

/// The distances of `ST_DWithin`, in the units of the coordinates. Negative and NaN distances
/// hold no pair.
#[derive(Debug, Clone, Copy)]
pub enum Distances<'a> {
    /// The predicate takes none.
    None,
    /// One for all pairs.
    Constant(f64),
    /// One a candidate pair, in the order of the pairs.
    PerPair(&'a [f64]),
}

impl Distances<'_> {
    /// The distance of pair `i`; NaN (which holds no pair) where there is none.
    #[inline]
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Distances::None => f64::NAN,
            Distances::Constant(d) => *d,
            Distances::PerPair(all) => all.get(i).copied().unwrap_or(f64::NAN),
        }
    }
}

/// One batch of geometries, decoded row by row when first asked for, and at most once. An
/// all-point batch is two slices and never decodes.
#[derive(Debug)]
pub struct ProbeBatch {
    array: GeometryArray,
    points: Option<(Vec<f64>, Vec<f64>)>,
    decoded: Vec<OnceLock<Box<Decoded>>>,
}

impl ProbeBatch {
    /// Looks at the batch: takes the coordinates of an all-point batch, decodes nothing else.
    ///
    /// # Errors
    /// [`Error::Geometry`] for points with coordinates that are not finite.
    pub fn try_new(array: GeometryArray) -> Result<Self> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let points = array.points(&mut x, &mut y)?.then_some((x, y));
        let mut decoded = Vec::new();
        if points.is_none() {
            decoded.resize_with(array.len(), OnceLock::new);
        }
        Ok(Self {
            array,
            points,
            decoded,
        })
    }

    /// x and y by row if all rows are points. NULL and POINT EMPTY are NaN in both.
    pub fn points(&self) -> Option<(&[f64], &[f64])> {
        self.points.as_ref().map(|(x, y)| (&x[..], &y[..]))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Whether row `i` is NULL.
    pub fn is_null(&self, i: usize) -> bool {
        self.array.is_null(i)
    }

    /// The rectangle of row `i`; [`Bounds::EMPTY`] for NULL and EMPTY.
    ///
    /// # Errors
    /// As [`GeometryArray::bounds`].
    pub fn bounds(&self, i: usize) -> Result<Bounds> {
        match &self.points {
            Some((x, _)) if x[i].is_nan() => Ok(Bounds::EMPTY),
            Some((x, y)) => Ok(Bounds::point(x[i], y[i])),
            None => self.array.bounds(i),
        }
    }

    /// Row `i` of a batch that is not all points, decoded. `None` for NULL.
    pub(super) fn decoded(&self, i: usize) -> Result<Option<&Decoded>> {
        let Some(slot) = self.decoded.get(i) else {
            return Err(Error::Internal(
                "a batch of points was to be decoded".into(),
            ));
        };
        if let Some(decoded) = slot.get() {
            return Ok(Some(decoded));
        }
        Ok(self
            .array
            .decoded(i)?
            .map(|decoded| &**slot.get_or_init(|| Box::new(decoded))))
    }

    /// The point in row `i`, cheaply, if the value is one and not EMPTY.
    #[inline]
    pub(super) fn point(&self, i: usize) -> Option<Coord<f64>> {
        match &self.points {
            Some((x, y)) => (!x[i].is_nan()).then(|| Coord { x: x[i], y: y[i] }),
            None => self.array.point(i),
        }
    }

    /// Checks that `row` exists: candidate lists come from another module.
    #[inline]
    pub(super) fn check(&self, row: u32) -> Result<usize> {
        check_row(row, self.len())
    }
}

/// Checks that a candidate row exists.
#[inline]
pub(super) fn check_row(row: u32, len: usize) -> Result<usize> {
    let row = row as usize;
    if row < len {
        Ok(row)
    } else {
        Err(Error::Internal(format!(
            "candidate row {row} of {len} rows"
        )))
    }
}

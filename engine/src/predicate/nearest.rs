//! Distances for a search of nearest geometries.

use super::decide;
use super::distance::{point_nearest, point_point};
use super::probe::check_row;
use super::{PreparedSet, ProbeBatch};
use crate::Result;

impl PreparedSet {
    /// The distance of a geometry of the set from one of `other`; infinite if either is NULL or
    /// EMPTY. Where it is greater than `limit`, any value above `limit` may be returned.
    ///
    /// # Errors
    /// [`Error::Geometry`](crate::Error::Geometry) for a value that cannot be decoded;
    /// [`Error::Internal`](crate::Error::Internal) for rows that do not exist.
    pub fn distance(
        &self,
        row: u32,
        other: &ProbeBatch,
        other_row: u32,
        limit: f64,
    ) -> Result<f64> {
        let row = check_row(row, self.len())?;
        let other_row = other.check(other_row)?;
        let mut distance = f64::INFINITY;
        if let (Some(p), Some(q)) = (self.point(row), other.point(other_row)) {
            return Ok(point_point(p, q));
        }
        if other.points().is_some() && other.point(other_row).is_none() {
            return Ok(distance);
        }
        self.with_row(row, 1, |decoded| {
            distance = match other.point(other_row) {
                Some(p) => decoded
                    .parts()
                    .iter()
                    .map(|shape| point_nearest(p, shape, limit, 0.0))
                    .fold(f64::INFINITY, f64::min),
                None => other
                    .decoded(other_row)?
                    .and_then(|other| decide::distance(decoded, other))
                    .unwrap_or(f64::INFINITY),
            };
            Ok(())
        })?;
        Ok(distance)
    }
}

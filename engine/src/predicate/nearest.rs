//! Distances for a search of nearest geometries.

use geo_types::Coord;

use super::decoded::Decoded;
use super::distance::{parts_nearest, point_nearest, point_point};
use super::probe::check_row;
use super::shape::Kind;
use super::{PreparedSet, ProbeBatch};
use crate::Result;

impl PreparedSet {
    /// The vertices of a polygon of the set that has one ring of few edges, and has been prepared: who
    /// asks for its distance from many points may keep a copy of them among [`Rings`](super::Rings).
    pub fn few_edged_ring(&self, row: u32) -> Option<&[Coord<f64>]> {
        let row = check_row(row, self.len()).ok()?;
        match self.prepared(row)? {
            Decoded::One(shape)
                if shape.kind == Kind::Area && shape.chain_count() == 1 && shape.is_small() =>
            {
                shape.coords.get(shape.chain(0))
            }
            _ => None,
        }
    }

    /// The distance of a geometry of the set from one of `other`; infinite if either is NULL or
    /// EMPTY. Where it is greater than `limit`, any value above `limit` may be returned.
    ///
    /// # Errors
    /// [`Error::Geometry`](crate::Error::Geometry) for a value that cannot be decoded;
    /// [`Error::Internal`](crate::Error::Internal) for rows that do not exist.
    #[inline]
    pub fn distance(
        &self,
        row: u32,
        other: &ProbeBatch,
        other_row: u32,
        limit: f64,
    ) -> Result<f64> {
        let row = check_row(row, self.len())?;
        let other_row = other.check(other_row)?;
        if let Some(decoded) = self.prepared(row) {
            return measure(decoded, other, other_row, limit);
        }
        if let (Some(p), Some(q)) = (self.point(row), other.point(other_row)) {
            return Ok(point_point(p, q));
        }
        let mut distance = f64::INFINITY;
        // Distances are not what a raster serves, so the row is not said to be asked for.
        self.with_row(row, 0, |decoded| {
            distance = measure(decoded, other, other_row, limit)?;
            Ok(())
        })?;
        Ok(distance)
    }
}

#[inline]
fn measure(decoded: &Decoded, other: &ProbeBatch, row: usize, limit: f64) -> Result<f64> {
    if let Some(p) = other.point(row) {
        let mut best = f64::INFINITY;
        for shape in decoded.parts() {
            best = best.min(point_nearest(p, shape, best.min(limit), 0.0));
        }
        return Ok(best);
    }
    if other.points().is_some() {
        return Ok(f64::INFINITY); // NULL or EMPTY
    }
    Ok(match other.decoded(row)? {
        Some(other) => parts_nearest(decoded.parts(), other.parts(), limit),
        None => f64::INFINITY,
    })
}

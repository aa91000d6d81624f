//! The spatial predicates of the OGC, over pairs of geometries.
//!
//! ```text
//!  one pair of geometries ───────────> SpatialPredicate::evaluate      the plain definition
//!  two columns, row by row ──────────> evaluate_arrays                 scalar functions
//!  a constant and a column ──────────> evaluate_constant
//!  distances, DE-9IM matrices ───────> distance, distance_arrays, relate
//!  candidate pairs of a join ────────> PreparedSet::refine(ProbeBatch) one side prepared once
//! ```

mod arrays;
pub(crate) mod chunks;
mod contacts;
mod decide;
mod decode;
mod decoded;
mod distance;
mod intersects;
mod ledger;
mod matrices;
mod matrix;
mod mixed;
mod nearest;
mod nodes;
mod options;
pub(crate) mod orient;
mod point_rules;
mod points;
mod prepared;
mod probe;
mod raster;
mod recent;
mod relate;
mod relation;
mod rings;
mod shape;
mod slots;
mod stripes;
mod wide;

pub use arrays::{
    distance, distance_arrays, distance_constant, evaluate_arrays, evaluate_constant, relate,
};
pub use distance::length;
pub(crate) use distance::{bounds_distance, point_segment};
pub use matrices::{MatrixPattern, relate_row};
pub use matrix::Matrix;
pub use options::{Build, PrepareOptions};
pub use prepared::{PreparedSet, RefineStats};
pub use probe::{Distances, ProbeBatch};
pub use relation::SpatialPredicate;
pub use rings::{Ring, Rings};

use crate::geometry::GeometryArray;
use crate::{Error, Result};

impl GeometryArray {
    /// Decodes row `i` for predicates; `None` for NULL.
    pub(crate) fn decoded(&self, i: usize) -> Result<Option<decoded::Decoded>> {
        match self.wkb(i) {
            Some(bytes) => decode::from_wkb(bytes)
                .map(Some)
                .map_err(|e| Error::Geometry {
                    row: i,
                    reason: e.to_string(),
                }),
            None => Ok(self.geometry(i)?.map(|g| decode::from_geometry(&g))),
        }
    }
}

//! The spatial predicates of the OGC, over pairs of geometries.
//!
//! ```text
//!  one pair of geometries ───────────> SpatialPredicate::evaluate      the plain definition
//!  two columns, row by row ──────────> evaluate_arrays                 scalar functions
//!  a constant and a column ──────────> evaluate_constant
//!  candidate pairs of a join ────────> PreparedSet::refine(ProbeBatch) one side prepared once
//! ```

mod arrays;
mod prepared;
mod probe;
mod relation;

pub use arrays::{evaluate_arrays, evaluate_constant};
pub use prepared::{PreparedSet, RefineStats};
pub use probe::{Distances, ProbeBatch};
pub use relation::SpatialPredicate;

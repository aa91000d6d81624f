//! The spatial predicates of the OGC, over pairs of geometries.

mod relation;

pub use relation::SpatialPredicate;

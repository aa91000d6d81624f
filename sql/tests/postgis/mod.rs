//! What the comparison with PostGIS needs.

pub(crate) mod differences;
pub(crate) mod same;

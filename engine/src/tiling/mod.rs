//! How space is cut and ordered.
//!
//! [`KdCells`] cuts a sample of rows into cells of about equal weight.

mod kd;

pub use kd::{KdCells, KdOptions, KdSample};

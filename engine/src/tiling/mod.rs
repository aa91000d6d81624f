//! How space is cut and ordered: neighbours in space become neighbours in a file.
//!
//! ```text
//!  rows in any order ──> HilbertSortExec ──> rows along one curve      (hilbert_sort)
//!                             │
//!                       HilbertCurve: the place of a point on it       (hilbert)
//! ```
//!
//! [`KdCells`] cuts a sample of rows into cells of about equal weight.

mod hilbert;
mod hilbert_sort;
mod kd;

pub use hilbert::HilbertCurve;
pub use hilbert_sort::HilbertSortExec;
pub use kd::{KdCells, KdOptions, KdSample};

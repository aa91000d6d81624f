//! How space is cut and ordered: neighbours in space become neighbours in a file.
//!
//! ```text
//!  rows in any order ──> HilbertSortExec ──> rows along one curve      (hilbert_sort)
//!                             │
//!                       HilbertCurve: the place of a point on it       (hilbert)
//! ```
//!
//! [`CellGrid`] names the cells of grids that are the same for everybody. [`KdCells`] cuts a sample of rows into cells of about equal weight.

mod cells;
mod hilbert;
mod hilbert_sort;
mod kd;
mod kd_exec;

pub use cells::{CellGrid, Cells};
pub use hilbert::HilbertCurve;
pub use hilbert_sort::HilbertSortExec;
pub use kd::{KdCells, KdOptions, KdSample};
pub use kd_exec::KdCellExec;

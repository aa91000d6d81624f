//! Columnar access to geometry: what a column holds, and how kernels get at it.
//!
//! ```text
//!  Field + extension metadata ──> GeometryType   (encoding, CRS)
//!  ArrayRef ────────────────────> GeometryArray  (a view, nothing decoded)
//!                                   ├─ points()      all-point batch: x and y
//!                                   ├─ bounds(i)     rectangle of one row, from bytes
//!                                   └─ geometry(i)   one decoded geometry
//! ```

mod array;
mod bounds;
mod field;
mod native;
pub mod wkb;

pub use array::GeometryArray;
pub use bounds::Bounds;
pub use field::{Encoding, GeometryType};

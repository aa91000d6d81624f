//! FlatGeobuf: features in FlatBuffers, behind a packed Hilbert R-tree.
//!
//! ```text
//! | fgb\3fgb\0 | header: columns, CRS, count | R-tree: nodes of 40 bytes, root first | features, one after another |
//! ```
//!
//! The tree is walked node by node where a scan asks for rectangles: what lies elsewhere is not read.

mod geometry;
mod header;
mod index;
mod properties;
mod source;

pub use source::FlatGeobuf;

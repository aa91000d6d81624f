//! Shapefiles: geometries in a `.shp`, their attributes in a `.dbf`, the CRS in a `.prj`.
//!
//! ```text
//!  a.shx ── where each record is ──┐
//!  a.shp ── one shape a record ────┼──> Shapefile ──> batches, one row a record
//!  a.dbf ── one row a record ──────┘
//!  a.prj ── WKT of the CRS; a.cpg ── the encoding of texts
//! ```

mod dbf;
mod encoding;
mod rings;
mod shape;
mod shp;
mod source;

pub use source::{Shapefile, ShapefileOptions};

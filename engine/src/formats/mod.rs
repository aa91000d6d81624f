//! Formats that people have on their disks, beside GeoParquet.
//!
//! ```text
//!  file ──> FeatureSource: schema, batches one after another ──> FeatureTable ──> scan of a statement
//!                          on a thread of its own
//! ```

mod geopackage;
mod geopackage_columns;
mod table;

pub use geopackage::{GeoPackage, GeoPackageLayer};
pub use table::{FeatureSource, FeatureTable};

//! Formats that people have on their disks, beside GeoParquet.
//!
//! ```text
//!  file ──> FeatureSource: schema, batches one after another ──> FeatureTable ──> scan of a statement
//!                          on a thread of its own
//!  object ──> fetched into a temporary folder, as a file  (fetch)
//!  statement ──> RowWriter ──> file, complete or not at all         (write)
//! ```

mod columns;
mod fetch;
mod files;
mod flatgeobuf;
mod geojson;
mod geopackage;
mod geopackage_columns;
mod info;
mod moment;
mod open;
mod scan;
mod shapefile;
mod source;
mod table;
mod views;
pub mod write;

pub use fetch::{copy_here, fetch};
pub use flatgeobuf::FlatGeobuf;
pub use geojson::{GeoJson, GeoJsonOptions};
pub use geopackage::{GeoPackage, GeoPackageLayer};
pub use info::{LayerInfo, layers};
pub use open::{FeatureFormat, OpenOptions, open};
pub use scan::FeatureScanExec;
pub use shapefile::{Shapefile, ShapefileOptions};
pub use source::{FeatureSource, Request, Within};
pub use table::FeatureTable;

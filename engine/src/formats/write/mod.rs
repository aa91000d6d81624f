//! Rows into files of the formats that people have.
//!
//! ```text
//!  RecordBatches ──> RowWriter ──> bytes, one after another     GeoJSON, CSV, Arrow
//!                        │    └──> a file that is seeked in     GeoPackage, FlatGeobuf, Shapefile
//!                        │              in a folder of its own beside the target
//!                        └ finish ──────────────────────────────> renamed: there, complete
//! ```
//!
//! What a format cannot hold is an error that names the column and the remedy; nothing is left out or
//! changed without a word.

mod arrow_ipc;
mod attributes;
mod csv;
mod flatgeobuf;
mod flatgeobuf_feature;
mod format;
mod geojson;
mod geometry;
mod geopackage;
mod geopackage_blob;
mod geopackage_schema;
mod json_text;
mod rtree;
mod shapefile;
mod shapefile_dbf;
mod shapefile_shape;
mod sink;
mod sink_format;
mod staged;
mod whole;

pub use arrow_ipc::ArrowFlavour;
pub use format::{FileFormat, FileOptions, open_file, open_stream};
pub use geometry::{GeometryColumn, find_geometries, not_lon_lat, wkb_text};
pub use json_text::{JsonColumns, RawJson, display_text, encoder_options};
pub use sink_format::{FeatureFormatFactory, register_writers};
pub use staged::StagedFile;
pub(crate) use whole::write_whole;

use arrow::array::RecordBatch;

use crate::Result;

/// Takes the rows of one output.
pub trait RowWriter: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// What the format cannot hold, with the column and the row; and what the disk says.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what remains. Without it, the output is of no use.
    ///
    /// # Errors
    /// As [`RowWriter::write`].
    fn finish(self: Box<Self>) -> Result<()>;

    /// Bytes that stay in memory until the end.
    fn memory_size(&self) -> usize {
        0
    }
}

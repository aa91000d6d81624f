//! Rows into a format, and the format into a place.
//!
//! ```text
//!  RecordBatch ──> BatchWriter ──────────────> Sink ──> standard output
//!                  table csv json geojson       │  └──> .name.tmp ──(commit)──> name
//!                  parquet arrow                └ remembers the first I/O error, which the
//!                                                 libraries in between turn into mere text
//! ```

mod arrow_ipc;
mod csv;
mod format;
mod geojson;
mod geometry;
mod json;
mod json_text;
mod parquet;
mod plan;
mod table;
mod target;

pub(crate) use format::Format;
pub(crate) use target::{Destination, Sink};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;

/// What a writer may be told beside its format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Rows a table shows; `None` is all.
    pub(crate) max_rows: Option<usize>,
    /// Whether a plan is printed as text whatever the format.
    pub(crate) plan_as_text: bool,
}

/// How much of the result was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    /// Only a table is ever cut.
    Part {
        shown: usize,
        total: usize,
    },
}

/// Writes batches in one format.
pub(crate) trait BatchWriter: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Writes what remains. The sink is not yet committed.
    fn finish(self: Box<Self>) -> Result<Shown>;
}

/// Starts a result.
pub(crate) fn open_writer(
    format: Format,
    schema: SchemaRef,
    sink: Sink,
    options: Options,
) -> Result<Box<dyn BatchWriter>> {
    Ok(match format {
        Format::Table => Box::new(table::TableWriter::new(schema, sink, options.max_rows)?),
        Format::Plan => Box::new(plan::PlanWriter::new(sink)),
        Format::Csv => Box::new(csv::CsvWriter::new(schema, sink, b',')?),
        Format::Tsv => Box::new(csv::CsvWriter::new(schema, sink, b'\t')?),
        Format::Json => Box::new(json::JsonWriter::array(schema, sink)?),
        Format::Ndjson => Box::new(json::JsonWriter::lines(schema, sink)?),
        Format::Geojson => Box::new(geojson::GeoJsonWriter::collection(schema, sink)?),
        Format::Geojsonseq => Box::new(geojson::GeoJsonWriter::sequence(schema, sink)?),
        Format::Parquet => Box::new(parquet::ParquetWriter::new(schema, sink)?),
        Format::Arrow => arrow_ipc::new(schema, sink)?,
    })
}

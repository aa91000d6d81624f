//! Rows into a format, and the format into a place.
//!
//! ```text
//!  RecordBatch ──> BatchWriter ──────────────> Sink ──> standard output
//!                  │ table csv json geojson     │  └──> .name.tmp ──(commit)──> name
//!                  │ parquet arrow              └ remembers the first I/O error, which the
//!                  │                              libraries in between turn into mere text
//!                  └ gpkg fgb shp: files that are seeked in, in a folder ──(commit)──> name
//! ```

mod file;
mod format;
mod json;
mod parquet;
mod plan;
mod table;
mod target;

pub(crate) use format::Format;
pub(crate) use target::{Destination, Sink};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use geoflow_engine::formats::write::FileFormat;

use crate::error::Result;
use crate::printer::Printer;

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

/// Starts a result at its destination.
pub(crate) fn open(
    format: Format,
    schema: SchemaRef,
    destination: &Destination,
    printer: &Printer,
    options: Options,
) -> Result<(Box<dyn BatchWriter>, Sink)> {
    if let Some(format) = format.file().filter(|format| !format.is_stream()) {
        let writer = file::StagedWriter::new(format, &schema, destination)?;
        return Ok((Box::new(writer), Sink::elsewhere()));
    }
    let sink = Sink::open(destination, printer)?;
    Ok((open_writer(format, schema, sink.clone(), options)?, sink))
}

fn open_writer(
    format: Format,
    schema: SchemaRef,
    sink: Sink,
    options: Options,
) -> Result<Box<dyn BatchWriter>> {
    let stream = |format: FileFormat, sink: Sink| -> Result<Box<dyn BatchWriter>> {
        Ok(Box::new(file::StreamWriter::new(format, &schema, sink)?))
    };
    Ok(match format {
        Format::Table => Box::new(table::TableWriter::new(schema, sink, options.max_rows)?),
        Format::Plan => Box::new(plan::PlanWriter::new(sink)),
        Format::Json => Box::new(json::JsonWriter::array(schema, sink)?),
        Format::Ndjson => Box::new(json::JsonWriter::lines(schema, sink)?),
        Format::Parquet => Box::new(parquet::ParquetWriter::new(schema, sink)?),
        Format::Csv => stream(FileFormat::Csv, sink)?,
        Format::Tsv => stream(FileFormat::Tsv, sink)?,
        Format::Geojson => stream(FileFormat::GeoJson, sink)?,
        Format::Geojsonseq => stream(FileFormat::GeoJsonSeq, sink)?,
        Format::Arrow => stream(FileFormat::Arrow, sink)?,
        Format::Gpkg => stream(FileFormat::GeoPackage, sink)?,
        Format::Fgb => stream(FileFormat::FlatGeobuf, sink)?,
        Format::Shp => stream(FileFormat::Shapefile, sink)?,
    })
}

//! JSON: one array, or one object a line.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonFormat, LineDelimited, Writer, WriterBuilder};
use geoflow_engine::formats::write::{JsonColumns, RawJson};

use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_arrow, from_engine};

/// Writes rows as JSON objects.
pub(super) struct JsonWriter<F: JsonFormat> {
    columns: JsonColumns,
    writer: Writer<Sink, F>,
    sink: Sink,
}

impl JsonWriter<ArrayOfLines> {
    /// One array, an object a line.
    pub(super) fn array(schema: SchemaRef, sink: Sink) -> Result<Self> {
        Self::new(schema, sink)
    }
}

impl JsonWriter<LineDelimited> {
    /// Objects alone.
    pub(super) fn lines(schema: SchemaRef, sink: Sink) -> Result<Self> {
        Self::new(schema, sink)
    }
}

impl<F: JsonFormat> JsonWriter<F> {
    fn new(schema: SchemaRef, sink: Sink) -> Result<Self> {
        let writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(RawJson))
            .build(sink.clone());
        Ok(JsonWriter {
            columns: JsonColumns::new(&schema).map_err(|e| from_engine(&e))?,
            writer,
            sink,
        })
    }
}

impl<F: JsonFormat + Send> BatchWriter for JsonWriter<F> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = self.columns.convert(batch).map_err(|e| from_engine(&e))?;
        self.writer
            .write(&batch)
            .map_err(|e| self.sink.failure_or(|| from_arrow(&e)))
    }

    fn finish(mut self: Box<Self>) -> Result<Shown> {
        self.writer
            .finish()
            .map_err(|e| self.sink.failure_or(|| from_arrow(&e)))?;
        Ok(Shown::All)
    }
}

/// An array that line-based tools can read, too.
#[derive(Debug, Default)]
pub(super) struct ArrayOfLines;

impl JsonFormat for ArrayOfLines {
    fn start_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"[")?)
    }

    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        Ok(writer.write_all(if is_first_row { b"\n" } else { b",\n" })?)
    }

    fn end_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        Ok(writer.write_all(b"\n]\n")?)
    }
}

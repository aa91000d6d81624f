//! Comma- and tab-separated values. A geometry is WKT, NULL is empty, nested values are JSON.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::csv::{Writer, WriterBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::json::writer::make_encoder;

use super::geometry::{GeometryColumn, find, wkt_text};
use super::json_text::{display_text, encoder_options};
use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_arrow};

/// Writes rows as separated values.
pub(super) struct CsvWriter {
    geometries: Vec<GeometryColumn>,
    /// Columns that the CSV writer does not know.
    nested: Vec<(usize, FieldRef)>,
    schema: SchemaRef,
    writer: Writer<Sink>,
    has_header: bool,
    sink: Sink,
}

impl CsvWriter {
    pub(super) fn new(schema: SchemaRef, sink: Sink, delimiter: u8) -> Result<Self> {
        let geometries = find(&schema)?;
        let mut nested = Vec::new();
        let mut fields: Vec<FieldRef> = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            let is_geometry = geometries.iter().any(|column| column.index == index);
            if !is_geometry && field.data_type().is_nested() {
                nested.push((index, Arc::clone(field)));
            }
            fields.push(match is_geometry || field.data_type().is_nested() {
                true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
                false => Arc::clone(field),
            });
        }
        let writer = WriterBuilder::new()
            .with_delimiter(delimiter)
            .build(sink.clone());
        Ok(CsvWriter {
            geometries,
            nested,
            schema: Arc::new(Schema::new(fields)),
            writer,
            has_header: false,
            sink,
        })
    }

    fn send(&mut self, batch: &RecordBatch) -> Result<()> {
        self.has_header = true;
        self.writer
            .write(batch)
            .map_err(|e| self.sink.failure_or(|| from_arrow(&e)))
    }
}

impl BatchWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut columns = batch.columns().to_vec();
        for geometry in &mut self.geometries {
            let index = geometry.index;
            columns[index] = Arc::new(geometry.texts(&columns[index], wkt_text)?);
        }
        for (index, field) in &self.nested {
            columns[*index] = Arc::new(nested_text(field, &columns[*index])?);
        }
        let batch =
            RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|e| from_arrow(&e))?;
        self.send(&batch)
    }

    fn finish(mut self: Box<Self>) -> Result<Shown> {
        if !self.has_header {
            // No rows came, and a reader still wants to know the columns.
            let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
            self.send(&empty)?;
        }
        Ok(Shown::All)
    }
}

/// Lists, structs and maps as JSON, and what JSON cannot hold as a table shows it.
fn nested_text(field: &FieldRef, array: &ArrayRef) -> Result<StringArray> {
    let options = encoder_options();
    let Ok(mut encoder) = make_encoder(field, array.as_ref(), &options) else {
        return display_text(array);
    };
    let nulls = array.logical_nulls();
    let mut text = StringBuilder::new();
    let mut buffer = Vec::new();
    for row in 0..array.len() {
        match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            true => text.append_null(),
            false => {
                buffer.clear();
                encoder.encode(row, &mut buffer);
                text.append_value(String::from_utf8_lossy(&buffer));
            }
        }
    }
    Ok(text.finish())
}

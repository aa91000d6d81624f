//! Comma- and tab-separated values. A geometry is WKT, NULL is empty, nested values are JSON.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::csv::{Writer, WriterBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::json::writer::make_encoder;

use super::format::{arrow_failed, no_rows, stream_failed};
use super::json_text::{display_text, encoder_options};
use super::{GeometryColumn, RowWriter, find_geometries, wkb_text};
use crate::Result;

/// Writes rows as separated values.
pub(super) struct CsvWriter<W: Write> {
    geometries: Vec<GeometryColumn>,
    /// Columns that the CSV writer does not know.
    nested: Vec<(usize, FieldRef)>,
    schema: SchemaRef,
    writer: Writer<W>,
    has_header: bool,
}

impl<W: Write> CsvWriter<W> {
    pub(super) fn new(schema: &SchemaRef, out: W, delimiter: u8) -> Result<Self> {
        let geometries = find_geometries(schema)?;
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
        Ok(CsvWriter {
            geometries,
            nested,
            schema: Arc::new(Schema::new(fields)),
            writer: WriterBuilder::new().with_delimiter(delimiter).build(out),
            has_header: false,
        })
    }

    fn send(&mut self, batch: &RecordBatch) -> Result<()> {
        self.has_header = true;
        self.writer.write(batch).map_err(|e| arrow_failed(&e))
    }
}

impl<W: Write + Send> RowWriter for CsvWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut columns = batch.columns().to_vec();
        for geometry in &mut self.geometries {
            let index = geometry.index;
            columns[index] = Arc::new(geometry.texts(&columns[index], wkb_text)?);
        }
        for (index, field) in &self.nested {
            columns[*index] = Arc::new(nested_text(field, &columns[*index])?);
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| arrow_failed(&e))?;
        self.send(&batch)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if !self.has_header {
            // No rows came, and a reader still wants to know the columns.
            let empty = no_rows(&self.schema);
            self.send(&empty)?;
        }
        let mut out = self.writer.into_inner();
        out.flush().map_err(|e| stream_failed(&e))
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

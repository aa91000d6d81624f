//! Columns made ready for JSON.
//!
//! Arrow's encoder does the heavy lifting: 64-bit integers and decimals exactly, NaN and infinite
//! numbers as null, binary as hexadecimal, times as RFC 3339. Two things are changed before:
//! geometries become GeoJSON objects, and types that the encoder does not know become the text
//! that a table shows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder, new_empty_array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::format::arrow_failed;
use super::{GeometryColumn, find_geometries};
use crate::{Error, Result};

/// Marks a text column that is JSON already.
const RAW: &str = "geoflow:raw_json";

/// Converts batches to columns that Arrow's JSON encoder writes the way we want.
#[derive(Debug)]
pub struct JsonColumns {
    geometries: Vec<GeometryColumn>,
    as_text: Vec<usize>,
    schema: SchemaRef,
}

impl JsonColumns {
    /// Columns of this schema.
    ///
    /// # Errors
    /// For two columns of one name: readers of JSON keep only one of them, without a word.
    pub fn new(schema: &Schema) -> Result<Self> {
        let mut names = HashSet::new();
        if let Some(twice) = schema
            .fields()
            .iter()
            .find(|field| !names.insert(field.name()))
        {
            return Err(Error::Statement(format!(
                "two columns are named \"{}\", and a JSON object holds only one: give one of them another name with AS",
                twice.name()
            )));
        }
        let geometries = find_geometries(schema)?;
        let mut as_text = Vec::new();
        let mut fields: Vec<FieldRef> = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            if geometries.iter().any(|column| column.index == index) {
                let raw = Field::new(field.name(), DataType::Utf8, true)
                    .with_metadata([(RAW.to_string(), String::new())].into());
                fields.push(Arc::new(raw));
            } else if !is_encodable(field) {
                as_text.push(index);
                fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            } else {
                fields.push(Arc::clone(field));
            }
        }
        Ok(JsonColumns {
            geometries,
            as_text,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The columns of a batch as they are encoded.
    ///
    /// # Errors
    /// A geometry that is malformed.
    pub fn convert(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        for geometry in &mut self.geometries {
            let index = geometry.index;
            columns[index] = Arc::new(geometry.geojson(&columns[index])?);
        }
        for index in &self.as_text {
            columns[*index] = Arc::new(display_text(&columns[*index])?);
        }
        // The options carry the number of rows of a batch without columns.
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| arrow_failed(&e))
    }
}

/// The options of all JSON that geoflow writes.
pub fn encoder_options() -> EncoderOptions {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(RawJson))
}

/// The values of a column as a table shows them.
///
/// # Errors
/// [`Error::Data`] for a value that has no text.
pub fn display_text(array: &ArrayRef) -> Result<StringArray> {
    let options = FormatOptions::default();
    let formatter =
        ArrayFormatter::try_new(array.as_ref(), &options).map_err(|e| arrow_failed(&e))?;
    let nulls = array.logical_nulls();
    let mut text = StringBuilder::new();
    for row in 0..array.len() {
        match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            true => text.append_null(),
            false => text.append_value(
                formatter
                    .value(row)
                    .try_to_string()
                    .map_err(|e| arrow_failed(&e))?,
            ),
        }
    }
    Ok(text.finish())
}

fn is_encodable(field: &FieldRef) -> bool {
    let empty = new_empty_array(field.data_type());
    make_encoder(field, empty.as_ref(), &EncoderOptions::default()).is_ok()
}

/// Passes text that is JSON already as it is.
#[derive(Debug)]
pub struct RawJson;

impl EncoderFactory for RawJson {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !field.metadata().contains_key(RAW) {
            return Ok(None);
        }
        Ok(array
            .as_string_opt::<i32>()
            .map(|text| NullableEncoder::new(Box::new(RawEncoder(text)), text.nulls().cloned())))
    }
}

struct RawEncoder<'a>(&'a StringArray);

impl Encoder for RawEncoder<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value(row).as_bytes());
    }
}

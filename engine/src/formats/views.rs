//! Texts and geometries as views.
//!
//! A join puts out a geometry as often as it has partners. Of views it puts out 16 bytes each time, and all share the
//! bytes that were read.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BinaryViewArray, RecordBatch, RecordBatchOptions, StringViewArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;

/// A schema with views where it has texts or bytes.
pub(super) fn viewed_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Arc::new(Field::clone(field).with_data_type(DataType::Utf8View)),
        DataType::Binary => Arc::new(Field::clone(field).with_data_type(DataType::BinaryView)),
        _ => Arc::clone(field),
    });
    let fields: Vec<_> = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch in the form of such a schema. Bytes are not copied.
///
/// # Errors
/// When the batch has other columns.
pub(super) fn viewed(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let (_, mut columns, rows) = batch.into_parts();
    for column in &mut columns {
        // Whoever gathered the bytes did not know how many there would be.
        column.shrink_to_fit();
        *column = match column.data_type() {
            DataType::Utf8 => Arc::new(StringViewArray::from(column.as_string::<i32>())),
            DataType::Binary => Arc::new(BinaryViewArray::from(column.as_binary::<i32>())),
            _ => continue,
        };
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

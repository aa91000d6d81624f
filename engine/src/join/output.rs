//! From row numbers to record batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinSide;
use datafusion::error::Result;
use datafusion::physical_plan::joins::utils::ColumnIndex;

/// Where rows of one side come from.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    /// These rows of the batch, in this order.
    Take(&'a RecordBatch, &'a UInt32Array),
    /// NULL in every column: the side has no partner.
    Null,
}

/// Builds output batches, gathering the projected columns alone.
#[derive(Clone)]
pub(super) struct OutputBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnIndex>,
    build_side: JoinSide,
}

impl OutputBuilder {
    /// `columns` says where each field of `schema` comes from.
    pub(super) fn new(schema: SchemaRef, columns: Vec<ColumnIndex>, build_side: JoinSide) -> Self {
        Self {
            schema,
            columns,
            build_side,
        }
    }

    /// One batch of `rows` rows; `computed` fills the column that is of neither side, marks or distances; where
    /// it is `None`, with NULL.
    pub(super) fn batch(
        &self,
        rows: usize,
        build: Rows<'_>,
        probe: Rows<'_>,
        computed: Option<ArrayRef>,
    ) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            let from = match column.side {
                JoinSide::None => None,
                side if side == self.build_side => Some(build),
                _ => Some(probe),
            };
            arrays.push(match from {
                Some(Rows::Take(batch, rows)) => take(batch.column(column.index), rows, None)?,
                Some(Rows::Null) => new_null_array(field.data_type(), rows),
                None => match &computed {
                    Some(computed) => Arc::clone(computed),
                    None => new_null_array(field.data_type(), rows),
                },
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            arrays,
            &options,
        )?)
    }
}

//! From row numbers to record batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinSide;
use datafusion::error::Result;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};

use super::probe::Pairs;

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

    /// One batch of `rows` rows; `mark` fills the column of a mark join.
    pub(super) fn batch(
        &self,
        rows: usize,
        build: Rows<'_>,
        probe: Rows<'_>,
        mark: Option<BooleanArray>,
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
                None => match &mark {
                    Some(mark) => Arc::new(mark.clone()),
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

/// Drops the pairs that do not satisfy the residual filter; NULL does not.
pub(super) fn apply_residual(
    filter: &JoinFilter,
    build_side: JoinSide,
    build: &RecordBatch,
    probe: &RecordBatch,
    pairs: &mut Pairs,
) -> Result<()> {
    if pairs.len() == 0 {
        return Ok(());
    }
    let build_rows = UInt32Array::from(pairs.build.clone());
    let probe_rows = UInt32Array::from(pairs.probe.clone());
    let mut arrays = Vec::with_capacity(filter.column_indices().len());
    for column in filter.column_indices() {
        arrays.push(if column.side == build_side {
            take(build.column(column.index), &build_rows, None)?
        } else {
            take(probe.column(column.index), &probe_rows, None)?
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(pairs.len()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(filter.schema()), arrays, &options)?;
    let keep = filter
        .expression()
        .evaluate(&batch)?
        .into_array(pairs.len())?;
    if keep.null_count() == keep.len() {
        pairs.clear();
        return Ok(());
    }
    pairs.retain(keep.as_boolean());
    Ok(())
}

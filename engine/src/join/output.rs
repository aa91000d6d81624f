//! From row numbers to record batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::common::{JoinSide, internal_datafusion_err};
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

/// Builds output batches, gathering the projected columns alone, in two steps: what the build side has may be large and
/// come many times, so that it is gathered when the rows of a batch are together.
///
/// ```text
///  pairs ──> columns of the probe side, what is computed, numbers of build rows ──> columns of the build side
///                                       `begin`                                             `finish`
/// ```
#[derive(Clone)]
pub(super) struct OutputBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnIndex>,
    build_side: JoinSide,
    /// What a batch has between the two steps.
    begun: SchemaRef,
}

impl OutputBuilder {
    /// `columns` says where each field of `schema` comes from.
    pub(super) fn new(schema: SchemaRef, columns: Vec<ColumnIndex>, build_side: JoinSide) -> Self {
        let of_build = |column: &ColumnIndex| column.side == build_side;
        let fields = columns.iter().zip(schema.fields());
        let mut begun: Vec<_> = fields
            .filter(|(column, _)| !of_build(column))
            .map(|(_, field)| Arc::clone(field))
            .collect();
        if columns.iter().any(of_build) {
            begun.push(Arc::new(Field::new("build row", DataType::UInt32, true)));
        }
        Self {
            begun: Arc::new(Schema::new(begun)),
            schema,
            columns,
            build_side,
        }
    }

    /// The columns of batches between the two steps.
    pub(super) fn begun(&self) -> &SchemaRef {
        &self.begun
    }

    /// The columns of one side whose values are copied as often as they are put out, however long they are: not
    /// those of views, nor of numbers.
    pub(super) fn copied<'a>(&self, of_build: bool, batch: &'a RecordBatch) -> Vec<&'a ArrayRef> {
        let side = |column: &&ColumnIndex| {
            column.side != JoinSide::None && (column.side == self.build_side) == of_build
        };
        let columns = self.columns.iter().filter(side);
        columns
            .map(|column| batch.column(column.index))
            .filter(|array| has_length(array.data_type()))
            .collect()
    }

    /// `rows` rows without the columns of the build side; `computed` fills the column that is of neither side, marks or
    /// distances; where it is `None`, with NULL.
    pub(super) fn begin(
        &self,
        rows: usize,
        build: Rows<'_>,
        probe: Rows<'_>,
        computed: Option<ArrayRef>,
    ) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.begun.fields().len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            if column.side == self.build_side {
                continue;
            }
            arrays.push(match (column.side, probe, &computed) {
                (JoinSide::None, _, Some(computed)) => Arc::clone(computed),
                (JoinSide::None, _, None) | (_, Rows::Null, _) => {
                    new_null_array(field.data_type(), rows)
                }
                (_, Rows::Take(batch, rows), _) => take(batch.column(column.index), rows, None)?,
            });
        }
        if arrays.len() < self.begun.fields().len() {
            arrays.push(match build {
                Rows::Take(_, rows) => Arc::new(rows.clone()),
                Rows::Null => Arc::new(UInt32Array::new_null(rows)),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let begun = Arc::clone(&self.begun);
        Ok(RecordBatch::try_new_with_options(begun, arrays, &options)?)
    }

    /// A batch of the output, of one that was begun and the rows of the build side; without these, they are NULL.
    pub(super) fn finish(
        &self,
        begun: &RecordBatch,
        build: Option<&RecordBatch>,
    ) -> Result<RecordBatch> {
        let rows = begun.num_rows();
        let mut others = begun.columns().iter();
        let build_rows = (begun.columns().last())
            .and_then(|last| last.as_primitive_opt::<UInt32Type>())
            .filter(|rows| rows.null_count() < rows.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(self.schema.fields()) {
            arrays.push(match (build, build_rows) {
                _ if column.side != self.build_side => others
                    .next()
                    .cloned()
                    .ok_or_else(|| internal_datafusion_err!("a batch that was not begun"))?,
                (Some(build), Some(rows)) => take(build.column(column.index), rows, None)?,
                _ => new_null_array(field.data_type(), rows),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }

    /// Both steps at once.
    pub(super) fn batch(
        &self,
        rows: usize,
        build: Rows<'_>,
        probe: Rows<'_>,
        computed: Option<ArrayRef>,
    ) -> Result<RecordBatch> {
        let of = match build {
            Rows::Take(batch, _) => Some(batch),
            Rows::Null => None,
        };
        self.finish(&self.begin(rows, build, probe, computed)?, of)
    }
}

/// Whether values of a type may be of any length, and are copied whole.
fn has_length(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Struct(_)
    )
}

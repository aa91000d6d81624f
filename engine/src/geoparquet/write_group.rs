//! One row group, from the rows of a result to encoded columns. It needs nothing of the file around it,
//! so that several can be encoded at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};

use super::write_column::ColumnWriter;
use super::write_file::failed;
use super::write_plan::{Source, WritePlan};
use super::{GeoParquetVersion, write_geometry_type};
use crate::{Error, Result};

/// Rows that wait for their row group to be full.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

impl Pending {
    pub(super) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.bytes += value_bytes(&batch);
        self.batches.push(batch);
    }
}

/// The geometry columns of the rows of one row group.
#[derive(Debug)]
pub(super) struct GroupColumns {
    plan: Arc<WritePlan>,
    pub(super) columns: Vec<ColumnWriter>,
}

impl GroupColumns {
    /// For rows from `first_row` of the result on.
    pub(super) fn new(plan: &Arc<WritePlan>, first_row: u64) -> Self {
        let columns = plan
            .geometry
            .iter()
            .map(|geometry| ColumnWriter::new(Arc::clone(geometry), first_row))
            .collect();
        Self {
            plan: Arc::clone(plan),
            columns,
        }
    }

    /// The next rows as the file has them.
    ///
    /// # Errors
    /// [`Error::Data`] for a malformed geometry, with column and row.
    pub(super) fn next(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut covering = vec![None; self.columns.len()];
        let mut geometry = vec![None; self.columns.len()];
        for source in &self.plan.sources {
            if let Source::Geometry {
                input,
                geometry: at,
            } = *source
            {
                let (stored, bounds) = self.columns[at].next(batch.column(input))?;
                geometry[at] = Some(stored);
                covering[at] = Some(bounds);
            }
        }
        let columns = self
            .plan
            .sources
            .iter()
            .map(|source| match *source {
                Source::Copy(input) => Some(batch.column(input).clone()),
                Source::Geometry { geometry: at, .. } => geometry[at].take(),
                Source::Covering { geometry: at } => covering[at].take(),
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::Internal("a column of the file has no source".into()))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.plan.schema), columns, &options)
            .map_err(|e| Error::Internal(format!("batch for the Parquet writer: {e}")))
    }
}

/// A row group to be encoded, on any thread.
pub(super) struct GroupJob {
    pub(super) writers: Vec<ArrowColumnWriter>,
    pub(super) columns: GroupColumns,
    /// Rows of the result.
    pub(super) batches: Vec<RecordBatch>,
    /// What their values take in memory.
    pub(super) bytes: usize,
    pub(super) version: GeoParquetVersion,
}

/// A row group as it stands in the file.
pub(super) struct EncodedGroup {
    pub(super) chunks: Vec<ArrowColumnChunk>,
    pub(super) columns: Vec<ColumnWriter>,
}

impl GroupJob {
    /// Encodes and compresses the columns.
    ///
    /// # Errors
    /// As [`GroupColumns::next`]; [`Error::Statement`] for a type that Parquet has not.
    pub(super) fn encode(self) -> Result<EncodedGroup> {
        let Self {
            mut writers,
            mut columns,
            batches,
            version,
            ..
        } = self;
        let schema = Arc::clone(&columns.plan.schema);
        for batch in batches {
            let batch = columns.next(&batch)?;
            let mut leaf = writers.iter_mut();
            for (field, array) in schema.fields().iter().zip(batch.columns()) {
                for levels in compute_leaves(field, array).map_err(failed)? {
                    let writer = leaf
                        .next()
                        .ok_or_else(|| Error::Internal("a column has no writer".into()))?;
                    writer.write(&levels).map_err(failed)?;
                }
            }
        }
        let mut chunks = writers
            .into_iter()
            .map(ArrowColumnWriter::close)
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        if version == GeoParquetVersion::V2_0 {
            for column in &columns.columns {
                write_geometry_type::add_statistics(&mut chunks, column)?;
            }
        }
        Ok(EncodedGroup {
            chunks,
            columns: columns.columns,
        })
    }
}

/// What the values of a batch take, and not the buffers behind them, which slices and views share.
fn value_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::BinaryView => {
            let lengths = array.as_binary_view().lengths();
            lengths.map(|length| length as usize + 16).sum()
        }
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths();
            lengths.map(|length| length as usize + 16).sum()
        }
        _ => array
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| array.get_array_memory_size()),
    }
}

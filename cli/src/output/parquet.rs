//! Parquet; GeoParquet 1.1 when there is a geometry column. The engine does the writing.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use geoflow_engine::Error;
use geoflow_engine::geoparquet::{ParallelWriter, WriteOptions};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::{BatchWriter, Shown, Sink};
use crate::error::{Failure, Result, from_engine};

/// Writes rows as parquet.
pub(super) struct ParquetWriter {
    writer: ParallelWriter<Sink>,
    sink: Sink,
}

impl ParquetWriter {
    /// Encodes on as many threads as there are workers.
    pub(super) fn new(schema: SchemaRef, sink: Sink) -> Result<Self> {
        let threads = Handle::current().metrics().num_workers();
        let options = WriteOptions::default();
        let writer = ParallelWriter::try_new(sink.clone(), &schema, &options, threads)
            .map_err(|e| failure(&sink, &e))?;
        Ok(ParquetWriter { writer, sink })
    }
}

fn failure(sink: &Sink, error: &Error) -> Box<Failure> {
    sink.failure_or(|| from_engine(error))
}

impl BatchWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Self { writer, sink } = self;
        block_in_place(|| Handle::current().block_on(writer.write(batch)))
            .map_err(|e| failure(sink, &e))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        let ParquetWriter { writer, sink } = *self;
        block_in_place(|| Handle::current().block_on(writer.finish()))
            .map_err(|e| failure(&sink, &e))?;
        Ok(Shown::All)
    }
}

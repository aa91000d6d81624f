//! Parquet; GeoParquet 1.1 when there is a geometry column.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::errors::ParquetError;

use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_datafusion};

/// Writes rows as parquet.
pub(super) struct ParquetWriter {
    writer: ArrowWriter<Sink>,
    sink: Sink,
}

impl ParquetWriter {
    pub(super) fn new(schema: SchemaRef, sink: Sink) -> Result<Self> {
        let writer =
            ArrowWriter::try_new(sink.clone(), schema, None).map_err(|e| failure(&sink, e))?;
        Ok(ParquetWriter { writer, sink })
    }
}

fn failure(sink: &Sink, error: ParquetError) -> Box<crate::error::Failure> {
    sink.failure_or(|| from_datafusion(&error.into()))
}

impl BatchWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).map_err(|e| failure(&self.sink, e))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        let ParquetWriter { writer, sink } = *self;
        writer.close().map_err(|e| failure(&sink, e))?;
        Ok(Shown::All)
    }
}

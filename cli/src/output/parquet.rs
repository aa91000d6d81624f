//! Parquet; GeoParquet 1.1 when there is a geometry column. The engine does the writing.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use geoflow_engine::Error;
use geoflow_engine::geoparquet::GeoParquetWriter;

use super::{BatchWriter, Shown, Sink};
use crate::error::{Failure, Result, from_engine};

/// Writes rows as parquet.
pub(super) struct ParquetWriter {
    writer: GeoParquetWriter<Sink>,
    sink: Sink,
}

impl ParquetWriter {
    pub(super) fn new(schema: SchemaRef, sink: Sink) -> Result<Self> {
        let writer =
            GeoParquetWriter::try_new(sink.clone(), schema).map_err(|e| failure(&sink, &e))?;
        Ok(ParquetWriter { writer, sink })
    }
}

fn failure(sink: &Sink, error: &Error) -> Box<Failure> {
    sink.failure_or(|| from_engine(error))
}

impl BatchWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer
            .write(batch)
            .map_err(|e| failure(&self.sink, &e))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        let ParquetWriter { writer, sink } = *self;
        writer.finish().map_err(|e| failure(&sink, &e))?;
        Ok(Shown::All)
    }
}

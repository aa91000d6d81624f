//! The formats of files that the engine writes: into a stream, or into a file that is seeked in.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use geoflow_engine::Error;
use geoflow_engine::formats::write::{
    ArrowFlavour, FileFormat, FileOptions, RowWriter, StagedFile, open_file, open_stream,
};

use super::{BatchWriter, Destination, Shown, Sink};
use crate::error::{Failure, Result, from_engine};

/// A writer of the engine over a sink.
pub(super) struct StreamWriter {
    writer: Box<dyn RowWriter>,
    sink: Sink,
}

impl StreamWriter {
    pub(super) fn new(format: FileFormat, schema: &SchemaRef, sink: Sink) -> Result<Self> {
        let arrow = match sink.is_stdout() {
            true => ArrowFlavour::Stream,
            false => ArrowFlavour::File,
        };
        let writer = open_stream(format, schema, sink.clone(), arrow)
            .map_err(|e| sink.failure_or(|| from_engine(&e)))?;
        Ok(StreamWriter { writer, sink })
    }
}

impl BatchWriter for StreamWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Self { writer, sink } = self;
        writer
            .write(batch)
            .map_err(|e| sink.failure_or(|| from_engine(&e)))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        let StreamWriter { writer, sink } = *self;
        writer
            .finish()
            .map_err(|e| sink.failure_or(|| from_engine(&e)))?;
        Ok(Shown::All)
    }
}

/// A writer of the engine that makes files of its own.
pub(super) struct StagedWriter {
    writer: Box<dyn RowWriter>,
    staged: StagedFile,
    overwrite: bool,
}

impl StagedWriter {
    pub(super) fn new(
        format: FileFormat,
        schema: &SchemaRef,
        destination: &Destination,
    ) -> Result<Self> {
        let Some(path) = destination.path() else {
            return Err(Failure::usage(format!(
                "{} cannot be written to standard output: name a file with -o",
                format.name()
            )));
        };
        let overwrite = destination.overwrites();
        let staged = StagedFile::new(path, format, overwrite).map_err(|e| from_engine(&e))?;
        let named = |e: Error| from_engine(&staged.named(e));
        let writer = open_file(format, schema, &staged.path(), &FileOptions::default());
        Ok(StagedWriter {
            writer: writer.map_err(named)?,
            staged,
            overwrite,
        })
    }
}

impl BatchWriter for StagedWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Self { writer, staged, .. } = self;
        writer
            .write(batch)
            .map_err(|e| from_engine(&staged.named(e)))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        let StagedWriter {
            writer,
            staged,
            overwrite,
        } = *self;
        writer.finish().map_err(|e| from_engine(&staged.named(e)))?;
        staged.commit(overwrite).map_err(|e| from_engine(&e))?;
        Ok(Shown::All)
    }
}

//! Arrow IPC: a file where one can seek, a stream where not.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};

use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_arrow};

/// A writer of the flavour that suits the place.
pub(super) fn new(schema: SchemaRef, sink: Sink) -> Result<Box<dyn BatchWriter>> {
    let failed = |e: ArrowError| sink.failure_or(|| from_arrow(&e));
    let ipc = match sink.is_stdout() {
        true => Ipc::Stream(StreamWriter::try_new(sink.clone(), &schema).map_err(failed)?),
        false => Ipc::File(FileWriter::try_new(sink.clone(), &schema).map_err(failed)?),
    };
    Ok(Box::new(ArrowWriter { ipc, sink }))
}

struct ArrowWriter {
    ipc: Ipc,
    sink: Sink,
}

enum Ipc {
    File(FileWriter<Sink>),
    Stream(StreamWriter<Sink>),
}

impl BatchWriter for ArrowWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.ipc {
            Ipc::File(writer) => writer.write(batch),
            Ipc::Stream(writer) => writer.write(batch),
        }
        .map_err(|e| self.sink.failure_or(|| from_arrow(&e)))
    }

    fn finish(mut self: Box<Self>) -> Result<Shown> {
        match &mut self.ipc {
            Ipc::File(writer) => writer.finish(),
            Ipc::Stream(writer) => writer.finish(),
        }
        .map_err(|e| self.sink.failure_or(|| from_arrow(&e)))?;
        Ok(Shown::All)
    }
}

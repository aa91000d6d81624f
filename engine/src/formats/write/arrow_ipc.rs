//! Arrow IPC: a file where one can seek, a stream where not.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::RowWriter;
use super::format::{arrow_failed, stream_failed};
use crate::Result;

/// How Arrow IPC is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrowFlavour {
    /// With a footer, for readers that seek.
    File,
    /// Message after message.
    Stream,
}

/// A writer of the flavour that suits the place.
pub(super) fn open<W: Write + Send + 'static>(
    schema: &SchemaRef,
    out: W,
    flavour: ArrowFlavour,
) -> Result<Box<dyn RowWriter>> {
    let ipc = match flavour {
        ArrowFlavour::Stream => StreamWriter::try_new(out, schema).map(Ipc::Stream),
        // DataFusion looks for the schema of a file in a store where an alignment of eight bytes puts it.
        ArrowFlavour::File => IpcWriteOptions::try_new(8, false, MetadataVersion::V5)
            .and_then(|options| FileWriter::try_new_with_options(out, schema, options))
            .map(Ipc::File),
    };
    Ok(Box::new(ipc.map_err(|e| arrow_failed(&e))?))
}

enum Ipc<W: Write> {
    File(FileWriter<W>),
    Stream(StreamWriter<W>),
}

impl<W: Write + Send> RowWriter for Ipc<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Ipc::File(writer) => writer.write(batch),
            Ipc::Stream(writer) => writer.write(batch),
        }
        .map_err(|e| arrow_failed(&e))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let out = match *self {
            Ipc::File(writer) => writer.into_inner(),
            Ipc::Stream(writer) => writer.into_inner(),
        };
        let mut out = out.map_err(|e| arrow_failed(&e))?;
        out.flush().map_err(|e| stream_failed(&e))
    }
}

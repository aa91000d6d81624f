//! One file on its way to a store. It appears complete or not at all.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;

use super::{ParallelWriter, WriteOptions, WriteSummary};
use crate::Result;
use crate::store::upload::{PART, Upload};

/// A file that is being written.
///
/// ```text
///  batches ──> ParallelWriter ──> buffer ──> parts of an upload ──complete──> the file
/// ```
///
/// A local file has a name of its own until it is complete. A file that is given up is
/// [aborted](OutputFile::abort).
pub(super) struct OutputFile {
    writer: ParallelWriter<Buffer>,
    buffer: Buffer,
    upload: Upload,
}

impl OutputFile {
    /// `replaced` is what is at the path already.
    pub(super) fn try_new(
        store: &Arc<dyn ObjectStore>,
        (path, replaced): (Path, Option<ObjectMeta>),
        schema: &Schema,
        options: &WriteOptions,
        threads: usize,
    ) -> Result<Self> {
        let buffer = Buffer::default();
        Ok(Self {
            writer: ParallelWriter::try_new(buffer.clone(), schema, options, threads)?,
            buffer,
            upload: Upload::new(store, path, replaced),
        })
    }

    /// Errors count rows from here.
    pub(super) fn count_from(&mut self, row: u64) {
        self.writer.count_from(row);
    }

    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).await?;
        self.send().await
    }

    async fn send(&mut self) -> Result<()> {
        while let Some(part) = self.buffer.take_part() {
            self.upload.put(part).await?;
        }
        Ok(())
    }

    /// Waits until memory holds no more than the rows of a row group that is not full, and a part that is not.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.writer.settle().await?;
        self.send().await?;
        self.upload.settle().await
    }

    /// Bytes in memory: rows that are not encoded yet, and what is not sent yet.
    pub(super) fn memory_size(&self) -> usize {
        self.writer.memory_size() + self.buffer.len() + self.upload.memory_size()
    }

    /// Bytes of the file so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.writer.bytes_written()
    }

    /// Row groups that are finished, whether or not they are in the file yet.
    pub(super) fn row_groups(&self) -> usize {
        self.writer.row_groups()
    }

    pub(super) fn path(&self) -> &Path {
        self.upload.path()
    }

    /// Completes the file; or gives it up.
    pub(super) async fn finish(self) -> Result<WriteSummary> {
        let Self {
            writer,
            buffer,
            mut upload,
        } = self;
        let done = async {
            let summary = writer.finish().await?;
            while let Some(part) = buffer.take_part() {
                upload.put(part).await?;
            }
            upload.finish(buffer.take_rest()).await?;
            Ok(summary)
        }
        .await;
        match done {
            Ok(summary) => Ok(summary),
            Err(error) => Err(upload.give_up(error).await),
        }
    }

    /// Leaves nothing behind. An error names what it had to leave.
    pub(super) async fn abort(self) -> std::result::Result<(), String> {
        let Self {
            writer, mut upload, ..
        } = self;
        drop(writer);
        upload.abort().await
    }
}

/// What the writer has encoded and the upload has not yet taken.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Encoded>>);

#[derive(Default)]
struct Encoded {
    /// Parts of [`PART`] bytes.
    full: VecDeque<Bytes>,
    rest: Vec<u8>,
}

impl Buffer {
    fn len(&self) -> usize {
        let encoded = self.0.lock();
        encoded.full.len() * PART + encoded.rest.len()
    }

    /// The next part that is full.
    fn take_part(&self) -> Option<Bytes> {
        self.0.lock().full.pop_front()
    }

    /// The bytes behind the last part that is full.
    fn take_rest(&self) -> Bytes {
        std::mem::take(&mut self.0.lock().rest).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut encoded = self.0.lock();
        let mut left = bytes;
        while !left.is_empty() {
            let room = PART - encoded.rest.len();
            let (now, later) = left.split_at(room.min(left.len()));
            encoded.rest.extend_from_slice(now);
            if now.len() == room {
                // Of a file of one part there is likely to be another.
                let full = std::mem::replace(&mut encoded.rest, Vec::with_capacity(PART));
                encoded.full.push_back(full.into());
            }
            left = later;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

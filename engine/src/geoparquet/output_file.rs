//! One file on its way to a store. It appears complete or not at all.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use parking_lot::Mutex;

use super::{ParallelWriter, WriteOptions, WriteSummary, display_location};
use crate::store::explain_object_store_error;
use crate::{Error, Result};

/// Size of the parts of an upload. Stores take 10,000 of them: files of up to 160 GB.
const PART: usize = 16 << 20;

/// Parts that are on their way at once.
const PARTS_AT_ONCE: usize = 4;

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
            upload: Upload {
                store: Arc::clone(store),
                path,
                replaced,
                multipart: None,
                parts: FuturesUnordered::new(),
                bytes: 0,
            },
        })
    }

    /// Errors count rows from here.
    pub(super) fn count_from(&mut self, row: u64) {
        self.writer.count_from(row);
    }

    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.writer.write(batch).await?;
        while let Some(part) = self.buffer.take_part() {
            self.upload.put(part).await?;
        }
        Ok(())
    }

    /// Bytes in memory: rows that are not encoded yet, and what is not sent yet.
    pub(super) fn memory_size(&self) -> usize {
        self.writer.memory_size() + self.buffer.len() + self.upload.parts.len() * PART
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
        &self.upload.path
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
            upload.finish(&buffer).await?;
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

struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    replaced: Option<ObjectMeta>,
    multipart: Option<Box<dyn MultipartUpload>>,
    parts: FuturesUnordered<object_store::UploadPart>,
    /// Bytes that were sent or are on their way.
    bytes: u64,
}

impl Upload {
    async fn put(&mut self, part: Bytes) -> Result<()> {
        if self.multipart.is_none() {
            let started = self.store.put_multipart(&self.path).await;
            self.multipart = Some(started.map_err(|e| self.failed(&e))?);
        }
        while self.parts.len() >= PARTS_AT_ONCE {
            self.wait().await?;
        }
        self.bytes += part.len() as u64;
        if let Some(multipart) = &mut self.multipart {
            self.parts.push(multipart.put_part(part.into()));
        }
        // The transfer begins when it is first polled.
        if let Some(done) = futures::FutureExt::now_or_never(self.parts.next()).flatten() {
            done.map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        match self.parts.next().await {
            Some(done) => done.map_err(|e| self.failed(&e)),
            None => Ok(()),
        }
    }

    async fn finish(&mut self, buffer: &Buffer) -> Result<()> {
        while let Some(part) = buffer.take_part() {
            self.put(part).await?;
        }
        let rest = buffer.take_rest();
        if self.multipart.is_none() && rest.len() <= PART {
            self.bytes = rest.len() as u64;
            let put = self.store.put(&self.path, PutPayload::from(rest)).await;
            return match put {
                Err(error) if !self.is_there().await => Err(self.failed(&error)),
                _ => Ok(()),
            };
        }
        self.put(rest).await?;
        while !self.parts.is_empty() {
            self.wait().await?;
        }
        if let Some(mut multipart) = self.multipart.take() {
            let completed = multipart.complete().await;
            if let Err(error) = completed
                && !self.is_there().await
            {
                self.multipart = Some(multipart);
                return Err(self.failed(&error));
            }
        }
        Ok(())
    }

    /// Whether the file is there after all: of a request whose answer was lost nobody knows whether it
    /// was carried out, and a second attempt to complete an upload finds none.
    async fn is_there(&mut self) -> bool {
        let Ok(found) = self.store.head(&self.path).await else {
            return false;
        };
        let is_new = match &self.replaced {
            None => true,
            Some(before) => before.e_tag.is_some() && before.e_tag != found.e_tag,
        };
        is_new && found.size == self.bytes
    }

    /// Removes what was sent. An error names what could not be removed.
    async fn abort(&mut self) -> std::result::Result<(), String> {
        self.parts.clear();
        let file = || display_location(self.store.as_ref(), &self.path);
        if let Some(mut multipart) = self.multipart.take()
            && let Err(error) = multipart.abort().await
            && !matches!(error, object_store::Error::NotFound { .. })
        {
            return Err(format!(
                "parts of an unfinished upload of {} could not be removed; no reader sees them, but they are paid for until the upload is aborted",
                file()
            ));
        }
        // A request that failed may have been carried out, or be carried out yet.
        if self.bytes > 0
            && self.replaced.is_none()
            && let Err(error) = self.store.delete(&self.path).await
            && !matches!(error, object_store::Error::NotFound { .. })
        {
            return Err(format!("{} could not be removed and may be there", file()));
        }
        Ok(())
    }

    /// After `error`: removes what was sent, and says what could not be.
    async fn give_up(&mut self, error: Error) -> Error {
        match (self.abort().await, error) {
            (Err(left), Error::Environment { message, retryable }) => Error::Environment {
                message: format!("{message}; {left}"),
                retryable,
            },
            (_, error) => error,
        }
    }

    fn failed(&self, error: &object_store::Error) -> Error {
        let file = display_location(self.store.as_ref(), &self.path);
        match explain_object_store_error(error, &file) {
            // Nothing needs to be there before a file is written but what holds it.
            Error::Statement(_) if matches!(error, object_store::Error::NotFound { .. }) => {
                Error::Environment {
                    message: format!(
                        "{file} could not be written: the bucket, or the upload, is not there any more"
                    ),
                    retryable: true,
                }
            }
            other => other,
        }
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

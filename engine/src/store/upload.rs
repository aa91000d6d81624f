//! An object in the making. It appears complete or not at all.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};

use super::explain_object_store_error;
use crate::geoparquet::display_location;
use crate::{Error, Result};

/// Size of the parts of an upload. Stores take 10,000 of them: files of up to 160 GB.
pub(crate) const PART: usize = 16 << 20;

/// Parts that are on their way at once.
const PARTS_AT_ONCE: usize = 4;

/// Who may not delete may yet be told that there is nothing.
fn is_missing(found: &object_store::Result<ObjectMeta>) -> bool {
    matches!(found, Err(object_store::Error::NotFound { .. }))
}

/// Sends the parts of one object. One that fails is [given up](Upload::give_up).
pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    replaced: Option<ObjectMeta>,
    multipart: Option<Box<dyn MultipartUpload>>,
    parts: FuturesUnordered<object_store::UploadPart>,
    /// Bytes that were sent or are on their way.
    bytes: u64,
}

impl Upload {
    /// `replaced` is what is at the path already.
    pub(crate) fn new(
        store: &Arc<dyn ObjectStore>,
        path: Path,
        replaced: Option<ObjectMeta>,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            path,
            replaced,
            multipart: None,
            parts: FuturesUnordered::new(),
            bytes: 0,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of parts that are on their way.
    pub(crate) fn memory_size(&self) -> usize {
        self.parts.len() * PART
    }

    /// Sends a part of [`PART`] bytes.
    pub(crate) async fn put(&mut self, part: Bytes) -> Result<()> {
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

    /// Waits until nothing is on its way.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        while !self.parts.is_empty() {
            self.wait().await?;
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        match self.parts.next().await {
            Some(done) => done.map_err(|e| self.failed(&e)),
            None => Ok(()),
        }
    }

    /// Sends the last part, of any size, and completes the file.
    pub(crate) async fn finish(&mut self, rest: Bytes) -> Result<()> {
        if self.multipart.is_none() && rest.len() <= PART {
            self.bytes = rest.len() as u64;
            let put = self.store.put(&self.path, PutPayload::from(rest)).await;
            return match put {
                Err(error) if !self.is_there().await => Err(self.failed(&error)),
                _ => Ok(()),
            };
        }
        if !rest.is_empty() {
            self.put(rest).await?;
        }
        self.settle().await?;
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
    pub(crate) async fn abort(&mut self) -> std::result::Result<(), String> {
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
            && !is_missing(&self.store.head(&self.path).await)
        {
            return Err(format!("{} could not be removed and may be there", file()));
        }
        Ok(())
    }

    /// After `error`: removes what was sent, and says what could not be.
    pub(crate) async fn give_up(&mut self, error: Error) -> Error {
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

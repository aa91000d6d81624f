//! Writes that are held back until all of them are complete.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};
use parking_lot::Mutex;
use url::Url;

/// Bytes of small files that wait in memory. Those beyond are written at once, and removed again where need be.
const WAITING: usize = 64 << 20;

/// A store to which files are written that appear together, by [`HeldStore::commit`], or not at all.
///
/// ```text
///  put            ──> kept in memory ────────┐
///  parts          ──> sent                   ├─ commit ──> put, completed
///  complete       ──> kept for later ────────┘─ abort ───> forgotten, aborted
/// ```
///
/// The writers of DataFusion complete their files when the rows end, also where they end by an error.
#[derive(Debug)]
pub(crate) struct HeldStore {
    inner: Arc<dyn ObjectStore>,
    writes: Arc<Mutex<Writes>>,
}

#[derive(Debug, Default)]
struct Writes {
    waiting: Vec<Write>,
    waiting_bytes: usize,
    /// Files that are there already.
    done: Vec<Path>,
    /// Uploads whose writers gave up.
    unfinished: Vec<Box<dyn MultipartUpload>>,
}

#[derive(Debug)]
enum Write {
    Put(Path, PutPayload, PutOptions),
    Upload(Path, Box<dyn MultipartUpload>),
}

impl HeldStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            writes: Arc::default(),
        })
    }

    /// Makes the files appear. When one cannot be, none is left; the error says where it happened. `fresh`: none of them was
    /// there before.
    pub(crate) async fn commit(
        &self,
        fresh: bool,
    ) -> std::result::Result<(), (Path, object_store::Error)> {
        let waiting = std::mem::take(&mut self.writes.lock().waiting);
        let mut waiting = waiting.into_iter();
        while let Some(write) = waiting.next() {
            let (path, done) = match write {
                Write::Put(path, payload, options) => {
                    let put = self.inner.put_opts(&path, payload, options).await;
                    (path, put)
                }
                Write::Upload(path, mut upload) => {
                    let completed = upload.complete().await;
                    if completed.is_err() {
                        self.writes.lock().unfinished.push(upload);
                    }
                    (path, completed)
                }
            };
            if let Err(error) = done {
                self.writes.lock().waiting.extend(waiting);
                if fresh {
                    // A request whose answer was lost may have been carried out.
                    self.writes.lock().done.push(path.clone());
                }
                self.abort().await;
                return Err((path, error));
            }
            self.writes.lock().done.push(path);
        }
        Ok(())
    }

    /// Removes what was written. Returns the files that could not be removed.
    pub(crate) async fn abort(&self) -> Vec<Path> {
        let writes = std::mem::take(&mut *self.writes.lock());
        let uploads = writes.waiting.into_iter().filter_map(|write| match write {
            Write::Put(..) => None,
            Write::Upload(_, upload) => Some(upload),
        });
        for mut upload in uploads.chain(writes.unfinished) {
            // No reader sees what is left of it.
            let _ = upload.abort().await;
        }
        let mut left = vec![];
        for path in writes.done {
            match self.inner.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(_) => left.push(path),
            }
        }
        left
    }
}

/// An upload whose completion waits.
#[derive(Debug)]
struct HeldUpload {
    path: Path,
    inner: Option<Box<dyn MultipartUpload>>,
    writes: Arc<Mutex<Writes>>,
}

fn over() -> object_store::Error {
    object_store::Error::Generic {
        store: "held",
        source: "the upload is over".into(),
    }
}

#[async_trait]
impl MultipartUpload for HeldUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match &mut self.inner {
            Some(inner) => inner.put_part(data),
            None => Box::pin(async { Err(over()) }),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let inner = self.inner.take().ok_or_else(over)?;
        let write = Write::Upload(self.path.clone(), inner);
        self.writes.lock().waiting.push(write);
        Ok(nothing_yet())
    }

    async fn abort(&mut self) -> Result<()> {
        match self.inner.take() {
            Some(mut inner) => inner.abort().await,
            None => Ok(()),
        }
    }
}

impl Drop for HeldUpload {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.writes.lock().unfinished.push(inner);
        }
    }
}

fn nothing_yet() -> PutResult {
    PutResult {
        e_tag: None,
        version: None,
    }
}

impl fmt::Display for HeldStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for HeldStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        {
            let mut writes = self.writes.lock();
            let bytes = payload.content_length();
            if writes.waiting_bytes + bytes <= WAITING {
                writes.waiting_bytes += bytes;
                let write = Write::Put(location.clone(), payload, options);
                writes.waiting.push(write);
                return Ok(nothing_yet());
            }
        }
        let put = self.inner.put_opts(location, payload, options).await?;
        self.writes.lock().done.push(location.clone());
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, options).await?;
        Ok(Box::new(HeldUpload {
            path: location.clone(),
            inner: Some(inner),
            writes: Arc::clone(&self.writes),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// The stores of a session, one of which is replaced.
#[derive(Debug)]
pub(crate) struct WithStore {
    pub(crate) others: Arc<dyn ObjectStoreRegistry>,
    pub(crate) url: Url,
    pub(crate) store: Arc<dyn ObjectStore>,
}

impl ObjectStoreRegistry for WithStore {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.others.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> datafusion::error::Result<Arc<dyn ObjectStore>> {
        let key = |url: &Url| url[..url::Position::BeforePath].to_ascii_lowercase();
        match key(url) == key(&self.url) {
            true => Ok(Arc::clone(&self.store)),
            false => self.others.get_store(url),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures::TryStreamExt;
    use object_store::memory::InMemory;

    use super::*;

    async fn write(store: &HeldStore) {
        store.put(&Path::from("a"), "1".into()).await.unwrap();
        let big = vec![0; WAITING].into();
        store.put(&Path::from("b"), big).await.unwrap();
        let mut upload = store.put_multipart(&Path::from("c")).await.unwrap();
        upload.put_part("3".into()).await.unwrap();
        upload.complete().await.unwrap();
        let mut left = store.put_multipart(&Path::from("d")).await.unwrap();
        left.put_part("4".into()).await.unwrap();
    }

    async fn names(store: &InMemory) -> Vec<String> {
        let objects: Vec<ObjectMeta> = store.list(None).try_collect().await.unwrap();
        objects.iter().map(|o| o.location.to_string()).collect()
    }

    #[tokio::test]
    async fn files_appear_together() {
        let inner = Arc::new(InMemory::new());
        let held = HeldStore::new(Arc::clone(&inner) as Arc<dyn ObjectStore>);
        write(&held).await;
        assert_eq!(names(&inner).await, ["b"]);
        held.commit(true).await.unwrap();
        assert_eq!(names(&inner).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn or_none_does() {
        let inner = Arc::new(InMemory::new());
        let held = HeldStore::new(Arc::clone(&inner) as Arc<dyn ObjectStore>);
        write(&held).await;
        assert!(held.abort().await.is_empty());
        assert!(names(&inner).await.is_empty());
    }
}

//! A store that knows what was written through it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::plan::hex;

/// Passes everything on to another store. Of the objects that are written it counts and hashes the bytes,
/// in the order in which they are handed over.
#[derive(Debug, Clone)]
pub(crate) struct RecordingStore {
    inner: Arc<dyn ObjectStore>,
    records: Records,
}

type Records = Arc<Mutex<BTreeMap<Path, Record>>>;

/// An object that was written, or begun.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) path: Path,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

#[derive(Debug, Default)]
struct Record {
    bytes: u64,
    sha256: Sha256,
}

impl Record {
    fn add(&mut self, payload: &PutPayload) {
        for chunk in payload {
            self.bytes += chunk.len() as u64;
            self.sha256.update(chunk);
        }
    }
}

fn add(records: &Records, path: &Path, payload: &PutPayload) {
    let mut records = records.lock();
    match records.get_mut(path) {
        Some(record) => record.add(payload),
        None => records.entry(path.clone()).or_default().add(payload),
    }
}

impl RecordingStore {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            records: Arc::default(),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.records
            .lock()
            .values()
            .map(|record| record.bytes)
            .sum()
    }

    /// What was written, by path.
    pub(crate) fn written(&self) -> Vec<Recorded> {
        let records = self.records.lock();
        let recorded = |(path, record): (&Path, &Record)| Recorded {
            path: path.clone(),
            bytes: record.bytes,
            sha256: hex(&record.sha256.clone().finalize()),
        };
        records.iter().map(recorded).collect()
    }
}

impl fmt::Display for RecordingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for RecordingStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        add(&self.records, location, &payload);
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(RecordingUpload {
            inner,
            path: location.clone(),
            records: Arc::clone(&self.records),
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

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct RecordingUpload {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    records: Records,
}

#[async_trait]
impl MultipartUpload for RecordingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        add(&self.records, &self.path, &data);
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

//! A store on the other side of a network, read steadily.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    RenameOptions, Result,
};
use tempfile::TempDir;

/// Ranges with less than this between them are read as one: what a request costs in time buys about
/// as many bytes.
const GAP: u64 = 256 * 1024;

/// Longest range of one request. Longer ones are read in pieces at once, so that a connection that
/// is slow or breaks costs a piece.
const PIECE: u64 = 8 << 20;

/// Requests of one read that are under way at once.
const AT_ONCE: usize = 10;

/// Most times that a read begins anew, beside what the client repeats by itself.
const ATTEMPTS: u32 = 6;

const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Reads ranges in requests of a sensible size, and begins a read or a listing anew where its answer
/// breaks off.
///
/// The clients of `object_store` repeat requests that fail (5xx, 429, connections refused and reset)
/// and bodies of objects that have an ETag. Listings that break off, and objects of servers without
/// ETags, they give up.
///
/// ```text
///  ranges      ▇▇ ▇▇▇      ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
///  requests    ▇▇▇▇▇▇      ▇▇▇▇▇▇ ▇▇▇▇▇▇ ▇▇▇     near ones joined, long ones cut
/// ```
#[derive(Debug)]
pub struct SteadyStore {
    inner: Arc<dyn ObjectStore>,
    name: Option<String>,
    /// Removed with the store.
    _folder: Option<TempDir>,
}

impl SteadyStore {
    /// Reads from `inner`.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            name: None,
            _folder: None,
        }
    }

    /// Reads from `inner`, which is displayed as `name`.
    pub fn named(inner: Arc<dyn ObjectStore>, name: String) -> Self {
        Self {
            name: Some(name),
            ..Self::new(inner)
        }
    }

    /// Reads from a folder of this machine, which goes with the store.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn of_folder(folder: TempDir, name: String) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(folder.path())?;
        Ok(Self {
            _folder: Some(folder),
            ..Self::named(Arc::new(inner), name)
        })
    }

    /// One range, whole.
    async fn range(&self, location: &Path, range: Range<u64>) -> Result<Bytes> {
        let wanted = range.end - range.start;
        let mut attempt = 0;
        loop {
            let read = self.inner.get_range(location, range.clone()).await;
            let error = match read {
                Ok(bytes) if bytes.len() as u64 == wanted => return Ok(bytes),
                Ok(bytes) => Error::Generic {
                    store: "HTTP",
                    source: format!(
                        "the answer for {location} broke off after {} of {wanted} bytes",
                        bytes.len()
                    )
                    .into(),
                },
                Err(error) => error,
            };
            if attempt == ATTEMPTS || !broke_off(&error) {
                return Err(error);
            }
            pause(attempt).await;
            attempt += 1;
        }
    }
}

impl fmt::Display for SteadyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.inner.fmt(f),
        }
    }
}

/// Whether a request was refused for a reason that the status alone does not tell.
fn is_silent(error: &Error) -> bool {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => true,
        Error::Generic { source, .. } => source.to_string().contains("400 Bad Request"),
        _ => false,
    }
}

/// Whether an answer began and did not end. What the client has repeated by itself is not tried
/// once more: a server that is gone is told in seconds.
fn broke_off(error: &Error) -> bool {
    let Error::Generic { source, .. } = error else {
        return false;
    };
    let mut text = source.to_string();
    let mut cause = source.source();
    while let Some(inner) = cause {
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    !text.contains("max_retries") && (text.contains("broke off") || text.contains("body"))
}

async fn pause(attempt: u32) {
    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt)).await;
}

/// The requests for some ranges.
fn requests(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|r| r.start < r.end).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = vec![];
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    let mut requests = vec![];
    for range in joined {
        // Pieces of equal length: a short last one would not be worth its request.
        let pieces = (range.end - range.start).div_ceil(PIECE);
        let length = (range.end - range.start).div_ceil(pieces);
        let starts = (0..pieces).map(|i| range.start + i * length);
        requests.extend(starts.map(|start| start..(start + length).min(range.end)));
    }
    requests
}

/// The bytes of a range out of those of the requests, which lie in order and hold it.
fn cut(range: &Range<u64>, requests: &[Range<u64>], read: &[Bytes]) -> Bytes {
    if range.is_empty() {
        return Bytes::new();
    }
    let first = requests.partition_point(|request| request.end <= range.start);
    let parts: Vec<Bytes> = requests
        .iter()
        .zip(read)
        .skip(first)
        .take_while(|(request, _)| request.start < range.end)
        .map(|(request, bytes)| {
            let from = range.start.max(request.start) - request.start;
            let to = range.end.min(request.end) - request.start;
            bytes.slice(from as usize..to as usize)
        })
        .collect();
    match parts.as_slice() {
        // Mostly one, which is not copied.
        [one] => one.clone(),
        many => many.concat().into(),
    }
}

#[async_trait]
impl ObjectStore for SteadyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let answer = self.inner.get_opts(location, options).await;
        match answer {
            Err(error) if head && is_silent(&error) => {
                // An answer to HEAD has no body, in which servers say what is wrong.
                match self.inner.get_range(location, 0..1).await {
                    Err(said) if is_silent(&said) => Err(said),
                    _ => Err(error),
                }
            }
            answer => answer,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let requests = requests(ranges);
        let read: Vec<Bytes> = futures::stream::iter(requests.iter().cloned())
            .map(|request| self.range(location, request))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(ranges.iter().map(|r| cut(r, &requests, &read)).collect())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        listing(Arc::clone(&self.inner), prefix.cloned(), None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let inner = Arc::clone(&self.inner);
        listing(inner, prefix.cloned(), Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut attempt = 0;
        loop {
            match self.inner.list_with_delimiter(prefix).await {
                Err(error) if attempt < ATTEMPTS && broke_off(&error) => {
                    pause(attempt).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// A listing, continued after the last key where it breaks off.
struct Listing {
    store: Arc<dyn ObjectStore>,
    prefix: Option<Path>,
    after: Option<Path>,
    attempt: u32,
    open: Option<BoxStream<'static, Result<ObjectMeta>>>,
}

fn listing(
    store: Arc<dyn ObjectStore>,
    prefix: Option<Path>,
    after: Option<Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let listing = Listing {
        store,
        prefix,
        after,
        attempt: 0,
        open: None,
    };
    futures::stream::try_unfold(listing, |mut listing| async move {
        loop {
            let (store, prefix) = (&listing.store, listing.prefix.as_ref());
            let after = listing.after.as_ref();
            let open = listing.open.get_or_insert_with(|| match after {
                Some(after) => store.list_with_offset(prefix, after),
                None => store.list(prefix),
            });
            match open.next().await {
                None => return Ok(None),
                Some(Ok(object)) => {
                    listing.after = Some(object.location.clone());
                    return Ok(Some((object, listing)));
                }
                Some(Err(error)) if listing.attempt < ATTEMPTS && broke_off(&error) => {
                    pause(listing.attempt).await;
                    listing.attempt += 1;
                    listing.open = None;
                }
                Some(Err(error)) => return Err(error),
            }
        }
    })
    .boxed()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    #[expect(
        clippy::single_range_in_vec_init,
        reason = "lists of ranges, some of one"
    )]
    fn near_ranges_are_joined_and_long_ones_cut() {
        assert_eq!(requests(&[]), []);
        assert_eq!(requests(&[5..5]), []);
        assert_eq!(requests(&[10..20, 0..4, 20..30]), [0..30]);
        let far = 30 + GAP + 1;
        assert_eq!(requests(&[0..30, far..far + 1]), [0..30, far..far + 1]);
        assert_eq!(
            requests(&[0..PIECE + 10]),
            [0..PIECE / 2 + 5, PIECE / 2 + 5..PIECE + 10]
        );
        // Ends that overflow nothing.
        assert_eq!(requests(&[u64::MAX - 4..u64::MAX]).len(), 1);
    }

    #[tokio::test]
    async fn each_range_gets_its_bytes() {
        let inner = Arc::new(InMemory::new());
        let path = Path::from("a");
        let bytes: Vec<u8> = (0..2 * PIECE + 77).map(|i| (i % 251) as u8).collect();
        inner.put(&path, bytes.clone().into()).await.unwrap();
        let store = SteadyStore::new(inner);
        let end = bytes.len() as u64;
        // Overlapping, out of order, across pieces.
        let ranges = [end - 5..end, 0..end, 3..3, 100..200, PIECE - 3..PIECE + 3];
        let read = store.get_ranges(&path, &ranges).await.unwrap();
        for (range, read) in ranges.iter().zip(read) {
            assert!(
                read == bytes[range.start as usize..range.end as usize],
                "{range:?}"
            );
        }
        let one = std::slice::from_ref(&(0..1));
        assert!(store.get_ranges(&Path::from("b"), one).await.is_err());
    }

    #[test]
    fn what_broke_off_is_told_from_what_failed() {
        let error = |text: &str| Error::Generic {
            store: "S3",
            source: text.into(),
        };
        assert!(broke_off(&error(
            "Error getting list response body: error decoding response body"
        )));
        assert!(!broke_off(&error(
            "after 8 retries, max_retries: 8: error decoding response body"
        )));
        assert!(!broke_off(&error("Connection refused")));
    }
}

//! What jobs have left in a folder of theirs: an index of its files.

use datafusion::datasource::listing::ListingTableUrl;
use geoflow_engine::geoparquet::PartIndex;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

/// A larger one is no index of files that anybody lists.
const LARGEST: u64 = 256 << 20;

/// The index of the files in a folder, from every `_SUCCESS` and `_SUCCESS-<job>` in it. Empty where there is
/// none, and where it cannot be read: the files themselves say the same.
pub(super) async fn read(
    store: &dyn ObjectStore,
    folder: &ListingTableUrl,
    objects: &[ObjectMeta],
) -> PartIndex {
    let mut parts = PartIndex::default();
    let is_mark = |object: &&ObjectMeta| {
        let within: Option<Vec<&str>> =
            folder.strip_prefix(&object.location).map(Iterator::collect);
        let within = within.unwrap_or_default();
        let named = matches!(within.as_slice(), [name] if *name == "_SUCCESS" || name.starts_with("_SUCCESS-"));
        named && object.size > 0 && object.size < LARGEST
    };
    for mark in objects.iter().filter(is_mark) {
        let read = async { store.get(&mark.location).await?.bytes().await };
        if let Ok(bytes) = read.await {
            parts.add(folder.prefix(), &bytes);
        }
    }
    parts
}

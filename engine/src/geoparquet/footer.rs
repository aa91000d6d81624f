//! Reading the footer of a Parquet file, and saying what a file is that has none.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::physical_plan::parquet::metadata::CachedParquetMetaData;
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use object_store::{ObjectMeta, ObjectStore};
use parquet::DecodeResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder};

use super::display_location;
use crate::Error;
use crate::first_bytes::{FIRST_BYTES, empty, foreign};

/// How much of the end of a file is read at once when nothing else is asked for. It holds the
/// footer of most files, so that one request is enough.
const DEFAULT_TAIL: usize = 64 * 1024;

/// What follows the metadata: their length in four bytes, and the magic.
const FOOTER: u64 = 8;

const MAGIC: &[u8] = b"PAR1";

/// Reads the footer of a Parquet file with its page index, from `cache` when it is there.
///
/// The file is looked at before the Parquet reader sees it: the reader takes the length of the
/// metadata on trust.
///
/// # Errors
/// A file that is no Parquet, is cut short or empty: [`Error::Data`] that names it and says what
/// it looks like. Errors of the store pass as they are.
pub async fn read_footer(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    cache: Option<&Arc<FileMetadataCache>>,
    size_hint: Option<usize>,
) -> Result<Arc<ParquetMetaData>, DataFusionError> {
    if let Some(footer) = cache.and_then(|cache| cached(cache.as_ref(), object)) {
        return Ok(footer);
    }
    let size = object.size;
    let file = || display_location(store.as_ref(), &object.location);
    if size == 0 {
        return Err(Error::Data(empty(&file())).into());
    }
    let hint = size_hint.unwrap_or(DEFAULT_TAIL) as u64;
    let start = size.saturating_sub(hint.max(FOOTER));
    let tail = read_range(store, object, start..size).await?;
    if let Err(damage) = check_tail(&tail, size) {
        let head = if start == 0 {
            tail.slice(..tail.len().min(FIRST_BYTES))
        } else {
            read_range(store, object, 0..size.min(FIRST_BYTES as u64)).await?
        };
        return Err(Error::Data(describe(&file(), size, &head, &tail, damage)).into());
    }
    let footer = decode(store, object, start, tail).await?.map_err(|error| {
        Error::Data(match error.to_string() {
            said if said.contains(TOO_MANY_GROUPS) => format!(
                "{} has more row groups than the {} that can be told apart in one file: write it with larger row groups, or as several files",
                file(),
                i16::MAX
            ),
            said => format!(
                "{} is a damaged Parquet file ({said}). Copy or write it again",
                file()
            ),
        })
    })?;
    let footer = Arc::new(footer);
    if let Some(cache) = cache {
        let entry = CachedFileMetadataEntry::new(
            object.clone(),
            Arc::new(CachedParquetMetaData::new(Arc::clone(&footer))),
        );
        cache.put(&object.location, entry);
    }
    Ok(footer)
}

/// What the reader says of a file whose row groups have numbers beyond those of the format.
const TOO_MANY_GROUPS: &str = "Row group ordinal";

/// By `get_ranges`, which stores over a network read steadily.
async fn read_range(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    range: std::ops::Range<u64>,
) -> Result<Bytes, DataFusionError> {
    let mut read = store.get_ranges(&object.location, &[range]).await?;
    read.pop()
        .ok_or_else(|| Error::Internal("a range was read and is not there".into()).into())
}

/// The footer of `object` if it is in the cache, and still the object's.
pub(super) fn cached(
    cache: &FileMetadataCache,
    object: &ObjectMeta,
) -> Option<Arc<ParquetMetaData>> {
    let entry = cache.get(&object.location)?;
    // Within a second a file may be written twice; its ETag tells.
    let same_tag = match (&entry.meta.e_tag, &object.e_tag) {
        (Some(known), Some(now)) => known == now,
        _ => true,
    };
    if !entry.is_valid_for(object) || !same_tag {
        return None;
    }
    let parquet: &CachedParquetMetaData = entry.file_metadata.as_any().downcast_ref()?;
    Some(Arc::clone(parquet.parquet_metadata()))
}

/// The outer error is the store's, the inner one the file's.
async fn decode(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    start: u64,
    tail: Bytes,
) -> Result<Result<ParquetMetaData, ParquetError>, DataFusionError> {
    let mut decoder = match ParquetMetaDataPushDecoder::try_new(object.size) {
        Ok(decoder) => decoder.with_page_index_policy(PageIndexPolicy::Optional),
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = decoder.push_range(start..object.size, tail) {
        return Ok(Err(error));
    }
    loop {
        match decoder.try_decode() {
            Ok(DecodeResult::Data(metadata)) => return Ok(Ok(metadata)),
            Ok(DecodeResult::NeedsData(ranges)) => {
                if ranges.iter().any(|range| range.end > object.size) {
                    return Ok(Err(ParquetError::EOF(
                        "its footer points beyond its end".into(),
                    )));
                }
                let buffers = store.get_ranges(&object.location, &ranges).await?;
                if let Err(error) = decoder.push_ranges(ranges, buffers) {
                    return Ok(Err(error));
                }
            }
            Ok(DecodeResult::Finished) => {
                return Ok(Err(ParquetError::EOF("no metadata".into())));
            }
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Why the last bytes of a file cannot end a Parquet file.
#[derive(Clone, Copy)]
enum Damage {
    NoMagic,
    /// The metadata would begin before the file.
    Length(u64),
}

fn check_tail(tail: &[u8], size: u64) -> Result<(), Damage> {
    let Some((rest, MAGIC)) = tail.split_last_chunk::<4>().map(|(r, m)| (r, m.as_slice())) else {
        return Err(Damage::NoMagic);
    };
    let Some((_, length)) = rest.split_last_chunk::<4>() else {
        return Err(Damage::NoMagic);
    };
    let length = u64::from(u32::from_le_bytes(*length));
    // The magic stands at the beginning as well.
    if length + FOOTER + 4 > size {
        return Err(Damage::Length(length));
    }
    Ok(())
}

fn describe(file: &str, size: u64, head: &[u8], tail: &[u8], damage: Damage) -> String {
    if head.starts_with(b"PARE") || tail.ends_with(b"PARE") {
        return format!("{file} is an encrypted Parquet file, which is not supported");
    }
    if !head.starts_with(MAGIC) {
        return foreign(file, "Parquet file", head);
    }
    match damage {
        Damage::NoMagic => format!(
            "{file} is cut short: it starts as a Parquet file, but after {size} bytes its end, where the footer belongs, is missing. Copy or write it again"
        ),
        Damage::Length(length) => format!(
            "{file} is a damaged Parquet file: its metadata should take {length} bytes, but the whole file has {size}. Copy or write it again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &[u8], tail: &[u8]) -> String {
        let damage = check_tail(tail, 99).err().unwrap_or(Damage::NoMagic);
        describe("a.parquet", 99, head, tail, damage)
    }

    #[test]
    fn damage_is_told_from_truncation() {
        assert!(message(b"PAR1abc", b"abcdabcd").contains("cut short"));
        assert!(message(b"PAR1abc", b"PAR1").contains("cut short"));
        assert!(message(b"PAR1abc", b"\xff\xff\xff\xffPAR1").contains("take 4294967295 bytes"));
        assert!(message(b"PAREabc", b"PARE").contains("encrypted"));
        assert!(check_tail(b"\x10\0\0\0PAR1", 99).is_ok());
    }
}

//! Reading the footer of a Parquet file, and saying what a file is that has none.

use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::DataFusionError;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::file::metadata::ParquetMetaData;

use super::display_location;
use crate::Error;

/// Reads the footer of a Parquet file, from `cache` when it is there.
///
/// # Errors
/// A file that is no Parquet, is cut short or empty: [`Error::Data`] that names it and says what
/// it looks like. Errors of the store pass as they are.
pub async fn read_footer(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    cache: Option<Arc<FileMetadataCache>>,
    size_hint: Option<usize>,
) -> Result<Arc<ParquetMetaData>, DataFusionError> {
    let fetched = DFParquetMetadata::new(store.as_ref(), object)
        .with_metadata_size_hint(size_hint)
        .with_file_metadata_cache(cache)
        .fetch_metadata()
        .await;
    match fetched {
        Ok(footer) => Ok(footer),
        Err(error) => Err(explain(store, object, error).await),
    }
}

/// Replaces an error of the Parquet reader by what is wrong with the file.
pub(super) async fn explain(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    error: DataFusionError,
) -> DataFusionError {
    if !matches!(error.find_root(), DataFusionError::ParquetError(_)) {
        return error;
    }
    let file = display_location(store.as_ref(), &object.location);
    let head = store
        .get_range(&object.location, 0..object.size.min(16))
        .await;
    let tail = store
        .get_range(&object.location, object.size.saturating_sub(4)..object.size)
        .await;
    match (object.size, head, tail) {
        (0, _, _) => Error::Data(format!(
            "{file} is empty (0 bytes): it was perhaps not written to its end"
        ))
        .into(),
        (size, Ok(head), Ok(tail)) => {
            Error::Data(describe(&file, size, &head, &tail, &error)).into()
        }
        _ => error,
    }
}

const MAGIC: &[u8] = b"PAR1";

fn describe(file: &str, size: u64, head: &[u8], tail: &[u8], error: &DataFusionError) -> String {
    if head.starts_with(b"PARE") || tail == b"PARE" {
        return format!("{file} is an encrypted Parquet file, which is not supported");
    }
    if !head.starts_with(MAGIC) {
        return format!(
            "{file} is no Parquet file: it starts with {}{}",
            printable(head),
            looks_like(head)
                .map(|kind| format!(", perhaps {kind}"))
                .unwrap_or_default()
        );
    }
    if tail != MAGIC {
        return format!(
            "{file} is cut short: it starts as a Parquet file, but its end, where the footer belongs, is missing after {size} bytes. Copy or write it again"
        );
    }
    format!(
        "{file} is a damaged Parquet file ({}). Copy or write it again",
        error.find_root().strip_backtrace()
    )
}

/// The first bytes as text where they are text, else in hexadecimal.
fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
            format!("{text:?}")
        }
        _ => {
            let hex: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
            format!("the bytes {}", hex.join(" "))
        }
    }
}

/// Formats that are found under a wrong name, by their first bytes.
fn looks_like(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 14] = [
        (b"SQLite format 3", "a GeoPackage or other SQLite database"),
        (b"fgb", "FlatGeobuf"),
        (b"PK\x03\x04", "a ZIP archive, such as a zipped Shapefile"),
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"ARROW1", "an Arrow or Feather file"),
        (b"\x00\x00\x27\x0a", "a Shapefile"),
        (b"Obj\x01", "Avro"),
        (b"ORC", "ORC"),
        (b"II*\x00", "a TIFF image"),
        (b"MM\x00*", "a TIFF image"),
        (b"%PDF", "PDF"),
        (b"\x89HDF", "HDF5"),
        (
            b"version https://",
            "a Git LFS pointer: fetch the file with `git lfs pull`",
        ),
    ];
    if let Some((_, kind)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(kind);
    }
    let text = std::str::from_utf8(head).ok()?.trim_start();
    match text.chars().next()? {
        '{' | '[' => Some("JSON or GeoJSON"),
        '<' => Some("XML or HTML, such as GML, KML or the error page of a server"),
        _ if text.contains([',', ';', '\t']) => Some("CSV"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(head: &[u8], tail: &[u8]) -> String {
        let error = DataFusionError::ParquetError(Box::new(
            parquet::errors::ParquetError::General("EOF".into()),
        ));
        describe("a.parquet", 99, head, tail, &error)
    }

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (head, expected) in [
            (b"SQLite format 3\0".as_slice(), "GeoPackage"),
            (b"fgb\x03fgb\x00", "the bytes 66 67 62 03"),
            (
                b"name,lat,lon\nHels",
                "starts with \"name,lat,lon\\nHels\", perhaps CSV",
            ),
            (b"{\"type\": \"Featu", "GeoJSON"),
            (b"<?xml version=", "XML"),
            (b"\xff\xfe\x00", "the bytes ff fe 00"),
        ] {
            let message = message(head, b"    ");
            assert!(
                message.starts_with("a.parquet is no Parquet file"),
                "{message}"
            );
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn damage_is_told_from_truncation() {
        assert!(message(b"PAR1abc", b"abcd").contains("cut short"));
        assert!(message(b"PAR1abc", b"PAR1").contains("damaged Parquet file (Parquet error"));
        assert!(message(b"PAREabc", b"PARE").contains("encrypted"));
    }
}

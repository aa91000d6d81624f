//! What a job says of the files that it has written, so that they need not be opened to know.
//!
//! ```text
//!  out/_SUCCESS                   parts: file, rows, bytes, bounds ──> PartIndex
//!  out/part-00000-5f1c….parquet                                           |
//!  out/part-00001-a07e….parquet     GeoParquetFormat: one schema for all, ┘ rows without a footer,
//!                                   files that a filter excludes are not opened
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Deserialize;

use crate::geometry::Bounds;

/// The version of `_SUCCESS` that is understood.
const VERSION: u32 = 1;

/// Files that jobs have written, by their place.
#[derive(Debug, Clone, Default)]
pub struct PartIndex {
    parts: HashMap<Path, IndexedPart>,
    jobs: usize,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexedPart {
    bytes: u64,
    pub(super) rows: u64,
    pub(super) bounds: Option<PartBounds>,
    /// Files of one job have one schema.
    pub(super) job: usize,
}

/// The bounds of a column of a file; an extension of files that are scanned.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PartBounds {
    pub(super) column: Arc<str>,
    pub(super) bounds: Bounds,
}

#[derive(Deserialize)]
struct Success {
    version: u32,
    #[serde(default)]
    geometry: Option<String>,
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    file: String,
    rows: u64,
    bytes: u64,
    #[serde(default)]
    bounds: Option<[f64; 4]>,
}

impl PartIndex {
    /// Adds what the `_SUCCESS` of a folder says of its files. Whether it was understood: other tools write files
    /// of this name as well, and those say nothing.
    pub fn add(&mut self, folder: &Path, success: &[u8]) -> bool {
        let Ok(success) = serde_json::from_slice::<Success>(success) else {
            return false;
        };
        if success.version != VERSION {
            return false;
        }
        let column: Option<Arc<str>> = success.geometry.map(Into::into);
        for part in success.parts {
            let name = format!("{folder}/{}", part.file);
            let Ok(path) = Path::parse(name) else {
                continue;
            };
            let bounds = column.as_ref().zip(part.bounds);
            let bounds = bounds.map(|(column, [min_x, min_y, max_x, max_y])| PartBounds {
                column: Arc::clone(column),
                bounds: Bounds::new(min_x, min_y, max_x, max_y),
            });
            let part = IndexedPart {
                bytes: part.bytes,
                rows: part.rows,
                bounds: bounds.filter(|bounds| !bounds.bounds.is_empty()),
                job: self.jobs,
            };
            self.parts.insert(path, part);
        }
        self.jobs += 1;
        true
    }

    /// Files that are known.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether no file is known.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What is known of a file, if it is still the one that was written.
    pub(super) fn of(&self, object: &ObjectMeta) -> Option<&IndexedPart> {
        let part = self.parts.get(&object.location)?;
        (part.bytes == object.size).then_some(part)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn object(location: &str, size: u64) -> ObjectMeta {
        ObjectMeta {
            location: Path::parse(location).unwrap(),
            last_modified: std::time::UNIX_EPOCH.into(),
            size,
            e_tag: None,
            version: None,
        }
    }

    #[test]
    fn a_file_is_known_while_it_is_what_was_written() {
        let mut index = PartIndex::default();
        let success = r#"{"version": 1, "job": "j", "geometry": "g", "parts": [
            {"file": "part-0.parquet", "rows": 7, "bytes": 100, "bounds": [1, 2, 3, 4], "sha256": ""},
            {"file": "k=a%2Fb/part-1.parquet", "rows": 0, "bytes": 50, "sha256": ""}]}"#;
        assert!(index.add(&Path::from("out"), success.as_bytes()));
        let part = index.of(&object("out/part-0.parquet", 100)).unwrap();
        assert_eq!(part.rows, 7);
        let bounds = part.bounds.as_ref().unwrap();
        assert_eq!((bounds.column.as_ref(), bounds.bounds.max_y), ("g", 4.0));
        let other = index.of(&object("out/k=a%2Fb/part-1.parquet", 50)).unwrap();
        assert_eq!(other.bounds, None);
        assert_eq!(index.of(&object("out/part-0.parquet", 101)), None);
        assert_eq!(index.of(&object("part-0.parquet", 100)), None);
        // A second job is told apart.
        let more =
            r#"{"version": 1, "parts": [{"file": "j-part-0.parquet", "rows": 1, "bytes": 9}]}"#;
        assert!(index.add(&Path::from("out"), more.as_bytes()));
        assert_eq!(index.of(&object("out/j-part-0.parquet", 9)).unwrap().job, 1);
    }

    #[test]
    fn what_is_not_ours_says_nothing() {
        let mut index = PartIndex::default();
        for text in ["", "{}", "[]", r#"{"version": 2, "parts": []}"#, "\u{0}"] {
            assert!(!index.add(&Path::from("out"), text.as_bytes()), "{text}");
        }
        assert!(index.is_empty());
    }
}

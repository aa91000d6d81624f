//! The names of files in a folder of partitions: `country=FI/part-1a2b-00000.parquet`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use object_store::path::Path;

/// What stands for NULL in the name of a folder, as in Hive.
pub const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A folder `column=value` under `base`. Of values all but letters, digits and `_-.` is percent-encoded as UTF-8,
/// so that no value can name a place elsewhere.
pub(super) fn partition_folder(base: &Path, pairs: &[(String, Option<String>)]) -> Path {
    let mut path = base.as_ref().to_owned();
    for (column, value) in pairs {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&encoded_name(column));
        path.push('=');
        match value.as_deref() {
            None => path.push_str(HIVE_NULL),
            // Texts that readers (DuckDB those of four letters) take for NULL as they stand, but not encoded.
            Some(value) if value == HIVE_NULL || value.eq_ignore_ascii_case("null") => {
                let (first, rest) = value.split_at(1);
                path.push_str(&format!("%{:02X}{rest}", first.as_bytes()[0]));
            }
            Some(value) => path.push_str(&encoded(value)),
        }
    }
    // The text has none of the characters that `parse` refuses.
    Path::parse(&path).unwrap_or_else(|_| Path::from(path))
}

/// Readers decode values, but few do names: only what would be read as another name is encoded.
fn encoded_name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || "/\\=%?*:\"<>|#[]{}^".contains(c) {
            out.push_str(&encoded(c.encode_utf8(&mut [0; 4])));
        } else {
            out.push(c);
        }
    }
    out
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// How the files of a write are called, where their writer cares: `<prefix>-00000.parquet`. An extension of the
/// session's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNames {
    /// What all names begin with. No other write to the folder may use it.
    pub prefix: String,
}

/// A prefix that no other write uses.
pub(super) fn unique_prefix() -> String {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos() as u64);
    let process = u64::from(std::process::id());
    let unique = nanos ^ process.rotate_left(40) ^ WRITES.fetch_add(1, Ordering::Relaxed) << 56;
    format!("part-{unique:016x}")
}

/// The file number `n` of a write.
pub(super) fn part(folder: &Path, prefix: &str, n: usize, extension: &str) -> Path {
    folder.clone().join(format!("{prefix}-{n:05}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(value: Option<&str>) -> String {
        let pairs = [("k".to_owned(), value.map(str::to_owned))];
        partition_folder(&Path::from("out"), &pairs).to_string()
    }

    #[test]
    fn values_stay_in_their_folder() {
        assert_eq!(folder(Some("FI")), "out/k=FI");
        assert_eq!(
            folder(Some("../../etc/passwd")),
            "out/k=..%2F..%2Fetc%2Fpasswd"
        );
        assert_eq!(folder(Some("a=b c%\\\n")), "out/k=a%3Db%20c%25%5C%0A");
        assert_eq!(folder(Some("Åland")), "out/k=%C3%85land");
        assert_eq!(folder(None), format!("out/k={HIVE_NULL}"));
        assert_eq!(folder(Some("")), "out/k=");
        assert_eq!(
            folder(Some(HIVE_NULL)),
            format!("out/k=%5F{}", &HIVE_NULL[1..])
        );
        assert_eq!(folder(Some("null")), "out/k=%6Eull");
    }

    #[test]
    fn names_are_read_back_as_they_are() {
        let pairs = [("näme x".to_owned(), Some("1".to_owned()))];
        let path = partition_folder(&Path::from("out"), &pairs);
        assert_eq!(path.as_ref(), "out/näme x=1");
        let pairs = [("../a=b".to_owned(), Some("1".to_owned()))];
        let path = partition_folder(&Path::from("out"), &pairs);
        assert_eq!(path.as_ref(), "out/..%2Fa%3Db=1");
    }

    #[test]
    fn writes_have_names_of_their_own() {
        assert_ne!(unique_prefix(), unique_prefix());
        let path = part(&Path::from("out"), "part-ab", 3, "parquet");
        assert_eq!(path.as_ref(), "out/part-ab-00003.parquet");
    }
}

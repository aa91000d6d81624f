//! What a file is by its first bytes, whatever it is called.

/// So many bytes are looked at.
pub const FIRST_BYTES: usize = 16;

/// Formats that are found under a wrong name, by how they begin, and the function that reads them.
const KNOWN: [(&[u8], &str, Option<&str>); 15] = [
    (
        b"SQLite format 3",
        "a GeoPackage or other SQLite database",
        Some("read_gpkg"),
    ),
    (b"PAR1", "Parquet", Some("read_parquet")),
    (b"fgb", "FlatGeobuf", Some("read_fgb")),
    (
        b"PK\x03\x04",
        "a ZIP archive, such as a zipped Shapefile",
        None,
    ),
    (b"\x1f\x8b", "gzip", None),
    (b"\x28\xb5\x2f\xfd", "zstd", None),
    (b"ARROW1", "an Arrow or Feather file", Some("read_arrow")),
    (b"\x00\x00\x27\x0a", "a Shapefile", Some("read_shp")),
    (b"Obj\x01", "Avro", None),
    (b"ORC", "ORC", None),
    (b"II*\x00", "a TIFF image", None),
    (b"MM\x00*", "a TIFF image", None),
    (b"%PDF", "PDF", None),
    (b"\x89HDF", "HDF5", None),
    (
        b"version https://",
        "a Git LFS pointer: fetch the file with `git lfs pull`",
        None,
    ),
];

/// The first bytes as text where they are text, else in hexadecimal.
pub fn printable(bytes: &[u8]) -> String {
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

/// The format of a file that begins so, where it is one that people give wrong names to.
pub fn looks_like(head: &[u8]) -> Option<&'static str> {
    if let Some((_, kind, _)) = KNOWN.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Some(kind);
    }
    // A letter may be cut in two.
    let text = String::from_utf8_lossy(head);
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    match text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .chars()
        .next()?
    {
        '{' | '[' => Some("JSON or GeoJSON"),
        '<' => Some("XML or HTML, such as GML, KML or the error page of a server"),
        _ if text.contains([',', ';', '\t']) => Some("CSV"),
        _ => None,
    }
}

/// Whether a file that begins so is of a format that is no text.
pub fn is_binary(head: &[u8]) -> bool {
    KNOWN.iter().any(|(magic, ..)| head.starts_with(magic)) || head.contains(&0)
}

/// What to say of a file `shown` that should be of a `format`, such as "Parquet file", and begins otherwise.
pub fn foreign(shown: &str, format: &str, head: &[u8]) -> String {
    let kind = match looks_like(head) {
        Some(kind) => format!(", perhaps {kind}"),
        None => String::new(),
    };
    let known = KNOWN.iter().find(|(magic, ..)| head.starts_with(magic));
    let remedy = match known {
        Some((_, _, Some(function))) => {
            format!(". {function}('...') reads it whatever it is called")
        }
        _ => String::new(),
    };
    format!(
        "{shown} is no {format}: it starts with {}{kind}{remedy}",
        printable(head)
    )
}

/// What to say of a file without a byte.
pub fn empty(shown: &str) -> String {
    format!("{shown} is empty (0 bytes): it was perhaps not written to its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_named() {
        for (head, expected) in [
            (
                b"SQLite format 3\0".as_slice(),
                "perhaps a GeoPackage or other SQLite database. read_gpkg('...')",
            ),
            (b"fgb\x03fgb\x00", "the bytes 66 67 62 03"),
            (
                b"name,lat,lon\nHels",
                "starts with \"name,lat,lon\\nHels\", perhaps CSV",
            ),
            (b"{\"type\": \"Featu", "GeoJSON"),
            (b"\xef\xbb\xbf{\"type\": \"", "GeoJSON"),
            (b"<?xml version=", "XML"),
            (b"nom,\xc3\xa9tat,\xc3", "perhaps CSV"),
            (b"\xff\xfe\x00", "the bytes ff fe 00"),
        ] {
            let message = foreign("a.x", "X", head);
            assert!(message.starts_with("a.x is no X: "), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn binaries() {
        assert!(is_binary(b"PAR1") && is_binary(b"\x01\x00\x00"));
        assert!(!is_binary(b"id,name") && !is_binary(b"{}") && !is_binary(b""));
    }
}

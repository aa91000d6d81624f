//! What `COPY ... TO ... OPTIONS (...)` says of its output, beside what Parquet itself knows.

use std::collections::HashMap;

use super::{GeoParquetVersion, GeometryEncoding};
use crate::tiling::Cells;
use crate::{Error, Result};

/// How rows are put into files.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputOptions {
    /// Whether rows are sorted along a Hilbert curve.
    pub hilbert: bool,
    /// A column of cells that rows are partitioned by, after the columns of `PARTITIONED BY`.
    pub cells: Option<Cells>,
    /// A file of a folder ends at about this size. Default 512 MiB.
    pub file_bytes: u64,
    /// What becomes of files that are there already.
    pub existing: Existing,
    /// Overrides of how files are laid out.
    pub version: Option<GeoParquetVersion>,
    /// As [`OutputOptions::version`].
    pub encoding: Option<GeometryEncoding>,
    /// As [`OutputOptions::version`].
    pub row_group_rows: Option<usize>,
    /// As [`OutputOptions::version`].
    pub row_group_bytes: Option<usize>,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            hilbert: false,
            cells: None,
            file_bytes: 512 << 20,
            existing: Existing::default(),
            version: None,
            encoding: None,
            row_group_rows: None,
            row_group_bytes: None,
        }
    }
}

/// What becomes of files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Nothing is written.
    #[default]
    Refuse,
    /// They are replaced, once everything new is complete.
    Overwrite,
    /// They stay, new ones get new names.
    Append,
}

/// The options of an output with what they do.
pub const OUTPUT_OPTIONS: [(&str, &str); 9] = [
    ("sort_by", "'hilbert' puts neighbours next to each other"),
    ("cells", "partitions by cells: 'h3:5', 'quadkey:8', 'kd:16'"),
    (
        "max_file_size",
        "size at which a file of a folder ends, as '512MB'",
    ),
    ("if_exists", "'error', 'overwrite' or 'append'"),
    ("overwrite", "'true' is if_exists 'overwrite'"),
    ("geoparquet_version", "'1.0', '1.1' or '2.0'"),
    ("encoding", "'wkb' or 'geoarrow'"),
    ("row_group_rows", "most rows of a row group"),
    ("row_group_size", "size of a row group in memory, as '64MB'"),
];

impl OutputOptions {
    /// Takes its options out of those of a statement.
    ///
    /// # Errors
    /// [`Error::Statement`] for a value that an option cannot have.
    pub fn take(options: &mut HashMap<String, String>) -> Result<Self> {
        let mut taken = Self::default();
        for (name, _) in OUTPUT_OPTIONS {
            if let Some(value) = take_option(options, name) {
                taken.set(name, value.trim())?;
            }
        }
        Ok(taken)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let lower = value.to_ascii_lowercase();
        let refused = |wanted: &str| {
            Err(Error::Statement(format!(
                "the option '{name}' is '{value}', it must be {wanted}"
            )))
        };
        match name {
            "sort_by" => match lower.as_str() {
                "hilbert" => self.hilbert = true,
                "none" => self.hilbert = false,
                _ => return refused("'hilbert' or 'none': for other orders write ORDER BY"),
            },
            "cells" => self.cells = Some(Cells::parse(&lower)?),
            "if_exists" => match lower.as_str() {
                "error" => self.existing = Existing::Refuse,
                "overwrite" => self.existing = Existing::Overwrite,
                "append" => self.existing = Existing::Append,
                _ => return refused("'error', 'overwrite' or 'append'"),
            },
            "overwrite" => match lower.as_str() {
                "true" => self.existing = Existing::Overwrite,
                "false" => {}
                _ => return refused("'true' or 'false'"),
            },
            "geoparquet_version" => self.version = Some(GeoParquetVersion::parse(value)?),
            "encoding" => self.encoding = Some(GeometryEncoding::parse(value)?),
            "row_group_rows" => match value.replace('_', "").parse() {
                Ok(rows @ 1..) => self.row_group_rows = Some(rows),
                _ => return refused("a number of rows"),
            },
            "row_group_size" => match bytes(&lower) {
                Some(size) => self.row_group_bytes = Some(size as usize),
                None => return refused("a size such as '64MB'"),
            },
            _ => match bytes(&lower) {
                Some(size) => self.file_bytes = size,
                None => return refused("a size such as '512MB'"),
            },
        }
        Ok(())
    }

    /// Whether anything is asked for that plain Parquet knows nothing of.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Takes what becomes of existing files, and leaves all else.
    pub(crate) fn take_existing(options: &mut HashMap<String, String>) -> Result<Existing> {
        let mut taken = Self::default();
        for name in ["if_exists", "overwrite"] {
            if let Some(value) = take_option(options, name) {
                taken.set(name, value.trim())?;
            }
        }
        Ok(taken.existing)
    }
}

/// Takes an option out of those of a statement. SQL options without a namespace arrive as `format.sort_by`.
pub(crate) fn take_option(options: &mut HashMap<String, String>, name: &str) -> Option<String> {
    let namespaced = options.remove(&format!("format.{name}"));
    namespaced.or_else(|| options.remove(name))
}

/// Bytes of a size such as `512mb`, `64MiB` or `1048576`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "k" | "kib" => f64::from(1_u32 << 10),
        "m" | "mib" => f64::from(1_u32 << 20),
        "g" | "gib" => f64::from(1_u32 << 30),
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    // `as` saturates.
    Some((number * factor) as u64).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn take(pairs: &[(&str, &str)]) -> Result<OutputOptions> {
        let mut options = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let taken = OutputOptions::take(&mut options);
        assert!(options.keys().all(|key| key == "format.compression"));
        taken
    }

    #[test]
    fn options_with_and_without_a_namespace() {
        let options = take(&[
            ("format.sort_by", "Hilbert"),
            ("format.compression", "zstd(3)"),
            ("max_file_size", "1.5KB"),
            ("format.row_group_size", "64MiB"),
            ("format.row_group_rows", "10_000"),
            ("if_exists", "append"),
            ("geoparquet_version", "2.0"),
        ])
        .unwrap();
        assert!(options.hilbert);
        assert_eq!(options.file_bytes, 1500);
        assert_eq!(options.row_group_bytes, Some(64 << 20));
        assert_eq!(options.row_group_rows, Some(10_000));
        assert_eq!(options.existing, Existing::Append);
        assert_eq!(options.version, Some(GeoParquetVersion::V2_0));
        assert!(take(&[]).unwrap().is_default());
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        for (name, value) in [
            ("sort_by", "name"),
            ("if_exists", "replace"),
            ("overwrite", "yes"),
            ("geoparquet_version", "3"),
            ("encoding", "wkt"),
            ("row_group_rows", "0"),
            ("row_group_size", "many"),
            ("max_file_size", "5 parsecs"),
            ("cells", "s2:5"),
            ("cells", "h3:99"),
        ] {
            let error = take(&[(name, value)]).unwrap_err();
            assert!(matches!(error, Error::Statement(_)), "{name} {value}");
        }
    }
}

//! The output formats and how one is chosen.

use std::path::Path;

use clap::ValueEnum;
use geoflow_engine::formats::write::FileFormat;

use crate::error::{Failure, Result};

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people; cut at --max-rows
    Table,
    /// Comma-separated values
    Csv,
    /// Tab-separated values
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Ndjson,
    /// A GeoJSON FeatureCollection
    Geojson,
    /// One GeoJSON feature a line
    Geojsonseq,
    /// Parquet; GeoParquet 1.1 with bbox covering when there is a geometry column
    Parquet,
    /// Arrow IPC: a file with -o, a stream on standard output
    Arrow,
    /// GeoPackage: a layer with a spatial index; needs -o
    Gpkg,
    /// FlatGeobuf, with its index; needs -o
    Fgb,
    /// Shapefile: .shp, .shx, .dbf, .prj and .cpg; needs -o
    Shp,
    /// The text of EXPLAIN; no choice of the user
    #[value(skip)]
    Plan,
}

const EXTENSIONS: [(&str, Format); 17] = [
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("json", Format::Json),
    ("ndjson", Format::Ndjson),
    ("jsonl", Format::Ndjson),
    ("geojson", Format::Geojson),
    ("geojsonl", Format::Geojsonseq),
    ("geojsons", Format::Geojsonseq),
    ("geojsonseq", Format::Geojsonseq),
    ("gpkg", Format::Gpkg),
    ("fgb", Format::Fgb),
    ("shp", Format::Shp),
    ("pq", Format::Parquet),
    ("parquet", Format::Parquet),
    ("geoparquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
];

impl Format {
    /// The explicit flag, else the extension of the output, else what suits the reader.
    pub(crate) fn choose(
        flag: Option<Format>,
        path: Option<&Path>,
        terminal: bool,
    ) -> Result<Format> {
        match (flag, path) {
            (Some(format), _) => Ok(format),
            (None, Some(path)) => Self::of_extension(path),
            (None, None) if terminal => Ok(Format::Table),
            (None, None) => Ok(Format::Csv),
        }
    }

    fn of_extension(path: &Path) -> Result<Format> {
        let extension = path
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase());
        let known = EXTENSIONS
            .iter()
            .find(|(known, _)| Some(*known) == extension.as_deref());
        known.map(|(_, format)| *format).ok_or_else(|| {
            let list: Vec<String> = EXTENSIONS
                .iter()
                .map(|(known, _)| format!(".{known}"))
                .collect();
            let problem = match extension {
                Some(extension) => format!("no format is known for the extension .{extension}"),
                None => "it has no extension".to_string(),
            };
            Failure::usage(format!(
                "cannot tell the format of \"{}\": {problem}",
                path.display()
            ))
            .with_hint(format!("give --format, or one of {}", list.join(" ")))
        })
    }

    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(|| "plan".to_string(), |value| value.get_name().to_string())
    }

    /// Whether two results one after another are no longer a document of this format.
    pub(crate) fn is_one_document(self) -> bool {
        matches!(self, Format::Geojson | Format::Parquet | Format::Arrow)
            || self.file().is_some_and(|format| !format.is_stream())
    }

    /// The format of files that the engine writes row by row.
    pub(crate) fn file(self) -> Option<FileFormat> {
        Some(match self {
            Format::Csv => FileFormat::Csv,
            Format::Tsv => FileFormat::Tsv,
            Format::Geojson => FileFormat::GeoJson,
            Format::Geojsonseq => FileFormat::GeoJsonSeq,
            Format::Arrow => FileFormat::Arrow,
            Format::Gpkg => FileFormat::GeoPackage,
            Format::Fgb => FileFormat::FlatGeobuf,
            Format::Shp => FileFormat::Shapefile,
            Format::Table | Format::Json | Format::Ndjson | Format::Parquet | Format::Plan => {
                return None;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn flag_then_extension_then_default() {
        let path = Some(Path::new("a/b.GeoJSON"));
        assert_eq!(
            Format::choose(Some(Format::Csv), path, true).unwrap(),
            Format::Csv
        );
        assert_eq!(Format::choose(None, path, true).unwrap(), Format::Geojson);
        assert_eq!(Format::choose(None, None, true).unwrap(), Format::Table);
        assert_eq!(Format::choose(None, None, false).unwrap(), Format::Csv);
        assert!(Format::choose(None, Some(Path::new("a.xyz")), false).is_err());
        assert!(Format::choose(None, Some(Path::new("parquet")), false).is_err());
    }
}

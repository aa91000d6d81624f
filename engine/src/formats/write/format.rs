//! The formats, and how one is chosen.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::staged::cannot_write;
use super::{
    ArrowFlavour, RowWriter, arrow_ipc, csv::CsvWriter, flatgeobuf::FlatGeobufWriter,
    geojson::GeoJsonWriter, geopackage::GeoPackageWriter, shapefile::ShapefileWriter,
};
use crate::{Error, Result};

/// A format of files that are written row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Layers of a SQLite database, with a spatial index.
    GeoPackage,
    /// Features in the order of a Hilbert curve, with an index.
    FlatGeobuf,
    /// `.shp`, `.shx`, `.dbf`, `.prj` and `.cpg`.
    Shapefile,
    /// A GeoJSON FeatureCollection.
    GeoJson,
    /// One GeoJSON feature a line.
    GeoJsonSeq,
    /// Comma-separated values, geometry as WKT.
    Csv,
    /// Tab-separated values, geometry as WKT.
    Tsv,
    /// An Arrow IPC file.
    Arrow,
}

const EXTENSIONS: [(&str, FileFormat); 12] = [
    ("gpkg", FileFormat::GeoPackage),
    ("fgb", FileFormat::FlatGeobuf),
    ("shp", FileFormat::Shapefile),
    ("geojson", FileFormat::GeoJson),
    ("geojsonl", FileFormat::GeoJsonSeq),
    ("geojsons", FileFormat::GeoJsonSeq),
    ("geojsonseq", FileFormat::GeoJsonSeq),
    ("csv", FileFormat::Csv),
    ("tsv", FileFormat::Tsv),
    ("arrow", FileFormat::Arrow),
    ("feather", FileFormat::Arrow),
    ("arrows", FileFormat::Arrow),
];

impl FileFormat {
    /// All formats.
    pub const ALL: [FileFormat; 8] = [
        FileFormat::GeoPackage,
        FileFormat::FlatGeobuf,
        FileFormat::Shapefile,
        FileFormat::GeoJson,
        FileFormat::GeoJsonSeq,
        FileFormat::Csv,
        FileFormat::Tsv,
        FileFormat::Arrow,
    ];

    /// The format of files whose names end so, without the dot, in any case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        let known = EXTENSIONS.iter().find(|(known, _)| *known == extension);
        known.map(|(_, format)| *format)
    }

    /// All extensions of this format, the usual one first.
    pub fn extensions(self) -> impl Iterator<Item = &'static str> {
        let own = EXTENSIONS.iter().filter(move |(_, format)| *format == self);
        own.map(|(extension, _)| *extension)
    }

    /// The usual extension, without the dot.
    pub fn extension(self) -> &'static str {
        self.extensions().next().unwrap_or_default()
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::GeoPackage => "GeoPackage",
            FileFormat::FlatGeobuf => "FlatGeobuf",
            FileFormat::Shapefile => "Shapefile",
            FileFormat::GeoJson => "GeoJSON",
            FileFormat::GeoJsonSeq => "GeoJSONSeq",
            FileFormat::Csv => "CSV",
            FileFormat::Tsv => "TSV",
            FileFormat::Arrow => "Arrow",
        }
    }

    /// Whether it is written from its beginning to its end, so that a pipe will do.
    pub fn is_stream(self) -> bool {
        !matches!(
            self,
            FileFormat::GeoPackage | FileFormat::FlatGeobuf | FileFormat::Shapefile
        )
    }
}

/// What a writer may be told beside its format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileOptions {
    /// Name of the layer, by default that of the file. GeoPackage and FlatGeobuf have one.
    pub layer: Option<String>,
    /// A GeoPackage that the layer is added to. It is read, not changed.
    pub added_to: Option<std::path::PathBuf>,
}

/// A writer into a file that it makes, whatever the format.
///
/// # Errors
/// What the format cannot hold of the schema, and what the disk says.
pub fn open_file(
    format: FileFormat,
    schema: &SchemaRef,
    path: &Path,
    options: &FileOptions,
) -> Result<Box<dyn RowWriter>> {
    if options.layer.is_some() && !matches!(format, FileFormat::GeoPackage | FileFormat::FlatGeobuf)
    {
        return Err(Error::Statement(format!(
            "{} has no layers that could be named",
            format.name()
        )));
    }
    let layer = options.layer.clone().unwrap_or_else(|| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    });
    Ok(match format {
        FileFormat::GeoPackage => {
            let added_to = options.added_to.as_deref();
            Box::new(GeoPackageWriter::create(path, schema, &layer, added_to)?)
        }
        FileFormat::FlatGeobuf => Box::new(FlatGeobufWriter::create(path, schema, &layer)?),
        FileFormat::Shapefile => Box::new(ShapefileWriter::create(path, schema)?),
        _ => {
            let file = File::create(path).map_err(|e| cannot_write(path, &e))?;
            let file = BufWriter::with_capacity(1 << 16, file);
            open_stream(format, schema, file, ArrowFlavour::File)?
        }
    })
}

/// A writer into a stream, for formats that [can](FileFormat::is_stream).
///
/// # Errors
/// What the format cannot hold of the schema; [`Error::Internal`] for a format that needs a file.
pub fn open_stream(
    format: FileFormat,
    schema: &SchemaRef,
    out: impl Write + Send + 'static,
    arrow: ArrowFlavour,
) -> Result<Box<dyn RowWriter>> {
    Ok(match format {
        FileFormat::GeoJson => Box::new(GeoJsonWriter::collection(schema, out)?),
        FileFormat::GeoJsonSeq => Box::new(GeoJsonWriter::sequence(schema, out)?),
        FileFormat::Csv => Box::new(CsvWriter::new(schema, out, b',')?),
        FileFormat::Tsv => Box::new(CsvWriter::new(schema, out, b'\t')?),
        FileFormat::Arrow => arrow_ipc::open(schema, out, arrow)?,
        FileFormat::GeoPackage | FileFormat::FlatGeobuf | FileFormat::Shapefile => {
            return Err(Error::Internal(format!("{} is no stream", format.name())));
        }
    })
}

/// An error of writing a stream.
pub(super) fn stream_failed(error: &std::io::Error) -> Error {
    Error::Environment {
        message: format!("the output could not be written: {error}"),
        retryable: false,
    }
}

/// An error of Arrow: of the place, else of the data.
pub(super) fn arrow_failed(error: &arrow::error::ArrowError) -> Error {
    match error {
        arrow::error::ArrowError::IoError(_, io) => stream_failed(io),
        other => Error::Data(other.to_string()),
    }
}

/// A batch without rows, for writers that still owe their header.
pub(super) fn no_rows(schema: &SchemaRef) -> RecordBatch {
    RecordBatch::new_empty(std::sync::Arc::clone(schema))
}

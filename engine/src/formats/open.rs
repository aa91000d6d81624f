//! Which format a file is in, and opening it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::files::cannot_open;
use super::flatgeobuf::FlatGeobuf;
use super::geojson::{GeoJson, GeoJsonOptions};
use super::geopackage::GeoPackage;
use super::shapefile::{Shapefile, ShapefileOptions};
use super::source::FeatureSource;
use crate::crs::Crs;
use crate::first_bytes::{FIRST_BYTES, empty, foreign, is_binary};
use crate::{Error, Result};

/// Bytes at the beginning of a `.json` file that tell GeoJSON from any other.
const SNIFFED: u64 = 4 << 10;

/// A format of files on this machine, that is read feature by feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureFormat {
    /// Layers in a SQLite database.
    GeoPackage,
    /// A collection, or features one after another.
    GeoJson,
    /// Features behind a packed R-tree.
    FlatGeobuf,
    /// A `.shp` and the files beside it.
    Shapefile,
}

impl FeatureFormat {
    /// The format by the extension of a name; of `json` and its like, by what is in the file.
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Self::of_extension(extension).or_else(|| {
            let json = ["json", "jsonl", "ndjson"];
            let may_be = json.iter().any(|json| extension.eq_ignore_ascii_case(json));
            (may_be && looks_like_geojson(path)).then_some(Self::GeoJson)
        })
    }

    /// The format by an extension, without the dot, in any case.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "gpkg" => Self::GeoPackage,
            "geojson" | "geojsonl" | "geojsons" | "geojsonseq" => Self::GeoJson,
            "fgb" => Self::FlatGeobuf,
            "shp" => Self::Shapefile,
            _ => return None,
        })
    }

    /// What the format is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::GeoPackage => "GeoPackage",
            Self::GeoJson => "GeoJSON",
            Self::FlatGeobuf => "FlatGeobuf",
            Self::Shapefile => "Shapefile",
        }
    }
}

/// Whether a feature, or a collection of them, seems to begin the file.
fn looks_like_geojson(path: &Path) -> bool {
    let mut start = vec![];
    let read = File::open(path).and_then(|file| file.take(SNIFFED).read_to_end(&mut start));
    if read.is_err() {
        return false;
    }
    let text: String = String::from_utf8_lossy(&start).split_whitespace().collect();
    ["\"type\":\"FeatureCollection\"", "\"type\":\"Feature\""]
        .iter()
        .any(|mark| text.contains(mark))
}

/// That the file begins as its format does; what else is wrong with it the reader says.
fn refuse_foreign(path: &Path, format: FeatureFormat) -> Result<()> {
    let mut head = vec![];
    let read =
        File::open(path).and_then(|file| file.take(FIRST_BYTES as u64).read_to_end(&mut head));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(cannot_open(path, &error));
        }
        // What is not there the reader says.
        Err(_) => return Ok(()),
        Ok(_) => {}
    }
    let shown = path.display().to_string();
    if head.is_empty() {
        return Err(Error::Data(empty(&shown)));
    }
    let fits = match format {
        FeatureFormat::GeoPackage => head.starts_with(b"SQLite format 3"),
        FeatureFormat::FlatGeobuf => head.starts_with(b"fgb"),
        FeatureFormat::Shapefile => head.starts_with(b"\x00\x00\x27\x0a"),
        // What texts are no GeoJSON is told with line and column.
        FeatureFormat::GeoJson => !is_binary(&head),
    };
    match fits {
        true => Ok(()),
        false => Err(Error::Data(foreign(&shown, format.name(), &head))),
    }
}

/// How a file is opened. What does not concern its format is an error.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The layer, of a format with several.
    pub layer: Option<String>,
    /// How many features of GeoJSON tell the types of columns; `None`: all.
    pub sample_size: Option<u64>,
    /// The CRS, whatever the file says of it.
    pub crs: Option<Crs>,
    /// The encoding of the texts of a Shapefile, whatever its `.cpg` says.
    pub encoding: Option<String>,
}

impl OpenOptions {
    /// The names of the options that are given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("layer", self.layer.is_some()),
            ("sample_size", self.sample_size.is_some()),
            ("crs", self.crs.is_some()),
            ("encoding", self.encoding.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
    }

    fn only(&self, format: FeatureFormat, known: &[&str]) -> Result<()> {
        match self.given().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(name) => {
                let known = match known {
                    [] => "There are none".to_owned(),
                    known => format!("There are: {}", known.join(", ")),
                };
                Err(Error::Statement(format!(
                    "{} has no option {name}. {known}",
                    format.name()
                )))
            }
        }
    }
}

/// Opens a file.
///
/// # Errors
/// [`Error::Statement`] where there is no such file or layer, or an option that the format does not have;
/// [`Error::Data`] where it is of another format or broken; [`Error::Environment`] where it cannot be read.
pub fn open(
    path: &Path,
    format: FeatureFormat,
    options: &OpenOptions,
) -> Result<Arc<dyn FeatureSource>> {
    refuse_foreign(path, format)?;
    match format {
        FeatureFormat::GeoPackage => {
            options.only(format, &["layer"])?;
            let layer = GeoPackage::open(path)?.layer(options.layer.as_deref())?;
            Ok(Arc::new(layer))
        }
        FeatureFormat::GeoJson => {
            options.only(format, &["sample_size", "crs"])?;
            let options = GeoJsonOptions {
                sample_size: options.sample_size,
                crs: options.crs.clone(),
            };
            Ok(Arc::new(GeoJson::open(path, &options)?))
        }
        FeatureFormat::FlatGeobuf => {
            options.only(format, &[])?;
            Ok(Arc::new(FlatGeobuf::open(path)?))
        }
        FeatureFormat::Shapefile => {
            options.only(format, &["crs", "encoding"])?;
            let options = ShapefileOptions {
                crs: options.crs.clone(),
                encoding: options.encoding.clone(),
            };
            Ok(Arc::new(Shapefile::open(path, &options)?))
        }
    }
}

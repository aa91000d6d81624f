//! How a file is laid out.

use parquet::basic::{Compression, ZstdLevel};

use crate::{Error, Result};

/// How a GeoParquet file is laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOptions {
    /// Most rows in a row group. Small row groups are skipped more often, large ones are read with
    /// fewer requests: at the default of 65,536 points or buildings are a few MB, which is one
    /// good request to an object store, and a country has enough of them for a city to be found.
    pub row_group_rows: usize,
    /// A row group ends when its values take about this many bytes in memory, whatever its rows: it
    /// bounds the memory of the writer, and of every reader, when geometries are large. Default 32 MiB.
    pub row_group_bytes: usize,
    /// Codec of all columns. Default zstd at level 1: level 3 takes a sixth more time in all
    /// for files that are smaller by half a percent.
    pub compression: Compression,
    /// Version of the standard. Default 1.1.
    pub version: GeoParquetVersion,
    /// How geometry is stored. Default WKB.
    pub encoding: GeometryEncoding,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            row_group_rows: 65_536,
            row_group_bytes: 32 << 20,
            compression: Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()),
            version: GeoParquetVersion::default(),
            encoding: GeometryEncoding::default(),
        }
    }
}

impl WriteOptions {
    /// Refuses combinations that the standard has not.
    ///
    /// # Errors
    /// [`Error::Statement`] for GeoArrow encodings in a version other than 1.1.
    pub(super) fn check(&self) -> Result<()> {
        if self.encoding == GeometryEncoding::GeoArrow && self.version != GeoParquetVersion::V1_1 {
            return Err(Error::Statement(format!(
                "GeoParquet {} stores geometry as WKB alone: the encoding geoarrow is one of version 1.1",
                self.version.name()
            )));
        }
        Ok(())
    }
}

/// A version of the standard that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeoParquetVersion {
    /// 1.0.0: WKB and the bounds of the file.
    V1_0,
    /// 1.1.0: also the bounds of every row, and GeoArrow encodings.
    #[default]
    V1_1,
    /// 2.0.0: Parquet's own type GEOMETRY, with its statistics, and the bounds of every row.
    V2_0,
}

impl GeoParquetVersion {
    /// Reads `1.0`, `1.1` or `2.0`, also with a third number.
    ///
    /// # Errors
    /// [`Error::Statement`] for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        match text.trim() {
            "1.0" | "1.0.0" => Ok(Self::V1_0),
            "1" | "1.1" | "1.1.0" => Ok(Self::V1_1),
            "2" | "2.0" | "2.0.0" => Ok(Self::V2_0),
            other => Err(Error::Statement(format!(
                "GeoParquet {other} cannot be written: the versions are 1.0, 1.1 and 2.0"
            ))),
        }
    }

    /// The name in the `geo` metadata.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0.0",
            Self::V1_1 => "1.1.0",
            Self::V2_0 => "2.0.0",
        }
    }
}

/// How geometry is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeometryEncoding {
    /// Well-known binary, of any types.
    #[default]
    Wkb,
    /// Coordinates as numbers: `point`, `linestring`, and so on. One type and one dimension a column.
    GeoArrow,
}

impl GeometryEncoding {
    /// Reads `wkb` or `geoarrow`.
    ///
    /// # Errors
    /// [`Error::Statement`] for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "wkb" => Ok(Self::Wkb),
            "geoarrow" | "native" => Ok(Self::GeoArrow),
            other => Err(Error::Statement(format!(
                "'{other}' is no encoding of geometry: it is 'wkb' or 'geoarrow'"
            ))),
        }
    }
}

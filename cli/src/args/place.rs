//! How rows are put into their files, for every command that writes.

use clap::{Args, ValueEnum};

/// How rows are put into their files.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// Order of the rows
    #[arg(long, value_enum, value_name = "ORDER")]
    pub(crate) sort: Option<Sort>,

    /// Partition into folders by columns, and by cells: h3:RESOLUTION, quadkey:LEVEL or kd:CELLS
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) partition: Vec<String>,

    /// Name of the layer in a GeoPackage or FlatGeobuf [default: the name of the file]
    #[arg(long, value_name = "NAME")]
    pub(crate) layer: Option<String>,

    /// Most rows of a row group [default: 65536]
    #[arg(long, value_name = "N")]
    pub(crate) row_group_rows: Option<u64>,

    /// Size at which a file of a folder ends [default: 512MiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_file_size: Option<String>,

    /// Version of GeoParquet: 1.0, 1.1 or 2.0 [default: 1.1]
    #[arg(long, value_name = "VERSION")]
    pub(crate) geoparquet_version: Option<String>,

    /// How geometry is stored in GeoParquet
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub(crate) encoding: Option<Encoding>,

    /// Compression of Parquet, as zstd(3), snappy or uncompressed [default: zstd(1)]
    #[arg(long, value_name = "CODEC")]
    pub(crate) compression: Option<String>,

    /// Replace what is there, once the new is complete
    #[arg(long, conflicts_with = "append")]
    pub(crate) overwrite: bool,

    /// Add new files to a folder, or a layer to a GeoPackage
    #[arg(long)]
    pub(crate) append: bool,
}

/// An order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Along a Hilbert curve: neighbours in space next to each other
    Hilbert,
}

/// How geometry is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// Well-known binary
    Wkb,
    /// Coordinates as numbers, one type of geometry a column
    Geoarrow,
}

//! `geoflow query`.

use std::ffi::OsString;
use std::str::FromStr;

use clap::Args;

use super::place::Sort;
use crate::output::Format;

pub(crate) const EXAMPLES: &str = "\
Examples:
  geoflow query \"SELECT name, geometry FROM 'cities.parquet' LIMIT 5\"
  geoflow query -c \"CREATE EXTERNAL TABLE roads STORED AS PARQUET LOCATION 's3://bucket/roads/'\" \\
                -c \"SELECT count(*) FROM roads\"
  geoflow query -f join.sql -o result.geojson
  cat join.sql | geoflow query --format ndjson | jq .name

The format is --format, else the extension of -o, else table on a terminal and csv in a pipe.
A geometry is shortened WKT in a table, WKT in csv and tsv, a GeoJSON geometry in json and ndjson.
NaN and infinite numbers are null in JSON. geojsonseq is newline-delimited, without the record
separators of RFC 8142, as GDAL writes it. Binary values are hexadecimal in all text formats.";

/// Arguments of `geoflow query`.
#[derive(Debug, Clone, Args)]
pub(crate) struct QueryArgs {
    /// SQL to run; several statements are separated by semicolons [default: read when piped]
    #[arg(value_name = "SQL", conflicts_with_all = ["command", "file"])]
    pub(crate) sql: Option<String>,

    /// SQL to run, may be given several times, all in one session
    #[arg(
        short,
        long = "command",
        value_name = "SQL",
        conflicts_with = "file",
        allow_hyphen_values = true // SQL may begin with a comment
    )]
    pub(crate) command: Vec<String>,

    /// File with SQL to run; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<OsString>,

    /// File, folder or URL to write, complete or not at all; - is standard output
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<OsString>,

    /// Format of the result
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = false)]
    pub(crate) format: Option<Format>,

    /// Replace the file given with -o when it exists
    #[arg(long, requires = "output")]
    pub(crate) overwrite: bool,

    /// Order of the rows of the result
    #[arg(long, value_enum, value_name = "ORDER", requires = "output")]
    pub(crate) sort: Option<Sort>,

    /// Rows a table shows; all (or 0) for no limit. Other formats are never cut
    #[arg(long, value_name = "N", default_value = "40")]
    pub(crate) max_rows: MaxRows,
}

/// How many rows a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxRows(pub(crate) Option<usize>);

impl FromStr for MaxRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" | "0" => Ok(MaxRows(None)),
            number => number
                .parse()
                .map(|rows| MaxRows(Some(rows)))
                .map_err(|_| "give a number of rows, or all".to_string()),
        }
    }
}

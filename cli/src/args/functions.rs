//! `geoflow functions`.

use clap::{Args, ValueEnum};

pub(crate) const EXAMPLES: &str = "\
Examples:
  geoflow functions                      all functions, a line each
  geoflow functions st_dwithin           one of them, with examples
  geoflow functions --format json | jq -r '.[].name'";

/// Arguments of `geoflow functions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FunctionsArgs {
    /// A function, by any of its names and in any case [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Format of the reference
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: FunctionsFormat,
}

/// How the reference is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FunctionsFormat {
    /// For people: a table of all, or one in full
    #[default]
    Table,
    /// One JSON array, an object for each function
    Json,
    /// The whole reference as Markdown, as it is in docs/functions.md
    Markdown,
}

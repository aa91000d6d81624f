//! `geoflow info`.

use clap::{Args, ValueEnum};

/// Arguments of `geoflow info`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InfoArgs {
    /// Files of any format that can be read: paths or URLs
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,

    /// List every row group
    #[arg(long)]
    pub(crate) row_groups: bool,

    /// Show the first N rows of each path, too
    #[arg(long, value_name = "N", conflicts_with = "format")]
    pub(crate) head: Option<usize>,

    /// Format of the description
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: InfoFormat,
}

/// How a file is described.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InfoFormat {
    /// For people
    #[default]
    Text,
    /// One JSON array, an object for each file
    Json,
}

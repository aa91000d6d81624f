//! `geoflow validate`.

use clap::Args;

use super::InfoFormat;

/// Arguments of `geoflow validate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ValidateArgs {
    /// GeoParquet files: paths, folders, patterns or URLs
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<String>,

    /// Look at the metadata alone, not at every geometry
    #[arg(long)]
    pub(crate) metadata_only: bool,

    /// Format of the findings
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: InfoFormat,
}

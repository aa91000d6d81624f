//! Options that every command takes, before or after its name.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::StoreArgs;
use super::memory_size::parse_memory_size;

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Report on standard error how long parsing, planning, execution and writing took
    #[arg(long, global = true)]
    pub(crate) timing: bool,

    /// Number of threads, and of partitions worked on at once [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Memory for joins, sorts and aggregates before they spill to disk, as 4GB or 512MiB
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_memory_size)]
    pub(crate) memory_limit: Option<usize>,

    /// Directory for files spilled to disk [default: the system's]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,

    /// Print no notes, warnings or progress on standard error; errors stay
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Log what geoflow does on standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Colour on standard error
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorChoice,

    /// How errors are written on standard error
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) error_format: ErrorFormat,

    #[command(flatten)]
    pub(crate) stores: StoreArgs,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How an error is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// For people
    #[default]
    Text,
    /// One line of JSON: {"error": {"kind", "message", "code"}}
    Json,
}

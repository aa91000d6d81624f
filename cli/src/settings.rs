//! The command line resolved against the process it runs in: terminals, environment, cores.

use std::io::IsTerminal;
use std::path::PathBuf;

use geoflow_sql::object_store::StoreOptions;

use crate::args::{ColorChoice, ErrorFormat, GlobalArgs};

/// The global options, resolved.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) timing: bool,
    /// Worker threads and partitions.
    pub(crate) threads: usize,
    /// In bytes; `None` is no limit.
    pub(crate) memory_limit: Option<usize>,
    pub(crate) temp_dir: Option<PathBuf>,
    pub(crate) stores: StoreOptions,
    pub(crate) verbose: u8,
    pub(crate) speech: Speech,
}

/// How geoflow speaks on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speech {
    pub(crate) quiet: bool,
    pub(crate) color: bool,
    pub(crate) error_format: ErrorFormat,
}

impl Settings {
    pub(crate) fn resolve(args: GlobalArgs) -> Self {
        Settings {
            timing: args.timing,
            threads: args
                .threads
                .or_else(|| std::thread::available_parallelism().ok())
                .map_or(1, std::num::NonZeroUsize::get),
            memory_limit: args.memory_limit,
            temp_dir: args.temp_dir,
            stores: args.stores.into(),
            verbose: args.verbose,
            speech: Speech {
                quiet: args.quiet,
                color: use_color(args.color),
                error_format: args.error_format,
            },
        }
    }
}

impl Speech {
    /// What can be known of the wishes behind a command line that does not parse: its mistake
    /// is reported the way it asks for.
    pub(crate) fn guess(argv: &[std::ffi::OsString]) -> Self {
        let value_of = |flag: &str| {
            argv.iter().enumerate().find_map(|(i, arg)| {
                let arg = arg.to_str()?;
                match arg.strip_prefix(flag)? {
                    "" => argv.get(i + 1)?.to_str().map(str::to_string),
                    rest => rest.strip_prefix('=').map(str::to_string),
                }
            })
        };
        let color = match value_of("--color").as_deref() {
            Some("always") => ColorChoice::Always,
            Some("never") => ColorChoice::Never,
            _ => ColorChoice::Auto,
        };
        Speech {
            quiet: false,
            color: use_color(color),
            error_format: match value_of("--error-format").as_deref() {
                Some("json") => ErrorFormat::Json,
                _ => ErrorFormat::Text,
            },
        }
    }
}

fn use_color(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        // https://no-color.org: set and not empty
        ColorChoice::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
                && std::io::stderr().is_terminal()
        }
    }
}

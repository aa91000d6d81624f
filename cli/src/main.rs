//! The geoflow command line.
//!
//! ```text
//!  argv -> args (parses, opens nothing) -> settings (resolves) -> command (query, info, ...)
//!                                                                    |
//!                            stdout: data     <-   printer   <-   result or failure
//!                            stderr: the rest                        |
//!                                                            one exit status
//! ```
//!
//! `main` is the only place that turns an [`exit::ExitStatus`] into a process exit code.

mod args;
mod convert;
mod copy_place;
mod error;
mod exit;
mod functions;
mod info;
mod interrupt;
mod job;
mod output;
mod panic;
mod place;
mod printer;
mod progress;
mod query;
mod run;
mod session;
mod settings;
mod sjoin;
mod spilled;
mod sql_text;
mod statement;
mod task;
mod timing;
mod validate;

/// Sorts, hash tables and joins reach all over large buffers: on huge pages, which glibc does not ask for, that takes an
/// eighth less time. Its settings are in `.cargo/config.toml`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The static binary of the container image is built against musl, whose own allocator takes one
/// lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    run::run(std::env::args_os().collect()).into()
}

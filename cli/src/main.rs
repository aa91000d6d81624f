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

mod allocator;
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
mod program_text;
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

fn main() -> std::process::ExitCode {
    run::run(std::env::args_os().collect()).into()
}

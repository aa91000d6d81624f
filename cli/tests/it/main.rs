//! Whole runs of the binary: what is printed where, and with which exit code it ends.
//!
//! All data are made here, small and by hand, in a directory that goes with the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod cluster;
mod commands;
mod fixture;
mod formats;
mod functions;
mod http;
mod info;
mod mismatch;
mod output_file;
mod sjoin;
mod spilling;
mod statements;
mod streams;
mod usage;
mod whole_outputs;

//! The command line as it was typed: parsing opens no file and asks no terminal.

mod convert;
mod functions;
mod global;
mod info;
mod job;
mod kubernetes;
mod memory_size;
mod place;
mod query;
mod sjoin;
mod stores;
mod task;
mod validate;

pub(crate) use convert::{Bbox, ConvertArgs};
pub(crate) use functions::{FunctionsArgs, FunctionsFormat};
pub(crate) use global::{ColorChoice, ErrorFormat, GlobalArgs};
pub(crate) use info::{InfoArgs, InfoFormat};
pub(crate) use job::{
    DiagnoseArgs, GetArgs, JobCommand, JobsPlace, ListArgs, LocalArgs, LogsArgs, OneJob, PlanArgs,
    PlanFormat, ReportFormat, ResumeArgs, Runner, ShowFormat, StatementArgs, SubmitArgs, WaitArgs,
};
pub(crate) use kubernetes::{ClusterArgs, DryRun, KubernetesArgs};
pub(crate) use place::{Encoding, PlaceArgs, Sort};
pub(crate) use query::{MaxRows, QueryArgs};
pub(crate) use sjoin::{How, JoinPredicate, SjoinArgs, Suffixes};
pub(crate) use stores::StoreArgs;
pub(crate) use task::TaskArgs;
pub(crate) use validate::ValidateArgs;

use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  geoflow query \"SELECT count(*) FROM 'cities.parquet'\"
  geoflow query -f join.sql -o result.parquet
  geoflow query \"SELECT * FROM 's3://bucket/roads/*.parquet' LIMIT 10\" --format geojson
  geoflow info cities.parquet
  geoflow functions st_dwithin

Exit codes: 0 done, 1 the statement or the data are wrong, 2 usage, 3 the environment failed
(I/O, credentials, memory), 70 a bug in geoflow, 130 interrupted. Of a task: 64 bad plan, 65 bad
data, 75 try again, 78 bad configuration, 137 out of memory.";

/// A columnar dataflow engine for vector geodata: SQL with ST_ functions over GeoParquet.
#[derive(Debug, Parser)]
#[command(name = "geoflow", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL and print the answer or write it to a file
    #[command(after_help = query::EXAMPLES)]
    Query(QueryArgs),
    /// Convert between formats; sort, filter, transform and partition on the way
    #[command(after_help = convert::EXAMPLES)]
    Convert(Box<ConvertArgs>),
    /// Join two layers by how their geometries relate, or to the nearest, into a file
    #[command(after_help = sjoin::EXAMPLES)]
    Sjoin(Box<SjoinArgs>),
    /// Show schema, CRS, geometry types, bounds and row groups of GeoParquet files
    Info(InfoArgs),
    /// Check GeoParquet files against the standard, and against what makes them quick to read
    Validate(ValidateArgs),
    /// Show the spatial functions: signatures, meaning, NULL, EMPTY and CRS, examples
    #[command(after_help = functions::EXAMPLES)]
    Functions(FunctionsArgs),
    /// Run SQL as many tasks, on this machine or others
    #[command(subcommand, after_help = job::EXAMPLES)]
    Job(JobCommand),
    /// Run one task of a job; whoever runs the job starts it
    Task(TaskArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}

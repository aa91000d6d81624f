//! `geoflow job`.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::{Args, Subcommand, ValueEnum};

use super::kubernetes::{ClusterArgs, KubernetesArgs};
use super::memory_size::parse_memory_size;

pub(crate) const EXAMPLES: &str = "\
Examples:
  geoflow job plan --fragments 8 -o out/ \"SELECT ... FROM 'trips.parquet' t LEFT JOIN 'zones.parquet' z ON ...\"
  geoflow job submit -o s3://bucket/out/ -f join.sql
  geoflow job submit \"COPY (SELECT ...) TO 's3://bucket/out/' STORED AS PARQUET\" --workers 4
  geoflow job list
  geoflow job resume 20260102-030405-ab12";

/// What to do with jobs.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JobCommand {
    /// Show how a statement is cut, and what that costs; nothing runs
    Plan(PlanArgs),
    /// Run a statement as many tasks, and commit what they write once all are done
    Submit(Box<SubmitArgs>),
    /// List jobs
    List(ListArgs),
    /// Show a job
    Get(GetArgs),
    /// Wait for a job to end
    Wait(WaitArgs),
    /// Stop a job; what is done stays, and it can be resumed
    Cancel(OneJob),
    /// Run what is missing of a job
    Resume(ResumeArgs),
    /// Show what the tasks of a job said
    Logs(LogsArgs),
    /// Say what is wrong with a job, why, and what to do
    Diagnose(DiagnoseArgs),
}

/// The statement of a job and how it is cut.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatementArgs {
    /// SQL: a SELECT with -o, or COPY (SELECT ...) TO, or INSERT INTO; SET, CREATE VIEW and CREATE EXTERNAL TABLE may stand before it
    #[arg(value_name = "SQL", conflicts_with_all = ["command", "file"])]
    pub(crate) sql: Option<String>,

    /// SQL, may be given several times
    #[arg(short, long = "command", value_name = "SQL", conflicts_with = "file")]
    pub(crate) command: Vec<String>,

    /// File with SQL; - is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<OsString>,

    /// Folder to write to: a path or a URL. It must not exist
    #[arg(short, long, value_name = "FOLDER")]
    pub(crate) output: Option<String>,

    /// Into how many fragments the statement is cut [default: by the size of the data]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) fragments: Option<usize>,
}

/// Arguments of `geoflow job plan`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) statement: StatementArgs,

    /// Format of the plan; json has every fragment
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: PlanFormat,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    #[default]
    Text,
    /// The plan that tasks would read
    Json,
}

/// Arguments of `geoflow job submit`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) statement: StatementArgs,

    #[command(flatten)]
    pub(crate) place: JobsPlace,

    /// Who runs the tasks
    #[arg(long, value_enum, default_value_t, value_name = "RUNNER")]
    pub(crate) runner: Runner,

    /// Id of the job [default: the time, and something of its own]
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// Return when the first Job of the cluster is created; `geoflow job wait` commits
    #[arg(long)]
    pub(crate) detach: bool,

    #[command(flatten)]
    pub(crate) local: LocalArgs,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    #[command(flatten)]
    pub(crate) kubernetes: KubernetesArgs,
}

/// Who runs the tasks of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runner {
    /// Processes on this machine
    #[default]
    Local,
    /// Pods of a Kubernetes cluster
    Kubernetes,
}

/// How processes on this machine are run.
#[derive(Debug, Clone, Args)]
pub(crate) struct LocalArgs {
    /// Fragments at once; they share --threads and --memory-limit [default: one for two threads]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,

    /// How often a task is tried again that was killed or lost its connection
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: usize,

    /// The most memory for one task that needed more than its share [default: its share]
    #[arg(long, value_name = "SIZE", value_parser = parse_memory_size)]
    pub(crate) memory_cap: Option<usize>,
}

/// Where records of jobs are.
#[derive(Debug, Clone, Args)]
pub(crate) struct JobsPlace {
    /// Folder of the records of jobs: a path or a URL [default: _geoflow/jobs/ in the bucket of the output, else in the user's state folder]
    #[arg(long, value_name = "FOLDER", env = "GEOFLOW_JOBS")]
    pub(crate) jobs: Option<String>,
}

/// A job.
#[derive(Debug, Clone, Args)]
pub(crate) struct OneJob {
    /// Its id, or the folder of its record
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    #[command(flatten)]
    pub(crate) place: JobsPlace,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}

/// Arguments of `geoflow job diagnose`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: ReportFormat,
}

/// How a diagnosis is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// A list of findings
    Json,
    /// A list of findings
    Yaml,
}

/// Arguments of `geoflow job list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) place: JobsPlace,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: ShowFormat,
}

/// Arguments of `geoflow job get`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    /// Format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: ShowFormat,
}

/// How jobs are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// One line each
    #[default]
    Table,
    /// One line each, with output and statement
    Wide,
    /// All that is known
    Json,
    /// All that is known
    Yaml,
}

/// Arguments of `geoflow job wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// Arguments of `geoflow job resume`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    #[command(flatten)]
    pub(crate) local: LocalArgs,
}

/// Arguments of `geoflow job logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) job: OneJob,

    /// Only this fragment
    #[arg(long, value_name = "ID")]
    pub(crate) fragment: Option<String>,

    /// Wait for more until the tasks end; of pods
    #[arg(long)]
    pub(crate) follow: bool,

    /// Only so many lines from the end; of pods
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<i64>,
}

//! `geoflow task`.

use clap::Args;

/// Arguments of `geoflow task`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TaskArgs {
    /// The plan: plan.json in the folder of a job, a URL or a path
    #[arg(long, value_name = "URL", required_unless_present = "serve")]
    pub(crate) plan: Option<String>,

    /// Which fragment of the stage, from 0
    #[arg(
        long,
        value_name = "N",
        env = "JOB_COMPLETION_INDEX",
        required_unless_present = "serve"
    )]
    pub(crate) index: Option<usize>,

    /// Which stage of the plan, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stage: usize,

    /// The SHA-256 that the plan must have
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<String>,

    /// Run the tasks that standard input asks for, until it is closed
    #[arg(long, hide = true, conflicts_with = "plan")]
    pub(crate) serve: bool,
}

//! `geoflow task`.

use clap::Args;

/// Arguments of `geoflow task`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TaskArgs {
    /// The plan: plan.json in the folder of a job, a URL or a path
    #[arg(long, value_name = "URL")]
    pub(crate) plan: String,

    /// Which fragment of the stage, from 0
    #[arg(long, value_name = "N", env = "JOB_COMPLETION_INDEX")]
    pub(crate) index: usize,

    /// Which stage of the plan, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stage: usize,

    /// The SHA-256 that the plan must have
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<String>,

    /// End when standard input is closed: whoever started this is gone
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

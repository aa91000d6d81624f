//! What is written of a job beside its plan.

use serde::{Deserialize, Serialize};

use crate::plan::StageKind;

/// The version of the records that this build writes and reads.
pub const RECORD_VERSION: u32 = 1;

/// A job as it was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The version of geoflow that submitted it.
    pub geoflow: String,
    /// Its id.
    pub id: String,
    /// When it was submitted, in RFC 3339.
    pub created: String,
    /// Who runs its tasks.
    pub runner: RunnerKind,
    /// The statement.
    pub statement: String,
    /// The output folder, as a URL.
    pub output: String,
    /// The SHA-256 of `plan.json`, in hexadecimal.
    pub plan_sha256: String,
    /// What the stages write, and how many fragments they have.
    pub stages: Vec<(StageKind, usize)>,
    /// Rows and bytes of the inputs.
    pub input_rows: u64,
    /// Bytes that the fragments read of them together.
    pub input_bytes: u64,
}

/// Who runs the tasks of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerKind {
    /// Processes on the machine where the job was submitted.
    Local,
    /// Pods of an Indexed Job.
    Kubernetes,
}

/// What the local runner is at; it is gone when this has not changed for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The process.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// When this was written, in RFC 3339.
    pub at: String,
    /// What runs.
    pub running: Vec<RunningTask>,
    /// How often tasks were started again.
    pub retries: u64,
    /// Why it has given up; `None` while it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningTask {
    /// What its stage writes.
    pub stage: StageKind,
    /// Its fragment.
    pub fragment: String,
    /// The attempt.
    pub attempt: String,
    /// Rows written so far.
    pub rows: u64,
}

//! What a task leaves behind: the manifest of a fragment that is done, the report of an attempt that
//! failed.

use serde::{Deserialize, Serialize};

use crate::plan::{Fragment, StageKind};

/// The one record of a fragment that is done, or was cut into others.
///
/// Of all attempts at a fragment the first to write it wins, by a conditional put. What is not in a
/// manifest does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManifest {
    /// [`PLAN_VERSION`](crate::PLAN_VERSION) of its writer.
    pub version: u32,
    /// The job.
    pub job: String,
    /// What the stage of the fragment writes.
    pub stage: StageKind,
    /// Id of the fragment.
    pub fragment: String,
    /// The attempt that wrote it, unique in the job.
    pub attempt: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<TaskStatistics>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What came of a fragment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Files; none when there were no rows to write, more than one where they are partitioned.
    Written(Vec<Part>),
    /// It was too large for its memory. These stand in its place, and no attempt at it counts any more.
    Split(Vec<Fragment>),
}

/// A file that a task wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the output folder, with those of the folders in it, or in the job's folder for a state.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The bounds of its primary geometry column, `[min_x, min_y, max_x, max_y]`; `None` without
    /// one, or when it holds only NULL and EMPTY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 4]>,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// How a task went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskStatistics {
    /// When it began, in RFC 3339.
    pub started: String,
    /// When it ended, in RFC 3339.
    pub finished: String,
    /// Seconds until rows could flow: reading the plan, checking the inputs, planning.
    pub planning_seconds: f64,
    /// Seconds from then to the last byte written.
    pub running_seconds: f64,
    /// Rows that scans have yielded.
    pub rows_read: u64,
    /// Bytes that scans have read.
    pub bytes_read: u64,
    /// Row groups that were asked for by the plan or by the join.
    pub row_groups_read: u64,
    /// Row groups of the same tables that were left out, by the plan or by bounds.
    pub row_groups_skipped: u64,
    /// Bytes spilled to disk.
    pub spilled_bytes: u64,
    /// Geometries that joins have set aside because they are invalid, as `geoflow.on_invalid` says.
    pub invalid_geometries: u64,
    /// The most memory that the process had, in bytes.
    pub peak_memory: u64,
    /// The memory that it was given, in bytes, if it was limited.
    pub memory_limit: Option<u64>,
    /// How many threads it ran.
    pub threads: usize,
    /// The machine or pod.
    pub host: String,
}

/// The record of an attempt that failed, for diagnosis; nothing depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    /// The job.
    pub job: String,
    /// What the stage of the fragment writes.
    pub stage: StageKind,
    /// Id of the fragment.
    pub fragment: String,
    /// The attempt, unique in the job.
    pub attempt: String,
    /// What the task exits with, see [`TaskExit`](crate::TaskExit); or a signal's 128 + number.
    pub exit_code: u8,
    /// What went wrong.
    pub message: String,
    /// How it went until then.
    pub statistics: TaskStatistics,
}

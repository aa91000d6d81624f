//! The plan of a job, as versioned JSON.
//!
//! ```text
//!  Plan ── tables   what is read: schema, files with size and ETag
//!       ├─ scans    which table each FROM of the statement reads, in the order of the statement
//!       ├─ sink     where the parts go
//!       └─ stages   ── fragments ── slices: the row groups of each scan that a task reads
//! ```
//!
//! A plan never changes once it is written: tasks check its SHA-256. A fragment that must be cut finer
//! gets a plan of its own ([`Plan::follow_up`]).

mod check;
mod fragment;
mod input;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use check::is_id;
pub use fragment::{FileSlice, Fragment, RowRange, ScanSlice, Stage, StageKind};
pub use input::{InputFile, TableInput};

/// The version of the plans that this build writes and reads.
pub const PLAN_VERSION: u32 = 1;

/// A statement, cut into fragments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the build that wrote it.
    pub version: u32,
    /// The job it belongs to: lower-case letters, digits and `-`.
    pub job: String,
    /// Statements such as `SET` and `CREATE VIEW` that every task runs first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// The statement; every task plans it again, over the slices of its fragment.
    pub statement: String,
    /// Whether its FULL JOINs are planned as two halves, which can be cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full_joins_apart: bool,
    /// Where the parts go.
    pub sink: Sink,
    /// The tables that the statement reads.
    pub tables: Vec<TableInput>,
    /// For every scan of the statement, in the order of its logical plan, the index of its table;
    /// `None` for what is no table of Parquet files, and which every task reads by itself.
    pub scans: Vec<Option<usize>>,
    /// The scans that are dealt out: each of their rows is read by one fragment.
    pub cut: Vec<usize>,
    /// The stages, in the order in which they run; the last one writes the parts.
    pub stages: Vec<Stage>,
}

/// Where the parts of a job go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// The folder, as a URL that ends with `/`.
    pub output: String,
    /// Whether the parts join files that are there already, as those of an `INSERT` do. Their names
    /// begin with the job's then, and what marks them as complete is `_SUCCESS-<job>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append: bool,
    /// The columns that rows are put into folders by, as `PARTITIONED BY` names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
    /// Options of the format, as `COPY` takes them.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub options: std::collections::BTreeMap<String, String>,
}

/// Why a text is no plan for this build.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not JSON of the expected form; the message says where.
    #[error("the plan cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another build wrote it.
    #[error(
        "the plan has version {found}, this build of geoflow runs version {PLAN_VERSION}: use the same image for the driver and its tasks"
    )]
    Version {
        /// The version in the plan.
        found: u64,
    },
    /// It is not the plan that the task was started for.
    #[error(
        "the plan has the SHA-256 {found}, the task was started for {expected}: it was overwritten or damaged, submit the job again"
    )]
    Checksum {
        /// Of the text that was read.
        found: String,
        /// Of the plan that was submitted.
        expected: String,
    },
    /// Its parts contradict each other.
    #[error("fragment {fragment}: {reason}")]
    Inconsistent {
        /// Id of the fragment.
        fragment: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It has no such stage or fragment.
    #[error("{0}")]
    NoFragment(String),
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// [`PlanError::Version`] before anything else, as another version may have another form;
    /// then [`PlanError::Malformed`] and [`PlanError::Inconsistent`].
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        if let Some(found) = version.filter(|found| *found != u64::from(PLAN_VERSION)) {
            return Err(PlanError::Version { found });
        }
        let plan: Self = serde_json::from_value(value)?;
        check::check(&plan)?;
        Ok(plan)
    }

    /// As [`Plan::from_json`], for a text that must have this SHA-256, in hexadecimal.
    ///
    /// # Errors
    /// [`PlanError::Checksum`], then as [`Plan::from_json`].
    pub fn from_json_checked(text: &str, sha256: &str) -> Result<Self, PlanError> {
        let found = sha256_hex(text.as_bytes());
        if !found.eq_ignore_ascii_case(sha256.trim()) {
            return Err(PlanError::Checksum {
                found,
                expected: sha256.trim().to_owned(),
            });
        }
        Self::from_json(text)
    }

    /// The plan as JSON.
    ///
    /// # Errors
    /// [`PlanError::Inconsistent`], so that no task is sent what it will refuse.
    pub fn to_json(&self) -> Result<String, PlanError> {
        check::check(self)?;
        Ok(serde_json::to_string(self)?)
    }

    /// The fragment of an index of a stage.
    ///
    /// # Errors
    /// [`PlanError::NoFragment`] with what there is.
    pub fn fragment(&self, stage: usize, index: usize) -> Result<&Fragment, PlanError> {
        let found = self.stages.get(stage).ok_or_else(|| {
            PlanError::NoFragment(format!(
                "the plan has {} stages, counted from 0, and none {stage}",
                self.stages.len()
            ))
        })?;
        found.fragments.get(index).ok_or_else(|| {
            PlanError::NoFragment(format!(
                "stage {stage} of the plan has {} fragments, counted from 0, and none {index}",
                found.fragments.len()
            ))
        })
    }

    /// Whether fragments that follow each other read the same rows of a table that is not dealt out.
    pub fn repeats(&self, fragments: &[Fragment]) -> bool {
        let tables = self.scans.iter().enumerate();
        let whole = tables.filter(|(scan, table)| table.is_some() && !self.cut.contains(scan));
        let scans: Vec<usize> = whole.map(|(scan, _)| scan).collect();
        fragments.windows(2).any(|pair| {
            let [a, b] = pair else { return false };
            scans.iter().any(|&scan| {
                let (a, b) = (a.slice(scan), b.slice(scan));
                a == b && a.is_none_or(|slice| !slice.files.is_empty())
            })
        })
    }

    /// The same job with nothing but `fragments` in a stage, for those that must run again: cut
    /// finer, or with more memory.
    #[must_use]
    pub fn follow_up(&self, stage: usize, fragments: Vec<Fragment>) -> Self {
        let mut plan = self.clone();
        if let Some(stage) = plan.stages.get_mut(stage) {
            stage.fragments = fragments;
        }
        plan
    }
}

/// The SHA-256 of some bytes in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

//! The Kubernetes Job of a stage.
//!
//! ```text
//!  Settings --\
//!              >-- build --> Job --> strategic merge patch --> checked again --> cluster or YAML
//!  StageJob --/
//! ```
//!
//! One Indexed Job runs one stage: each index is one fragment, tried again by itself, and a pod
//! that is evicted counts for nothing. Pods run under the restricted Pod Security profile and
//! hold no token of the cluster's API.

mod build;
mod failure_policy;
mod indexes;
mod labels;
mod patch;
mod pod;
mod volumes;
mod yaml;

pub use indexes::{format_indexes, parse_indexes};
pub use labels::{JOB_LABEL, MANAGED_BY, PLAN_ANNOTATION, ROUND_LABEL, STAGE_LABEL, job_selector};
pub use patch::Patch;
pub use pod::CONTAINER;
pub use yaml::to_yaml;

use k8s_openapi::api::batch::v1::Job;

use crate::profile::Settings;

/// The part of a job that one Kubernetes Job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageJob {
    /// The job's id.
    pub job: String,
    /// Which stage of the plan.
    pub stage: usize,
    /// 0 for the first Job of a stage; one more for each that follows it up.
    pub round: u32,
    /// Where the plan is.
    pub plan: String,
    /// How many fragments the stage has in that plan, each the index of its place there.
    pub fragments: usize,
    /// What the container is started with, after the image's entry point.
    pub args: Vec<String>,
    /// Memory of a task in bytes, if not that of the settings.
    pub memory: Option<u64>,
}

impl StageJob {
    /// The same part again, in a later round; with this much memory, if it is said.
    #[must_use]
    pub fn in_round(self, round: u32, memory: Option<u64>) -> StageJob {
        StageJob {
            round,
            memory,
            ..self
        }
    }

    /// Name of the Kubernetes Job.
    pub fn name(&self) -> String {
        let StageJob {
            job, stage, round, ..
        } = self;
        match round {
            0 => format!("{job}-s{stage}"),
            _ => format!("{job}-s{stage}-r{round}"),
        }
    }

    /// The Job, patched where `patch` says so.
    ///
    /// # Errors
    /// What cannot be a name or a label; more fragments than a Job can have indexes; a patch that
    /// does not fit, or that takes away what the runner relies on.
    pub fn to_job(
        &self,
        settings: &Settings,
        patch: Option<&Patch>,
    ) -> geoflow_engine::Result<Job> {
        let job = build::build(self, settings)?;
        match patch {
            None => Ok(job),
            Some(patch) => patch.apply(&job),
        }
    }
}

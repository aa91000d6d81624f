//! How far a Job is.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::{Job, JobCondition};

use crate::manifest::parse_indexes;

/// Why a Job failed, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    /// Such as `FailedIndexes`.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What a Job's status says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobState {
    /// Indexes that there are.
    pub total: usize,
    /// Indexes that are done.
    pub completed: BTreeSet<u32>,
    /// Indexes that are not tried again.
    pub failed: BTreeSet<u32>,
    /// Pods that are pending or running.
    pub active: i32,
    /// Pods that should be.
    pub wanted: i32,
    /// Whether all indexes are done.
    pub complete: bool,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// Whether its pods are held back.
    pub suspended: bool,
}

impl JobState {
    /// Reads the status of a Job. Kubernetes sets `FailureTarget` before the last pods have ended and
    /// `Failed` after; only the latter counts here.
    pub fn of(job: &Job) -> JobState {
        let spec = job.spec.as_ref();
        let status = job.status.clone().unwrap_or_default();
        let indexes = |text: Option<String>| -> BTreeSet<u32> {
            let text = text.unwrap_or_default();
            parse_indexes(&text)
                .unwrap_or_default()
                .into_iter()
                .collect()
        };
        let conditions = status.conditions.unwrap_or_default();
        let condition = |kind: &str| -> Option<&JobCondition> {
            conditions
                .iter()
                .find(|condition| condition.type_ == kind && condition.status == "True")
        };
        let completed = indexes(status.completed_indexes);
        let failed = indexes(status.failed_indexes);
        let total = spec.and_then(|spec| spec.completions).unwrap_or(0).max(0);
        let parallelism = spec.and_then(|spec| spec.parallelism).unwrap_or(1);
        let left = total as usize - (completed.len() + failed.len()).min(total as usize);
        JobState {
            total: total as usize,
            active: status.active.unwrap_or(0),
            wanted: parallelism.min(i32::try_from(left).unwrap_or(i32::MAX)),
            complete: condition("Complete").is_some(),
            failure: condition("Failed").map(|condition| JobFailure {
                reason: condition.reason.clone().unwrap_or_default(),
                message: condition.message.clone().unwrap_or_default(),
            }),
            suspended: spec.and_then(|spec| spec.suspend).unwrap_or(false),
            completed,
            failed,
        }
    }

    /// Whether it has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.complete || self.is_failed()
    }

    /// Whether it has ended, and not well.
    pub fn is_failed(&self) -> bool {
        self.failure.is_some()
    }
}

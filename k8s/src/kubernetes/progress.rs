//! How far a stage is.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::Tally;
use crate::cluster::JobState;
use crate::diagnose::{Finding, objects};
use crate::plan::{Fragment, Stage};

/// How far a stage is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Which stage, from zero.
    pub stage: usize,
    /// How many there are.
    pub stages: usize,
    /// Its fragments.
    pub fragments: usize,
    /// Those that are done.
    pub done: usize,
    /// Those that run now.
    pub running: usize,
    /// Those that wait for their turn or for a node.
    pub pending: usize,
    /// Those that are not tried again in this Job.
    pub failed: usize,
    /// How often a fragment was tried again.
    pub retried: usize,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Until the stage is done, if it goes on like this.
    #[serde(serialize_with = "seconds", rename = "eta_seconds")]
    pub eta: Option<Duration>,
    /// Why pods are pending.
    pub waiting: Vec<Finding>,
}

fn seconds<S: serde::Serializer>(eta: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    eta.map(|eta| eta.as_secs()).serialize(serializer)
}

/// What is counted.
pub(super) struct Counted<'a> {
    pub(super) index: usize,
    pub(super) stages: usize,
    pub(super) stage: &'a Stage,
    pub(super) leaves: &'a [Fragment],
    pub(super) tally: &'a Tally,
    pub(super) job: &'a Job,
    pub(super) pods: &'a BTreeMap<String, Pod>,
    pub(super) now: Timestamp,
}

pub(super) fn progress(counted: &Counted<'_>) -> Progress {
    let Counted {
        stage,
        leaves,
        tally,
        job,
        ..
    } = counted;
    let state = JobState::of(job);
    let done = leaves
        .iter()
        .filter(|leaf| tally.is_done(stage.kind, &leaf.id));
    let done_cost: f64 = done.clone().map(|leaf| leaf.cost).sum();
    let cost: f64 = leaves.iter().map(|leaf| leaf.cost).sum();
    let done = done.count();
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let mut running = 0;
    let mut tries: BTreeMap<u32, usize> = BTreeMap::new();
    for pod in counted.pods.values().filter(|pod| is_of(pod, name)) {
        let Some(index) = objects::index(pod) else {
            continue;
        };
        *tries.entry(index).or_default() += 1;
        if objects::phase(pod) == "Running" && pod.metadata.deletion_timestamp.is_none() {
            running += 1;
        }
    }
    // A pod may still be listed as running when its manifest is there already.
    let failed = state.failed.len().min(leaves.len() - done);
    let running = running.min(leaves.len() - done - failed);
    let written = tally.written(stage.kind);
    Progress {
        stage: counted.index,
        stages: counted.stages,
        fragments: leaves.len(),
        done,
        running,
        pending: leaves.len() - done - failed - running,
        failed,
        retried: tries.values().map(|tries| tries - 1).sum(),
        rows: written.rows,
        bytes: written.bytes,
        eta: eta(job, counted.now, done_cost, cost),
        waiting: Vec::new(),
    }
}

/// Whether a pod is of a Job.
pub(super) fn is_of(pod: &Pod, job: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels
        .and_then(|labels| labels.get("batch.kubernetes.io/job-name"))
        .map(String::as_str)
        == Some(job)
}

fn eta(job: &Job, now: Timestamp, done: f64, all: f64) -> Option<Duration> {
    let started = job.status.as_ref()?.start_time.as_ref()?.0;
    let elapsed = now.duration_since(started).as_secs_f64();
    if done <= 0.0 || elapsed <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(elapsed / done * (all - done)).ok()
}

//! The jobs of a namespace, as the cluster knows them.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::follow_up::{memory_of, round_of, stage_of};
use crate::cluster::JobState;
use crate::manifest::{JOB_LABEL, PLAN_ANNOTATION};
use crate::profile::memory_quantity;

/// A Kubernetes Job of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobOverview {
    /// The job's id.
    pub id: String,
    /// The Job's name.
    pub name: String,
    /// Which stage it runs.
    pub stage: usize,
    /// Which round of it.
    pub round: u32,
    /// `running`, `suspended`, `complete` or `failed`.
    pub state: &'static str,
    /// Its fragments.
    pub fragments: usize,
    /// Those that are done.
    pub done: usize,
    /// Those that failed.
    pub failed: usize,
    /// Its pods that are pending or running.
    pub active: i32,
    /// Memory of a task, as a quantity.
    pub memory: Option<String>,
    /// When it was created, in RFC 3339.
    pub created: Option<String>,
    /// Seconds since then.
    pub age: Option<i64>,
    /// Its plan.
    pub plan: Option<String>,
}

/// The Jobs, by job id, stage and round.
pub fn overview<'j>(jobs: impl IntoIterator<Item = &'j Job>, now: Timestamp) -> Vec<JobOverview> {
    let mut rows: BTreeMap<(String, usize, u32), JobOverview> = BTreeMap::new();
    for job in jobs {
        let labels = job.metadata.labels.as_ref();
        let Some(id) = labels.and_then(|labels| labels.get(JOB_LABEL)).cloned() else {
            continue;
        };
        let state = JobState::of(job);
        let created = job.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let annotations = job.metadata.annotations.as_ref();
        let (stage, round) = (stage_of(job).unwrap_or(0), round_of(job));
        let row = JobOverview {
            id: id.clone(),
            name: job.metadata.name.clone().unwrap_or_default(),
            stage,
            round,
            state: if state.complete {
                "complete"
            } else if state.is_failed() {
                "failed"
            } else if state.suspended {
                "suspended"
            } else {
                "running"
            },
            fragments: state.total,
            done: state.completed.len(),
            failed: state.failed.len(),
            active: state.active,
            memory: memory_of(job).map(|bytes| memory_quantity(bytes).0),
            created: created.map(|time| time.to_string()),
            age: created.map(|time| now.duration_since(time).as_secs()),
            plan: annotations.and_then(|a| a.get(PLAN_ANNOTATION)).cloned(),
        };
        rows.insert((id, stage, round), row);
    }
    rows.into_values().collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn recorded_jobs_are_summed_up() {
        let mut jobs: Vec<Job> = Vec::new();
        for name in ["oom", "complete", "suspended", "pending-memory"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/clusters/v1.35");
            let text = std::fs::read_to_string(format!("{folder}/{name}/job.json")).unwrap();
            jobs.push(serde_json::from_str(&text).unwrap());
        }
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let rows = overview(&jobs, now);
        let said: Vec<_> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.state, row.done, row.failed, row.active))
            .collect();
        assert_eq!(
            said,
            [
                ("complete", "complete", 4, 0, 0),
                ("oom", "failed", 3, 1, 0),
                ("pending-memory", "running", 0, 0, 2),
                ("suspended", "suspended", 0, 0, 0),
            ]
        );
        assert_eq!(rows[1].memory.as_deref(), Some("32Mi"));
        assert!(rows.iter().all(|row| row.age.unwrap() > 0));
    }
}

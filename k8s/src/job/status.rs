//! How far a job is, computed from its folder and its output.

use chrono::{DateTime, Utc};
use datafusion::execution::object_store::ObjectStoreRegistry;
use geoflow_engine::Result;
use serde::Serialize;

use super::submit::Job;
use super::{Heartbeat, RunnerKind};
use crate::commit::{read_success, settle};
use crate::plan::StageKind;
use crate::task::host;

/// A driver that has been silent for longer is taken to be gone.
const SILENCE: i64 = 20;

/// How a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Submitted; nothing is known to run it. For a cluster's jobs, the cluster knows more.
    Pending,
    /// Its driver is alive.
    Running,
    /// Some fragments are done, and nothing is known to run the others: it can be resumed.
    Interrupted,
    /// Its driver has given up: it can be resumed.
    Failed,
    /// It was cancelled: it can be resumed.
    Cancelled,
    /// Committed.
    Done,
}

impl Phase {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Done => "done",
        }
    }

    /// Whether nothing will change by itself.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStatus {
    /// The job.
    pub id: String,
    /// How it is doing.
    pub phase: Phase,
    /// Who runs it.
    pub runner: RunnerKind,
    /// When it was submitted, in RFC 3339.
    pub created: String,
    /// Where it writes to.
    pub output: String,
    /// Its statement.
    pub statement: String,
    /// Its stages.
    pub stages: Vec<StageStatus>,
    /// Rows written by tasks that are done, of the stage that writes the output; `None` where the manifests cannot be read.
    pub rows: Option<u64>,
    /// Bytes written, likewise.
    pub bytes: Option<u64>,
    /// Attempts that failed and left a report.
    pub failed_attempts: usize,
    /// Why it failed, if it did.
    pub message: Option<String>,
    /// The last word of its driver.
    pub heartbeat: Option<Heartbeat>,
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageStatus {
    /// What it writes.
    pub kind: StageKind,
    /// Fragments, those included that others were cut into.
    pub fragments: usize,
    /// Fragments that are done.
    pub done: usize,
    /// Fragments that were cut finer.
    pub split: usize,
}

/// How far a job is.
///
/// # Errors
/// As the reading of its parts.
pub async fn status(job: &Job, registry: &dyn ObjectStoreRegistry) -> Result<JobStatus> {
    let manifests = job.folder.manifests().await?;
    let attempts = job.folder.attempts().await?;
    let output = job.output(registry)?;
    let success = read_success(&output, &job.plan).await;
    let cancelled = job.folder.folder().get("cancelled.json").await?.is_some();
    let heartbeat = job.folder.folder().get("driver.json").await?;
    let heartbeat: Option<Heartbeat> =
        heartbeat.and_then(|bytes| serde_json::from_slice(&bytes).ok());

    let mut rows = 0;
    let mut bytes = 0;
    let mut stages = vec![];
    for stage in &job.plan.stages {
        let settled = settle(stage.kind, &stage.fragments, &manifests);
        if stage.kind != StageKind::States {
            rows = settled.parts().iter().map(|part| part.rows).sum();
            bytes = settled.parts().iter().map(|part| part.bytes).sum();
        }
        stages.push(StageStatus {
            kind: stage.kind,
            fragments: settled.done.len() + settled.missing.len(),
            done: settled.done.len(),
            split: settled.split,
        });
    }
    let alive = heartbeat.as_ref().is_some_and(is_alive);
    let failure = heartbeat.as_ref().and_then(|beat| beat.failure.clone());
    let started = stages.iter().any(|stage| stage.done > 0) || heartbeat.is_some();
    let (phase, message) = match success {
        Ok(Some(_)) => (Phase::Done, None),
        Err(error) => (Phase::Failed, Some(error.to_string())),
        Ok(None) if cancelled => (Phase::Cancelled, None),
        Ok(None) => match (failure, alive) {
            (Some(failure), _) => (Phase::Failed, Some(failure)),
            (None, true) => (Phase::Running, None),
            (None, false) if started && job.record.runner == RunnerKind::Local => {
                (Phase::Interrupted, None)
            }
            (None, false) => (Phase::Pending, None),
        },
    };
    Ok(JobStatus {
        id: job.record.id.clone(),
        phase,
        runner: job.record.runner,
        created: job.record.created.clone(),
        output: job.record.output.clone(),
        statement: job.record.statement.clone(),
        stages,
        rows: Some(rows),
        bytes: Some(bytes),
        failed_attempts: attempts.len(),
        message,
        heartbeat,
    })
}

fn is_alive(heartbeat: &Heartbeat) -> bool {
    // On this machine one need not wait to know.
    let processes = std::path::Path::new("/proc");
    if heartbeat.host == host()
        && processes.join("self").exists()
        && !processes.join(heartbeat.pid.to_string()).exists()
    {
        return false;
    }
    let at = DateTime::parse_from_rfc3339(&heartbeat.at);
    at.is_ok_and(|at| (Utc::now() - at.with_timezone(&Utc)).num_seconds() < SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_has_ended_is_not_alive() {
        let beat = |pid: u32, host: String, seconds: i64| Heartbeat {
            pid,
            host,
            at: (Utc::now() - chrono::Duration::seconds(seconds)).to_rfc3339(),
            running: vec![],
            retries: 0,
            failure: None,
        };
        assert!(is_alive(&beat(std::process::id(), host(), 1)));
        assert!(!is_alive(&beat(std::process::id(), host(), 60)));
        // Larger than any process of Linux.
        assert!(!is_alive(&beat(u32::MAX, host(), 1)));
        assert!(is_alive(&beat(u32::MAX, "elsewhere".into(), 1)));
    }
}

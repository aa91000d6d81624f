//! What the cluster knows of a job beyond its record.

use futures::future::BoxFuture;
use geoflow_k8s::job::{Job, JobStatus, Phase, RunnerKind};
use geoflow_k8s::kubernetes::{JobOverview, jobs_of};

use super::launch::cluster_of;
use crate::args::ClusterArgs;
use crate::error::{Result, from_engine};

/// The phase of a job in a cluster, whose record alone cannot tell whether anybody runs it. Nothing
/// changes when the cluster cannot be asked; the error says why.
pub(in crate::job) fn refine<'a>(
    job: &'a Job,
    args: &'a ClusterArgs,
    status: &'a mut JobStatus,
) -> BoxFuture<'a, Result<Vec<JobOverview>>> {
    Box::pin(refine_inner(job, args, status))
}

async fn refine_inner(
    job: &Job,
    args: &ClusterArgs,
    status: &mut JobStatus,
) -> Result<Vec<JobOverview>> {
    if job.record.runner != RunnerKind::Kubernetes || status.phase == Phase::Done {
        return Ok(Vec::new());
    }
    let (_, cluster) = cluster_of(job, args).await?;
    let jobs = jobs_of(&cluster, &job.record.id).await;
    let jobs = jobs.map_err(|e| from_engine(&e))?;
    let started = status.stages.iter().any(|stage| stage.done > 0);
    status.phase = match (status.phase, jobs.last().and_then(phase_of)) {
        (Phase::Cancelled, _) => Phase::Cancelled,
        (_, Some(phase)) => phase,
        (_, None) if started => Phase::Interrupted,
        (phase, None) => phase,
    };
    if status.phase == Phase::Failed && status.message.is_none() {
        status.message = Some(format!("`geoflow job diagnose {}` says why", job.record.id));
    }
    if jobs.last().is_some_and(|last| last.state == "complete")
        && status.phase == Phase::Interrupted
    {
        let id = &job.record.id;
        status.message = Some(format!(
            "`geoflow job wait {id}` goes on with it and commits it"
        ));
    }
    Ok(jobs)
}

/// The phase of a job whose last Job this is.
pub(super) fn phase_of(last: &JobOverview) -> Option<Phase> {
    match last.state {
        "suspended" => Some(Phase::Cancelled),
        "running" => Some(Phase::Running),
        "failed" => Some(Phase::Failed),
        // Done, and not committed yet.
        "complete" => Some(Phase::Interrupted),
        _ => None,
    }
}

//! What the cluster knows of a job beyond its record.

use futures::future::BoxFuture;
use geoflow_k8s::job::{Job, JobStatus, Phase, RunnerKind};
use geoflow_k8s::kubernetes::{JobOverview, jobs_of};
use geoflow_k8s::manifest::{PLAN_ANNOTATION, job_selector};

use super::launch::{cluster_of, connect};
use crate::args::ClusterArgs;
use crate::error::{Result, from_engine};
use crate::job::place;

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
    let last = jobs.last().map(|last| last.state);
    status.phase = match (status.phase, last) {
        (Phase::Cancelled, _) | (_, Some("suspended")) => Phase::Cancelled,
        (_, Some("running")) => Phase::Running,
        (_, Some("failed")) => Phase::Failed,
        // Done, and not committed yet; or gone.
        (_, Some("complete")) => Phase::Interrupted,
        (_, _) if started => Phase::Interrupted,
        (phase, _) => phase,
    };
    if status.phase == Phase::Failed && status.message.is_none() {
        status.message = Some(format!("`geoflow job diagnose {}` says why", job.record.id));
    }
    Ok(jobs)
}

/// A job by its id alone, where its Jobs say where its record is.
pub(in crate::job) fn find_by_cluster<'a>(
    id: &'a str,
    args: &'a ClusterArgs,
) -> BoxFuture<'a, Result<Option<Job>>> {
    Box::pin(find_by_cluster_inner(id, args))
}

async fn find_by_cluster_inner(id: &str, args: &ClusterArgs) -> Result<Option<Job>> {
    let cluster = connect(args, None).await?;
    let jobs = cluster.jobs(&job_selector(id)).await;
    let jobs = jobs.map_err(|e| from_engine(&e))?;
    let plan = jobs.iter().find_map(|job| {
        let annotations = job.metadata.annotations.as_ref()?;
        annotations.get(PLAN_ANNOTATION)
    });
    let record = plan.and_then(|plan| {
        plan.strip_suffix("plan.json")
            .or_else(|| Some(plan.rsplit_once("plans/")?.0))
    });
    match record {
        None => Ok(None),
        Some(url) => {
            let job = Job::open(place::open(url)?).await;
            job.map(Some).map_err(|e| from_engine(&e))
        }
    }
}

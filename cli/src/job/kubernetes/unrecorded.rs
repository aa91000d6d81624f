//! Jobs as their cluster alone knows them: whoever is called at night may have the right to look into the cluster, and none to read
//! the bucket with the record.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use geoflow_k8s::cluster::{Cluster, JobState};
use geoflow_k8s::job::{Job, JobStatus, RunnerKind, StageStatus};
use geoflow_k8s::kubernetes::{JobOverview, jobs_of, overview_of_all};
use geoflow_k8s::manifest::{JOB_LABEL, PLAN_ANNOTATION, job_selector};
use geoflow_k8s::plan::StageKind;

use super::launch::connect_to_look;
use super::phase::phase_of;
use crate::args::{ClusterArgs, OneJob};
use crate::error::{Failure, FailureKind, Result, from_engine};
use crate::job::place::{self, Found, Unrecorded};
use crate::printer::Printer;

/// How long a cluster may take that nobody has asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A job by its id alone, whose record is not where one would look, or out of reach: its Jobs say where it is. `failure` says
/// what was wrong with the record. Without options of the cluster one is asked that is at hand, and if there is none, or
/// it does not answer, there is no such job.
pub(in crate::job) fn find_by_cluster<'a>(
    args: &'a OneJob,
    failure: &'a Failure,
) -> BoxFuture<'a, Result<Option<Found>>> {
    Box::pin(async move {
        let named = args.cluster.namespace.is_some() || args.cluster.context.is_some();
        let found = tokio::time::timeout(PATIENCE, find(args, failure));
        match named {
            true => find(args, failure).await,
            false => Ok(found.await.ok().and_then(Result::ok).flatten()),
        }
    })
}

async fn find(args: &OneJob, failure: &Failure) -> Result<Option<Found>> {
    let id = &args.job;
    let cluster = connect_to_look(&args.cluster).await?;
    let jobs = cluster.jobs(&job_selector(id)).await;
    let mut jobs = jobs.map_err(|e| from_engine(&e))?;
    jobs.retain(|job| {
        let labels = job.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(JOB_LABEL)) == Some(id)
    });
    if jobs.is_empty() {
        return Ok(None);
    }
    let plan = jobs.iter().find_map(|job| {
        let annotations = job.metadata.annotations.as_ref()?;
        annotations.get(PLAN_ANNOTATION)
    });
    let record = plan.and_then(|plan| {
        plan.strip_suffix("plan.json")
            .or_else(|| Some(plan.rsplit_once("plans/")?.0))
    });
    let opened = match record {
        // It was found, and is out of reach.
        _ if failure.kind != FailureKind::User => Err(Box::new(failure.clone())),
        None => Err(Failure::user(format!(
            "no Job of {id} says where its record is"
        ))),
        Some(url) => match place::open(url) {
            Ok(folder) => Job::open(folder).await.map_err(|e| from_engine(&e)),
            Err(failure) => Err(failure),
        },
    };
    Ok(Some(match opened {
        Ok(job) => Found::Recorded(Box::new(job)),
        Err(why) => Found::Unrecorded(Unrecorded {
            id: id.clone(),
            cluster,
            why,
        }),
    }))
}

impl Unrecorded {
    /// How far the job is, as its Jobs say.
    pub(in crate::job) async fn status(&self) -> Result<JobStatus> {
        let jobs = jobs_of(&self.cluster, &self.id).await;
        let jobs = jobs.map_err(|e| from_engine(&e))?;
        Ok(status_of(&self.id, &jobs))
    }

    /// Says that something is missing, and why.
    pub(in crate::job) fn note(&self, printer: &Printer, missing: &str) {
        printer.note(&format!(
            "{missing}, because the record of the job cannot be read: {}",
            self.why.message
        ));
    }

    /// Suspends the Jobs that still run; their pods stop.
    pub(in crate::job) async fn cancel(&self, printer: &Printer) -> Result<()> {
        suspend(&self.cluster, &self.id, printer).await
    }
}

/// Suspends the Jobs of a job that still run.
pub(super) async fn suspend(cluster: &Cluster, id: &str, printer: &Printer) -> Result<()> {
    let jobs = cluster.jobs(&job_selector(id)).await;
    for found in jobs.map_err(|e| from_engine(&e))? {
        let state = JobState::of(&found);
        if state.is_finished() || state.suspended {
            continue;
        }
        let name = found.metadata.name.unwrap_or_default();
        let suspended = cluster.suspend(&name, true).await;
        suspended.map_err(|e| from_engine(&e))?;
        printer.note(&format!("Job {name} is suspended, its pods stop"));
    }
    Ok(())
}

/// The jobs of a namespace but those that are known.
pub(in crate::job) fn list<'a>(
    args: &'a ClusterArgs,
    known: &'a [JobStatus],
) -> BoxFuture<'a, Result<Vec<JobStatus>>> {
    Box::pin(async move {
        let cluster = connect_to_look(args).await?;
        let jobs = overview_of_all(&cluster).await;
        let mut by_id: BTreeMap<String, Vec<JobOverview>> = BTreeMap::new();
        for job in jobs.map_err(|e| from_engine(&e))? {
            by_id.entry(job.id.clone()).or_default().push(job);
        }
        by_id.retain(|id, _| known.iter().all(|status| status.id != *id));
        Ok(by_id
            .into_iter()
            .map(|(id, jobs)| status_of(&id, &jobs))
            .collect())
    })
}

/// What the Jobs of a job say; they are in order of stages and rounds.
fn status_of(id: &str, jobs: &[JobOverview]) -> JobStatus {
    let stages = jobs.iter().map(|job| job.stage).max().unwrap_or(0) + 1;
    let mut status = JobStatus {
        id: id.to_owned(),
        phase: geoflow_k8s::job::Phase::Pending,
        runner: RunnerKind::Kubernetes,
        created: jobs
            .iter()
            .find_map(|job| job.created.clone())
            .unwrap_or_default(),
        output: String::new(),
        statement: String::new(),
        stages: vec![],
        rows: None,
        bytes: None,
        failed_attempts: 0,
        message: None,
        heartbeat: None,
    };
    for stage in 0..stages {
        let of_stage = || jobs.iter().filter(|job| job.stage == stage);
        let Some(first) = of_stage().next() else {
            continue;
        };
        status.stages.push(StageStatus {
            kind: match (stages, stage) {
                (1, _) => StageKind::Parts,
                (_, 0) => StageKind::States,
                _ => StageKind::Final,
            },
            // Later rounds run what is missing of the first.
            fragments: first.fragments,
            done: of_stage()
                .map(|job| job.done)
                .sum::<usize>()
                .min(first.fragments),
            split: 0,
        });
    }
    if let Some(phase) = jobs.last().and_then(phase_of) {
        status.phase = phase;
    }
    if status.phase == geoflow_k8s::job::Phase::Failed {
        status.message = Some(format!("`geoflow job diagnose {id}` says why"));
    }
    status.failed_attempts = jobs.iter().map(|job| job.failed).sum();
    status
}

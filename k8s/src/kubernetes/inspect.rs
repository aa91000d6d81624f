//! Looks at a job in the cluster, and changes nothing. That goes without its record too, which may be out of reach.

use std::collections::{BTreeMap, BTreeSet};

use geoflow_engine::Result;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;

use super::driver::fragments_of;
use super::follow_up::{round_of, stage_of};
use super::overview::{JobOverview, overview};
use super::progress::is_of;
use crate::cluster::Cluster;
use crate::diagnose::{Finding, Observed, diagnose, objects};
use crate::job::JobFolder;
use crate::manifest::{MANAGED_BY, job_selector};
use crate::plan::Plan;

/// The record of a job. Without it fragments go by the indexes of their pods.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it is.
    pub folder: &'a JobFolder,
    /// The plan of the whole job.
    pub plan: &'a Plan,
}

impl Record<'_> {
    /// The ids of the fragments of a Job, by index.
    async fn fragments(record: Option<Self>, job: &Job) -> Result<Vec<String>> {
        match record {
            Some(record) => fragments_of(record.folder, record.plan, job).await,
            None => Ok(vec![]),
        }
    }
}

/// A pod that runs, or ran, a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPod {
    /// Its name.
    pub name: String,
    /// The id of its fragment.
    pub fragment: String,
    /// Its phase, such as `Running`.
    pub phase: String,
}

/// The Jobs of a job, by stage and round.
///
/// # Errors
/// When the cluster refuses or cannot be reached.
pub async fn jobs_of(cluster: &Cluster, id: &str) -> Result<Vec<JobOverview>> {
    let jobs = cluster.jobs(&job_selector(id)).await?;
    Ok(overview(&jobs, Timestamp::now()))
}

/// The Jobs of all jobs of the namespace, by job, stage and round.
///
/// # Errors
/// As [`jobs_of`].
pub async fn overview_of_all(cluster: &Cluster) -> Result<Vec<JobOverview>> {
    let jobs = cluster.jobs(MANAGED_BY).await?;
    Ok(overview(&jobs, Timestamp::now()))
}

/// The pods of a job, by Job, index and name.
///
/// # Errors
/// As [`jobs_of`]; when a plan cannot be read.
pub async fn pods_of(
    cluster: &Cluster,
    id: &str,
    record: Option<Record<'_>>,
) -> Result<Vec<TaskPod>> {
    let selector = job_selector(id);
    let jobs = cluster.jobs(&selector).await?;
    let mut pods = BTreeMap::new();
    let all = cluster.pods(&selector).await?;
    for job in &jobs {
        let fragments = Record::fragments(record, job).await?;
        for pod in all.iter().filter(|pod| is_of(pod, name(job))) {
            let index = objects::index(pod).unwrap_or(0);
            let found = TaskPod {
                name: objects::name(pod).to_string(),
                fragment: fragments
                    .get(index as usize)
                    .cloned()
                    .unwrap_or_else(|| index.to_string()),
                phase: objects::phase(pod).to_string(),
            };
            pods.insert((name(job).to_string(), index, found.name.clone()), found);
        }
    }
    Ok(pods.into_values().collect())
}

/// What is wrong with the last Job of each stage. Without the record nothing is known of what tasks have reported there.
///
/// # Errors
/// As [`pods_of`]. Without the right to read events there are fewer findings, and no error.
pub async fn diagnose_job(
    cluster: &Cluster,
    id: &str,
    record: Option<Record<'_>>,
) -> Result<Vec<Finding>> {
    let selector = job_selector(id);
    let jobs = cluster.jobs(&selector).await?;
    let pods = cluster.pods(&selector).await?;
    let attempts = match record {
        Some(record) => record.folder.attempts().await?,
        None => vec![],
    };
    // A Job that somebody made without our labels is of the first stage.
    let stage = |job: &Job| stage_of(job).unwrap_or(0);
    let stages: BTreeSet<usize> = jobs.iter().map(stage).collect();
    let mut findings = Vec::new();
    for number in stages {
        let of_stage = jobs.iter().filter(|job| stage(job) == number);
        let Some(job) = of_stage.max_by_key(|job| round_of(job)) else {
            continue;
        };
        let name = name(job);
        let events = match cluster.warnings_and_ends(name).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!("{error}");
                Vec::new()
            }
        };
        let of_job: Vec<_> = pods
            .iter()
            .filter(|pod| is_of(pod, name))
            .cloned()
            .collect();
        findings.extend(diagnose(&Observed {
            job,
            pods: &of_job,
            events: &events,
            fragments: &Record::fragments(record, job).await?,
            attempts: &attempts,
        }));
    }
    findings.sort_by_key(|finding| finding.severity);
    Ok(findings)
}

fn name(job: &Job) -> &str {
    job.metadata.name.as_deref().unwrap_or_default()
}

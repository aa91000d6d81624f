//! Looks at a job in the cluster, and changes nothing.

use std::collections::BTreeMap;

use geoflow_engine::Result;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;

use super::driver::{fragments_of, latest};
use super::overview::{JobOverview, overview};
use super::progress::is_of;
use crate::cluster::Cluster;
use crate::diagnose::{Finding, Observed, diagnose, objects};
use crate::job::JobFolder;
use crate::manifest::job_selector;
use crate::plan::Plan;

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

/// The pods of a job, by Job, index and name.
///
/// # Errors
/// As [`jobs_of`]; when a plan cannot be read.
pub async fn pods_of(cluster: &Cluster, folder: &JobFolder, plan: &Plan) -> Result<Vec<TaskPod>> {
    let selector = job_selector(&plan.job);
    let jobs = cluster.jobs(&selector).await?;
    let mut pods = BTreeMap::new();
    let all = cluster.pods(&selector).await?;
    for job in &jobs {
        let fragments = fragments_of(folder, plan, job).await?;
        let job_name = job.metadata.name.clone().unwrap_or_default();
        for pod in all.iter().filter(|pod| is_of(pod, &job_name)) {
            let index = objects::index(pod).unwrap_or(0);
            let found = TaskPod {
                name: objects::name(pod).to_string(),
                fragment: fragments
                    .get(index as usize)
                    .cloned()
                    .unwrap_or_else(|| index.to_string()),
                phase: objects::phase(pod).to_string(),
            };
            pods.insert((job_name.clone(), index, found.name.clone()), found);
        }
    }
    Ok(pods.into_values().collect())
}

/// What is wrong with the last Job of each stage.
///
/// # Errors
/// As [`pods_of`]. Without the right to read events there are fewer findings, and no error.
pub async fn diagnose_job(
    cluster: &Cluster,
    folder: &JobFolder,
    plan: &Plan,
) -> Result<Vec<Finding>> {
    let selector = job_selector(&plan.job);
    let jobs = cluster.jobs(&selector).await?;
    let pods = cluster.pods(&selector).await?;
    let attempts = folder.attempts().await?;
    let mut findings = Vec::new();
    for stage in 0..plan.stages.len() {
        let Some(job) = latest(jobs.iter(), stage) else {
            continue;
        };
        let name = name(job);
        let events = match cluster.warnings(name).await {
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
            fragments: &fragments_of(folder, plan, job).await?,
            attempts: &attempts,
        }));
    }
    findings.sort_by_key(|finding| finding.severity);
    Ok(findings)
}

fn name(job: &Job) -> &str {
    job.metadata.name.as_deref().unwrap_or_default()
}

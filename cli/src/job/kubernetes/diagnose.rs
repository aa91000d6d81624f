//! `geoflow job diagnose`.

use futures::future::BoxFuture;
use geoflow_k8s::diagnose::{Finding, diagnose_attempts, render};
use geoflow_k8s::job::{Job, JobStatus, Phase, RunnerKind};
use geoflow_k8s::kubernetes::{Record, diagnose_job};
use geoflow_k8s::manifest::to_yaml;

use super::launch::cluster_of;
use crate::args::{DiagnoseArgs, ReportFormat};
use crate::error::{Failure, Result, from_engine};
use crate::job::place::{self, Found};
use crate::printer::Printer;

/// Says what is wrong with a job, why, and what to do.
pub(in crate::job) fn run<'a>(
    args: &'a DiagnoseArgs,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(run_inner(args, printer))
}

async fn run_inner(args: &DiagnoseArgs, printer: &Printer) -> Result<()> {
    let job = match place::find_anywhere(&args.job).await? {
        Found::Recorded(job) => job,
        Found::Unrecorded(job) => {
            job.note(printer, "what tasks have reported is not known");
            let found = diagnose_job(&job.cluster, &job.id, None).await;
            let found = found.map_err(|e| from_engine(&e))?;
            return show(args.output, &job.status().await?, &found, printer);
        }
    };
    let status = geoflow_k8s::job::status(&job, &place::registry()).await;
    let mut status = status.map_err(|e| from_engine(&e))?;
    let mut findings = Vec::new();
    if job.record.runner == RunnerKind::Kubernetes && status.phase != Phase::Done {
        super::refine(&job, &args.job.cluster, &mut status).await?;
        let (_, cluster) = cluster_of(&job, &args.job.cluster).await?;
        let record = Record {
            folder: &job.folder,
            plan: &job.plan,
        };
        let found = diagnose_job(&cluster, &job.record.id, Some(record)).await;
        findings = found.map_err(|e| from_engine(&e))?;
    }
    if findings.is_empty() && status.phase != Phase::Done {
        let attempts = job.folder.attempts().await.map_err(|e| from_engine(&e))?;
        findings = diagnose_attempts(&attempts, &status_done(&job).await?, job.record.runner);
    }
    if status.phase == Phase::Done && status.rows == Some(0) {
        let registry = place::registry();
        let empty = geoflow_k8s::diagnose::diagnose_result(&job.plan, &registry).await;
        findings.extend(empty.map_err(|e| from_engine(&e))?);
    }
    show(args.output, &status, &findings, printer)
}

fn show(
    format: ReportFormat,
    status: &JobStatus,
    findings: &[Finding],
    printer: &Printer,
) -> Result<()> {
    printer.data(&match format {
        ReportFormat::Text => text(status, findings),
        ReportFormat::Json => serde_json::to_string_pretty(findings)
            .map(|text| text + "\n")
            .map_err(|e| Failure::bug(e.to_string()))?,
        ReportFormat::Yaml => to_yaml(&findings).map_err(|e| from_engine(&e))?,
    })
}

/// The fragments that are done, by stage and id.
async fn status_done(job: &Job) -> Result<Vec<(geoflow_k8s::plan::StageKind, String)>> {
    let manifests = job.folder.manifests().await.map_err(|e| from_engine(&e))?;
    Ok(manifests
        .into_iter()
        .map(|manifest| (manifest.stage, manifest.fragment))
        .collect())
}

fn text(status: &JobStatus, findings: &[Finding]) -> String {
    let (done, all) = status.stages.iter().fold((0, 0), |(done, all), stage| {
        (done + stage.done, all + stage.fragments)
    });
    let mut text = format!(
        "job {} is {}: {done} of {all} fragments are done\n",
        status.id,
        status.phase.name()
    );
    if findings.is_empty() {
        text.push_str("nothing is wrong that can be seen from here\n");
    }
    text.push_str(&render(findings));
    text
}

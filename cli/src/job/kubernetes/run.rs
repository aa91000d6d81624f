//! Submits, waits for, cancels and resumes.

use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};

use geoflow_engine::Error;
use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::commit::{commit, read_success};
use geoflow_k8s::diagnose::{Cause, Finding, render};
use geoflow_k8s::job::{Job, JobFolder, RunnerKind, submit as submit_job};
use geoflow_k8s::kubernetes::{Driver, Ended, Launch, first_job};
use geoflow_k8s::manifest::{job_selector, to_yaml};
use geoflow_k8s::plan::sha256_hex;
use geoflow_k8s::planner::Planned;
use geoflow_k8s::runner::cut_finer;

use super::launch::{check_places, cluster_of, connect, launch};
use super::unrecorded::suspend;
use super::watch::Watch;
use crate::args::{ClusterArgs, DryRun, SubmitArgs};
use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::job::{place, plan};
use crate::printer::Printer;
use crate::settings::Settings;

/// Plans a job and runs it in a cluster, or shows what that would be.
pub(in crate::job) fn submit<'a>(
    args: &'a SubmitArgs,
    settings: &'a Settings,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(submit_inner(args, settings, printer))
}

async fn submit_inner(args: &SubmitArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let launch = launch(&args.cluster, &args.kubernetes)?;
    let mut statement = args.statement.clone();
    let format = dry_run_format(args, &mut statement.output);
    let mut request = plan::request(&statement, launch.settings.parallelism as usize)?;
    if let Some(id) = &args.id {
        request.job.clone_from(id);
    }
    let session = plan::session(settings)?;
    let planned = geoflow_k8s::planner::plan(&session, &request).await;
    let planned = planned.map_err(|e| from_datafusion(&e))?;
    let root = place::for_plan(&args.place, &planned.plan)?;
    let folder = JobFolder::new(root.folder(&planned.plan.job));
    check_places(&folder, &planned.plan.sink.output, &launch)?;
    let first = first_of(&planned, &folder, &launch)?;
    if args.kubernetes.dry_run == Some(DryRun::Client) {
        return printer.data(&show(&first, format)?);
    }
    // What the cluster would refuse, it refuses before anything is written.
    let cluster = connect(&args.cluster, Some(&launch)).await?;
    let launch = Launch {
        namespace: cluster.namespace().to_string(),
        ..launch
    };
    let accepted = cluster.dry_run(&first).await;
    let accepted = accepted.map_err(|e| from_engine(&e))?;
    if args.kubernetes.dry_run == Some(DryRun::Server) {
        return printer.data(&show(&accepted, format)?);
    }
    let warnings = planned.estimate.warnings.clone();
    let job = submit_job(&session, planned, RunnerKind::Kubernetes, &root).await;
    let job = job.map_err(|e| from_engine(&e))?;
    launch
        .write(&job.folder)
        .await
        .map_err(|e| from_engine(&e))?;
    place::remember(&args.place, &job).await;
    printer.note(&format!("job {}", job.record.id));
    for warning in &warnings {
        printer.note(&format!("warning: {warning}"));
    }
    if args.detach {
        let driver = driver(&cluster, &job, &launch);
        let name = driver.start().await.map_err(|e| from_engine(&e))?;
        printer.note(&format!(
            "Job {name} runs; `geoflow job wait {}` brings it to its end and commits it",
            job.record.id
        ));
        return Ok(());
    }
    finish(&cluster, &job, &launch, &session, printer).await
}

/// `-o yaml` beside `--dry-run` is kubectl's way to ask for YAML, and no folder of that name.
fn dry_run_format(args: &SubmitArgs, output: &mut Option<String>) -> Format {
    let asked = match output.as_deref() {
        Some("yaml") => Format::Yaml,
        Some("json") => Format::Json,
        _ => return Format::Yaml,
    };
    if args.kubernetes.dry_run.is_some() {
        *output = None;
    }
    asked
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Yaml,
    Json,
}

type Manifest = geoflow_k8s::kubernetes::Manifest;

fn show(job: &Manifest, format: Format) -> Result<String> {
    match format {
        Format::Yaml => to_yaml(job).map_err(|e| from_engine(&e)),
        Format::Json => serde_json::to_string_pretty(job)
            .map(|text| text + "\n")
            .map_err(|e| Failure::bug(e.to_string())),
    }
}

fn first_of(planned: &Planned, folder: &JobFolder, launch: &Launch) -> Result<Manifest> {
    let json = planned.plan.to_json();
    let json = json.map_err(|e| Failure::bug(e.to_string()))?;
    let sha256 = sha256_hex(json.as_bytes());
    first_job(&planned.plan, &sha256, folder, launch).map_err(|e| from_engine(&e))
}

fn driver<'a>(cluster: &'a Cluster, job: &'a Job, launch: &'a Launch) -> Driver<'a> {
    Driver {
        cluster,
        folder: &job.folder,
        plan: &job.plan,
        plan_sha256: &job.record.plan_sha256,
        launch,
        split: None,
    }
}

/// Waits, drives what has to be driven, and commits.
pub(in crate::job) fn wait<'a>(
    job: &'a Job,
    args: &'a ClusterArgs,
    timeout: Option<u64>,
    settings: &'a Settings,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(wait_inner(job, args, timeout, settings, printer))
}

async fn wait_inner(
    job: &Job,
    args: &ClusterArgs,
    timeout: Option<u64>,
    settings: &Settings,
    printer: &Printer,
) -> Result<()> {
    let output = output(job)?;
    let committed = read_success(&output, &job.plan).await;
    if committed.map_err(|e| from_engine(&e))?.is_some() {
        return Ok(());
    }
    let (launch, cluster) = cluster_of(job, args).await?;
    let session = plan::session(settings)?;
    let run = finish(&cluster, job, &launch, &session, printer);
    match timeout {
        None => run.await,
        Some(seconds) => match tokio::time::timeout(Duration::from_secs(seconds), run).await {
            Ok(ended) => ended,
            Err(_) => Err(Failure::environment(format!(
                "job {} has not ended after {seconds} seconds",
                job.record.id
            ))),
        },
    }
}

/// Lets suspended Jobs go on, runs what is missing, and waits.
pub(in crate::job) fn resume<'a>(
    job: &'a Job,
    args: &'a ClusterArgs,
    settings: &'a Settings,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(resume_inner(job, args, settings, printer))
}

async fn resume_inner(
    job: &Job,
    args: &ClusterArgs,
    settings: &Settings,
    printer: &Printer,
) -> Result<()> {
    let (launch, cluster) = cluster_of(job, args).await?;
    job.uncancel().await.map_err(|e| from_engine(&e))?;
    let mut watch = Watch::new(printer);
    let resumed = driver(&cluster, job, &launch)
        .resume(&mut |report| watch.tell(report))
        .await;
    resumed.map_err(|e| from_engine(&e))?;
    let session = plan::session(settings)?;
    finish(&cluster, job, &launch, &session, printer).await
}

/// Suspends the Jobs that still run; their pods stop.
pub(in crate::job) fn cancel<'a>(
    job: &'a Job,
    args: &'a ClusterArgs,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(cancel_inner(job, args, printer))
}

async fn cancel_inner(job: &Job, args: &ClusterArgs, printer: &Printer) -> Result<()> {
    let (_, cluster) = cluster_of(job, args).await?;
    suspend(&cluster, &job.record.id, printer).await
}

async fn finish(
    cluster: &Cluster,
    job: &Job,
    launch: &Launch,
    session: &geoflow_sql::Session,
    printer: &Printer,
) -> Result<()> {
    let started = Instant::now();
    let runtime = session.context().runtime_env();
    let claimed = job.claim(runtime.object_store_registry.as_ref()).await;
    claimed.map_err(|e| from_engine(&e))?;
    let split = move |plan: &geoflow_k8s::Plan, fragment: &geoflow_k8s::plan::Fragment| {
        let (runtime, plan, fragment) = (runtime.clone(), plan.clone(), fragment.clone());
        let cut = async move { cut_finer(&runtime, &plan, &fragment).await };
        Box::pin(cut) as geoflow_k8s::kubernetes::Cutting
    };
    let driver = Driver {
        split: Some(Arc::new(split)),
        ..driver(cluster, job, launch)
    };
    let mut watch = Watch::new(printer);
    let ended = driver.run(&mut |report| watch.tell(report)).await;
    watch.finish();
    let id = &job.record.id;
    let ended = ended.map_err(|error: Error| {
        from_engine(&error).with_hint_if_none(format!(
            "what is done is kept; `geoflow job wait {id}` goes on"
        ))
    })?;
    match ended {
        Ended::Done => {}
        Ended::Suspended(name) => {
            return Err(Failure::environment(format!(
                "job {id} is cancelled: Job {name} is suspended"
            ))
            .with_hint(format!("`geoflow job resume {id}` goes on with it")));
        }
        Ended::Failed(findings) => return Err(failed(id, &findings, printer)),
    }
    let output = output(job)?;
    let success = commit(&job.folder, &job.plan, &output).await;
    let success = success.map_err(|e| from_engine(&e))?;
    printer.note(&crate::job::submit::summary(&success, started));
    expire(cluster, job, launch).await;
    if success.rows == 0 {
        printer.note(&format!(
            "no rows: `geoflow job diagnose {id}` says why that may be"
        ));
    }
    Ok(())
}

/// The results are recorded: the cluster may forget the Jobs.
async fn expire(cluster: &Cluster, job: &Job, launch: &Launch) {
    let jobs = cluster.jobs(&job_selector(&job.record.id)).await;
    for found in jobs.unwrap_or_default() {
        let name = found.metadata.name.unwrap_or_default();
        if let Err(error) = cluster.set_ttl(&name, launch.settings.ttl.seconds).await {
            tracing::warn!("{error}");
        }
    }
}

fn output(job: &Job) -> Result<geoflow_k8s::storage::Folder> {
    job.output(&place::registry()).map_err(|e| from_engine(&e))
}

fn failed(id: &str, findings: &[Finding], printer: &Printer) -> Box<Failure> {
    printer.note(render(findings).trim_end());
    let user = |finding: &&Finding| {
        matches!(
            finding.cause,
            Cause::BadData | Cause::InputChanged | Cause::CrsMismatch | Cause::BadPlan
        )
    };
    let why = findings
        .first()
        .map_or("see `geoflow job logs`", |finding| finding.cause.title());
    let message = format!("job {id} has failed: {why}");
    let failure = match findings.iter().find(user) {
        Some(_) => Failure::user(message),
        None => Failure::environment(message),
    };
    failure.with_hint(format!(
        "what is done is kept; `geoflow job resume {id}` runs what is missing"
    ))
}

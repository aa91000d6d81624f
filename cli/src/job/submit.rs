//! `geoflow job submit`, `resume` and `cancel`.

use std::time::Instant;

use geoflow_k8s::commit::Success;
use geoflow_k8s::job::{Job, RunnerKind, submit as submit_job};
use geoflow_k8s::profile::Profile;
use geoflow_k8s::runner::local::{self, LocalOptions, WorkerOptions};
use geoflow_k8s::task::Limits;
use indicatif::{HumanBytes, HumanCount, HumanDuration};

use super::place::Found;
use super::progress::Watch;
use super::{place, plan};
use crate::args::{LocalArgs, OneJob, ResumeArgs, Runner, SubmitArgs};
use crate::error::{Failure, Result, from_datafusion, from_engine, from_io};
use crate::printer::Printer;
use crate::settings::Settings;

/// What a worker has in memory before its first row, and some for rows.
const LEAST_MEMORY: u64 = 128 << 20;

/// Plans a job, runs it and commits it.
pub(super) async fn submit(
    args: &SubmitArgs,
    settings: &Settings,
    printer: &Printer,
) -> Result<()> {
    // What is shown is a Job of Kubernetes: nothing may run for it.
    if args.runner == Runner::Kubernetes || args.kubernetes.dry_run.is_some() {
        return super::kubernetes::submit(args, settings, printer).await;
    }
    let for_a_cluster = args.kubernetes.profile() != Profile::default()
        || args.cluster.context.is_some()
        || args.cluster.namespace.is_some()
        || args.detach;
    if for_a_cluster {
        return Err(Failure::usage(
            "an option of Kubernetes, and tasks that would run on this machine",
        )
        .with_hint(
            "add --runner kubernetes, or leave out the options of Kubernetes and --detach",
        ));
    }
    let options = options(&args.local, settings)?;
    let mut request = plan::request(&args.statement, options.workers)?;
    if let Some(id) = &args.id {
        request.job.clone_from(id);
    }
    let session = plan::session(settings)?;
    let planned = geoflow_k8s::planner::plan(&session, &request).await;
    let planned = planned.map_err(|e| from_datafusion(&e))?;
    let root = place::for_plan(&args.place, &planned.plan)?;
    let estimate = planned.estimate.clone();
    let job = submit_job(&session, planned, RunnerKind::Local, &root).await;
    let job = job.map_err(|e| from_engine(&e))?;
    place::remember(&args.place, &job).await;
    printer.note(&format!("job {}", job.record.id));
    for warning in &estimate.warnings {
        printer.note(&format!("warning: {warning}"));
    }
    run(&job, &session, &options, printer).await
}

/// Runs what is missing of a job.
pub(super) async fn resume(
    args: &ResumeArgs,
    settings: &Settings,
    printer: &Printer,
) -> Result<()> {
    let job = place::find(&args.job).await?;
    if job.record.runner == RunnerKind::Kubernetes {
        return super::kubernetes::resume(&job, &args.job.cluster, settings, printer).await;
    }
    let options = options(&args.local, settings)?;
    job.uncancel().await.map_err(|e| from_engine(&e))?;
    let session = plan::session(settings)?;
    run(&job, &session, &options, printer).await
}

/// Tells whoever runs a job to stop.
pub(super) async fn cancel(args: &OneJob, printer: &Printer) -> Result<()> {
    let job = match place::find_anywhere(args).await? {
        Found::Recorded(job) => job,
        Found::Unrecorded(job) => {
            job.cancel(printer).await?;
            job.note(printer, "only the cluster knows that the job is cancelled");
            return Ok(());
        }
    };
    let status = geoflow_k8s::job::status(&job, &place::registry()).await;
    if status.is_ok_and(|status| status.phase == geoflow_k8s::job::Phase::Done) {
        printer.note(&format!("job {} is done already", job.record.id));
        return Ok(());
    }
    job.cancel().await.map_err(|e| from_engine(&e))?;
    if job.record.runner == RunnerKind::Kubernetes {
        super::kubernetes::cancel(&job, &args.cluster, printer).await?;
    }
    printer.note(&format!(
        "job {} stops; `geoflow job resume {}` goes on with it",
        job.record.id, args.job
    ));
    Ok(())
}

async fn run(
    job: &Job,
    session: &geoflow_sql::Session,
    options: &LocalOptions,
    printer: &Printer,
) -> Result<()> {
    let started = Instant::now();
    let mut watch = Watch::new(printer);
    let runtime = session.context().runtime_env();
    let result = local::run(job, &runtime, options, &mut |event| watch.tell(event)).await;
    watch.finish();
    match result {
        Ok(success) => {
            printer.note(&summary(&success, started));
            Ok(())
        }
        Err(error) => Err(from_engine(&error).with_hint_if_none(format!(
            "`geoflow job resume {}` runs what is missing, `geoflow job logs {}` shows what the tasks said",
            job.record.id, job.record.id
        ))),
    }
}

pub(super) fn summary(success: &Success, started: Instant) -> String {
    format!(
        "{} rows, {} in {} parts, committed after {}",
        HumanCount(success.rows),
        HumanBytes(success.bytes),
        success.parts.len(),
        HumanDuration(started.elapsed())
    )
}

/// The memory of all workers, in bytes: what was asked for, or what the control group has.
fn memory(settings: &Settings, workers: usize) -> Result<Option<u64>> {
    let asked = settings.memory_limit.map(|bytes| bytes as u64);
    // Of its group's memory the driver needs some itself.
    let of_group = || {
        Limits::of_this_process()
            .memory
            .map(|bytes| bytes - bytes / 16)
    };
    let Some(all) = asked.or_else(of_group) else {
        return Ok(None);
    };
    let share = all / workers as u64;
    if share < LEAST_MEMORY {
        return Err(Failure::usage(format!(
            "{} of memory are {} for each of {workers} workers, which need {} to begin with",
            HumanBytes(all),
            HumanBytes(share),
            HumanBytes(LEAST_MEMORY)
        ))
        .with_hint("give them more with --memory-limit, or run fewer at once with --workers"));
    }
    Ok(Some(all))
}

/// What the workers share out among them.
fn options(args: &LocalArgs, settings: &Settings) -> Result<LocalOptions> {
    let workers = match args.workers {
        Some(workers) => workers.get(),
        None => (settings.threads / 2).max(1),
    };
    let program =
        std::env::current_exe().map_err(|e| from_io("cannot find the program to start", &e))?;
    Ok(LocalOptions {
        workers,
        worker: WorkerOptions {
            program,
            temp_dir: settings.temp_dir.clone(),
            variables: settings.stores.variables(),
        },
        threads: settings.threads,
        memory: memory(settings, workers)?,
        memory_cap: args.memory_cap.map(|bytes| bytes as u64),
        retries: args.retries,
    })
}

//! `geoflow job wait`.

use std::time::{Duration, Instant};

use geoflow_k8s::job::{JobStatus, Phase, RunnerKind, status};
use indicatif::{HumanBytes, HumanCount, HumanDuration};

use super::place;
use crate::args::WaitArgs;
use crate::error::{Failure, Result, from_engine};
use crate::printer::Printer;
use crate::settings::Settings;

const PAUSE: Duration = Duration::from_secs(1);

/// How far a job is.
fn line(now: &JobStatus, done: usize, all: usize) -> String {
    let mut line = format!("{} {done}/{all} fragments", now.phase.name());
    if let Some(driver) = now.heartbeat.as_ref().filter(|_| !now.phase.is_final()) {
        line.push_str(&format!(", {} running", driver.running.len()));
        if driver.retries > 0 {
            line.push_str(&format!(", {} retried", driver.retries));
        }
    }
    if now.failed_attempts > 0 {
        line.push_str(&format!(", {} attempts failed", now.failed_attempts));
    }
    line.push_str(&format!(
        ", {} rows, {}",
        HumanCount(now.rows.unwrap_or(0)),
        HumanBytes(now.bytes.unwrap_or(0))
    ));
    line
}

/// The time left, as those that were done while this one waited took.
fn left(waited: Duration, done: usize, missing: usize) -> String {
    match (done, missing) {
        (0, _) | (_, 0) => String::new(),
        _ => {
            let left = waited.mul_f64(missing as f64 / done as f64);
            format!(", {} left", HumanDuration(left))
        }
    }
}

/// Waits for a job to end; fails if it does not end well.
pub(super) async fn run(args: &WaitArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let job = place::find(&args.job).await?;
    if job.record.runner == RunnerKind::Kubernetes {
        let cluster = &args.job.cluster;
        return super::kubernetes::wait(&job, cluster, args.timeout, settings, printer).await;
    }
    let id = &job.record.id;
    let started = Instant::now();
    let mut told = String::new();
    let mut before = None;
    loop {
        let now = status(&job, &place::registry()).await;
        let now = now.map_err(|e| from_engine(&e))?;
        let (done, all) = now.stages.iter().fold((0, 0), |(done, all), stage| {
            (done + stage.done, all + stage.fragments)
        });
        let line = line(&now, done, all);
        if line != told {
            let before = *before.get_or_insert(done);
            let left = left(
                started.elapsed(),
                done.saturating_sub(before),
                all.saturating_sub(done),
            );
            printer.note(&format!("job {id} {line}{left}"));
            told = line;
        }
        let resume = format!("`geoflow job resume {id}` goes on with it");
        match now.phase {
            Phase::Done => return Ok(()),
            Phase::Cancelled | Phase::Interrupted => {
                return Err(Failure::environment(format!(
                    "job {id} is {} with {done} of {all} fragments done",
                    now.phase.name()
                ))
                .with_hint(resume));
            }
            Phase::Failed => {
                let why = now.message.unwrap_or_default();
                return Err(
                    Failure::environment(format!("job {id} has failed: {why}")).with_hint(resume)
                );
            }
            Phase::Pending | Phase::Running => {}
        }
        if let Some(seconds) = args.timeout
            && started.elapsed() >= Duration::from_secs(seconds)
        {
            return Err(Failure::environment(format!(
                "job {id} is {} after {seconds} seconds",
                now.phase.name()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

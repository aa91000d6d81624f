//! `geoflow job wait`.

use std::time::{Duration, Instant};

use geoflow_k8s::job::{Phase, RunnerKind, status};

use super::place;
use crate::args::WaitArgs;
use crate::error::{Failure, Result, from_engine};
use crate::printer::Printer;
use crate::settings::Settings;

const PAUSE: Duration = Duration::from_secs(1);

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
    loop {
        let now = status(&job, &place::registry()).await;
        let now = now.map_err(|e| from_engine(&e))?;
        let (done, all) = now.stages.iter().fold((0, 0), |(done, all), stage| {
            (done + stage.done, all + stage.fragments)
        });
        let line = format!(
            "{} {done}/{all} fragments, {} rows",
            now.phase.name(),
            now.rows
        );
        if line != told {
            printer.note(&format!("job {id} {line}"));
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

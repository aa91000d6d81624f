//! What the tasks of a job in a cluster say.

use futures::future::BoxFuture;
use futures::io::AsyncBufReadExt;
use futures::{StreamExt, TryStreamExt};
use geoflow_k8s::cluster::LogOptions;
use geoflow_k8s::kubernetes::{Record, pods_of};

use super::launch::cluster_of;
use crate::args::LogsArgs;
use crate::error::{Failure, Result, from_engine};
use crate::job::place::Found;
use crate::printer::Printer;

/// Prints the logs of pods: one after the other, or all at once as they come. With several pods each
/// line begins with its own.
pub(in crate::job) fn run<'a>(
    job: &'a Found,
    args: &'a LogsArgs,
    printer: &'a Printer,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(run_inner(job, args, printer))
}

async fn run_inner(job: &Found, args: &LogsArgs, printer: &Printer) -> Result<()> {
    let (id, cluster, record) = match job {
        Found::Unrecorded(job) => (&job.id, job.cluster.clone(), None),
        Found::Recorded(job) => {
            let (_, cluster) = cluster_of(job, &args.job.cluster).await?;
            let record = Record {
                folder: &job.folder,
                plan: &job.plan,
            };
            (&job.record.id, cluster, Some(record))
        }
    };
    let pods = pods_of(&cluster, id, record).await;
    let mut pods = pods.map_err(|e| from_engine(&e))?;
    if let Some(fragment) = &args.fragment {
        pods.retain(|pod| pod.fragment == *fragment);
    }
    if pods.is_empty() {
        let of = args
            .fragment
            .as_ref()
            .map(|id| format!(" of fragment {id}"));
        return Err(Failure::environment(format!(
            "the cluster has no pod{} of job {id}",
            of.unwrap_or_default()
        ))
        .with_hint(format!(
            "pods go with their Job; `geoflow job diagnose {id}` has what failed tasks reported"
        )));
    }
    let options = LogOptions {
        follow: args.follow,
        tail: args.tail,
    };
    let several = pods.len() > 1;
    let (mut streams, mut silent) = (Vec::new(), Vec::new());
    for pod in pods {
        match cluster.log(&pod.name, options).await {
            Ok(log) => {
                let prefix = match several {
                    true => format!("[{} {}] ", pod.fragment, pod.name),
                    false => String::new(),
                };
                let lines = log.lines();
                streams.push(
                    lines
                        .map_ok(move |line| format!("{prefix}{line}\n"))
                        .boxed(),
                );
            }
            Err(error) => silent.push(error.to_string()),
        }
    }
    let mut lines = match args.follow {
        true => futures::stream::select_all(streams).boxed(),
        false => futures::stream::iter(streams).flatten().boxed(),
    };
    while let Some(line) = lines.next().await {
        let line = line.map_err(|e| Failure::environment(format!("the log ends early: {e}")))?;
        printer.data(&line)?;
    }
    for why in silent {
        printer.note(&why);
    }
    Ok(())
}

//! `geoflow job list` and `get`.

use std::fmt::Write;

use geoflow_k8s::job::{Job, JobStatus, status};
use geoflow_k8s::manifest::to_yaml;
use indicatif::{HumanBytes, HumanCount};

use super::place::Found;
use super::{kubernetes, place, plan};
use crate::args::{GetArgs, ListArgs, ShowFormat};
use crate::error::{Failure, Result, from_engine};
use crate::printer::Printer;

/// Lists the jobs of a folder, and those of a cluster that is named.
pub(super) async fn list(args: &ListArgs, printer: &Printer) -> Result<()> {
    let root = place::for_all(&args.place)?;
    let mut found = vec![];
    for id in root.folders().await.map_err(|e| from_engine(&e))? {
        let job = match place::follow(root.folder(&id)).await {
            Ok(folder) => Job::open(folder).await.map_err(|e| from_engine(&e)),
            Err(failure) => Err(failure),
        };
        let shown = match job {
            Ok(job) => match status(&job, &place::registry()).await {
                Ok(mut status) => {
                    if let Err(failure) = kubernetes::refine(&job, &args.cluster, &mut status).await
                    {
                        printer.note(&format!("{id}: {}", failure.message));
                    }
                    Ok(status)
                }
                Err(error) => Err(from_engine(&error)),
            },
            Err(failure) => Err(failure),
        };
        match shown {
            Ok(status) => found.push(status),
            // One record that cannot be read hides no other.
            Err(failure) => printer.note(&format!("{id}: {}", failure.message)),
        }
    }
    let clustered = args.cluster.namespace.is_some() || args.cluster.context.is_some();
    if clustered {
        found.extend(kubernetes::list(&args.cluster, &found).await?);
    }
    if found.is_empty() {
        let folder = root.display();
        printer.note(&match clustered {
            true => format!("no jobs in {folder} nor in the cluster"),
            false => format!(
                "no jobs in {folder}: --jobs names another folder of records, --namespace asks a cluster as well"
            ),
        });
    }
    printer.data(&match args.output {
        ShowFormat::Table | ShowFormat::Wide => table(&found, args.output == ShowFormat::Wide),
        ShowFormat::Json => json(&found)?,
        ShowFormat::Yaml => to_yaml(&found).map_err(|e| from_engine(&e))?,
    })
}

/// Shows one job.
pub(super) async fn get(args: &GetArgs, printer: &Printer) -> Result<()> {
    let status = match place::find_anywhere(&args.job).await? {
        Found::Unrecorded(job) => {
            job.note(printer, "rows, output and statement are not known");
            job.status().await?
        }
        Found::Recorded(job) => {
            let status = status(&job, &place::registry()).await;
            let mut status = status.map_err(|e| from_engine(&e))?;
            let refined = kubernetes::refine(&job, &args.job.cluster, &mut status).await;
            if let Err(failure) = refined {
                printer.note(&failure.message);
            }
            status
        }
    };
    printer.data(&match args.output {
        ShowFormat::Table => table(std::slice::from_ref(&status), false),
        ShowFormat::Wide => table(std::slice::from_ref(&status), true),
        ShowFormat::Json => json(&status)?,
        ShowFormat::Yaml => to_yaml(&status).map_err(|e| from_engine(&e))?,
    })?;
    if let Some(message) = &status.message {
        printer.note(message);
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|e| Failure::bug(e.to_string()))
}

/// Columns as wide as what is in them.
fn table(jobs: &[JobStatus], wide: bool) -> String {
    let mut rows = vec![vec![
        "JOB".to_owned(),
        "PHASE".into(),
        "DONE".into(),
        "ROWS".into(),
        "BYTES".into(),
        "CREATED".into(),
    ]];
    for job in jobs {
        let (done, all) = job.stages.iter().fold((0, 0), |(done, all), stage| {
            (done + stage.done, all + stage.fragments)
        });
        rows.push(vec![
            job.id.clone(),
            job.phase.name().into(),
            format!("{done}/{all}"),
            job.rows.map_or("-".into(), |n| HumanCount(n).to_string()),
            job.bytes.map_or("-".into(), |n| HumanBytes(n).to_string()),
            job.created.get(..19).unwrap_or(&job.created).to_owned(),
        ]);
    }
    if wide {
        if let Some(head) = rows.first_mut() {
            head.extend(["FAILED".into(), "OUTPUT".into(), "STATEMENT".into()]);
        }
        for (row, job) in rows.iter_mut().skip(1).zip(jobs) {
            let statement: Vec<&str> = job.statement.split_whitespace().collect();
            row.push(job.failed_attempts.to_string());
            row.push(plan::shown(&job.output).to_owned());
            row.push(statement.join(" "));
        }
    }
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|c| width(c).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

//! `geoflow job plan`, and what it shares with `submit`.

use std::fmt::Write;

use geoflow_k8s::job::new_job_id;
use geoflow_k8s::planner::{Estimate, FragmentCount, JobRequest, Planned, plan, split_statements};
use geoflow_sql::SessionBuilder;
use indicatif::{HumanBytes, HumanCount};

use crate::args::{PlanArgs, PlanFormat, StatementArgs};
use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::printer::Printer;
use crate::settings::Settings;
use crate::sql_text;

/// Shows how a statement is cut.
pub(super) async fn run(args: &PlanArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let request = request(&args.statement, settings.threads)?;
    let session = session(settings)?;
    let planned = plan(&session, &request).await;
    let Planned { plan, estimate } = planned.map_err(|e| from_datafusion(&e))?;
    let text = match args.format {
        PlanFormat::Text => {
            let mut text = format!("output   {}\n", shown(&plan.sink.output));
            text.push_str(&describe(&estimate));
            text
        }
        PlanFormat::Json => {
            let json = plan.to_json().map_err(|e| Failure::bug(e.to_string()))?;
            format!("{json}\n")
        }
    };
    printer.data(&text)?;
    for warning in &estimate.warnings {
        printer.note(&format!("warning: {warning}"));
    }
    Ok(())
}

/// A path, or a URL.
pub(super) fn shown(url: &str) -> &str {
    url.strip_prefix("file://").unwrap_or(url)
}

/// The session of a driver: it plans and does not run.
pub(super) fn session(settings: &Settings) -> Result<geoflow_sql::Session> {
    let builder = SessionBuilder::new()
        .threads(settings.threads)
        .object_stores(settings.stores.clone());
    builder.build().map_err(|e| from_datafusion(&e))
}

/// What is to become a job. `least` tasks can run at once.
pub(super) fn request(args: &StatementArgs, least: usize) -> Result<JobRequest> {
    let texts = sql_text::read_from(args.sql.as_deref(), &args.command, args.file.as_deref())?;
    let mut statements = vec![];
    for text in &texts {
        statements.extend(split_statements(&text.text).map_err(|e| from_engine(&e))?);
    }
    let statement = statements
        .pop()
        .ok_or_else(|| Failure::usage("no SQL given: there is no statement in it"))?;
    Ok(JobRequest {
        job: new_job_id(),
        setup: statements,
        statement,
        output: args.output.clone(),
        fragments: match args.fragments {
            Some(n) => FragmentCount::Exactly(n),
            None => FragmentCount::Auto { least },
        },
    })
}

/// What is expected of a plan, for people.
pub(super) fn describe(estimate: &Estimate) -> String {
    let mut text = String::new();
    for (i, stage) in estimate.stages.iter().enumerate() {
        let _ = writeln!(
            text,
            "stage {i}  {:<7} {:>7} fragments  {:>12} rows  {:>11} read  cost {:.3e}  skew {:.2}",
            stage.kind.name(),
            HumanCount(stage.fragments as u64).to_string(),
            HumanCount(stage.rows).to_string(),
            HumanBytes(stage.bytes).to_string(),
            stage.cost,
            stage.skew,
        );
    }
    for table in &estimate.tables {
        let how = match (table.cut, table.times_read) {
            (true, _) => "dealt out".to_owned(),
            (false, times) => format!("read {times:.2} times over"),
        };
        let _ = writeln!(
            text,
            "table    {}  {} files, {} row groups, {} rows, {}: {how}",
            table.name,
            table.files,
            HumanCount(table.row_groups as u64),
            HumanCount(table.rows),
            HumanBytes(table.bytes),
        );
    }
    if let Some(reason) = &estimate.reason {
        let what = match estimate.stages.len() {
            0 | 1 => "one fragment",
            _ => "two stages",
        };
        let _ = writeln!(text, "{what}: {reason}");
    }
    text
}

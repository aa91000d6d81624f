//! `geoflow job logs`.

use geoflow_k8s::job::RunnerKind;

use super::place::{self, Found};
use crate::args::LogsArgs;
use crate::error::{Failure, Result, from_engine};
use crate::printer::Printer;

/// Prints what tasks said, and the reports of those that failed: JSON lines.
pub(super) async fn run(args: &LogsArgs, printer: &Printer) -> Result<()> {
    let found = place::find_anywhere(&args.job).await?;
    let job = match &found {
        Found::Recorded(job) if job.record.runner == RunnerKind::Local => job,
        _ => return super::kubernetes::logs(&found, args, printer).await,
    };
    let folder = job.folder.folder();
    let wanted = |name: &str| {
        let Some(fragment) = &args.fragment else {
            return true;
        };
        let file = name.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('-').is_some_and(|(id, _)| id == fragment)
    };
    let mut any = false;
    for kind in ["logs", "attempts"] {
        let files = folder.folder(kind).get_all().await;
        for (name, contents) in files.map_err(|e| from_engine(&e))? {
            if wanted(&name) {
                any = true;
                printer.data(String::from_utf8_lossy(&contents).trim_end())?;
                printer.data("\n")?;
            }
        }
    }
    match (any, &args.fragment) {
        (true, _) => Ok(()),
        (false, None) => {
            printer.note("no task has said anything yet");
            Ok(())
        }
        (false, Some(fragment)) => Err(Failure::user(format!(
            "no task of fragment {fragment} has said anything yet"
        ))),
    }
}

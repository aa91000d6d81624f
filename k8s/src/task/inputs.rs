//! Whether the files that a plan reads are still those that it was made for.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};
use geoflow_engine::{Error, Result};
use geoflow_sql::object_store::explain_object_store_error;
use object_store::ObjectStoreExt;

use crate::plan::{InputFile, Plan, ScanSlice};
use crate::planner::scans_of;
use crate::storage::plain;
use crate::table::locate;

/// Files asked for at once.
const AT_ONCE: usize = 32;

/// The files that a fragment with these slices reads when it runs `physical`.
pub(crate) fn files_read<'a>(
    plan: &'a Plan,
    slices: &[ScanSlice],
    physical: &Arc<dyn ExecutionPlan>,
) -> Vec<&'a InputFile> {
    let mut files: BTreeMap<&str, &InputFile> = BTreeMap::new();
    for scan in scans_of(physical) {
        let table = plan.scans.get(scan).copied().flatten();
        let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
            continue;
        };
        match slices.iter().find(|slice| slice.scan == scan) {
            None => files.extend(table.files.iter().map(|file| (file.url.as_str(), file))),
            Some(slice) => files.extend(slice.files.iter().filter_map(|slice| {
                let file = table.files.get(slice.file)?;
                Some((file.url.as_str(), file))
            })),
        }
    }
    files.into_values().collect()
}

/// What is said of a file that is another than the plan has it; what diagnoses a job knows it again by these words.
pub(crate) const CHANGED: &str = " since the job was planned";

/// Compares files with what the plan says of them.
///
/// # Errors
/// [`Error::Data`] that names the first file that has changed or is gone, [`Error::Environment`] when a
/// store cannot be asked.
pub(crate) async fn check_files(runtime: &RuntimeEnv, files: Vec<&InputFile>) -> Result<()> {
    let checks: Vec<_> = files
        .into_iter()
        .map(|file| check_file(runtime, file))
        .collect();
    futures::stream::iter(checks)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn check_file(runtime: &RuntimeEnv, file: &InputFile) -> Result<()> {
    let (url, location) = locate(&file.url)?;
    let store = runtime
        .object_store(&url)
        .map_err(|e| plain(e, &file.url))?;
    let shown = file.url.strip_prefix("file://").unwrap_or(&file.url);
    let now = match store.head(&location).await {
        Ok(now) => now,
        Err(object_store::Error::NotFound { .. }) => {
            return Err(Error::Data(format!(
                "{shown} is gone{CHANGED}: put it back, or submit the job again"
            )));
        }
        Err(error) => return Err(explain_object_store_error(&error, shown)),
    };
    let changed = |what: String| {
        Err(Error::Data(format!(
            "{shown} has changed{CHANGED} ({what}): submit the job again"
        )))
    };
    if now.size != file.size {
        return changed(format!("{} bytes then, {} now", file.size, now.size));
    }
    match (&file.e_tag, &now.e_tag) {
        (Some(then), Some(now)) if then != now => changed(format!("ETag {then} then, {now} now")),
        (Some(_), Some(_)) => Ok(()),
        _ if now.last_modified.to_rfc3339() != file.modified => changed(format!(
            "written {} then, {} now",
            file.modified,
            now.last_modified.to_rfc3339()
        )),
        _ => Ok(()),
    }
}

//! The last word of a driver, and whether it was told to stop.

use chrono::Utc;
use geoflow_engine::Result;

use crate::job::{Heartbeat, JobFolder, RunningTask};
use crate::task::host;

/// Writes how things stand.
pub(super) async fn beat(
    folder: &JobFolder,
    running: Vec<RunningTask>,
    retries: u64,
    failure: Option<String>,
) -> Result<()> {
    let heartbeat = Heartbeat {
        pid: std::process::id(),
        host: host(),
        at: Utc::now().to_rfc3339(),
        running,
        retries,
        failure,
    };
    let json = serde_json::to_vec(&heartbeat)
        .map_err(|e| geoflow_engine::Error::Internal(e.to_string()))?;
    folder.folder().put("driver.json", json).await
}

/// Whether the job was cancelled.
pub(super) async fn is_cancelled(folder: &JobFolder) -> Result<bool> {
    Ok(folder.folder().get("cancelled.json").await?.is_some())
}

//! `_SUCCESS`: which files of the output count.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::geoparquet::read_info;
use geoflow_engine::{Error, Result};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};

use super::output::release;
use super::settle::settle;
use crate::job::JobFolder;
use crate::plan::Plan;
use crate::storage::{Created, Folder};
use crate::task::Part;

/// The version of `_SUCCESS` that this build writes and reads.
pub const SUCCESS_VERSION: u32 = 1;

/// The contents of `_SUCCESS`, and with the bounds of all parts an index by which they can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Success {
    /// [`SUCCESS_VERSION`].
    pub version: u32,
    /// The job.
    pub job: String,
    /// The version of geoflow.
    pub geoflow: String,
    /// When it was committed, in RFC 3339.
    pub committed: String,
    /// The statement.
    pub statement: String,
    /// Rows of all parts.
    pub rows: u64,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Bounds of all parts, `[min_x, min_y, max_x, max_y]`, where all are known.
    pub bounds: Option<[f64; 4]>,
    /// The first geometry column, which the bounds are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<String>,
    /// The CRS of the first geometry column, as PROJJSON; `null` without one, or when it is not known.
    pub crs: Option<serde_json::Value>,
    /// The parts, by name.
    pub parts: Vec<Part>,
}

/// The name of the file that marks a job's parts as complete.
pub fn success_name(plan: &Plan) -> String {
    match plan.sink.append {
        true => format!("_SUCCESS-{}", plan.job),
        false => "_SUCCESS".into(),
    }
}

/// What `_SUCCESS` of a plan says; `None` while there is none.
///
/// # Errors
/// [`Error::Data`] when it is that of another job or cannot be understood, [`Error::Environment`] when
/// it cannot be read.
pub async fn read_success(output: &Folder, plan: &Plan) -> Result<Option<Success>> {
    let name = success_name(plan);
    match output.get(&name).await? {
        None => Ok(None),
        Some(bytes) => ours(output, plan, &bytes).map(Some),
    }
}

fn ours(output: &Folder, plan: &Plan, bytes: &[u8]) -> Result<Success> {
    let shown = output.display_object(&success_name(plan));
    let success: Success = serde_json::from_slice(bytes)
        .map_err(|e| Error::Data(format!("{shown} cannot be understood: {e}")))?;
    if success.job != plan.job {
        return Err(Error::Data(format!(
            "{shown} is that of the job {}: nothing of this job, {}, was committed",
            success.job, plan.job
        )));
    }
    Ok(success)
}

/// Commits a job whose fragments are all done. Done again, it changes nothing.
///
/// What attempts have written that lost, or that never came to their manifest, is deleted first: who reads
/// the folder as it is finds the same rows as who reads `_SUCCESS`.
///
/// # Errors
/// [`Error::Internal`] when a fragment has no manifest, [`Error::Data`] when a part is not there as it
/// was written, [`Error::Environment`] when the output cannot be written.
pub async fn commit(job: &JobFolder, plan: &Plan, output: &Folder) -> Result<Success> {
    if let Some(success) = read_success(output, plan).await? {
        delete_late(output, plan, &success.parts).await?;
        release_own(output, plan).await?;
        return Ok(success);
    }
    let manifests = job.manifests().await?;
    let last = plan.stages.last();
    let last = last.ok_or_else(|| Error::Internal("a plan without stages".into()))?;
    let settled = settle(last.kind, &last.fragments, &manifests);
    if let Some(missing) = settled.missing.first() {
        return Err(Error::Internal(format!(
            "{} fragments are not done, {} among them",
            settled.missing.len(),
            missing.id
        )));
    }
    let mut parts: Vec<Part> = settled.parts().into_iter().cloned().collect();
    parts.sort_by(|a, b| a.file.cmp(&b.file));
    delete_losers(output, plan, &parts).await?;
    let (geometry, crs) = first_geometry(output, &parts).await?;
    let success = Success {
        version: SUCCESS_VERSION,
        job: plan.job.clone(),
        geoflow: env!("CARGO_PKG_VERSION").into(),
        committed: Utc::now().to_rfc3339(),
        statement: plan.statement.clone(),
        rows: parts.iter().map(|part| part.rows).sum(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        bounds: bounds(&parts),
        geometry,
        crs,
        parts,
    };
    let json = serde_json::to_vec_pretty(&success).map_err(|e| Error::Internal(e.to_string()))?;
    let success = match output.create(&success_name(plan), json).await? {
        Created::Ours => success,
        // Another driver of the same job was faster.
        Created::Theirs(there) => ours(output, plan, &there)?,
    };
    release_own(output, plan).await?;
    Ok(success)
}

async fn release_own(output: &Folder, plan: &Plan) -> Result<()> {
    match plan.sink.append {
        true => Ok(()),
        false => release(output).await,
    }
}

/// What the names of parts begin with.
fn part_prefix(plan: &Plan) -> String {
    match plan.sink.append {
        true => format!("{}-part-", plan.job),
        false => "part-".into(),
    }
}

/// Deletes what a task that was killed has written after its job was committed. Others may have added files by then: what
/// is not named as a part of an attempt is left alone.
async fn delete_late(output: &Folder, plan: &Plan, parts: &[Part]) -> Result<()> {
    let prefix = part_prefix(plan);
    let counted: BTreeSet<&str> = parts.iter().map(|part| part.file.as_str()).collect();
    for (name, _) in output.list().await? {
        let of_attempt = file_name(&name)
            .strip_prefix(&prefix)
            .is_some_and(is_attempt);
        if of_attempt && !counted.contains(name.as_str()) {
            output.delete(&name).await?;
        }
    }
    Ok(())
}

/// Whether this is how the name of a part goes on: `<fragment>-<attempt>[-<n>].parquet`.
fn is_attempt(rest: &str) -> bool {
    let Some(stem) = rest.strip_suffix(".parquet") else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hex = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.split('-').collect::<Vec<_>>().as_slice() {
        [fragment, attempt] => fragment.split('.').all(digits) && hex(attempt),
        [fragment, attempt, n] => fragment.split('.').all(digits) && hex(attempt) && digits(n),
        _ => false,
    }
}

/// Deletes parts of this job that are in no manifest, and checks those that are.
async fn delete_losers(output: &Folder, plan: &Plan, parts: &[Part]) -> Result<()> {
    let prefix = part_prefix(plan);
    let winners: BTreeSet<&str> = parts.iter().map(|part| part.file.as_str()).collect();
    let mut sizes = BTreeMap::new();
    for (name, meta) in output.list().await? {
        if winners.contains(name.as_str()) {
            sizes.insert(name, meta.size);
        } else if file_name(&name).starts_with(&prefix) && name.ends_with(".parquet") {
            output.delete(&name).await?;
        }
    }
    if let Ok(folder) = output.url().to_file_path() {
        delete_staged(&folder, &prefix)?;
    }
    for part in parts {
        let there = sizes.get(&part.file).copied();
        if there != Some(part.bytes) {
            return Err(Error::Data(format!(
                "{} should have {} bytes, {}: someone else has written to this folder. Delete it and submit the job again",
                output.display_object(&part.file),
                part.bytes,
                there.map_or_else(|| "but is gone".into(), |size| format!("but has {size}"))
            )));
        }
    }
    Ok(())
}

/// The last of the names that a name is made of.
fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A local file is written under another name first, which a process that was killed leaves behind.
fn delete_staged(folder: &std::path::Path, prefix: &str) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Error::Environment {
                message: format!("{} cannot be listed: {error}", folder.display()),
                retryable: false,
            });
        }
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            delete_staged(&entry.path(), prefix)?;
            continue;
        }
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let staged = name
            .split_once(".parquet#")
            .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if staged && name.starts_with(prefix) {
            // A loser that still writes may be faster; then there is nothing left to delete.
            drop(std::fs::remove_file(entry.path()));
        }
    }
    Ok(())
}

fn bounds(parts: &[Part]) -> Option<[f64; 4]> {
    let known = parts.iter().filter(|part| part.rows > 0);
    known
        .map(|part| part.bounds)
        .reduce(|a, b| {
            let (a, b) = (a?, b?);
            Some([
                a[0].min(b[0]),
                a[1].min(b[1]),
                a[2].max(b[2]),
                a[3].max(b[3]),
            ])
        })
        .flatten()
}

/// The first geometry column and its CRS, from the footer of one part.
async fn first_geometry(
    output: &Folder,
    parts: &[Part],
) -> Result<(Option<String>, Option<serde_json::Value>)> {
    let Some(part) = parts.first() else {
        return Ok((None, None));
    };
    let meta = output
        .store()
        .head(&output.path(&part.file))
        .await
        .map_err(|e| Error::Environment {
            message: format!("{}: {e}", output.display_object(&part.file)),
            retryable: true,
        })?;
    let info = read_info(std::sync::Arc::clone(output.store()), meta).await?;
    for field in info.schema.fields() {
        if let Some(geometry) = GeometryType::from_field(field)? {
            let crs = geometry.crs.and_then(|crs| crs.to_projjson_for_writing());
            return Ok((Some(field.name().clone()), crs));
        }
    }
    Ok((None, None))
}

#[cfg(test)]
mod tests {
    use super::is_attempt;

    #[test]
    fn parts_are_known_by_their_names() {
        for (name, is) in [
            ("00003-1a2b3c4d.parquet", true),
            ("00003.1.2-1a2b3c4d.parquet", true),
            ("00003-1a2b3c4d-00001.parquet", true),
            ("0.parquet", false),
            ("00003-extra.parquet", false),
            ("00003-1a2b3c4d.csv", false),
            ("-1a2b3c4d.parquet", false),
        ] {
            assert_eq!(is_attempt(name), is, "{name}");
        }
    }
}

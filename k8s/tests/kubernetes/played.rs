//! A recording, played for a Job that was just created.

use std::path::Path;

use geoflow_k8s::manifest::{format_indexes, parse_indexes};
use serde_json::{Value, json};

/// A change of a Job or a pod.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) version: u64,
    /// `jobs` or `pods`.
    pub(crate) resource: &'static str,
    /// `ADDED`, `MODIFIED`, `DELETED`, or `ERROR`.
    pub(crate) kind: String,
    pub(crate) object: Value,
}

impl Change {
    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// The changes that a recorded Job went through, as if they were those of `created`, numbered from
/// `version` on.
pub(crate) fn changes(recording: &str, created: &Value, version: u64) -> Vec<Change> {
    let mut changes = read(recording, "watch-job.jsonl", "jobs");
    changes.extend(read(recording, "watch-pods.jsonl", "pods"));
    changes.sort_by_key(|change| change.version);
    let count = created["spec"]["completions"].as_u64().unwrap() as u32;
    changes.retain(|change| {
        let index =
            &change.object["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"];
        index
            .as_str()
            .is_none_or(|index| index.parse::<u32>().unwrap() < count)
    });
    for (i, change) in changes.iter_mut().enumerate() {
        change.version = version + i as u64;
        rename(change, recording, created, count);
    }
    changes
}

fn read(recording: &str, file: &str, resource: &'static str) -> Vec<Change> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clusters/v1.35");
    let text = std::fs::read_to_string(folder.join(recording).join(file)).unwrap();
    let mut changes: Vec<Change> = Vec::new();
    for line in text.lines().rev() {
        let event: Value = serde_json::from_str(line).unwrap();
        let object = event["object"].clone();
        // An error has no version: it comes just before what follows it, or last.
        let version = match object["metadata"]["resourceVersion"].as_str() {
            Some(version) => version.parse().unwrap(),
            None => changes.last().map_or(u64::MAX, |next| next.version),
        };
        changes.push(Change {
            version,
            resource,
            kind: event["type"].as_str().unwrap().to_string(),
            object,
        });
    }
    changes.reverse();
    changes
}

fn rename(change: &mut Change, recording: &str, created: &Value, count: u32) {
    let job = created["metadata"]["name"].as_str().unwrap();
    let object = &mut change.object;
    if change.kind == "ERROR" {
        return;
    }
    let recorded = object["metadata"]["name"].as_str().unwrap();
    let name = format!("{job}{}", recorded.strip_prefix(recording).unwrap());
    object["metadata"]["name"] = json!(name);
    object["metadata"]["resourceVersion"] = json!(change.version.to_string());
    for (key, value) in created["metadata"]["labels"].as_object().unwrap() {
        object["metadata"]["labels"][key] = value.clone();
    }
    if change.resource == "pods" {
        object["metadata"]["labels"]["batch.kubernetes.io/job-name"] = json!(job);
        return;
    }
    object["metadata"]["annotations"] = created["metadata"]["annotations"].clone();
    object["spec"]["template"] = created["spec"]["template"].clone();
    object["spec"]["completions"] = json!(count);
    for field in ["completedIndexes", "failedIndexes"] {
        if let Some(text) = object["status"][field].as_str() {
            let mut indexes = parse_indexes(text).unwrap();
            indexes.retain(|index| *index < count);
            object["status"][field] = json!(format_indexes(&indexes));
        }
    }
}

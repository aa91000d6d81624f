//! A strategic merge patch of the Job: what a profile has no key for.
//!
//! Maps merge key by key, `null` takes a key away, lists whose items have a merge key (containers
//! by `name`, mounts by `mountPath`) merge item by item, other lists are replaced. `$patch:
//! delete` and `$patch: replace` do what they do in kubectl.
//!
//! <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

use geoflow_engine::{Error, Result};
use k8s_openapi::api::batch::v1::Job;
use serde_json::{Map, Value};

use super::{CONTAINER, JOB_LABEL};
use crate::profile::strict;

/// Merge keys of the lists in a Job, by the lists' names.
const MERGE_KEYS: [(&str, &str); 12] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("volumes", "name"),
    ("env", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
];
const DIRECTIVE: &str = "$patch";

/// A patch, read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    name: String,
    value: Value,
}

impl Patch {
    /// Reads a patch, JSON or YAML. `name` is the file's, for messages.
    ///
    /// # Errors
    /// What is no mapping.
    pub fn read(text: &str, name: &str) -> Result<Patch> {
        let value: Value = serde_saphyr::from_str(text)
            .map_err(|error| Error::Statement(format!("{name}: {error}")))?;
        Patch::from_value(value, name)
    }

    /// A patch from its value.
    ///
    /// # Errors
    /// What is no mapping.
    pub fn from_value(value: Value, name: &str) -> Result<Patch> {
        if !value.is_object() {
            return Err(Error::Statement(format!(
                "{name}: a patch is a mapping with the parts of a Job that change, such as spec"
            )));
        }
        Ok(Patch {
            name: name.to_string(),
            value,
        })
    }

    /// What was read.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The patched Job.
    ///
    /// # Errors
    /// A key that no Job has; a value of another type; a change of what the runner relies on.
    pub fn apply(&self, job: &Job) -> Result<Job> {
        let wrong = |message: String| Error::Statement(format!("{}: {message}", self.name));
        let mut merged = serde_json::to_value(job)
            .map_err(|error| Error::Internal(format!("a Job that is no JSON: {error}")))?;
        merge(&mut merged, &self.value).map_err(wrong)?;
        let patched: Job = strict(&merged).map_err(|error| wrong(error.to_string()))?;
        match changed_essential(job, &patched) {
            None => Ok(patched),
            Some(what) => Err(wrong(format!(
                "it changes {what}, which geoflow relies on to run the fragments"
            ))),
        }
    }
}

fn merge(target: &mut Value, patch: &Value) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    if directive(patch)? == Some("replace") {
        *target = Value::Object(without_directive(patch));
        return Ok(());
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else {
        return Ok(());
    };
    for (key, value) in patch {
        if key == DIRECTIVE {
            continue;
        }
        let merge_key = MERGE_KEYS
            .iter()
            .find(|(list, _)| list == key)
            .map(|(_, merge_key)| *merge_key);
        match (value, merge_key) {
            (Value::Null, _) => {
                map.remove(key);
            }
            (Value::Array(items), Some(merge_key)) => {
                let list = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(list, items, key, merge_key)?;
            }
            _ if is_deletion(value)? => {
                map.remove(key);
            }
            _ => merge(map.entry(key).or_insert(Value::Null), value)?,
        }
    }
    Ok(())
}

fn merge_list(
    target: &mut Value,
    patch: &[Value],
    list: &str,
    merge_key: &str,
) -> Result<(), String> {
    let mut items = match target.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    // An item that is nothing but the directive means the whole list.
    let replaces = |item: &Value| {
        matches!(item, Value::Object(map) if map.len() == 1)
            && item.get(DIRECTIVE).and_then(Value::as_str) == Some("replace")
    };
    if patch.iter().any(replaces) {
        *target = patch
            .iter()
            .filter(|item| !replaces(item))
            .cloned()
            .collect();
        return Ok(());
    }
    for change in patch {
        let Some(key) = change.get(merge_key) else {
            return Err(format!("an item of {list} needs its {merge_key}"));
        };
        let position = items
            .iter()
            .position(|item| item.get(merge_key) == Some(key));
        match position {
            Some(position) if is_deletion(change)? => {
                items.remove(position);
            }
            None if is_deletion(change)? => {}
            Some(position) => merge(&mut items[position], change)?,
            None => {
                let mut item = Value::Null;
                merge(&mut item, change)?;
                items.push(item);
            }
        }
    }
    *target = Value::Array(items);
    Ok(())
}

fn is_deletion(value: &Value) -> Result<bool, String> {
    match value {
        Value::Object(map) => Ok(directive(map)? == Some("delete")),
        _ => Ok(false),
    }
}

fn directive(map: &Map<String, Value>) -> Result<Option<&str>, String> {
    if let Some(key) = map.keys().find(|key| {
        key.starts_with("$setElementOrder/") || key.starts_with("$deleteFromPrimitiveList/")
    }) {
        return Err(format!(
            "{key} is not understood; use $patch: delete or replace"
        ));
    }
    match map.get(DIRECTIVE).map(Value::as_str) {
        None => Ok(None),
        Some(Some(directive @ ("delete" | "replace" | "merge"))) => Ok(Some(directive)),
        Some(_) => Err("$patch is delete, replace or merge".into()),
    }
}

fn without_directive(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter()
        .filter(|(key, _)| *key != DIRECTIVE)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What of a Job no patch may change.
fn changed_essential(before: &Job, after: &Job) -> Option<&'static str> {
    let (old, new) = (before.spec.as_ref()?, after.spec.as_ref());
    let Some(new) = new else {
        return Some("spec");
    };
    let args = |job: &Job| {
        let spec = job.spec.as_ref()?.template.spec.as_ref()?;
        let container = spec.containers.iter().find(|c| c.name == CONTAINER)?;
        container.args.clone()
    };
    let id = |labels: Option<&std::collections::BTreeMap<String, String>>| {
        labels.and_then(|labels| labels.get(JOB_LABEL)).cloned()
    };
    let pod_labels = |job: &Job| {
        id(job
            .spec
            .as_ref()?
            .template
            .metadata
            .as_ref()?
            .labels
            .as_ref())
    };
    let restart = |job: &Job| {
        job.spec
            .as_ref()?
            .template
            .spec
            .as_ref()?
            .restart_policy
            .clone()
    };
    [
        (before.metadata.name != after.metadata.name, "metadata.name"),
        (
            before.metadata.namespace != after.metadata.namespace,
            "metadata.namespace (give --namespace)",
        ),
        (
            id(before.metadata.labels.as_ref()) != id(after.metadata.labels.as_ref())
                || pod_labels(before) != pod_labels(after),
            "the label geoflow.io/job-id",
        ),
        (
            old.completion_mode != new.completion_mode || old.completions != new.completions,
            "the number of indexes",
        ),
        (restart(before) != restart(after), "restartPolicy"),
        (
            args(before) != args(after),
            "the container \"task\" or its args",
        ),
    ]
    .into_iter()
    .find_map(|(changed, what)| changed.then_some(what))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn job() -> Job {
        let text = include_str!("../../testdata/clusters/v1.35/complete/create.json");
        let mut value: Value = serde_json::from_str(text).unwrap();
        value.as_object_mut().unwrap().remove("status");
        strict(&value).unwrap()
    }

    fn patched(patch: &str) -> Result<Value> {
        let job = Patch::read(patch, "patch.yaml")?.apply(&job())?;
        Ok(serde_json::to_value(job).unwrap()["spec"]["template"]["spec"].clone())
    }

    #[test]
    fn lists_with_a_merge_key_merge_and_others_are_replaced() {
        let pod = patched(
            "spec:
  template:
    spec:
      dnsPolicy: null
      securityContext: {$patch: replace, runAsNonRoot: true}
      tolerations: [{key: gis, operator: Exists}]
      volumes:
      - name: spill
        emptyDir: {sizeLimit: 1Gi, medium: Memory}
      containers:
      - name: task
        command: [/opt/geoflow]
        env: [{name: RUST_LOG, value: debug}]
        resources: {limits: {cpu: null, memory: 64Mi}}
      - name: sidecar
        image: sidecar:1
",
        )
        .unwrap();
        assert_eq!(pod["dnsPolicy"], Value::Null);
        assert_eq!(pod["securityContext"], json!({"runAsNonRoot": true}));
        assert_eq!(pod["volumes"][0]["emptyDir"]["medium"], "Memory");
        let task = &pod["containers"][0];
        assert_eq!(task["image"], "localhost/busybox:1");
        assert_eq!(task["resources"]["limits"], json!({"memory": "64Mi"}));
        assert_eq!(task["resources"]["requests"]["cpu"], "50m");
        assert_eq!(pod["containers"][1]["name"], "sidecar");
    }

    #[test]
    fn directives_delete_and_replace() {
        let pod = patched(
            r#"{"spec": {"template": {"spec": {
                "volumes": [{"$patch": "replace"}, {"name": "other", "emptyDir": {}}],
                "securityContext": {"$patch": "delete"},
                "containers": [{"name": "task", "volumeMounts": [
                    {"mountPath": "/tmp", "$patch": "delete"}, {"mountPath": "/none", "$patch": "delete"}
                ]}]
            }}}}"#,
        )
        .unwrap();
        assert_eq!(pod["volumes"], json!([{"name": "other", "emptyDir": {}}]));
        assert_eq!(pod["securityContext"], Value::Null);
        assert_eq!(pod["containers"][0]["volumeMounts"], json!([]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut answers = String::new();
        for patch in [
            "spec: {template: {spec: {tolerantions: []}}}",
            "spec: {completions: 3}",
            "metadata: {name: other}",
            "spec: {template: {metadata: {labels: null}}}",
            "spec: {template: {spec: {containers: [{name: task, args: [x]}]}}}",
            "spec: {template: {spec: {containers: [{name: task, $patch: delete}]}}}",
            "spec: {template: {spec: {containers: [{image: x}]}}}",
            "spec: {template: {spec: {restartPolicy: OnFailure}}}",
            "spec: {parallelism: many}",
            "spec: null",
            "spec: {$patch: remove}",
            "- a list",
            "{",
        ] {
            let error = patched(patch).unwrap_err();
            answers.push_str(&format!("{patch}\n  {error}\n"));
        }
        insta::assert_snapshot!(answers);
    }
}

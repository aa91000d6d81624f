//! Every recorded Job gets its diagnosis, on both versions of Kubernetes.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::*;
use crate::plan::StageKind;
use crate::task::TaskStatistics;

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/clusters")
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<T: DeserializeOwned>(folder: &Path, file: &str) -> Vec<T> {
    let list: serde_json::Value = read(&folder.join(file));
    serde_json::from_value(list["items"].clone()).unwrap()
}

struct Recorded {
    job: Job,
    pods: Vec<Pod>,
    events: Vec<Event>,
}

fn recorded(version: &str, name: &str) -> Recorded {
    let folder = recordings().join(version).join(name);
    Recorded {
        job: read(&folder.join("job.json")),
        pods: list(&folder, "pods.json"),
        events: list(&folder, "events.json"),
    }
}

fn findings(recorded: &Recorded, attempts: &[AttemptReport]) -> Vec<Finding> {
    diagnose(&Observed {
        job: &recorded.job,
        pods: &recorded.pods,
        events: &recorded.events,
        fragments: &[],
        attempts,
    })
}

/// Without what is another in every run.
fn stable(text: &str, recorded: &Recorded) -> String {
    let mut text = text.to_string();
    let mut pods: Vec<&str> = recorded.pods.iter().map(objects::name).collect();
    let involved = |event: &'_ Event| event.involved_object.name.clone().unwrap_or_default();
    let from_events: Vec<String> = recorded.events.iter().map(involved).collect();
    pods.extend(from_events.iter().map(String::as_str));
    let job = recorded.job.metadata.name.as_deref();
    for pod in pods.into_iter().filter(|pod| Some(*pod) != job) {
        if let Some((stem, suffix)) = pod.rsplit_once('-')
            && suffix.len() == 5
        {
            text = text.replace(pod, &format!("{stem}-#####"));
        }
    }
    text
}

fn attempt(fragment: &str, exit: crate::TaskExit, message: &str, peak: u64) -> AttemptReport {
    AttemptReport {
        job: "trips".into(),
        stage: StageKind::Parts,
        fragment: fragment.into(),
        attempt: "a".into(),
        exit_code: exit.code(),
        message: message.into(),
        statistics: TaskStatistics {
            peak_memory: peak,
            ..TaskStatistics::default()
        },
    }
}

#[test]
fn every_recording_is_diagnosed() {
    let mut names: Vec<String> = std::fs::read_dir(recordings().join("v1.35"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "errors")
        .collect();
    names.sort();
    assert_eq!(names.len(), 23);
    for name in names {
        for version in ["v1.33", "v1.35"] {
            let recorded = recorded(version, &name);
            let text = render(&findings(&recorded, &[]));
            let text = stable(&text, &recorded);
            insta::with_settings!({description => format!("{name} on {version}"), omit_expression => true}, {
                insta::assert_snapshot!(format!("{name}@{version}"), text);
            });
        }
    }
}

#[test]
fn the_cause_is_the_recorded_one() {
    for (name, causes) in [
        ("complete", &[][..]),
        ("pod-security-ok", &[]),
        ("suspend-resume", &[]),
        ("index-failures", &[Cause::BadData, Cause::TaskFailed]),
        ("bad-plan", &[Cause::BadPlan]),
        ("oom", &[Cause::OutOfMemory]),
        ("pending-memory", &[Cause::NoMemory]),
        ("pending-cpu", &[Cause::NoCpu]),
        ("pending-gpu", &[Cause::NoDevice]),
        ("pending-node-selector", &[Cause::NoNode]),
        ("pending-pvc", &[Cause::UnboundClaim]),
        ("missing-pvc", &[Cause::MissingClaim]),
        ("image-pull", &[Cause::ImagePull]),
        ("missing-secret", &[Cause::MissingSecret]),
        ("root-image", &[Cause::RootImage]),
        ("bad-command", &[Cause::BadCommand]),
        ("deadline", &[Cause::Deadline]),
        ("suspended", &[Cause::Suspended]),
        ("cancel-by-suspend", &[Cause::Suspended]),
        ("quota", &[Cause::Quota]),
        ("pod-security-refused", &[Cause::PodSecurity]),
        ("evicted", &[Cause::Evicted]),
        ("spill-full", &[Cause::SpillFull]),
    ] {
        for version in ["v1.33", "v1.35"] {
            let found = findings(&recorded(version, name), &[]);
            let mut found: Vec<Cause> = found.iter().map(|finding| finding.cause).collect();
            found.dedup(); // the same cause, overcome by one fragment and not by another
            assert_eq!(found, causes, "{name} on {version}");
        }
    }
}

/// The end of a Job shows no more than that a pod was stopped; its watch says that it was evicted.
#[test]
fn an_eviction_is_told_while_it_happens() {
    let folder = recordings().join("v1.35/evicted");
    let mut recorded = recorded("v1.35", "evicted");
    let job: Job = {
        let text = std::fs::read_to_string(folder.join("watch-job.jsonl")).unwrap();
        let second: serde_json::Value = serde_json::from_str(text.lines().nth(2).unwrap()).unwrap();
        serde_json::from_value(second["object"].clone()).unwrap()
    };
    let text = std::fs::read_to_string(folder.join("watch-pods.jsonl")).unwrap();
    let evicted = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .rfind(|event| event["type"] == "DELETED")
        .unwrap();
    recorded.job = job;
    recorded.pods = vec![serde_json::from_value(evicted["object"].clone()).unwrap()];
    let found = findings(&recorded, &[]);
    assert_eq!(found[0].cause, Cause::Evicted);
    insta::assert_snapshot!(stable(&render(&found), &recorded));
}

#[test]
fn what_tasks_reported_is_told() {
    use crate::TaskExit::{BadConfiguration, BadData, OutOfMemory};
    let oom = recorded("v1.35", "oom");
    let reported = attempt("2", OutOfMemory, "no memory left", 29 << 20);
    let mut text = stable(&render(&findings(&oom, &[reported])), &oom);
    let mut failed = recorded("v1.35", "index-failures");
    let data = attempt(
        "1",
        BadData,
        "s3://bucket/trips.parquet, column \"geom\", row 17: NaN coordinate",
        0,
    );
    text.push_str(&stable(&render(&findings(&failed, &[data])), &failed));
    let crs = attempt(
        "1",
        BadData,
        "trips.geom is EPSG:4326 and zones.geom is EPSG:3857: use ST_Transform(zones.geom, 'EPSG:4326')",
        0,
    );
    text.push_str(&stable(&render(&findings(&failed, &[crs])), &failed));
    for pod in &mut failed.pods {
        let statuses = pod.status.as_mut().unwrap().container_statuses.as_mut();
        for status in statuses.unwrap() {
            if let Some(ended) = status.state.as_mut().and_then(|s| s.terminated.as_mut())
                && ended.exit_code == 65
            {
                ended.exit_code = i32::from(BadConfiguration.code());
                ended.message = Some(
                    "{\"level\":\"INFO\",\"message\":\"reading\"}\n{\"level\":\"ERROR\",\"message\":\"the credentials \
                     for s3://bucket/trips.parquet were refused\"}\n"
                        .into(),
                );
            }
        }
    }
    text.push_str(&stable(&render(&findings(&failed, &[])), &failed));
    insta::assert_snapshot!(text);
}

//! All manifests are valid, by the schemas of Kubernetes 1.31 to 1.35: those that geoflow makes and
//! those in `deploy/`.
//!
//! `GEOFLOW_KUBERNETES_VALIDATE` names the program `kubernetes-validate`, which `scripts/test`
//! installs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use geoflow_k8s::manifest::{Patch, StageJob, to_yaml};
use geoflow_k8s::profile::{Profile, Settings};

const VERSIONS: [&str; 5] = ["1.31", "1.32", "1.33", "1.34", "1.35"];

fn validate(files: &[PathBuf]) {
    let program = std::env::var_os("GEOFLOW_KUBERNETES_VALIDATE").unwrap_or_else(|| {
        panic!("GEOFLOW_KUBERNETES_VALIDATE is not set: run scripts/test, which installs kubernetes-validate")
    });
    assert!(!files.is_empty());
    for version in VERSIONS {
        let output = Command::new(&program)
            .args(["--strict", "--kubernetes-version", version])
            .args(files)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "Kubernetes {version}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn job(profile: &str, patch: Option<&str>) -> String {
    let settings = Settings::resolve(Profile::from_toml(profile, "geoflow.toml").unwrap()).unwrap();
    let stage = StageJob {
        job: "trips-by-zone".into(),
        stage: 0,
        round: 2,
        plan: "s3://bucket/jobs/trips-by-zone/plan.json".into(),
        fragments: 40,
        args: vec!["task".into()],
        memory: None,
    };
    let patch = patch.map(|patch| Patch::read(patch, "patch.yaml").unwrap());
    to_yaml(&stage.to_job(&settings, patch.as_ref()).unwrap()).unwrap()
}

#[test]
fn the_jobs_that_geoflow_makes() {
    let dir = tempfile::tempdir().unwrap();
    let full = include_str!("../testdata/profile-full.toml");
    let patch = "spec: {template: {spec: {dnsPolicy: Default, containers: [{name: task, env: [{name: A, value: b}]}]}}}";
    let jobs = [
        ("least", job("[kubernetes]\nimage = \"geoflow\"", None)),
        ("full", job(full, None)),
        ("patched", job(full, Some(patch))),
    ];
    let write = |(name, yaml): &(&str, String)| {
        let path = dir.path().join(format!("{name}.yaml"));
        std::fs::write(&path, yaml).unwrap();
        path
    };
    validate(&jobs.iter().map(write).collect::<Vec<_>>());
}

#[test]
fn a_manifest_with_a_slip_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let yaml = job("[kubernetes]\nimage = \"geoflow\"", None);
    let path = dir.path().join("slip.yaml");
    std::fs::write(&path, yaml.replace("completionMode", "completionMood")).unwrap();
    let caught = std::panic::catch_unwind(|| validate(&[path]));
    let said = caught.unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("completionMood"), "{said}");
}

#[test]
fn the_manifests_to_deploy() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(&deploy).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            files.push(file.unwrap().path());
        }
    }
    let (kustomizations, manifests): (Vec<_>, Vec<_>) = files
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .partition(|path| path.ends_with("kustomization.yaml"));
    validate(&manifests);
    // Every file that is listed is there, and every file that is there is listed.
    let mut listed = Vec::new();
    for path in &kustomizations {
        let text = std::fs::read_to_string(path).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        for resource in yaml["resources"].as_array().unwrap() {
            let resource = path.parent().unwrap().join(resource.as_str().unwrap());
            if resource.is_file() {
                listed.push(resource);
            } else {
                assert!(
                    resource.join("kustomization.yaml").is_file(),
                    "{resource:?}"
                );
            }
        }
    }
    listed.sort();
    let mut manifests = manifests;
    manifests.sort();
    assert_eq!(listed, manifests);
}

//! The Job itself.

use geoflow_engine::{Error, Result};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::StageJob;
use super::failure_policy::failure_policy;
use super::labels::{annotations, check_job_name, labels, own_annotations, queue_label};
use super::pod::pod;
use crate::profile::Settings;

/// Above this Kubernetes wants few failures and few pods at once.
const MANY_INDEXES: i32 = 100_000;
/// How few.
const MOST_AMONG_MANY: i32 = 10_000;

pub(super) fn build(stage: &StageJob, settings: &Settings) -> Result<Job> {
    let profile = &settings.profile;
    let name = stage.name();
    check_job_name(&name, stage.fragments)?;
    let completions = match i32::try_from(stage.fragments) {
        Ok(0) => {
            return Err(Error::Internal(format!("Job {name} without fragments")));
        }
        Ok(completions) => completions,
        Err(_) => {
            return Err(Error::Statement(format!(
                "{} fragments are more than one Job can have: plan with fewer fragments",
                stage.fragments
            )));
        }
    };
    let most = if completions > MANY_INDEXES {
        MOST_AMONG_MANY
    } else {
        completions
    };
    let pod_labels = labels(stage, profile)?;
    let pod_annotations = annotations(profile)?;
    let mut job_labels = pod_labels.clone();
    job_labels.extend(queue_label(profile)?);
    let mut job_annotations = pod_annotations.clone();
    job_annotations.extend(own_annotations(stage));
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: profile.namespace.clone(),
            labels: Some(job_labels),
            annotations: Some(job_annotations),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".into()),
            completions: Some(completions),
            parallelism: Some(settings.parallelism.min(most)),
            backoff_limit_per_index: Some(settings.retries),
            max_failed_indexes: Some(profile.max_failed.unwrap_or(most).min(most)),
            pod_failure_policy: Some(failure_policy()),
            // A pod that is still stopping may still write: its replacement waits.
            pod_replacement_policy: Some("Failed".into()),
            active_deadline_seconds: profile.deadline.map(|span| span.seconds),
            // Set once the results are recorded: a Job that vanished could not be told from one
            // that never was.
            ttl_seconds_after_finished: None,
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: (!pod_annotations.is_empty()).then_some(pod_annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(stage, settings)),
            },
            ..JobSpec::default()
        }),
        status: None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::manifest::to_yaml;
    use crate::profile::Profile;

    fn stage(fragments: usize) -> StageJob {
        StageJob {
            job: "trips-by-zone".into(),
            stage: 0,
            round: 0,
            plan: "s3://bucket/jobs/trips-by-zone/plan.json".into(),
            fragments,
            args: vec![
                "task".into(),
                "--plan".into(),
                "s3://bucket/jobs/trips-by-zone/plan.json".into(),
            ],
            memory: None,
        }
    }

    fn settings(toml: &str) -> Settings {
        Settings::resolve(Profile::from_toml(toml, "geoflow.toml").unwrap()).unwrap()
    }

    #[test]
    fn the_least_that_can_be_said() {
        let settings = settings("[kubernetes]\nimage = \"geoflow:0.1.0\"");
        let job = stage(40).to_job(&settings, None).unwrap();
        insta::assert_snapshot!(to_yaml(&job).unwrap());
    }

    #[test]
    fn everything_that_can_be_said() {
        let settings = settings(include_str!("../../testdata/profile-full.toml"));
        let job = StageJob {
            round: 1,
            memory: Some(16 << 30),
            ..stage(3)
        };
        let job = job.to_job(&settings, None).unwrap();
        insta::assert_snapshot!(to_yaml(&job).unwrap());
    }

    #[test]
    fn counts_that_kubernetes_refuses_are_not_sent() {
        let settings = settings("[kubernetes]\nimage = \"a\"\nparallelism = 50000");
        let spec = |n| {
            let job = stage(n).to_job(&settings, None).unwrap();
            job.spec.unwrap()
        };
        let few = spec(4);
        assert_eq!(
            (few.parallelism, few.max_failed_indexes),
            (Some(4), Some(4))
        );
        let many = spec(100_001);
        assert_eq!(
            (many.parallelism, many.max_failed_indexes),
            (Some(10_000), Some(10_000))
        );
        assert!(stage(0).to_job(&settings, None).is_err());
    }
}

//! Labels and annotations by which geoflow finds its Jobs again.

use std::collections::BTreeMap;

use geoflow_engine::{Error, Result};

use super::StageJob;
use crate::profile::Profile;

/// Label with the job's id, on Jobs and pods.
pub const JOB_LABEL: &str = "geoflow.io/job-id";
/// Label with the stage.
pub const STAGE_LABEL: &str = "geoflow.io/stage";
/// Label with the round within the stage.
pub const ROUND_LABEL: &str = "geoflow.io/round";
/// Annotation with the place of the plan.
pub const PLAN_ANNOTATION: &str = "geoflow.io/plan";
/// Selects all Jobs of geoflow.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by=geoflow";

const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";
/// Prefix of what only geoflow sets.
const OWN: &str = "geoflow.io/";

/// Selects the Jobs and pods of one job.
pub fn job_selector(job: &str) -> String {
    format!("{JOB_LABEL}={job}")
}

/// Labels of the Job and of its pods.
pub(super) fn labels(stage: &StageJob, profile: &Profile) -> Result<BTreeMap<String, String>> {
    let mut labels = profile.labels.clone();
    for (key, value) in &labels {
        check_key("labels", key)?;
        check_value(key, value)?;
    }
    let own = [
        ("app.kubernetes.io/name", "geoflow".to_string()),
        ("app.kubernetes.io/managed-by", "geoflow".to_string()),
        ("app.kubernetes.io/component", "task".to_string()),
        (JOB_LABEL, stage.job.clone()),
        (STAGE_LABEL, stage.stage.to_string()),
        (ROUND_LABEL, stage.round.to_string()),
    ];
    labels.extend(own.map(|(key, value)| (key.to_string(), value)));
    Ok(labels)
}

/// The label that only the Job has: with it, Kueue would count each pod once more.
pub(super) fn queue_label(profile: &Profile) -> Result<Option<(String, String)>> {
    let Some(queue) = &profile.queue else {
        return Ok(None);
    };
    check_value("queue", queue)?;
    Ok(Some((QUEUE_LABEL.to_string(), queue.clone())))
}

pub(super) fn annotations(profile: &Profile) -> Result<BTreeMap<String, String>> {
    for key in profile.annotations.keys() {
        check_key("annotations", key)?;
    }
    Ok(profile.annotations.clone())
}

/// Annotations that only the Job has.
pub(super) fn own_annotations(stage: &StageJob) -> [(String, String); 1] {
    [(PLAN_ANNOTATION.to_string(), stage.plan.clone())]
}

/// The name of a Job is also that of its pods' hosts, with the index behind it.
///
/// # Errors
/// What is no DNS label, or is too long.
pub(super) fn check_job_name(name: &str, indexes: usize) -> Result<()> {
    let digits = indexes.saturating_sub(1).to_string().len();
    let most = 63 - 1 - digits;
    let valid = !name.is_empty()
        && name.len() <= most
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if valid {
        return Ok(());
    }
    Err(Error::Statement(format!(
        "\"{name}\" cannot name a Kubernetes Job of {indexes} indexes: a name has at most {most} lower-case letters, \
         digits and hyphens, with none of these at its ends; choose another job id"
    )))
}

fn check_key(table: &str, key: &str) -> Result<()> {
    let wrong = |why: &str| Error::Statement(format!("[kubernetes] {table}: \"{key}\" {why}"));
    if key.starts_with(OWN) || key.starts_with("batch.kubernetes.io/") {
        return Err(wrong("is set by geoflow or by Kubernetes itself"));
    }
    let (prefix, name) = key.split_once('/').unwrap_or(("", key));
    let valid_prefix = prefix.len() <= 253
        && prefix
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
    if !valid_prefix || !is_name(name) || (key.contains('/') && prefix.is_empty()) {
        return Err(wrong("is no key: write name or example.com/name"));
    }
    Ok(())
}

fn check_value(key: &str, value: &str) -> Result<()> {
    if value.is_empty() || is_name(value) {
        return Ok(());
    }
    Err(Error::Statement(format!(
        "[kubernetes] {key}: \"{value}\" is no value of a label: at most 63 letters, digits, '-', '_' and '.', \
         with a letter or digit at both ends"
    )))
}

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_held_to_the_rules_of_kubernetes() {
        check_job_name("trips-s0", 4).unwrap();
        for name in ["", "Trips", "-trips", "trips-", "a_b", &"a".repeat(62)] {
            assert!(check_job_name(name, 4).is_err(), "{name}");
        }
        assert!(check_job_name(&"a".repeat(61), 10).is_ok());
        assert!(check_job_name(&"a".repeat(61), 11).is_err());
        for key in ["", "/a", "Ex.com/a", "a/b/c", "-a", "geoflow.io/job-id"] {
            assert!(check_key("labels", key).is_err(), "{key}");
        }
        check_key("labels", "example.com/cost_centre").unwrap();
        assert!(check_value("team", "a b").is_err());
    }
}

//! Pods that the cluster does not even let be created.

use super::finding::Symptom;
use super::objects::{last_event, message};
use super::{Cause, Observed, Severity};
use crate::cluster::JobState;

pub(super) fn symptoms(observed: &Observed<'_>, state: &JobState) -> Option<Symptom> {
    let name = observed.job.metadata.name.as_deref()?;
    let event = last_event(observed.events, name, &["FailedCreate"])?;
    let said = message(event);
    // Error creating: pods "x-0-abcde" is forbidden: WHY
    let why = said
        .split_once("is forbidden: ")
        .map_or(said.trim_start_matches("Error creating: "), |(_, why)| why);
    let (cause, explanation, remedy) = explain(why);
    // All pods that are wanted may be there by now.
    let past = state.is_finished() || state.suspended || state.active >= state.wanted;
    let severity = match past {
        false => Severity::Waiting,
        true if state.is_failed() || state.suspended => return None,
        true => Severity::Overcome,
    };
    Some(Symptom::new(
        severity,
        cause,
        explanation,
        remedy,
        format!("Job {name}: FailedCreate: {said}"),
    ))
}

fn explain(why: &str) -> (Cause, String, String) {
    let quoted = |text: &str| text.split('"').nth(1).unwrap_or("?").to_string();
    if let Some(quota) = why.strip_prefix("exceeded quota: ") {
        // q, requested: requests.memory=32Mi, used: ..., limited: ...
        let (name, amounts) = quota.split_once(", ").unwrap_or((quota, ""));
        return (
            Cause::Quota,
            format!(
                "the ResourceQuota \"{name}\" of the namespace has no room for another pod ({amounts})"
            ),
            format!(
                "nothing, if slower is good enough: a pod starts when another ends. Else raise the quota \
                 (`kubectl describe quota {name}`), or give tasks less --pod-memory or --cpu"
            ),
        );
    }
    if why.starts_with("failed quota: ") {
        return (
            Cause::Quota,
            format!("a ResourceQuota of the namespace wants every pod to say more: {why}"),
            "name the resource in `resources` of the profile, or use --patch".to_string(),
        );
    }
    if let Some(violated) = why.strip_prefix("violates PodSecurity ") {
        let (level, what) = violated.split_once(": ").unwrap_or((violated, ""));
        return (
            Cause::PodSecurity,
            format!("the namespace enforces the Pod Security level {level}, which the pods do not meet: {what}"),
            "geoflow's own Job meets \"restricted\": take out of the patch or the profile what breaks it \
             (host-network is refused by \"baseline\" too)"
                .to_string(),
        );
    }
    if why.contains("service account") || why.contains("serviceaccount") {
        return (
            Cause::PodsRefused,
            format!("the service account of the tasks does not exist: {why}"),
            "create it (`kubectl create serviceaccount NAME`), or name another with --service-account".to_string(),
        );
    }
    if why.contains("PriorityClass") {
        return (
            Cause::PodsRefused,
            format!("the priority class does not exist: {why}"),
            "see `kubectl get priorityclasses`, and name one of them with --priority-class"
                .to_string(),
        );
    }
    if why.contains("RuntimeClass") {
        return (
            Cause::PodsRefused,
            format!("the runtime class {} does not exist", quoted(why)),
            "see `kubectl get runtimeclasses`, and name one of them with --runtime-class"
                .to_string(),
        );
    }
    if why.contains(" per Container") || why.contains(" per Pod") {
        return (
            Cause::PodsRefused,
            format!("a LimitRange of the namespace does not allow pods of this size: {why}"),
            "give other --pod-memory or --cpu, see `kubectl describe limitrange`".to_string(),
        );
    }
    (
        Cause::PodsRefused,
        format!("the cluster refuses to create pods: {why}"),
        "ask whoever runs the cluster's admission policies".to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_were_not_recorded() {
        for (why, cause, word) in [
            (
                "error looking up service account gis/task: serviceaccount \"task\" not found",
                Cause::PodsRefused,
                "create serviceaccount",
            ),
            (
                "no PriorityClass with name batch was found",
                Cause::PodsRefused,
                "priorityclasses",
            ),
            (
                "pod rejected: RuntimeClass \"gvisor\" not found",
                Cause::PodsRefused,
                "runtimeclasses",
            ),
            (
                "maximum memory usage per Container is 1Gi, but limit is 4Gi",
                Cause::PodsRefused,
                "limitrange",
            ),
            (
                "failed quota: q: must specify limits.ephemeral-storage for: task",
                Cause::Quota,
                "resources",
            ),
            ("admission webhook says no", Cause::PodsRefused, "admission"),
        ] {
            let (found, _, remedy) = explain(why);
            assert_eq!(found, cause, "{why}");
            assert!(remedy.contains(word), "{remedy}");
        }
    }
}

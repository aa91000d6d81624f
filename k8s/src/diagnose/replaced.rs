//! Pods that were taken away and are there no more: only events tell of them.
//!
//! A pod that is evicted through the API, preempted or drained off its node is deleted, and the Job makes another one in its
//! place. What stays is the kubelet's word that it stopped the container.

use k8s_openapi::api::core::v1::Event;

use super::finding::Symptom;
use super::objects::{message, name};
use super::{Cause, Observed, Severity};
use crate::cluster::JobState;

/// The reason of an event: the kubelet stops a container.
pub(crate) const KILLING: &str = "Killing";

/// The reason of an event: the Job itself has deleted a pod.
pub(crate) const POD_DELETED: &str = "SuccessfulDelete";

pub(super) fn symptoms(observed: &Observed<'_>, state: &JobState) -> Vec<Symptom> {
    // Whoever suspends a Job, or lets it fail, stops its pods.
    if state.suspended || state.is_failed() {
        return vec![];
    }
    let job = observed.job.metadata.name.as_deref().unwrap_or_default();
    let with = |reason: &'static str| {
        let events = observed.events.iter();
        events.filter(move |event| event.reason.as_deref() == Some(reason))
    };
    let by_the_job = |pod: &str| with(POD_DELETED).any(|event| message(event).ends_with(pod));
    let mut seen: Vec<&str> = vec![];
    let mut symptoms = vec![];
    for event in with(KILLING) {
        let pod = involved(event);
        let Some(index) = index(job, pod) else {
            continue;
        };
        let is_there = observed.pods.iter().any(|there| name(there) == pod);
        if is_there || seen.contains(&pod) || by_the_job(pod) {
            continue;
        }
        seen.push(pod);
        let severity = match state.completed.contains(&index) {
            true => Severity::Overcome,
            false => Severity::TriedAgain,
        };
        let mut symptom = Symptom::new(
            severity,
            Cause::Evicted,
            "a pod was stopped from outside and is gone: evicted, as draining a node does, preempted or deleted",
            "nothing: it does not count as a failure, and the fragment runs again by itself",
            format!("pod {pod}: {KILLING}: {}", message(event)),
        );
        symptom.fragments.push(observed.fragment(index));
        symptoms.push(symptom);
    }
    symptoms
}

fn involved(event: &Event) -> &str {
    event.involved_object.name.as_deref().unwrap_or_default()
}

/// The index in the name of a pod, `JOB-INDEX-abcde`.
fn index(job: &str, pod: &str) -> Option<u32> {
    let rest = pod.strip_prefix(job)?.strip_prefix('-')?;
    let (index, _) = rest.split_once('-')?;
    index.parse().ok()
}

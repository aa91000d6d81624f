//! What is read of Jobs, pods and events.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, Event, Pod, PodCondition,
};
use k8s_openapi::jiff::Timestamp;

use crate::manifest::CONTAINER;

const INDEX_ANNOTATION: &str = "batch.kubernetes.io/job-completion-index";

pub(crate) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The index of the Job that the pod is for.
pub(crate) fn index(pod: &Pod) -> Option<u32> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(INDEX_ANNOTATION)?.parse().ok()
}

pub(crate) fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status.and_then(|s| s.phase.as_deref()).unwrap_or_default()
}

/// The reason and the message of the pod's end, such as `Evicted`.
pub(crate) fn end(pod: &Pod) -> (&str, &str) {
    let status = pod.status.as_ref();
    let reason = status.and_then(|s| s.reason.as_deref());
    let message = status.and_then(|s| s.message.as_deref());
    (
        reason.unwrap_or_default().trim(),
        message.unwrap_or_default().trim(),
    )
}

pub(crate) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// The status of the container with the task, or of the one that is there.
fn container_status(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let task = statuses.iter().find(|status| status.name == CONTAINER);
    task.or_else(|| statuses.first())
}

pub(crate) fn container_state(pod: &Pod) -> Option<&ContainerState> {
    container_status(pod)?.state.as_ref()
}

/// The container with the task, as it was asked for.
pub(crate) fn container(pod: &Pod) -> Option<&Container> {
    let containers = &pod.spec.as_ref()?.containers;
    let task = containers
        .iter()
        .find(|container| container.name == CONTAINER);
    task.or_else(|| containers.first())
}

/// An amount that the task asked for, such as `8Gi` of memory.
pub(crate) fn requested(pod: &Pod, resource: &str) -> Option<String> {
    let resources = container(pod)?.resources.as_ref()?;
    let of = |map: &Option<std::collections::BTreeMap<String, _>>| {
        map.as_ref().and_then(|map| map.get(resource)).map(
            |quantity: &k8s_openapi::apimachinery::pkg::api::resource::Quantity| quantity.0.clone(),
        )
    };
    of(&resources.requests).or_else(|| of(&resources.limits))
}

/// The memory limit of the task in bytes.
pub(crate) fn memory_limit(pod: &Pod) -> Option<u64> {
    let limits = container(pod)?.resources.as_ref()?.limits.as_ref()?;
    crate::profile::bytes_of(limits.get("memory")?)
}

/// When an event was last seen.
pub(crate) fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|s| s.last_observed_time.as_ref());
    series
        .map(|time| time.0)
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
}

/// The last event with one of these reasons about an object.
pub(crate) fn last_event<'a>(
    events: &'a [Event],
    object: &str,
    reasons: &[&str],
) -> Option<&'a Event> {
    events
        .iter()
        .filter(|event| {
            event.involved_object.name.as_deref() == Some(object)
                && event
                    .reason
                    .as_deref()
                    .is_some_and(|r| reasons.contains(&r))
        })
        .max_by_key(|event| last_seen(event))
}

/// The text of an event, without what counts repetitions.
pub(crate) fn message(event: &Event) -> &str {
    let text = event.message.as_deref().unwrap_or_default().trim();
    text.strip_prefix("(combined from similar events): ")
        .unwrap_or(text)
}

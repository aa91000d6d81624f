//! Why a pod ended without success.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::finding::Symptom;
use super::objects::{condition, container_state, end, index, memory_limit, name, phase};
use super::{Cause, Observed, Severity};
use crate::TaskExit;
use crate::profile::memory_quantity;
use crate::task::CHANGED;

pub(super) fn symptom(observed: &Observed<'_>, pod: &Pod) -> Option<Symptom> {
    // Before the exit code: a pod that was taken away often dies of 137 as well.
    if let Some(symptom) = eviction(pod).or_else(|| disruption(observed, pod)) {
        return Some(symptom);
    }
    let terminated = container_state(pod).and_then(|state| state.terminated.as_ref());
    let Some(terminated) = terminated else {
        let (reason, said) = end(pod);
        return Some(Symptom::new(
            Severity::Failed,
            Cause::Unknown,
            format!("the pod failed before its container ran: {reason} {said}"),
            "it is tried again as often as retries says; see `kubectl describe node`",
            format!("pod {}: {reason}: {said}", name(pod)),
        ));
    };
    Some(exit(observed, pod, terminated))
}

/// Whether a pod died because its memory did not suffice, and of nothing else.
pub(crate) fn died_of_memory(pod: &Pod) -> bool {
    let taken_away = end(pod).0 == "Evicted"
        || condition(pod, "DisruptionTarget").is_some_and(|c| c.status == "True");
    let terminated = container_state(pod).and_then(|state| state.terminated.as_ref());
    phase(pod) == "Failed"
        && !taken_away
        && terminated.is_some_and(|t| {
            t.exit_code == i32::from(TaskExit::OutOfMemory.code())
                || t.reason.as_deref() == Some("OOMKilled")
        })
}

/// Ended by the kubelet, to save its node.
fn eviction(pod: &Pod) -> Option<Symptom> {
    let (reason, said) = end(pod);
    if reason != "Evicted" {
        return None;
    }
    let quoted: Vec<&str> = said.split('"').collect();
    let (cause, explanation, remedy) = if said.contains("EmptyDir") {
        let limit = quoted.get(3).copied().unwrap_or("?");
        (
            Cause::SpillFull,
            format!(
                "a task spilled more than the {limit} of its volume \"{}\"",
                quoted.get(1).copied().unwrap_or("spill")
            ),
            "give more --spill, more --pod-memory (then less is spilled), or plan with more fragments"
                .to_string(),
        )
    } else if let Some((_, resource)) = said.split_once("low on resource: ") {
        let resource = resource.split(['.', ' ']).next().unwrap_or(resource);
        (
            Cause::NodePressure,
            format!("a node ran short of {resource} and stopped the task to save itself"),
            format!(
                "it is tried again by itself; if it happens often, request {resource} for tasks so that the scheduler leaves room"
            ),
        )
    } else {
        (
            Cause::Evicted,
            "the kubelet stopped the task".to_string(),
            "it is tried again by itself".to_string(),
        )
    };
    let evidence = format!("pod {}: Evicted: {said}", name(pod));
    Some(Symptom::new(
        Severity::Failed,
        cause,
        explanation,
        remedy,
        evidence,
    ))
}

/// Taken away by somebody else.
pub(super) fn disruption(_observed: &Observed<'_>, pod: &Pod) -> Option<Symptom> {
    let target = condition(pod, "DisruptionTarget").filter(|c| c.status == "True")?;
    let reason = target.reason.as_deref().unwrap_or_default();
    let said = target.message.as_deref().unwrap_or_default();
    let by_itself =
        "nothing: it does not count as a failure, and the fragment runs again by itself";
    let (cause, explanation, remedy) = match reason {
        "PreemptionByScheduler" => (
            Cause::Preempted,
            "a pod of higher priority took the place of the task",
            "nothing: the fragment runs again by itself; a higher --priority-class would keep its place",
        ),
        "EvictionByEvictionAPI" => (
            Cause::Evicted,
            "the pod was evicted through the API, as draining a node does",
            by_itself,
        ),
        "DeletionByTaintManager" => (
            Cause::Evicted,
            "the node got a taint that tasks do not tolerate: it went out of service",
            by_itself,
        ),
        "DeletionByPodGC" => (
            Cause::Evicted,
            "the node of the pod does not exist any more",
            by_itself,
        ),
        _ => (
            Cause::Evicted,
            "the pod was taken from its node, which shuts down or ran short",
            by_itself,
        ),
    };
    Some(Symptom::new(
        Severity::TriedAgain,
        cause,
        explanation,
        remedy,
        format!("pod {}: {reason}: {said}", name(pod)),
    ))
}

fn exit(observed: &Observed<'_>, pod: &Pod, ended: &ContainerStateTerminated) -> Symptom {
    let code = ended.exit_code;
    let reason = ended.reason.as_deref().unwrap_or_default();
    let fragment = index(pod).map(|index| observed.fragment(index));
    let attempt = fragment
        .as_deref()
        .and_then(|fragment| observed.attempt(fragment, code));
    let last_lines = ended.message.as_deref().unwrap_or_default().trim();
    let said = match attempt {
        Some(attempt) => attempt.message.trim().to_string(),
        None => what_was_said(last_lines),
    };
    let evidence = if said.is_empty() {
        format!("pod {}: {reason}, exit code {code}", name(pod))
    } else {
        format!("pod {}: {reason}, exit code {code}: {said}", name(pod))
    };
    let peak = attempt
        .map(|attempt| attempt.statistics.peak_memory)
        .filter(|peak| *peak > 0)
        .or_else(|| peak_in(last_lines));
    let (cause, explanation, remedy) = explain_exit(code, reason, &said, memory_limit(pod), peak);
    Symptom::new(Severity::Failed, cause, explanation, remedy, evidence)
}

/// What an exit code means, with what the cluster and the task say of it. Memory is in bytes.
pub(super) fn explain_exit(
    code: i32,
    reason: &str,
    said: &str,
    limit: Option<u64>,
    peak: Option<u64>,
) -> (Cause, String, String) {
    let exit = u8::try_from(code).ok().and_then(TaskExit::from_code);
    match exit {
        _ if reason == "OOMKilled" || exit == Some(TaskExit::OutOfMemory) => {
            out_of_memory(limit, peak)
        }
        _ if matches!(reason, "StartError" | "ContainerCannotRun") || matches!(code, 126 | 127) => {
            (
                Cause::BadCommand,
                start_error(said),
                "use geoflow's own image, whose entry point is geoflow, built for the nodes' architecture; a patch \
                 must not set another command"
                    .to_string(),
            )
        }
        Some(TaskExit::BadPlan) => bad_plan(said),
        Some(TaskExit::BadConfiguration) => bad_configuration(said),
        Some(TaskExit::BadData) => bad_data(said),
        Some(TaskExit::TryAgain) if speaks_of_credentials(said) => bad_configuration(said),
        Some(TaskExit::TryAgain) => (
            Cause::TaskFailed,
            or(said, "something outside the task failed for the time being"),
            "it is tried again as often as retries says; then `geoflow job resume`".to_string(),
        ),
        _ if matches!(code, 130 | 143) => (
            Cause::TaskFailed,
            "the task was told to stop (SIGTERM), and did".to_string(),
            "nothing: what it had done does not count, and its fragment runs again".to_string(),
        ),
        _ => (
            Cause::TaskFailed,
            or(said, &format!("the task ended with exit code {code}")),
            "`geoflow job logs` has what it said; `geoflow job resume` tries again what is missing".to_string(),
        ),
    }
}

fn out_of_memory(limit: Option<u64>, peak: Option<u64>) -> (Cause, String, String) {
    let Some(limit) = limit else {
        return (
            Cause::OutOfMemory,
            "a task needed more memory than its node has".to_string(),
            "set --pod-memory, so that tasks know what they may use".to_string(),
        );
    };
    let reported = match peak {
        Some(peak) => format!("; the task reported a peak of {}", memory_quantity(peak).0),
        None => String::new(),
    };
    let next = limit
        .saturating_mul(2)
        .max(peak.unwrap_or(0).saturating_add(peak.unwrap_or(0) / 4));
    (
        Cause::OutOfMemory,
        format!(
            "a task needed more than its memory limit of {}{reported}",
            memory_quantity(limit).0
        ),
        format!(
            "`geoflow job wait` runs these fragments again with more memory, up to memory-cap, and cuts them finer \
             after that; to begin with enough, set --pod-memory {}, or plan with more fragments",
            memory_quantity(next).0
        ),
    )
}

fn start_error(said: &str) -> String {
    if said.contains("exec format error") {
        "the image is for another architecture than the node".to_string()
    } else if let Some((_, rest)) = said.split_once("exec: \"") {
        let command = rest.split('"').next().unwrap_or("?");
        if said.contains("permission denied") {
            format!("\"{command}\" in the image may not be executed")
        } else {
            format!("the command \"{command}\" is not in the image")
        }
    } else {
        format!("the container cannot start: {said}")
    }
}

fn bad_plan(said: &str) -> (Cause, String, String) {
    if speaks_of_crs(said) {
        return crs_mismatch(said);
    }
    (
        Cause::BadPlan,
        or(said, "the task cannot run this plan: it is damaged, or of another version of geoflow"),
        "use the same version of geoflow for --image as for submitting, then submit the job again; \
         `geoflow job logs` has what the task said"
            .to_string(),
    )
}

fn bad_configuration(said: &str) -> (Cause, String, String) {
    if speaks_of_credentials(said) {
        return (
            Cause::BadCredentials,
            said.to_string(),
            "put valid credentials into the Secret named in `secrets`, or give the service account a role that may \
             read the inputs and write the output; then `geoflow job resume`"
                .to_string(),
        );
    }
    (
        Cause::BadConfiguration,
        or(
            said,
            "the environment of the tasks is wrong for all of them",
        ),
        "`geoflow job logs` has what the task said; correct the profile, then `geoflow job resume`"
            .to_string(),
    )
}

fn bad_data(said: &str) -> (Cause, String, String) {
    if speaks_of_crs(said) {
        return crs_mismatch(said);
    }
    if said.contains(CHANGED) {
        return (
            Cause::InputChanged,
            said.to_string(),
            "submit the job again, so that it is planned over the files as they are now; files of a job must stay as \
             they are until it is done"
                .to_string(),
        );
    }
    (
        Cause::BadData,
        or(said, "the data of the fragment are wrong; trying again would change nothing"),
        "mend the data, or set rows aside with SET geoflow.on_invalid = 'skip'; `geoflow job logs` has what the \
         task said"
            .to_string(),
    )
}

fn crs_mismatch(said: &str) -> (Cause, String, String) {
    (
        Cause::CrsMismatch,
        said.to_string(),
        "bring both sides into one coordinate reference system with ST_Transform, as the message says, and submit \
         the job again"
            .to_string(),
    )
}

fn speaks_of_crs(said: &str) -> bool {
    said.contains("ST_Transform") || said.contains("different CRS")
}

fn speaks_of_credentials(said: &str) -> bool {
    [
        "no credentials for",
        "credentials in use may not",
        "were refused",
        "no permission for",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AccessDenied",
        "ExpiredToken",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

fn or(said: &str, otherwise: &str) -> String {
    if said.is_empty() {
        otherwise.to_string()
    } else {
        said.to_string()
    }
}

/// What a task said last: the message of its last JSON line that has one, else its last line.
fn what_was_said(lines: &str) -> String {
    let message = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = ["error", "message"]
            .iter()
            .find_map(|key| value.get(key)?.as_str())?;
        Some(text.to_string())
    };
    let mut lines = lines.lines().rev().map(str::trim).filter(|l| !l.is_empty());
    let Some(last) = lines.next() else {
        return String::new();
    };
    std::iter::once(last)
        .chain(lines)
        .find_map(message)
        .unwrap_or_else(|| last.to_string())
}

/// The peak of memory in the last lines of a task's log, in bytes.
fn peak_in(lines: &str) -> Option<u64> {
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.trim()).ok())
        .filter_map(|value| value.get("peak_memory")?.as_u64())
        .max()
}

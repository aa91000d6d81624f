//! Why a pod does not start.

use k8s_openapi::api::core::v1::Pod;

use super::finding::Symptom;
use super::objects::{condition, container, container_state, last_event, message, name};
use super::{Cause, Observed, Severity, scheduling};

pub(super) fn symptom(observed: &Observed<'_>, pod: &Pod) -> Option<Symptom> {
    if let Some(scheduled) = condition(pod, "PodScheduled")
        && scheduled.status == "False"
    {
        let said = scheduled.message.as_deref().unwrap_or_default();
        return Some(match scheduled.reason.as_deref() {
            Some("SchedulingGated") => Symptom::new(
                Severity::Waiting,
                Cause::Suspended,
                "a scheduling gate holds the pod back, as queueing systems do",
                "see `kubectl describe pod` for the gate's name, and who opens it",
                format!("pod {}: SchedulingGated: {said}", name(pod)),
            ),
            _ => scheduling::symptom(pod, said),
        });
    }
    let waiting = container_state(pod).and_then(|state| state.waiting.as_ref());
    if let Some(waiting) = waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let said = waiting.message.as_deref().unwrap_or_default();
        if let Some((cause, explanation, remedy)) = explain(pod, reason, said) {
            return Some(Symptom::new(
                Severity::Waiting,
                cause,
                explanation,
                remedy,
                format!("pod {}: {reason}: {said}", name(pod)),
            ));
        }
    }
    let event = last_event(
        observed.events,
        name(pod),
        &["FailedMount", "FailedAttachVolume", "FailedMapVolume"],
    )?;
    Some(Symptom::new(
        Severity::Waiting,
        Cause::Volume,
        format!("a volume cannot be mounted: {}", message(event)),
        "see `kubectl describe pvc`; a ReadWriteOnce claim that another node holds must be released first, or use \
         ReadWriteMany",
        format!(
            "pod {}: {}: {}",
            name(pod),
            event.reason.as_deref().unwrap_or_default(),
            message(event)
        ),
    ))
}

fn explain(pod: &Pod, reason: &str, said: &str) -> Option<(Cause, String, String)> {
    let image = container(pod)
        .and_then(|container| container.image.as_deref())
        .unwrap_or("?");
    let quoted = said.split('"').nth(1).unwrap_or("?");
    Some(match reason {
        "ErrImagePull" | "ImagePullBackOff" => pull(image, said),
        "ErrImageNeverPull" => (
            Cause::ImagePull,
            format!("image {image} is not on the node, and image-pull-policy is Never"),
            "load it onto every node (`ctr -n k8s.io images import`, `kind load`), or set image-pull-policy to \
             IfNotPresent"
                .to_string(),
        ),
        "InvalidImageName" => (
            Cause::ImagePull,
            format!("\"{image}\" is no name of an image"),
            "correct --image".to_string(),
        ),
        "CreateContainerConfigError" if said.contains("runAsNonRoot") || said.contains("non-numeric user") => (
            Cause::RootImage,
            format!("image {image} would run as root, which the Job forbids"),
            "use geoflow's own image, or leave `user` in place: the Job sets 65532 unless a patch takes it away"
                .to_string(),
        ),
        "CreateContainerConfigError"
            if said.starts_with("secret ") || said.starts_with("configmap ") =>
        {
            let (kind, create) = if said.starts_with("secret ") {
                ("Secret", format!("kubectl create secret generic {quoted} --from-literal=AWS_ACCESS_KEY_ID=... --from-literal=AWS_SECRET_ACCESS_KEY=..."))
            } else {
                ("ConfigMap", format!("kubectl create configmap {quoted} --from-literal=AWS_ENDPOINT_URL=..."))
            };
            (
                Cause::MissingSecret,
                format!("the {kind} \"{quoted}\" does not exist in this namespace"),
                format!("create it (`{create}`): waiting pods then start by themselves"),
            )
        }
        "CreateContainerConfigError" => (
            Cause::BadConfiguration,
            format!("the container cannot be set up: {said}"),
            "correct the profile or the patch".to_string(),
        ),
        "CreateContainerError" | "RunContainerError" => (
            Cause::BadCommand,
            format!("the container cannot start: {said}"),
            "use an image with geoflow as its entry point, for the nodes' architecture".to_string(),
        ),
        // ContainerCreating, PodInitializing: it takes its time.
        _ => return None,
    })
}

fn pull(image: &str, said: &str) -> (Cause, String, String) {
    let lower = said.to_lowercase();
    let any = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    let (why, remedy) = if any(&[
        "unauthorized",
        "authentication required",
        "denied",
        "403 forbidden",
    ]) {
        (
            "the registry wants credentials, or has no such image",
            "create a Secret (`kubectl create secret docker-registry regcred ...`) and name it in image-pull-secrets",
        )
    } else if any(&["not found", "manifest unknown", "no match for platform"]) {
        (
            "the registry has no such image or tag for this architecture",
            "correct --image, or push the image",
        )
    } else if any(&[
        "connection refused",
        "no such host",
        "i/o timeout",
        "timed out",
        "tls:",
        "x509",
        "network is unreachable",
    ]) {
        (
            "the registry cannot be reached from the node",
            "correct the registry's host in --image, or the nodes' network; without a registry load the image onto \
             the nodes and set image-pull-policy to IfNotPresent",
        )
    } else if any(&["toomanyrequests", "rate limit"]) {
        (
            "the registry limits how often it answers",
            "wait, log in (image-pull-secrets), or use a mirror",
        )
    } else {
        ("the registry did not give it", "correct --image")
    };
    (
        Cause::ImagePull,
        format!("image {image} cannot be pulled: {why}"),
        remedy.to_string(),
    )
}

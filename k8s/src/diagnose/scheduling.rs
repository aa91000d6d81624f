//! Why the scheduler finds no node.
//!
//! Its message counts the nodes by what each lacks:
//! `0/5 nodes are available: 2 Insufficient memory, 3 node(s) had untolerated taint {gpu: true}. preemption: ...`

use k8s_openapi::api::core::v1::Pod;

use super::finding::Symptom;
use super::objects::{name, requested};
use super::{Cause, Severity};

pub(super) fn symptom(pod: &Pod, message: &str) -> Symptom {
    let reasons = reasons(message);
    let nodes = message
        .strip_prefix("0/")
        .and_then(|rest| rest.split_once(' '))
        .map_or("?", |(nodes, _)| nodes);
    let found = reasons.iter().map(|reason| explain(pod, reason, nodes));
    // The reason that something can be done about most directly speaks for all.
    let (cause, explanation, remedy) = found.min_by_key(|(cause, ..)| rank(*cause)).unwrap_or((
        Cause::NoNode,
        "the scheduler finds no node".to_string(),
        "see `kubectl describe pod`".to_string(),
    ));
    let mut explanation = explanation;
    if reasons.len() > 1 {
        explanation.push_str(&format!("; all together: {}", reasons.join(", ")));
    }
    Symptom::new(
        Severity::Waiting,
        cause,
        explanation,
        remedy,
        format!("pod {}: Unschedulable: {message}", name(pod)),
    )
}

fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::MissingClaim | Cause::UnboundClaim => 0,
        Cause::NoDevice => 1,
        Cause::NoMemory => 2,
        Cause::NoCpu => 3,
        _ => 4,
    }
}

/// The reasons by node, without what the scheduler thinks of preemption.
fn reasons(message: &str) -> Vec<String> {
    let rest = message
        .split_once("nodes are available: ")
        .map_or(message, |(_, rest)| rest);
    let end = [". preemption:", ". no new claims", ". not found"]
        .iter()
        .filter_map(|mark| rest.find(mark))
        .min()
        .unwrap_or(rest.len());
    let rest = rest[..end].trim_end_matches('.');
    // A taint may hold commas: `{a: b, c}`.
    let mut reasons = Vec::new();
    let mut depth = 0;
    let mut reason = String::new();
    for c in rest.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                reasons.push(std::mem::take(&mut reason));
                continue;
            }
            _ => {}
        }
        reason.push(c);
    }
    reasons.push(reason);
    reasons
        .into_iter()
        .map(|reason| reason.trim().to_string())
        .filter(|reason| !reason.is_empty())
        .collect()
}

fn explain(pod: &Pod, reason: &str, nodes: &str) -> (Cause, String, String) {
    let asked = |resource: &str| {
        requested(pod, resource)
            .map(|amount| format!("{amount} {resource}"))
            .unwrap_or_else(|| resource.to_string())
    };
    if let Some((_, resource)) = reason.split_once("Insufficient ") {
        let count = reason.split(' ').next().unwrap_or_default();
        let asked = asked(resource);
        let explanation = format!(
            "a task asks for {asked}, and {count} of {nodes} nodes have not that much free"
        );
        return match resource {
            "memory" => (
                Cause::NoMemory,
                explanation,
                "wait for other pods to end, add larger nodes, or give tasks less --pod-memory; more fragments need \
                 less memory each. `kubectl describe nodes` shows what is allocatable"
                    .to_string(),
            ),
            "cpu" => (
                Cause::NoCpu,
                explanation,
                "wait for other pods to end, add nodes, or give tasks less --cpu".to_string(),
            ),
            "ephemeral-storage" => (
                Cause::NoNode,
                explanation,
                "use nodes with larger disks, or less of ephemeral-storage in `resources`".to_string(),
            ),
            "pods" => (
                Cause::NoNode,
                explanation,
                "the nodes are full: wait, or add nodes".to_string(),
            ),
            device => (
                Cause::NoDevice,
                explanation,
                format!(
                    "geoflow runs without {device}: take it out of `resources`, or add nodes that have it (is its device plugin running?)"
                ),
            ),
        };
    }
    if let Some(rest) = reason.strip_prefix("persistentvolumeclaim ") {
        let claim = rest.split('"').nth(1).unwrap_or("?");
        return (
            Cause::MissingClaim,
            format!("the PersistentVolumeClaim \"{claim}\" does not exist in this namespace"),
            format!(
                "create it, or correct its name in `volumes` (`kubectl get pvc` lists those that exist, not \"{claim}\")"
            ),
        );
    }
    if reason.contains("unbound immediate PersistentVolumeClaims") {
        let claims = claims(pod);
        return (
            Cause::UnboundClaim,
            format!("a PersistentVolumeClaim has no volume bound to it yet: {claims}"),
            format!(
                "`kubectl describe pvc` says why: most often its storage class does not exist or its provisioner does not \
                 run (`kubectl get storageclass`); claims of this pod: {claims}"
            ),
        );
    }
    if reason.contains("volume node affinity conflict") {
        return (
            Cause::NoNode,
            format!("the volume of a claim ({}) is in another zone than the nodes that fit", claims(pod)),
            "use nodes in its zone (--node-selector topology.kubernetes.io/zone=...), or a volume that all can reach".to_string(),
        );
    }
    if reason.contains("node affinity/selector") {
        let selector = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_selector.as_ref());
        let selector: Vec<String> = selector
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let wanted = if selector.is_empty() {
            "its affinity".to_string()
        } else {
            format!("its node selector {}", selector.join(","))
        };
        let check = if selector.is_empty() {
            "`kubectl get nodes --show-labels`".to_string()
        } else {
            format!("`kubectl get nodes -l {}`", selector.join(","))
        };
        return (
            Cause::NoNode,
            format!("no node of {nodes} matches {wanted}"),
            format!(
                "{check} shows the nodes: correct node-selector or affinity, or label or add nodes"
            ),
        );
    }
    if reason.contains("taint") {
        let taint = reason
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'))
            .map_or("?", |(taint, _)| taint);
        return (
            Cause::NoNode,
            format!("nodes have the taint {{{taint}}}, which tasks do not tolerate"),
            "add it to `tolerations` if tasks may run there, or use other nodes".to_string(),
        );
    }
    if reason.contains("topology spread") {
        return (
            Cause::NoNode,
            "the topology spread constraints leave no node".to_string(),
            "use whenUnsatisfiable: ScheduleAnyway in topology-spread".to_string(),
        );
    }
    (
        Cause::NoNode,
        format!("the scheduler finds no node: {reason}"),
        "see `kubectl describe pod` and `kubectl get nodes`".to_string(),
    )
}

fn claims(pod: &Pod) -> String {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let claims: Vec<&str> = volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .map(|claim| claim.claim_name.as_str())
        .collect();
    claims.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_reasons_are_told_apart() {
        let message = "0/6 nodes are available: 1 node(s) had untolerated taint {a: b, c}, 2 Insufficient memory, \
                       3 Insufficient cpu. preemption: 0/6 nodes are available: 6 No preemption victims.";
        assert_eq!(
            reasons(message),
            [
                "1 node(s) had untolerated taint {a: b, c}",
                "2 Insufficient memory",
                "3 Insufficient cpu"
            ]
        );
        let symptom = symptom(&Pod::default(), message);
        assert_eq!(symptom.cause, Cause::NoMemory);
        assert!(symptom.explanation.contains("untolerated taint {a: b, c}"));
        assert!(symptom.explanation.contains("2 of 6 nodes"));
    }

    #[test]
    fn nonsense_is_no_panic() {
        for message in ["", "0/", "0/1 nodes are available: ", "}}}{{{,,,"] {
            symptom(&Pod::default(), message);
        }
    }
}

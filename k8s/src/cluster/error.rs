//! What the API server refuses, in words that say what to do.

use geoflow_engine::{Error, Result};

use super::Cluster;

impl Cluster {
    /// Turns the client's error into one of ours; `doing` completes "cannot ...".
    pub(super) fn explain<T>(&self, doing: &str, result: kube::Result<T>) -> Result<T> {
        result.map_err(|error| explain_kube_error(&error, doing, self.namespace(), self.server()))
    }
}

/// An error of the API server or of the way to it.
///
/// `doing` completes "cannot ..."; of a verb that is forbidden, the message has the rule that is
/// missing in the Role.
pub fn explain_kube_error(
    error: &kube::Error,
    doing: &str,
    namespace: &str,
    server: &str,
) -> Error {
    let kube::Error::Api(status) = error else {
        return explain_transport(error, doing, server);
    };
    let environment = |message: String, retryable: bool| Error::Environment {
        message: format!("cannot {doing}: {message}"),
        retryable,
    };
    match status.code {
        401 => environment(
            format!(
                "the API server at {server} does not accept these credentials: log in again and check `kubectl auth whoami`"
            ),
            false,
        ),
        403 => environment(explain_forbidden(&status.message, namespace), false),
        404 if status.message.starts_with("namespaces ") => environment(
            format!(
                "namespace \"{namespace}\" does not exist: create it (`kubectl create namespace {namespace}`) or give --namespace"
            ),
            false,
        ),
        404 => Error::Statement(format!(
            "cannot {doing}: {} in namespace \"{namespace}\": it was never there, or it was deleted after its time to live",
            status.message
        )),
        409 if status.reason == "AlreadyExists" => Error::Statement(format!(
            "cannot {doing}: {}: give another job id, or delete what is there",
            status.message
        )),
        // Admission and validation: the profile or the patch asked for it.
        400 | 422 => Error::Statement(format!("cannot {doing}: {}", fields(status))),
        409 | 410 | 429 | 500..=599 => environment(status.message.clone(), true),
        _ => environment(status.message.clone(), false),
    }
}

/// The fields that are wrong, one a line where there are several.
fn fields(status: &kube::core::Status) -> String {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<String> = causes
        .filter(|cause| !cause.field.is_empty())
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    match causes.len() {
        0 | 1 => status.message.clone(),
        _ => format!("the Job is invalid\n  {}", causes.join("\n  ")),
    }
}

/// `User "U" cannot VERB resource "R" in API group "G" in the namespace "N"`, and what grants it.
fn explain_forbidden(message: &str, namespace: &str) -> String {
    let between = |before: &str, after: &str| {
        let (_, rest) = message.split_once(before)?;
        rest.split_once(after).map(|(found, _)| found.to_string())
    };
    let (Some(user), Some(verb), Some(resource)) = (
        between("User \"", "\""),
        between(" cannot ", " resource "),
        between(" resource \"", "\""),
    ) else {
        // A quota, Pod Security or a webhook: it says itself what it wants.
        return message.to_string();
    };
    let group = between("API group \"", "\"").unwrap_or_default();
    let subject = match user.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={account}"),
        None => format!("--user={user}"),
    };
    let resource_in_group = match group.as_str() {
        "" => resource.clone(),
        group => format!("{resource}.{group}"),
    };
    format!(
        "{user} may not {verb} {resource} in namespace \"{namespace}\". Its Role lacks the rule\n  \
         - apiGroups: [\"{group}\"]\n    resources: [\"{resource}\"]\n    verbs: [\"{verb}\"]\n\
         which deploy/base/role.yaml has; an administrator may also grant it alone:\n  \
         kubectl create role geoflow-{verb} -n {namespace} --verb={verb} --resource={resource_in_group}\n  \
         kubectl create rolebinding geoflow-{verb} -n {namespace} --role=geoflow-{verb} {subject}"
    )
}

fn explain_transport(error: &kube::Error, doing: &str, server: &str) -> Error {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !why.contains(&inner_text) {
            why.push_str(": ");
            why.push_str(&inner_text);
        }
        source = inner.source();
    }
    let (advice, retryable) = match error {
        kube::Error::Auth(_) => (
            "the kubeconfig's way to get credentials fails, try `kubectl get jobs`",
            false,
        ),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => (
            "its answer is none of the Kubernetes API: is the URL right?",
            false,
        ),
        _ => (
            "check that it can be reached from here, `kubectl cluster-info` should answer",
            true,
        ),
    };
    Error::Environment {
        message: format!("cannot {doing} at {server}: {why}; {advice}"),
        retryable,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_real_server_refuses() {
        let mut answers = String::new();
        for name in [
            "forbidden-create",
            "forbidden-list",
            "namespace-missing",
            "not-found",
            "already-exists",
            "invalid-manifest",
        ] {
            for version in ["v1.33", "v1.35"] {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/clusters");
                let text =
                    std::fs::read_to_string(format!("{folder}/{version}/errors/{name}.json"))
                        .unwrap();
                let status: kube::core::Status = serde_json::from_str(&text).unwrap();
                let error = kube::Error::Api(status.boxed());
                let error = explain_kube_error(
                    &error,
                    "create Job trips-s0",
                    "geoflow",
                    "https://10.0.0.1",
                );
                let answer = format!("{name}\n{:?} {error}\n\n", error.kind());
                if !answers.contains(&answer) {
                    answers.push_str(&answer);
                }
            }
        }
        insta::assert_snapshot!(answers);
    }
}

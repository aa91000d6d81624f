//! What concerns a Job as a whole.

use super::finding::Symptom;
use super::{Cause, Observed, Severity};
use crate::cluster::JobState;

pub(super) fn symptoms(observed: &Observed<'_>, state: &JobState) -> Vec<Symptom> {
    let name = observed.job.metadata.name.as_deref().unwrap_or_default();
    let evidence = |reason: &str, message: &str| format!("Job {name}: {reason}: {message}");
    let mut symptoms = Vec::new();
    if let Some(failure) = &state.failure {
        let (cause, explanation, remedy) = match failure.reason.as_str() {
            "DeadlineExceeded" => (
                Cause::Deadline,
                format!(
                    "the Job ran longer than its deadline{}, and its pods were stopped",
                    deadline(observed)
                ),
                "run what is missing with `geoflow job resume`, with a longer --deadline, more --parallelism \
                 or more fragments; what is done is kept"
                    .to_string(),
            ),
            "MaxFailedIndexesExceeded" => (
                Cause::TooManyFailures,
                "more fragments failed than max-failed allows, and the rest was not tried".to_string(),
                "mend what the fragments failed of, then `geoflow job resume`".to_string(),
            ),
            // Each failed fragment says for itself why.
            "FailedIndexes" | "PodFailurePolicy" if !observed.pods.is_empty() => {
                return symptoms;
            }
            reason => (
                Cause::Unknown,
                format!("the Job failed: {reason}"),
                "see `geoflow job logs`; `geoflow job resume` runs what is missing".to_string(),
            ),
        };
        let evidence = evidence(&failure.reason, &failure.message);
        symptoms.push(Symptom::new(
            Severity::Failed,
            cause,
            explanation,
            remedy,
            evidence,
        ));
    } else if state.suspended && !state.is_finished() {
        let labels = observed.job.metadata.labels.as_ref();
        let queue = labels.and_then(|labels| labels.get("kueue.x-k8s.io/queue-name"));
        let (explanation, remedy) = match queue {
            Some(queue) => (
                format!("the Job is suspended: Kueue has not admitted it from the queue \"{queue}\", or it was cancelled"),
                format!(
                    "see `kubectl describe workloads` and the quota of local queue \"{queue}\"; a cancelled job goes on with `geoflow job resume`"
                ),
            ),
            None => (
                "the Job is suspended, as `geoflow job cancel` does: no pods run, and what is done is kept"
                    .to_string(),
                "`geoflow job resume` lets it go on".to_string(),
            ),
        };
        symptoms.push(Symptom::new(
            Severity::Waiting,
            Cause::Suspended,
            explanation,
            remedy,
            evidence("Suspended", "spec.suspend is true"),
        ));
    }
    symptoms
}

fn deadline(observed: &Observed<'_>) -> String {
    let spec = observed.job.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.active_deadline_seconds);
    seconds
        .map(|seconds| format!(" of {}", crate::profile::Span { seconds }))
        .unwrap_or_default()
}

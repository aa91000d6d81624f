//! What went wrong, why, and what to do: from the Job, its pods, the cluster's events and what
//! tasks left behind.
//!
//! ```text
//!  Job, events --> creation, whole --\
//!  pods ---------> ended, waiting ----+--> Symptom, by cause --> Finding
//!  attempts (what tasks reported) ---/
//! ```
//!
//! The same cause in many pods is one finding with many fragments.

mod attempts;
mod creation;
mod ended;
mod finding;
mod inputs;
pub(crate) mod objects;
mod replaced;
mod result;
mod scheduling;
mod waiting;
mod whole;

pub use attempts::diagnose_attempts;
pub use finding::{Cause, Finding, Severity, render};
pub use inputs::diagnose_result;
pub use result::{EmptySide, diagnose_empty};

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};

use crate::cluster::JobState;
use crate::task::AttemptReport;
pub(crate) use ended::died_of_memory;
use finding::Symptom;
pub(crate) use replaced::{KILLING, POD_DELETED};

/// What is known of one Kubernetes Job.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The Job.
    pub job: &'a Job,
    /// Its pods.
    pub pods: &'a [Pod],
    /// Events about it and its pods.
    pub events: &'a [Event],
    /// The fragments' ids, by index; an index beyond them stands for itself.
    pub fragments: &'a [String],
    /// What tasks reported of attempts that failed.
    pub attempts: &'a [AttemptReport],
}

impl Observed<'_> {
    fn fragment(&self, index: u32) -> String {
        let id = self.fragments.get(index as usize);
        id.cloned().unwrap_or_else(|| index.to_string())
    }

    /// What the last failed attempt at a fragment reported.
    fn attempt(&self, fragment: &str, exit_code: i32) -> Option<&AttemptReport> {
        let of_fragment = |attempt: &&AttemptReport| {
            attempt.fragment == fragment && i32::from(attempt.exit_code) == exit_code
        };
        self.attempts
            .iter()
            .filter(of_fragment)
            .max_by(|a, b| a.statistics.finished.cmp(&b.statistics.finished))
    }
}

/// All that is wrong, the worst first; nothing when the Job is done, or goes on well.
pub fn diagnose(observed: &Observed<'_>) -> Vec<Finding> {
    let state = JobState::of(observed.job);
    let mut symptoms = whole::symptoms(observed, &state);
    symptoms.extend(creation::symptoms(observed, &state));
    symptoms.extend(replaced::symptoms(observed, &state));
    for pod in observed.pods {
        let symptom = match objects::phase(pod) {
            "Failed" => ended::symptom(observed, pod),
            // A pod of a suspended or finished Job waits for nothing any more.
            "Pending" if !state.is_finished() => waiting::symptom(observed, pod),
            "Running" => ended::disruption(observed, pod),
            _ => None,
        };
        let Some(mut symptom) = symptom else { continue };
        if let Some(index) = objects::index(pod) {
            symptom.fragments.push(observed.fragment(index));
            symptom.severity = severity(&state, index, symptom.severity);
        }
        symptoms.push(symptom);
    }
    gather(symptoms)
}

/// A failure that the cluster has dealt with is told, but is no failure any more.
fn severity(state: &JobState, index: u32, found: Severity) -> Severity {
    if found != Severity::Failed {
        return found;
    }
    if state.completed.contains(&index) {
        return Severity::Overcome;
    }
    if state.failed.contains(&index) || state.is_failed() {
        return Severity::Failed;
    }
    Severity::TriedAgain
}

/// One finding for each cause, with all its fragments and a few of the pods it was seen in.
fn gather(symptoms: Vec<Symptom>) -> Vec<Finding> {
    const EVIDENCE: usize = 3;
    let mut found: BTreeMap<(Severity, Cause, String), Finding> = BTreeMap::new();
    for symptom in symptoms {
        let key = (symptom.severity, symptom.cause, symptom.explanation.clone());
        let finding = found.entry(key).or_insert_with(|| Finding {
            severity: symptom.severity,
            cause: symptom.cause,
            fragments: Vec::new(),
            explanation: symptom.explanation,
            remedy: symptom.remedy,
            evidence: Vec::new(),
            more_evidence: 0,
        });
        for fragment in symptom.fragments {
            if !finding.fragments.contains(&fragment) {
                finding.fragments.push(fragment);
            }
        }
        if finding.evidence.len() < EVIDENCE {
            finding.evidence.push(symptom.evidence);
        } else {
            finding.more_evidence += 1;
        }
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests;

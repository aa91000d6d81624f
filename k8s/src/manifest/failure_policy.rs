//! What Kubernetes does with a pod that failed.

use k8s_openapi::api::batch::v1::{
    PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};

use super::CONTAINER;
use crate::TaskExit;

/// The first rule that fits decides; what fits none counts against the index's retries.
///
/// A pod that was taken away (evicted, preempted, its node drained) comes first: a full spill
/// volume kills with 137 as well, and is no fault of the fragment's size in memory.
pub(super) fn failure_policy() -> PodFailurePolicy {
    let taken_away = PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: "True".into(),
        }]),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy {
        rules: vec![
            taken_away,
            // No task of this plan and this environment can succeed.
            on_exit("FailJob", &[TaskExit::BadPlan, TaskExit::BadConfiguration]),
            // This fragment cannot, others may.
            on_exit("FailIndex", &[TaskExit::BadData]),
        ],
    }
}

fn on_exit(action: &str, exits: &[TaskExit]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.into(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(CONTAINER.into()),
            operator: "In".into(),
            values: exits.iter().map(|exit| i32::from(exit.code())).collect(),
        }),
        ..PodFailurePolicyRule::default()
    }
}

//! What to do about a Job that has failed.

use geoflow_engine::Error;
use k8s_openapi::api::batch::v1::Job;

use crate::cluster::JobState;
use crate::manifest::CONTAINER;
use crate::profile::bytes_of;

/// What comes after a failed Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FollowUp {
    /// What is missing runs again, each task with this much memory, in bytes.
    MoreMemory(u64),
    /// There is no more memory: what is missing is cut finer.
    Finer,
    /// Memory is not what it failed of, or not alone.
    Nothing,
}

/// Decides. `of_memory` says whether the fragment of a failed index died of memory.
pub(super) fn follow_up(
    job: &Job,
    cap: u64,
    default_memory: u64,
    of_memory: impl Fn(u32) -> bool,
) -> FollowUp {
    let state = JobState::of(job);
    let indexes_failed = state.failure.as_ref().is_some_and(|failure| {
        matches!(
            failure.reason.as_str(),
            "FailedIndexes" | "MaxFailedIndexesExceeded"
        )
    });
    if !indexes_failed || state.failed.is_empty() || !state.failed.iter().all(|i| of_memory(*i)) {
        return FollowUp::Nothing;
    }
    let memory = memory_of(job).unwrap_or(default_memory);
    if memory >= cap {
        FollowUp::Finer
    } else {
        FollowUp::MoreMemory(memory.saturating_mul(2).min(cap))
    }
}

/// The memory limit of the tasks of a Job, in bytes.
pub(super) fn memory_of(job: &Job) -> Option<u64> {
    let pod = job.spec.as_ref()?.template.spec.as_ref()?;
    let container = pod.containers.iter().find(|c| c.name == CONTAINER)?;
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    bytes_of(limits.get("memory")?)
}

/// The round of a Job within its stage.
pub(super) fn round_of(job: &Job) -> u32 {
    label(job, crate::manifest::ROUND_LABEL).unwrap_or(0)
}

/// The stage of a Job.
pub(super) fn stage_of(job: &Job) -> Option<usize> {
    label(job, crate::manifest::STAGE_LABEL)
}

fn label<T: std::str::FromStr>(job: &Job, key: &str) -> Option<T> {
    job.metadata.labels.as_ref()?.get(key)?.parse().ok()
}

/// A Job whose tasks all ended well and left no manifest.
pub(super) fn without_manifest(job: &str, fragments: &[String]) -> Error {
    Error::Environment {
        message: format!(
            "Job {job} is complete, but fragments {} have no manifest: does the image hold another version of geoflow, \
             or were objects deleted? `geoflow job resume` runs them again",
            fragments.join(", ")
        ),
        retryable: false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn oom() -> Job {
        let text = include_str!("../../testdata/clusters/v1.35/oom/job.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn memory_doubles_up_to_the_cap_and_then_fragments_shrink() {
        let job = oom(); // 32 MiB
        let next = |cap: u64| follow_up(&job, cap << 20, 0, |index| index == 2);
        assert_eq!(next(1024), FollowUp::MoreMemory(64 << 20));
        assert_eq!(next(48), FollowUp::MoreMemory(48 << 20));
        assert_eq!(next(32), FollowUp::Finer);
    }

    #[test]
    fn another_failure_beside_it_is_not_run_again() {
        assert_eq!(follow_up(&oom(), 1 << 40, 0, |_| false), FollowUp::Nothing);
        for name in ["deadline", "bad-plan", "index-failures"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/clusters/v1.35");
            let text = std::fs::read_to_string(format!("{folder}/{name}/job.json")).unwrap();
            let job = serde_json::from_str(&text).unwrap();
            assert_eq!(
                follow_up(&job, 1 << 40, 0, |index| index == 2),
                FollowUp::Nothing,
                "{name}"
            );
        }
    }
}

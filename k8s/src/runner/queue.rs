//! The tasks that still have to run.

use std::collections::{HashMap, VecDeque};

use geoflow_engine::{Error, Result};

use crate::job::{Job, JobFolder};
use crate::plan::{Fragment, sha256_hex};
use crate::storage::Created;

/// A task that is to run.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) fragment: Fragment,
    /// The plan that has it, as a URL, and its SHA-256.
    pub(super) plan: String,
    pub(super) sha256: String,
    /// Its index in that plan.
    pub(super) index: usize,
    /// What a process has that runs nothing but it.
    pub(super) share: Share,
    /// How often it has failed.
    pub(super) failures: usize,
    /// Whether it needs a process that has run no other.
    pub(super) alone: bool,
}

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) threads: usize,
    /// Bytes of memory; `None` without a limit.
    pub(super) memory: Option<u64>,
    /// How many tasks it runs at once.
    pub(super) at_once: usize,
}

impl Share {
    /// The threads of each of its tasks. Several have more than their part: what one leaves idle, at its beginning and
    /// its end, the others use.
    pub(super) fn threads_of_task(self) -> usize {
        let part = self.threads * 2 / self.at_once.max(1);
        part.clamp(1, self.threads.max(1))
    }
}

/// The tasks for these fragments of a stage. Those that the plan does not have, because they were cut
/// from others since, get a plan of their own.
///
/// # Errors
/// [`Error::Environment`] when that plan cannot be written.
pub(super) async fn pending(
    job: &Job,
    stage: usize,
    fragments: Vec<Fragment>,
    share: Share,
) -> Result<VecDeque<Pending>> {
    let task = |fragment, index, plan: &str, sha256: &str| Pending {
        fragment,
        plan: plan.to_owned(),
        sha256: sha256.to_owned(),
        index,
        share,
        failures: 0,
        alone: false,
    };
    let planned = job.plan.stages.get(stage);
    let planned = planned
        .map(|stage| stage.fragments.as_slice())
        .unwrap_or_default();
    let index: HashMap<&str, usize> = planned
        .iter()
        .enumerate()
        .map(|(index, fragment)| (fragment.id.as_str(), index))
        .collect();
    let (own, finer): (Vec<Fragment>, Vec<Fragment>) = fragments
        .into_iter()
        .partition(|fragment| index.contains_key(fragment.id.as_str()));
    let folder = job.folder.folder();
    let plan = folder.object_url(&JobFolder::plan_name(None));
    let mut tasks: VecDeque<Pending> = own
        .into_iter()
        .map(|fragment| {
            let index = index.get(fragment.id.as_str()).copied().unwrap_or(0);
            task(fragment, index, &plan, &job.record.plan_sha256)
        })
        .collect();
    if !finer.is_empty() {
        let (plan, sha256) = follow_up(job, stage, &finer).await?;
        let finer = finer.into_iter().enumerate();
        tasks.extend(finer.map(|(index, fragment)| task(fragment, index, &plan, &sha256)));
    }
    Ok(tasks)
}

/// Writes a plan of nothing but these fragments, which the plan of the job does not have or which are to run
/// again by themselves. Its URL and its SHA-256.
///
/// # Errors
/// [`Error::Environment`] when it cannot be written.
pub async fn follow_up(
    job: &Job,
    stage: usize,
    fragments: &[Fragment],
) -> Result<(String, String)> {
    let plan = job.plan.follow_up(stage, fragments.to_vec());
    let text = plan.to_json().map_err(|e| Error::Internal(e.to_string()))?;
    let sha256 = sha256_hex(text.as_bytes());
    let folder = job.folder.folder();
    for n in folder.folder("plans").list().await?.len().. {
        let name = JobFolder::plan_name(Some(n));
        if folder.create(&name, text.clone()).await? == Created::Ours {
            return Ok((folder.object_url(&name), sha256));
        }
    }
    Err(Error::Internal("no number is left for a plan".into()))
}

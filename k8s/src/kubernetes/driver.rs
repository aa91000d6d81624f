//! Brings a job to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use geoflow_engine::{Error, Result};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::follow_up::{FollowUp, follow_up, memory_of, round_of, stage_of, without_manifest};
use super::progress::{Counted, is_of, progress};
use super::{Launch, Progress, Tally};
use crate::PLAN_VERSION;
use crate::cluster::{Cluster, Created, JobState, Watch};
use crate::diagnose::{Finding, Observed, Severity, diagnose, died_of_memory, objects};
use crate::job::JobFolder;
use crate::manifest::{PLAN_ANNOTATION, StageJob, job_selector};
use crate::plan::{Fragment, Plan, sha256_hex};
use crate::profile::memory_quantity;
use crate::storage::Created as CreatedObject;
use crate::task::{AttemptReport, Outcome, TaskManifest};

/// Without news the manifests are looked at this often.
const LOOK: Duration = Duration::from_secs(5);
/// How often events are read while pods are pending.
const EVENTS: Duration = Duration::from_secs(15);
/// After a Job is complete, its last manifests may take so long to be listed.
const LATE_MANIFESTS: usize = 3;

/// What the driver says on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// How far the stage is; often.
    Progress(Progress),
    /// Something happened that a person should know; once.
    Note(String),
}

/// How a run of the driver ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Every fragment has its manifest: the job can be committed.
    Done,
    /// A Job is suspended, and nobody but a person lets it go on.
    Suspended(String),
    /// A Job failed, and running it again by itself would not help.
    Failed(Vec<Finding>),
}

/// The pieces of a fragment, to come; `None` if it cannot be cut.
pub type Cutting = BoxFuture<'static, Result<Option<Vec<Fragment>>>>;

/// Cuts a fragment of a plan into several.
pub type Split = dyn Fn(&Plan, &Fragment) -> Cutting + Send + Sync;

/// Brings a job to its end, or as far as it gets by itself.
pub struct Driver<'a> {
    /// Where it runs.
    pub cluster: &'a Cluster,
    /// Its record.
    pub folder: &'a JobFolder,
    /// Its plan, `plan.json`.
    pub plan: &'a Plan,
    /// The SHA-256 of `plan.json`.
    pub plan_sha256: &'a str,
    /// How its Jobs are made.
    pub launch: &'a Launch,
    /// How fragments are cut finer that have all the memory there is.
    pub split: Option<Arc<Split>>,
}

impl std::fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("job", &self.plan.job)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Driver<'_> {
    /// Creates the first Job, if there is none. Returns its name.
    ///
    /// # Errors
    /// As [`Driver::run`].
    pub async fn start(&self) -> Result<String> {
        let mut tally = Tally::default();
        tally.refresh(self.folder).await?;
        let jobs = self.cluster.jobs(&job_selector(&self.plan.job)).await?;
        let stage = self.first_open_stage(&tally).unwrap_or(0);
        let there = latest(jobs.iter(), stage).and_then(|job| job.metadata.name.clone());
        if let Some(name) = there {
            return Ok(name);
        }
        let missing = self.missing(&tally, stage);
        let job = self.create(stage, 0, missing, None).await?;
        Ok(job.metadata.name.unwrap_or_default())
    }

    /// Lets suspended Jobs go on, and runs again what is missing of a stage whose Job has ended.
    /// [`Driver::run`] does the rest.
    ///
    /// # Errors
    /// As [`Driver::run`].
    pub async fn resume(&self, report: &mut (dyn FnMut(Report) + Send)) -> Result<()> {
        let jobs = self.cluster.jobs(&job_selector(&self.plan.job)).await?;
        for job in &jobs {
            let state = JobState::of(job);
            if state.suspended && !state.is_finished() {
                let name = job.metadata.name.clone().unwrap_or_default();
                self.cluster.suspend(&name, false).await?;
                report(Report::Note(format!("Job {name} goes on")));
            }
        }
        let mut tally = Tally::default();
        tally.refresh(self.folder).await?;
        let Some(stage) = self.first_open_stage(&tally) else {
            return Ok(());
        };
        let Some(job) = latest(jobs.iter(), stage) else {
            return Ok(()); // never begun, or long deleted: `run` creates it
        };
        if !JobState::of(job).is_finished() {
            return Ok(());
        }
        let missing = self.missing(&tally, stage);
        let count = missing.len();
        let created = self
            .create(stage, round_of(job) + 1, missing, memory_of(job))
            .await?;
        let name = created.metadata.name.unwrap_or_default();
        report(Report::Note(format!(
            "Job {name} runs what is missing: {count} of {} fragments",
            tally.leaves(&self.plan.stages[stage]).len()
        )));
        Ok(())
    }

    /// Runs all stages that are not done yet, and waits for them.
    ///
    /// # Errors
    /// When the cluster refuses, or the cluster or object storage cannot be reached for long; all that
    /// was done stays done.
    pub async fn run(&self, report: &mut (dyn FnMut(Report) + Send)) -> Result<Ended> {
        let mut watch = Watch::start(self.cluster, &self.plan.job).await?;
        let mut tally = Tally::default();
        for stage in 0..self.plan.stages.len() {
            if let Some(ended) = self.stage(stage, &mut watch, &mut tally, report).await? {
                return Ok(ended);
            }
        }
        Ok(Ended::Done)
    }

    /// `None` when the stage is done.
    async fn stage(
        &self,
        stage: usize,
        watch: &mut Watch,
        tally: &mut Tally,
        report: &mut (dyn FnMut(Report) + Send),
    ) -> Result<Option<Ended>> {
        let mut events = Events::default();
        let mut late = 0;
        loop {
            tally.refresh(self.folder).await?;
            let missing = self.missing(tally, stage);
            let Some(job) = latest(watch.jobs().values(), stage).cloned() else {
                if missing.is_empty() {
                    return Ok(None);
                }
                let created = self.create(stage, 0, missing, None).await?;
                watch.remember(created);
                continue;
            };
            report(Report::Progress(
                self.progress(stage, &job, watch.pods(), tally, &mut events)
                    .await?,
            ));
            if missing.is_empty() {
                return Ok(None);
            }
            let state = JobState::of(&job);
            if state.is_failed() {
                match self
                    .after_failure(stage, &job, watch.pods(), missing, report)
                    .await?
                {
                    Ok(created) => watch.remember(created),
                    Err(findings) => return Ok(Some(Ended::Failed(findings))),
                }
                continue;
            }
            if state.complete {
                late += 1;
                if late > LATE_MANIFESTS {
                    let ids: Vec<String> = missing.into_iter().map(|f| f.id).collect();
                    let name = job.metadata.name.as_deref().unwrap_or_default();
                    return Err(without_manifest(name, &ids));
                }
            } else if state.suspended && self.launch.settings.profile.queue.is_none() {
                let name = job.metadata.name.clone().unwrap_or_default();
                return Ok(Some(Ended::Suspended(name)));
            }
            // Changes come in bursts; each is worth a look at the manifests only together.
            if let Ok(changed) = tokio::time::timeout(LOOK, watch.changed()).await {
                changed?;
                while let Ok(more) = tokio::time::timeout(Duration::ZERO, watch.changed()).await {
                    more?;
                }
            }
        }
    }

    fn first_open_stage(&self, tally: &Tally) -> Option<usize> {
        (0..self.plan.stages.len()).find(|stage| !self.missing(tally, *stage).is_empty())
    }

    fn missing(&self, tally: &Tally, stage: usize) -> Vec<Fragment> {
        let Some(stage) = self.plan.stages.get(stage) else {
            return Vec::new();
        };
        let mut leaves = tally.leaves(stage);
        leaves.retain(|fragment| !tally.is_done(stage.kind, &fragment.id));
        leaves
    }

    async fn progress(
        &self,
        stage: usize,
        job: &Job,
        pods: &BTreeMap<String, Pod>,
        tally: &Tally,
        events: &mut Events,
    ) -> Result<Progress> {
        let leaves = tally.leaves(&self.plan.stages[stage]);
        let mut progress = progress(&Counted {
            index: stage,
            stages: self.plan.stages.len(),
            stage: &self.plan.stages[stage],
            leaves: &leaves,
            tally,
            job,
            pods,
            now: Timestamp::now(),
        });
        if progress.pending > 0 && progress.running < self.launch.settings.parallelism as usize {
            let name = job.metadata.name.as_deref().unwrap_or_default();
            events.refresh(self.cluster, name).await;
            let pods = pods_of(pods, name);
            let fragments = fragments_of(self.folder, self.plan, job)
                .await
                .unwrap_or_default();
            let mut findings = diagnose(&Observed {
                job,
                pods: &pods,
                events: &events.seen,
                fragments: &fragments,
                attempts: &[],
            });
            findings.retain(|finding| finding.severity == Severity::Waiting);
            progress.waiting = findings;
        }
        Ok(progress)
    }

    /// The Job that follows a failed one, or why there is none.
    async fn after_failure(
        &self,
        stage: usize,
        job: &Job,
        pods: &BTreeMap<String, Pod>,
        missing: Vec<Fragment>,
        report: &mut (dyn FnMut(Report) + Send),
    ) -> Result<std::result::Result<Job, Vec<Finding>>> {
        let name = job.metadata.name.clone().unwrap_or_default();
        let pods = pods_of(pods, &name);
        let fragments = fragments_of(self.folder, self.plan, job).await?;
        let attempts = self.folder.attempts().await?;
        let settings = &self.launch.settings;
        let next = follow_up(job, settings.memory_cap, settings.memory, |index| {
            let of_index = |pod: &&Pod| objects::index(pod) == Some(index);
            let id = fragments.get(index as usize);
            let reported = |attempt: &&AttemptReport| {
                Some(&attempt.fragment) == id
                    && attempt.exit_code == crate::TaskExit::OutOfMemory.code()
            };
            let mut of_this = pods.iter().filter(of_index).peekable();
            match of_this.peek() {
                Some(_) => of_this.any(died_of_memory),
                None => attempts.iter().any(|attempt| reported(&attempt)),
            }
        });
        let ids = |fragments: &[Fragment]| {
            let ids: Vec<&str> = fragments.iter().map(|f| f.id.as_str()).collect();
            let what = if ids.len() == 1 {
                "fragment"
            } else {
                "fragments"
            };
            format!("{what} {}", ids.join(", "))
        };
        let had = memory_quantity(memory_of(job).unwrap_or(settings.memory)).0;
        let failed = ids(&missing);
        let (fragments_next, memory) = match next {
            FollowUp::MoreMemory(memory) => {
                report(Report::Note(format!(
                    "{failed} ran out of memory with {had}: running again with {}",
                    memory_quantity(memory).0
                )));
                (Some(missing), Some(memory))
            }
            FollowUp::Finer => {
                let pieces = self.cut(stage, &missing).await?;
                if let Some(pieces) = &pieces {
                    report(Report::Note(format!(
                        "{failed} ran out of memory with {had}, the most there is: running again as {}",
                        ids(pieces)
                    )));
                }
                (pieces, memory_of(job))
            }
            FollowUp::Nothing => (None, None),
        };
        let Some(fragments_next) = fragments_next else {
            let warnings = self.cluster.warnings(&name).await.unwrap_or_default();
            return Ok(Err(diagnose(&Observed {
                job,
                pods: &pods,
                events: &warnings,
                fragments: &fragments,
                attempts: &attempts,
            })));
        };
        let created = self
            .create(stage, round_of(job) + 1, fragments_next, memory)
            .await?;
        Ok(Ok(created))
    }

    /// Cuts fragments finer, in the record as well: from then on the pieces count in their place.
    /// `None` when one of them cannot be cut.
    async fn cut(&self, stage: usize, fragments: &[Fragment]) -> Result<Option<Vec<Fragment>>> {
        let Some(split) = &self.split else {
            return Ok(None);
        };
        let mut cut = Vec::with_capacity(fragments.len());
        for fragment in fragments {
            let Some(pieces) = split(self.plan, fragment).await? else {
                return Ok(None);
            };
            cut.push(pieces);
        }
        for (fragment, pieces) in fragments.iter().zip(cut) {
            self.record_split(stage, fragment, pieces).await?;
        }
        // Another driver may have cut them otherwise, or a late task may be done after all.
        let mut tally = Tally::default();
        tally.refresh(self.folder).await?;
        Ok(Some(self.missing(&tally, stage)))
    }

    async fn record_split(
        &self,
        stage: usize,
        fragment: &Fragment,
        pieces: Vec<Fragment>,
    ) -> Result<()> {
        let Some(kind) = self.plan.stages.get(stage).map(|stage| stage.kind) else {
            return Ok(());
        };
        let manifest = TaskManifest {
            version: PLAN_VERSION,
            job: self.plan.job.clone(),
            stage: kind,
            fragment: fragment.id.clone(),
            attempt: format!("{}-split", fragment.id),
            outcome: Outcome::Split(pieces),
            statistics: None,
            warnings: Vec::new(),
        };
        let json =
            serde_json::to_vec(&manifest).map_err(|error| Error::Internal(error.to_string()))?;
        let name = JobFolder::manifest_name(kind, &fragment.id);
        self.folder.folder().create(&name, json).await.map(drop)
    }

    /// Creates the Job of a round. The first one of a whole stage runs `plan.json` itself, others a
    /// plan with nothing but their fragments.
    async fn create(
        &self,
        stage: usize,
        round: u32,
        fragments: Vec<Fragment>,
        memory: Option<u64>,
    ) -> Result<Job> {
        let whole = self
            .plan
            .stages
            .get(stage)
            .is_some_and(|s| s.fragments == fragments);
        let count = fragments.len();
        let (name, sha256) = if whole {
            (JobFolder::plan_name(None), self.plan_sha256.to_string())
        } else {
            self.write_plan(stage, round, fragments).await?
        };
        let mut job = stage_job(
            self.plan,
            stage,
            count,
            &self.folder.folder().object_url(&name),
            &sha256,
        )
        .in_round(round, memory)
        .to_job(&self.launch.settings, self.launch.patch.as_ref())?;
        job.metadata.namespace = Some(self.cluster.namespace().to_string());
        match self.cluster.create_job(&job).await? {
            Created::New(job) | Created::Already(job) => Ok(job),
        }
    }

    /// Two drivers that follow up the same Job choose the same name; the first to write it decides
    /// what is in it, and the other one creates its Job over that.
    async fn write_plan(
        &self,
        stage: usize,
        round: u32,
        fragments: Vec<Fragment>,
    ) -> Result<(String, String)> {
        const ROUNDS_OF_A_STAGE: usize = 1000;
        let number = stage * ROUNDS_OF_A_STAGE + round as usize;
        let name = JobFolder::plan_name(Some(number));
        let json = self
            .plan
            .follow_up(stage, fragments)
            .to_json()
            .map_err(|error| Error::Internal(error.to_string()))?;
        let sha256 = match self.folder.folder().create(&name, json.clone()).await? {
            CreatedObject::Ours => sha256_hex(json.as_bytes()),
            CreatedObject::Theirs(there) => sha256_hex(&there),
        };
        Ok((name, sha256))
    }
}

/// The ids of the fragments of a Job, by index.
pub(super) async fn fragments_of(
    folder: &JobFolder,
    plan: &Plan,
    job: &Job,
) -> Result<Vec<String>> {
    let annotations = job.metadata.annotations.as_ref();
    let url = annotations.and_then(|annotations| annotations.get(PLAN_ANNOTATION));
    let stage = stage_of(job).unwrap_or(0);
    let ids = |plan: &Plan| -> Vec<String> {
        let fragments = plan
            .stages
            .get(stage)
            .into_iter()
            .flat_map(|s| &s.fragments);
        fragments.map(|fragment| fragment.id.clone()).collect()
    };
    let name = url.and_then(|url| url.strip_prefix(folder.folder().url().as_str()));
    match name {
        Some(name) if name != JobFolder::plan_name(None) => {
            let bytes = folder.folder().get(name).await?.unwrap_or_default();
            let plan = Plan::from_json(&String::from_utf8_lossy(&bytes))
                .map_err(|error| Error::Data(format!("{name}: {error}")))?;
            Ok(ids(&plan))
        }
        _ => Ok(ids(plan)),
    }
}

/// The first Job of a plan, as it would be created.
///
/// # Errors
/// As [`StageJob::to_job`].
pub fn first_job(
    plan: &Plan,
    plan_sha256: &str,
    folder: &JobFolder,
    launch: &Launch,
) -> Result<Job> {
    let count = plan.stages.first().map_or(0, |stage| stage.fragments.len());
    let url = folder.folder().object_url(&JobFolder::plan_name(None));
    stage_job(plan, 0, count, &url, plan_sha256).to_job(&launch.settings, launch.patch.as_ref())
}

fn stage_job(plan: &Plan, stage: usize, fragments: usize, url: &str, sha256: &str) -> StageJob {
    StageJob {
        job: plan.job.clone(),
        stage,
        round: 0,
        plan: url.to_string(),
        fragments,
        args: task_args(url, sha256, stage),
        memory: None,
    }
}

/// What a task is started with. Its index comes from the Job.
fn task_args(plan: &str, sha256: &str, stage: usize) -> Vec<String> {
    [
        "task",
        "--plan",
        plan,
        "--sha256",
        sha256,
        "--stage",
        &stage.to_string(),
    ]
    .map(str::to_string)
    .into()
}

/// The Job of a stage's last round.
pub(super) fn latest<'j>(jobs: impl Iterator<Item = &'j Job>, stage: usize) -> Option<&'j Job> {
    jobs.filter(|job| stage_of(job) == Some(stage))
        .max_by_key(|job| round_of(job))
}

fn pods_of(pods: &BTreeMap<String, Pod>, job: &str) -> Vec<Pod> {
    pods.values()
        .filter(|pod| is_of(pod, job))
        .cloned()
        .collect()
}

/// Warnings, read now and then; without the right to read them there are none.
#[derive(Default)]
struct Events {
    seen: Vec<Event>,
    read: Option<Instant>,
}

impl Events {
    async fn refresh(&mut self, cluster: &Cluster, job: &str) {
        if self.read.is_some_and(|read| read.elapsed() < EVENTS) {
            return;
        }
        self.read = Some(Instant::now());
        match cluster.warnings(job).await {
            Ok(events) => self.seen = events,
            Err(error) => tracing::debug!(%error, "no events"),
        }
    }
}

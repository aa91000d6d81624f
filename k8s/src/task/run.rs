//! The life of a task.
//!
//! ```text
//!  plan ── checked ──> fragment ── done already? ──yes──────────────────────────────> done
//!                         |
//!        inputs unchanged? planned again, over its slices
//!                         |
//!              part-<fragment>-<attempt>...           names that no other attempt uses
//!                         |
//!              manifest, if there is none ──taken by another──> own part deleted ──> done
//! ```

use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use geoflow_engine::Error;
use geoflow_engine::join::SharedBuilds;
use geoflow_sql::Session;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::failure::TaskFailure;
use super::inputs::{check_files, files_read};
use super::limits::{forget_peak, process_memory};
use super::manifest::{AttemptReport, Outcome, Part, TaskManifest, TaskStatistics};
use super::metrics;
use super::share::share_builds;
use super::states::insert_states;
use super::write::NewFiles;
use crate::TaskExit;
use crate::job::JobFolder;
use crate::plan::{Fragment, PLAN_VERSION, Plan, StageKind};
use crate::planner::{at, cut_like, replan};
use crate::session::prepare;
use crate::storage::{Created, Folder};

/// What a task is asked to do.
#[derive(Debug, Clone)]
pub struct TaskRequest {
    /// The plan: a URL or a path that ends with `plan.json` or `plans/<n>.json` in the job's folder.
    pub plan: String,
    /// The SHA-256 that the plan must have, if it is known.
    pub sha256: Option<String>,
    /// Which stage.
    pub stage: usize,
    /// Which fragment of the stage.
    pub index: usize,
    /// How many threads it runs.
    pub threads: usize,
    /// Bytes of memory it was given, for the record.
    pub memory_limit: Option<u64>,
}

/// A task, as far as it has come; shared with those who watch it.
#[derive(Debug, Clone, Default)]
pub struct TaskState(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    folder: Option<JobFolder>,
    job: String,
    stage: Option<StageKind>,
    fragment: String,
    attempt: String,
    statistics: TaskStatistics,
    running: Option<Arc<dyn ExecutionPlan>>,
    written: Option<super::store::RecordingStore>,
    all_read: Arc<Notify>,
}

/// The same text for every fragment, so that it is said once; how many there were is in the statistics.
const SET_ASIDE: &str = "invalid geometries were set aside, as geoflow.on_invalid says: the manifests of the job count them";

/// How far a task is.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TaskProgress {
    /// Its fragment.
    pub fragment: String,
    /// Its attempt.
    pub attempt: String,
    /// Rows that came out of the plan.
    pub rows: u64,
    /// Rows that scans have yielded.
    pub rows_read: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Memory of the process, in bytes.
    pub memory: u64,
}

impl TaskState {
    /// How far it is.
    pub fn progress(&self) -> TaskProgress {
        let inner = self.0.lock();
        let plan = inner.running.as_ref();
        TaskProgress {
            fragment: inner.fragment.clone(),
            attempt: inner.attempt.clone(),
            rows: plan.map_or(0, metrics::rows_out),
            rows_read: plan.map_or(0, metrics::rows_read),
            bytes: inner.written.as_ref().map_or(0, |store| store.bytes()),
            memory: process_memory(None).map_or(0, |(now, _)| now),
        }
    }

    /// Resolves once when the task has read and computed all of its rows, so that what is left is to write them.
    pub async fn all_read(&self) {
        let all_read = Arc::clone(&self.0.lock().all_read);
        all_read.notified().await;
    }

    /// Leaves a report of a task that fails, for those who look for the cause. It may not succeed.
    pub async fn report(&self, failure: &TaskFailure) {
        let (folder, report) = {
            let inner = self.0.lock();
            let (Some(folder), Some(stage)) = (&inner.folder, inner.stage) else {
                return;
            };
            let mut statistics = inner.statistics.clone();
            if let Some(plan) = &inner.running {
                metrics::add(plan, &mut statistics);
            }
            finish(&mut statistics);
            let report = AttemptReport {
                job: inner.job.clone(),
                stage,
                fragment: inner.fragment.clone(),
                attempt: inner.attempt.clone(),
                exit_code: failure.exit.code(),
                message: failure.message.clone(),
                statistics,
            };
            (folder.clone(), report)
        };
        let name = JobFolder::attempt_name(report.stage, &report.fragment, &report.attempt);
        if let Ok(json) = serde_json::to_vec(&report)
            && let Err(error) = folder.folder().put(&name, json).await
        {
            tracing::warn!("{error}");
        }
    }
}

fn finish(statistics: &mut TaskStatistics) {
    statistics.finished = Utc::now().to_rfc3339();
    statistics.peak_memory = process_memory(None).map_or(0, |(_, peak)| peak);
}

/// A name that no other attempt has.
pub(crate) fn attempt_id() -> String {
    use std::hash::{BuildHasher, Hasher};

    // The keys of the standard library's hash maps are random.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(std::time::UNIX_EPOCH.elapsed().map_or(0, |t| t.as_nanos()));
    hasher.write_u32(std::process::id());
    format!("{:08x}", hasher.finish() >> 32)
}

/// Runs a task to its end: the manifest of its fragment is there, its own or that of another attempt.
///
/// A session with [`shared_builds`](geoflow_sql::SessionBuilder::shared_builds) lets tasks of one plan that run in one process,
/// at once or after another, read what is the same for all of them once.
///
/// # Errors
/// [`TaskFailure`] with the code to exit with. Nothing that it wrote counts then.
pub async fn run(
    request: &TaskRequest,
    session: &Session,
    state: &TaskState,
) -> Result<TaskManifest, TaskFailure> {
    let started = Instant::now();
    forget_peak();
    let registry = &session.context().runtime_env().object_store_registry;
    let (job_folder, plan_name) = locate_plan(registry.as_ref(), &request.plan)?;
    let plan = read_plan(&job_folder, &plan_name, request.sha256.as_deref()).await?;
    let fragment = plan.fragment(request.stage, request.index)?;
    let kind = plan.stages.get(request.stage).map(|stage| stage.kind);
    let kind = kind.unwrap_or(StageKind::Parts);
    let task = Task {
        plan: &plan,
        fragment,
        kind,
        attempt: attempt_id(),
        job: JobFolder::new(job_folder),
        sha256: request.sha256.as_deref(),
        state,
    };
    {
        let mut inner = state.0.lock();
        inner.folder = Some(task.job.clone());
        inner.job = plan.job.clone();
        inner.stage = Some(kind);
        inner.fragment = fragment.id.clone();
        inner.attempt = task.attempt.clone();
        inner.statistics = TaskStatistics {
            started: Utc::now().to_rfc3339(),
            memory_limit: request.memory_limit,
            threads: request.threads,
            host: host(),
            ..Default::default()
        };
    }
    if let Some(done) = task.manifest().await? {
        return Ok(done);
    }
    task.check_cancelled().await?;
    task.run(session, started).await
}

/// The machine, or the pod.
pub(crate) fn host() -> String {
    let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(file);
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

struct Task<'a> {
    plan: &'a Plan,
    fragment: &'a Fragment,
    kind: StageKind,
    attempt: String,
    job: JobFolder,
    /// What names the plan, if it was checked.
    sha256: Option<&'a str>,
    state: &'a TaskState,
}

impl Task<'_> {
    fn manifest_name(&self) -> String {
        JobFolder::manifest_name(self.kind, &self.fragment.id)
    }

    /// The manifest of the fragment, if an attempt has written it.
    async fn manifest(&self) -> Result<Option<TaskManifest>, TaskFailure> {
        let Some(bytes) = self.job.folder().get(&self.manifest_name()).await? else {
            return Ok(None);
        };
        self.parse(&bytes).map(Some)
    }

    fn parse(&self, bytes: &[u8]) -> Result<TaskManifest, TaskFailure> {
        serde_json::from_slice(bytes).map_err(|e| {
            let name = self.job.folder().display_object(&self.manifest_name());
            TaskFailure::new(
                TaskExit::BadPlan,
                format!("{name} cannot be understood: {e}"),
            )
        })
    }

    async fn check_cancelled(&self) -> Result<(), TaskFailure> {
        match self.job.folder().get("cancelled.json").await? {
            None => Ok(()),
            Some(_) => Err(TaskFailure::new(
                TaskExit::BadConfiguration,
                format!("the job {} was cancelled", self.plan.job),
            )),
        }
    }

    async fn run(&self, session: &Session, started: Instant) -> Result<TaskManifest, TaskFailure> {
        let context = prepare(session);
        let slices = &self.fragment.slices;
        let physical = replan(&context, self.plan, slices)
            .await
            .map_err(bad_plan)?;
        let physical = self.own_part(&physical).await?;
        let physical = self.shared(&context.state(), physical)?;
        let read = files_read(self.plan, slices, &physical);
        check_files(&context.runtime_env(), read).await?;
        {
            let mut inner = self.state.0.lock();
            inner.statistics.planning_seconds = started.elapsed().as_secs_f64();
            inner.running = Some(Arc::clone(&physical));
        }

        let began = Instant::now();
        let files = self.new_files(session)?;
        self.state.0.lock().written = Some(files.store());
        let written = self.write(&files, &context.state(), &physical).await;
        let mut parts = match written {
            Ok(parts) => parts,
            Err(failure) => {
                files.give_up().await;
                return Err(failure);
            }
        };
        if parts.iter().all(|part| part.rows == 0) && !self.is_first() {
            files.give_up().await;
            parts.clear();
        }
        let statistics = {
            let mut inner = self.state.0.lock();
            inner.statistics.running_seconds = began.elapsed().as_secs_f64();
            metrics::add(&physical, &mut inner.statistics);
            let (read, all) = metrics::planned_row_groups(self.plan, self.fragment, &physical);
            let pruned = inner.statistics.row_groups_skipped.min(read);
            inner.statistics.row_groups_read = read - pruned;
            inner.statistics.row_groups_skipped = all - read + pruned;
            finish(&mut inner.statistics);
            inner.statistics.clone()
        };
        let mut warnings = session.take_notices();
        if statistics.invalid_geometries > 0 {
            warnings.push(SET_ASIDE.into());
        }
        self.record(&files, parts, statistics, warnings).await
    }

    /// What this task runs of the whole plan.
    async fn own_part(
        &self,
        physical: &Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn ExecutionPlan>, TaskFailure> {
        if self.kind == StageKind::Parts {
            return Ok(Arc::clone(physical));
        }
        let set = self.plan.cut.iter().copied().collect();
        let split = cut_like(physical, &set).ok_or_else(|| {
            TaskFailure::new(
                TaskExit::BadPlan,
                "the statement is planned differently here: use the same image for the driver and its tasks",
            )
        })?;
        match self.kind {
            StageKind::Final => {
                let states = self.states().await?;
                Ok(insert_states(physical, &split, self.job.folder(), &states)?)
            }
            _ => at(physical, &split.partial)
                .cloned()
                .ok_or_else(|| Error::Internal("a cut that leads nowhere".into()).into()),
        }
    }

    /// The same plan, with what it has in common with other fragments that this process runs.
    fn shared(
        &self,
        state: &SessionState,
        physical: Arc<dyn ExecutionPlan>,
    ) -> Result<Arc<dyn ExecutionPlan>, TaskFailure> {
        let builds = state.config().get_extension::<SharedBuilds>();
        let stage = self.plan.stages.iter().find(|s| s.kind == self.kind);
        let (Some(builds), Some(sha256), Some(stage)) = (builds, self.sha256, stage) else {
            return Ok(physical);
        };
        let slices = &self.fragment.slices;
        share_builds(physical, (self.plan, sha256), stage, slices, &builds).map_err(bad_plan)
    }

    /// What the fragments of the stage before have left.
    async fn states(&self) -> Result<Vec<Part>, TaskFailure> {
        let manifests = self.job.manifests().await?;
        let stage = self
            .plan
            .stages
            .iter()
            .find(|stage| stage.kind == StageKind::States);
        let fragments = stage
            .map(|stage| stage.fragments.as_slice())
            .unwrap_or_default();
        let settled = crate::commit::settle(StageKind::States, fragments, &manifests);
        if let Some(missing) = settled.missing.first() {
            return Err(TaskFailure::new(
                TaskExit::TryAgain,
                format!(
                    "the last stage waits for {} fragments, fragment {} among them",
                    settled.missing.len(),
                    missing.id
                ),
            ));
        }
        Ok(settled.parts().into_iter().cloned().collect())
    }

    fn new_files(&self, session: &Session) -> Result<NewFiles, TaskFailure> {
        let id = &self.fragment.id;
        let all_read = Arc::clone(&self.state.0.lock().all_read);
        if self.kind == StageKind::States {
            let name = format!("states/{id}-{}", self.attempt);
            let folder = self.job.folder().clone();
            return Ok(NewFiles::new(folder, name, "arrow", all_read));
        }
        let registry = &session.context().runtime_env().object_store_registry;
        let output = Folder::open(registry.as_ref(), &self.plan.sink.output)?;
        let name = part_name(self.plan, id, &self.attempt);
        Ok(NewFiles::new(output, name, "parquet", all_read))
    }

    async fn write(
        &self,
        files: &NewFiles,
        state: &SessionState,
        physical: &Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<Part>, TaskFailure> {
        let physical = Arc::clone(physical);
        let written = match self.kind {
            StageKind::States => files.write_state(state, physical).await,
            _ => files.write_parquet(state, physical, &self.plan.sink).await,
        };
        Ok(written?)
    }

    /// The first fragment writes a part even without rows, so that the output has its columns.
    fn is_first(&self) -> bool {
        self.kind != StageKind::States && self.fragment.id.bytes().all(|b| b == b'0' || b == b'.')
    }

    /// Settles which attempt counts.
    async fn record(
        &self,
        files: &NewFiles,
        parts: Vec<Part>,
        statistics: TaskStatistics,
        warnings: Vec<String>,
    ) -> Result<TaskManifest, TaskFailure> {
        let manifest = TaskManifest {
            version: PLAN_VERSION,
            job: self.plan.job.clone(),
            stage: self.kind,
            fragment: self.fragment.id.clone(),
            attempt: self.attempt.clone(),
            outcome: Outcome::Written(parts),
            statistics: Some(statistics),
            warnings,
        };
        let json = serde_json::to_vec(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
        if let Err(cancelled) = self.check_cancelled().await {
            files.give_up().await;
            return Err(cancelled);
        }
        match self.job.folder().create(&self.manifest_name(), json).await {
            Ok(Created::Ours) => Ok(manifest),
            Ok(Created::Theirs(there)) => {
                files.give_up().await;
                self.parse(&there)
            }
            // It may be there all the same: then the part counts and must stay. Who commits deletes it if
            // it does not count.
            Err(error) => Err(error.into()),
        }
    }
}

/// The name of a part without its extension; of several, what their names begin with.
pub(crate) fn part_name(plan: &Plan, fragment: &str, attempt: &str) -> String {
    let number = match fragment.split_once('.') {
        Some((number, rest)) => format!("{number:0>5}.{rest}"),
        None => format!("{fragment:0>5}"),
    };
    match plan.sink.append {
        true => format!("{}-part-{number}-{attempt}", plan.job),
        false => format!("part-{number}-{attempt}"),
    }
}

/// What is wrong with a statement is wrong in every task.
fn bad_plan(error: datafusion::error::DataFusionError) -> TaskFailure {
    let failure = TaskFailure::from(error);
    match failure.exit {
        TaskExit::BadData => TaskFailure::new(TaskExit::BadPlan, failure.message),
        _ => failure,
    }
}

/// The job's folder and the name of the plan in it.
fn locate_plan(
    registry: &dyn datafusion::execution::object_store::ObjectStoreRegistry,
    plan: &str,
) -> Result<(Folder, String), TaskFailure> {
    let bad = || {
        TaskFailure::new(
            TaskExit::BadPlan,
            format!("--plan \"{plan}\" is no plan: it ends with plan.json, in the folder of a job"),
        )
    };
    let (folder, name) = plan.rsplit_once('/').unwrap_or((".", plan));
    let (folder, name) = match folder.rsplit_once('/') {
        Some((job, "plans")) => (job, format!("plans/{name}")),
        _ if folder == "plans" => (".", format!("plans/{name}")),
        _ => (folder, name.to_owned()),
    };
    if !name.ends_with(".json") {
        return Err(bad());
    }
    let folder = Folder::open(registry, folder).map_err(|error| match error {
        Error::Statement(message) => TaskFailure::new(TaskExit::BadPlan, message),
        other => other.into(),
    })?;
    Ok((folder, name))
}

async fn read_plan(folder: &Folder, name: &str, sha256: Option<&str>) -> Result<Plan, TaskFailure> {
    let shown = folder.display_object(name);
    let bytes = folder
        .get(name)
        .await?
        .ok_or_else(|| TaskFailure::new(TaskExit::BadPlan, format!("{shown} does not exist")))?;
    let text = String::from_utf8_lossy(&bytes);
    let plan = match sha256 {
        Some(sha256) => Plan::from_json_checked(&text, sha256),
        None => Plan::from_json(&text),
    };
    plan.map_err(|e| TaskFailure::new(TaskExit::BadPlan, format!("{shown}: {e}")))
}

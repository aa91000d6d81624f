//! Tasks as processes on this machine.
//!
//! ```text
//!  stage ── settled by its manifests ──> missing fragments ──> queue
//!                                                                |
//!        worker processes, so many tasks at once  <──────────────┤
//!             |                                                  |
//!             ├─ 0          manifest is there                    |
//!             ├─ 75, killed try again, up to a number of times ──┤
//!             ├─ 137        more memory up to a cap, else cut finer
//!             └─ 64 65 78   the job has failed; it can be resumed
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use geoflow_engine::{Error, Result};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;

use super::finer::{cut_finer, record_split};
use super::heartbeat::{beat, is_cancelled};
use super::queue::{Pending, Share, pending};
pub use super::worker::WorkerOptions;
use super::worker::{self, Worker, WorkerEnd, WorkerExit, WorkerNews, WorkerNewsKind};
use crate::TaskExit;
use crate::commit::{Success, commit, settle};
use crate::job::{Job, JobFolder, RunningTask};
use crate::plan::{Fragment, StageKind};
use crate::task::{AttemptReport, TaskStatistics, host};

/// How the tasks are run.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// How many fragments at once.
    pub workers: usize,
    /// How each is started.
    pub worker: WorkerOptions,
    /// Threads of all together.
    pub threads: usize,
    /// Memory of all together, in bytes; `None` without a limit.
    pub memory: Option<u64>,
    /// The most memory that one may get that needed more, in bytes.
    pub memory_cap: Option<u64>,
    /// How often a task is started again that failed for no fault of its own.
    pub retries: usize,
}

/// What happens, for those who watch.
#[derive(Debug, Clone)]
pub enum Event {
    /// A stage begins, or goes on, with so many fragments, of which some are done.
    Stage {
        /// What it writes.
        kind: StageKind,
        /// Its fragments.
        fragments: usize,
        /// Those that are done.
        done: usize,
    },
    /// A fragment is done.
    Done {
        /// Its rows.
        rows: u64,
    },
    /// How far the tasks that run are.
    Progress {
        /// How many there are.
        running: usize,
        /// Rows that they have read so far.
        rows_read: u64,
    },
    /// A fragment was cut into so many.
    Finer {
        /// The fragment.
        fragment: String,
        /// How many.
        into: usize,
    },
    /// Something a person should know.
    Note(String),
}

/// When nothing else happens, the driver shows that it lives.
const BEAT: Duration = Duration::from_secs(2);

/// What a signal tells of a process that was killed.
const KILLED: i32 = 9;

/// A process that was killed with this share of its memory in use was probably killed for it.
const NEARLY_ALL: f64 = 0.8;

/// Runs what is missing of a job, and commits it.
///
/// # Errors
/// [`Error::Data`] when a fragment cannot succeed, [`Error::Environment`] when something else failed too
/// often, or the job was cancelled. What is done stays done: the job can be resumed.
pub async fn run(
    job: &Job,
    runtime: &RuntimeEnv,
    options: &LocalOptions,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Success> {
    let output = job.output(runtime.object_store_registry.as_ref())?;
    let mut driver = Driver {
        job,
        runtime,
        options,
        running: BTreeMap::new(),
        processes: vec![],
        together: None,
        warned: BTreeSet::new(),
        retries: 0,
    };
    let result = async {
        job.claim(runtime.object_store_registry.as_ref()).await?;
        for stage in 0..job.plan.stages.len() {
            driver.stage(stage, events).await?;
        }
        commit(&job.folder, &job.plan, &output).await
    };
    let result = result.await;
    driver.running.clear();
    let ending = driver.processes.iter().map(|process| process.close());
    futures::future::join_all(ending).await;
    let failure = result.as_ref().err().map(ToString::to_string);
    if let Err(error) = driver.beat(failure).await {
        tracing::warn!("{error}");
    }
    result
}

struct Driver<'a> {
    job: &'a Job,
    runtime: &'a RuntimeEnv,
    options: &'a LocalOptions,
    /// The tasks that run, by fragment.
    running: BTreeMap<String, Running>,
    processes: Vec<Arc<Worker>>,
    /// What a process has that runs all tasks together, so that it reads once what they have in common. `None` when each
    /// is to have a process of its own: where they have nothing in common, and as soon as one was killed or ran out of
    /// memory, since it shows then which of them it was, and takes no other with it.
    together: Option<Share>,
    /// What tasks have warned of.
    warned: BTreeSet<String>,
    retries: u64,
}

/// How far a task has come.
struct Running {
    stage: StageKind,
    attempt: String,
    rows: u64,
    rows_read: u64,
    /// Whether it has read its rows, and writes.
    all_read: bool,
}

impl Driver<'_> {
    async fn beat(&self, failure: Option<String>) -> Result<()> {
        let running = self.running.iter().map(|(fragment, task)| RunningTask {
            stage: task.stage,
            fragment: fragment.clone(),
            attempt: task.attempt.clone(),
            rows: task.rows,
        });
        beat(&self.job.folder, running.collect(), self.retries, failure).await
    }

    async fn stage(&mut self, stage: usize, events: &mut (dyn FnMut(Event) + Send)) -> Result<()> {
        let Some(planned) = self.job.plan.stages.get(stage) else {
            return Ok(());
        };
        let kind = planned.kind;
        // Once more if a task has ended well and its manifest is not there: nothing is taken on trust.
        for round in 0.. {
            let manifests = self.job.folder.manifests().await?;
            let settled = settle(kind, &planned.fragments, &manifests);
            let done = settled.done.len();
            events(Event::Stage {
                kind,
                fragments: done + settled.missing.len(),
                done,
            });
            if settled.missing.is_empty() {
                break;
            }
            if round > self.options.retries {
                return Err(Error::Environment {
                    message: format!(
                        "{} fragments have ended well but left no manifest: does the storage of {} keep what is written to it?",
                        settled.missing.len(),
                        self.job.folder.folder().display()
                    ),
                    retryable: false,
                });
            }
            let share = self.shares(&settled.missing);
            let queue = pending(self.job, stage, settled.missing, share).await?;
            self.drain(stage, kind, queue, events).await?;
        }
        Ok(())
    }

    /// Shares out threads and memory among the tasks of fragments: no more of them run at once than there are. What a
    /// process has that runs one of them.
    fn shares(&mut self, fragments: &[Fragment]) -> Share {
        let at_once = fragments.len().clamp(1, self.options.workers.max(1));
        let all = Share {
            threads: self.options.threads.max(1),
            memory: self.options.memory,
            at_once,
        };
        self.together = (at_once > 1 && self.job.plan.repeats(fragments)).then_some(all);
        Share {
            threads: (all.threads / at_once).max(1),
            memory: all.memory.map(|memory| memory / at_once as u64),
            at_once: 1,
        }
    }

    /// A process for a task; `None` when another has to come to its end first.
    async fn place(&mut self, task: &Pending) -> Result<Option<Arc<Worker>>> {
        self.processes.retain(|process| !process.has_ended());
        let share = match self.together {
            Some(all) if !task.alone => all,
            _ => task.share,
        };
        let has_room = |process: &&Arc<Worker>| !task.alone && process.has_room(share);
        if let Some(process) = self.processes.iter().find(has_room) {
            return Ok(Some(Arc::clone(process)));
        }
        // Together they have no more than there is.
        let of_all = self.processes.iter().map(|process| process.share.at_once);
        let mut taken: usize = of_all.sum();
        while taken + share.at_once > self.options.workers.max(1) {
            let Some(idle) = self.processes.iter().position(|p| p.is_idle()) else {
                return Ok(None);
            };
            let other = self.processes.swap_remove(idle);
            taken -= other.share.at_once;
            other.close().await;
        }
        let options = &self.options.worker;
        let process = Worker::start(share, options).map_err(|error| Error::Environment {
            message: format!("{} cannot be started: {error}", options.program.display()),
            retryable: false,
        })?;
        let process = Arc::new(process);
        self.processes.push(Arc::clone(&process));
        Ok(Some(process))
    }

    /// Whether one more task may begin: those that only write leave their threads to it.
    fn has_room(&self) -> bool {
        let most = self.options.workers.max(1);
        let reading = self.running.values().filter(|task| !task.all_read);
        reading.count() < most && self.running.len() < most * 2
    }

    fn hear(&mut self, news: WorkerNews) {
        let Some(running) = self.running.get_mut(&news.fragment) else {
            return;
        };
        match news.what {
            WorkerNewsKind::AllRead => running.all_read = true,
            WorkerNewsKind::Progress {
                attempt,
                rows,
                rows_read,
            } => {
                running.attempt = attempt;
                running.rows = rows;
                running.rows_read = rows_read;
            }
        }
    }

    /// Runs the tasks of a queue, and those that come of them.
    async fn drain(
        &mut self,
        stage: usize,
        kind: StageKind,
        mut queue: VecDeque<Pending>,
        events: &mut (dyn FnMut(Event) + Send),
    ) -> Result<()> {
        let (tell, mut news) = unbounded_channel();
        // Dropped with the set, processes are killed.
        let mut workers: JoinSet<WorkerEnd> = JoinSet::new();
        let mut ticks = tokio::time::interval(BEAT);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while self.has_room()
                && let Some(task) = queue.front()
                && let Some(process) = self.place(task).await?
                && let Some(task) = queue.pop_front()
            {
                let running = Running {
                    stage: kind,
                    attempt: String::new(),
                    rows: 0,
                    rows_read: 0,
                    all_read: false,
                };
                self.running.insert(task.fragment.id.clone(), running);
                let entered = process.enter();
                workers.spawn(worker::run(task, stage, process, entered, tell.clone()));
            }
            if workers.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some(told) = news.recv() => {
                    self.hear(told);
                    events(Event::Progress {
                        running: self.running.len(),
                        rows_read: self.running.values().map(|task| task.rows_read).sum(),
                    });
                }
                Some(ended) = workers.join_next() => {
                    let ended = ended.map_err(|e| Error::Internal(format!("a worker: {e}")))?;
                    self.running.remove(&ended.task.fragment.id);
                    self.keep_log(kind, &ended).await;
                    let next = self.after(stage, kind, ended, events).await?;
                    // Those that were cut finer go first: where that does not help, it shows soon.
                    match next.iter().any(|task| task.failures == 0) {
                        true => next.into_iter().rev().for_each(|task| queue.push_front(task)),
                        false => queue.extend(next),
                    }
                }
                _ = ticks.tick() => {
                    match is_cancelled(&self.job.folder).await {
                        Ok(true) => {
                            return Err(Error::Environment {
                                message: format!("the job {} was cancelled", self.job.record.id),
                                retryable: false,
                            });
                        }
                        Ok(false) => {}
                        // A store that does not answer for a while is no reason to stop workers that work.
                        Err(error) => tracing::warn!("{error}"),
                    }
                    if let Err(error) = self.beat(None).await {
                        tracing::warn!("{error}");
                    }
                }
            }
        }
    }

    /// What follows from the end of a task.
    async fn after(
        &mut self,
        stage: usize,
        kind: StageKind,
        ended: WorkerEnd,
        events: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Vec<Pending>> {
        let task = &ended.task;
        let fragment = &task.fragment.id;
        let message = ended.message.clone().unwrap_or_default();
        if ended.unheard {
            return Ok(vec![ended.task]);
        }
        let by_memory = |memory: u64| {
            let limit = ended.share.memory;
            limit.is_some_and(|limit| memory as f64 > limit as f64 * NEARLY_ALL)
        };
        let exit = match ended.exit {
            WorkerExit::Code(0) => {
                for warning in &ended.warnings {
                    if self.warned.insert(warning.clone()) {
                        events(Event::Note(format!("warning: {warning}")));
                    }
                }
                events(Event::Done {
                    rows: task.fragment.rows,
                });
                return Ok(vec![]);
            }
            WorkerExit::Code(code) => TaskExit::from_code(code),
            WorkerExit::Signal(KILLED) if by_memory(ended.memory) => Some(TaskExit::OutOfMemory),
            WorkerExit::Signal(_) => Some(TaskExit::TryAgain),
            WorkerExit::NotStarted => {
                return Err(Error::Environment {
                    message,
                    retryable: false,
                });
            }
        };
        if let WorkerExit::Signal(signal) = ended.exit {
            self.together = None;
            self.report_killed(kind, &ended, signal).await;
        }
        match exit {
            Some(TaskExit::BadPlan | TaskExit::BadData) => Err(Error::Data(format!(
                "fragment {fragment} cannot succeed: {message}"
            ))),
            Some(TaskExit::BadConfiguration) => Err(Error::Environment {
                message: format!("fragment {fragment}: {message}"),
                retryable: false,
            }),
            Some(TaskExit::OutOfMemory) => {
                self.after_out_of_memory(stage, kind, ended, events).await
            }
            _ if task.failures >= self.options.retries => Err(Error::Environment {
                message: format!(
                    "fragment {fragment} has failed {} times, at last with {}: {message}",
                    task.failures + 1,
                    describe(ended.exit)
                ),
                retryable: true,
            }),
            _ => {
                self.retries += 1;
                events(Event::Note(format!(
                    "fragment {fragment} ended with {} and is tried again{}",
                    describe(ended.exit),
                    if message.is_empty() {
                        String::new()
                    } else {
                        format!(": {message}")
                    }
                )));
                if let WorkerExit::Code(_) = ended.exit {
                    // A quarter of a second, a half, one: whatever was down may be back.
                    let wait = Duration::from_millis(250) * 2_u32.pow(task.failures.min(5) as u32);
                    tokio::time::sleep(wait).await;
                }
                Ok(vec![Pending {
                    failures: task.failures + 1,
                    ..ended.task
                }])
            }
        }
    }

    /// More memory where there is more, else less work.
    async fn after_out_of_memory(
        &mut self,
        stage: usize,
        kind: StageKind,
        ended: WorkerEnd,
        events: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Vec<Pending>> {
        self.together = None;
        let task = ended.task;
        let fragment = task.fragment.id.clone();
        if ended.used {
            // It may have been another's doing, or something of the tasks before it may have been left.
            return Ok(vec![Pending {
                alone: true,
                ..task
            }]);
        }
        let more = task.share.memory.and_then(|memory| {
            let cap = self.options.memory_cap.unwrap_or(memory);
            let more = memory.saturating_mul(2).min(cap);
            (more > memory).then_some(more)
        });
        self.retries += 1;
        if let Some(more) = more {
            events(Event::Note(format!(
                "fragment {fragment} ran out of memory and gets {} MB",
                more >> 20
            )));
            let memory = Some(more);
            let share = Share {
                memory,
                ..task.share
            };
            return Ok(vec![Pending { share, ..task }]);
        }
        let finer = match kind {
            // It reads no rows that could be dealt out.
            StageKind::Final => None,
            _ => cut_finer(self.runtime, &self.job.plan, &task.fragment).await?,
        };
        let Some(finer) = finer else {
            return Err(Error::Environment {
                message: format!(
                    "fragment {fragment} ran out of memory and cannot be cut finer: {}. Give its worker more with --memory-limit, or run fewer at once with --workers",
                    ended.message.unwrap_or_default()
                ),
                retryable: false,
            });
        };
        let tasks = pending(self.job, stage, finer.clone(), task.share).await?;
        // Where another attempt has done it, or cut it, the next look at the manifests tells.
        if !record_split(self.job, kind, &fragment, finer).await? {
            return Ok(vec![]);
        }
        events(Event::Finer {
            fragment,
            into: tasks.len(),
        });
        Ok(tasks.into())
    }

    async fn keep_log(&self, kind: StageKind, ended: &WorkerEnd) {
        let attempt = match ended.attempt.is_empty() {
            true => "none",
            false => &ended.attempt,
        };
        let name = JobFolder::log_name(kind, &ended.task.fragment.id, attempt);
        let log = ended.log.clone();
        if !log.is_empty()
            && let Err(error) = self.job.folder.folder().put(&name, log).await
        {
            tracing::warn!("{error}");
        }
    }

    /// Who is killed leaves no report of its own.
    async fn report_killed(&self, kind: StageKind, ended: &WorkerEnd, signal: i32) {
        if ended.attempt.is_empty() {
            return;
        }
        let fragment = &ended.task.fragment.id;
        let report = AttemptReport {
            job: self.job.record.id.clone(),
            stage: kind,
            fragment: fragment.clone(),
            attempt: ended.attempt.clone(),
            exit_code: u8::try_from(128 + signal).unwrap_or(u8::MAX),
            message: format!("the process was ended by signal {signal}"),
            statistics: TaskStatistics {
                peak_memory: ended.memory,
                memory_limit: ended.share.memory,
                threads: ended.share.threads_of_task(),
                host: host(),
                ..Default::default()
            },
        };
        let name = JobFolder::attempt_name(kind, fragment, &ended.attempt);
        if let Ok(json) = serde_json::to_vec(&report)
            && let Err(error) = self.job.folder.folder().put(&name, json).await
        {
            tracing::warn!("{error}");
        }
    }
}

fn describe(exit: WorkerExit) -> String {
    match exit {
        WorkerExit::Code(code) => format!("exit code {code}"),
        WorkerExit::Signal(signal) => format!("signal {signal}"),
        WorkerExit::NotStarted => "no start".into(),
    }
}

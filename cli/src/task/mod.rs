//! `geoflow task`: one fragment, in a process of its own; or, for a driver on the same machine, one after the other.
//!
//! ```text
//!  main thread: waits for   the work │ a signal │ too much memory
//!  worker threads: read, compute, write
//!  standard output: JSON lines, started, progress every second, done or failed
//! ```

mod serve;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use geoflow_engine::join::SharedBuilds;
use geoflow_k8s::TaskExit;
use geoflow_k8s::task::{self, Limits, TaskFailure, TaskManifest, TaskRequest, TaskState};
use geoflow_sql::SessionBuilder;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::args::TaskArgs;
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::settings::Settings;
use crate::spilled;

/// How much of the memory of the process operators may reserve; the rest is for what nobody counts.
const POOL_SHARE: f64 = 0.7;

/// A process that uses more of its memory than this ends itself, before it is killed without a word.
const LAST_RESORT: f64 = 0.97;

const WATCH: Duration = Duration::from_millis(50);

const PROGRESS: Duration = Duration::from_secs(1);

/// How long a report of a failure may take to write.
const REPORT: Duration = Duration::from_secs(2);

/// Runs a task, or those that standard input asks for.
pub(crate) fn run(args: TaskArgs, settings: &Settings) -> ExitStatus {
    let worker = match Worker::start(settings, args.serve) {
        Ok(worker) => worker,
        Err(failure) => return tell(Err(failure)),
    };
    let ended = match args.serve {
        true => serve::run(&worker),
        false => tell(worker.execute(TaskRequest {
            plan: args.plan.unwrap_or_default(),
            sha256: args.sha256,
            stage: args.stage,
            index: args.index.unwrap_or_default(),
            threads: worker.threads,
            memory_limit: worker.memory,
        })),
    };
    // What is still in a kernel is not waited for: the process is about to end.
    worker.runtime.shutdown_background();
    spilled::remove();
    ended
}

/// Says how a task has ended.
fn tell(outcome: Result<TaskManifest, TaskFailure>) -> ExitStatus {
    match outcome {
        Ok(manifest) => {
            say(&done(&manifest));
            ExitStatus::Success
        }
        Err(failure) => {
            say(&json!({
                "event": "failed",
                "exit_code": failure.exit.code(),
                "message": failure.message,
            }));
            ExitStatus::Task(failure.exit)
        }
    }
}

/// What runs tasks.
struct Worker {
    runtime: Runtime,
    interrupt: Interrupt,
    sessions: SessionBuilder,
    threads: usize,
    memory: Option<u64>,
}

impl Worker {
    /// `several` tasks have in common what is the same for them.
    fn start(settings: &Settings, several: bool) -> Result<Self, TaskFailure> {
        let limits = Limits::of_this_process();
        let memory = settings
            .memory_limit
            .map(|bytes| bytes as u64)
            .or(limits.memory);
        let threads = settings.threads.min(limits.threads());
        let cannot_start = |e: std::io::Error| {
            TaskFailure::new(TaskExit::TryAgain, format!("the task cannot start: {e}"))
        };
        let interrupt = Interrupt::listen().map_err(cannot_start)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("worker")
            .thread_stack_size(64 << 20)
            .enable_all()
            .build()
            .map_err(cannot_start)?;
        let mut sessions = SessionBuilder::new()
            .threads(threads)
            .object_stores(settings.stores.clone());
        if let Some(bytes) = memory {
            sessions = sessions.memory_limit((bytes as f64 * POOL_SHARE) as usize);
        }
        if let Some(dir) = &settings.temp_dir {
            sessions = sessions.temp_dir(dir);
        }
        if several {
            sessions = sessions.shared_builds(SharedBuilds::default());
        }
        let shared = sessions.build_runtime()?;
        spilled::remember(&shared.disk_manager);
        Ok(Self {
            runtime,
            interrupt,
            sessions: sessions.runtime(Arc::clone(&shared)),
            threads,
            memory,
        })
    }

    /// Runs one task. Every task has tables and settings of its own.
    fn execute(&self, request: TaskRequest) -> Result<TaskManifest, TaskFailure> {
        let session = self.sessions.clone().build()?;
        let state = TaskState::default();
        let work = {
            let state = state.clone();
            self.runtime
                .spawn(async move { task::run(&request, &session, &state).await })
        };
        self.runtime.block_on(async {
            let result = tokio::select! {
                biased;
                result = work => result.unwrap_or_else(|error| {
                    Err(TaskFailure::new(TaskExit::BadData, format!("a bug in geoflow: {error}")))
                }),
                () = self.interrupt.clone().wait() => Err(TaskFailure::new(
                    TaskExit::TryAgain,
                    "the task was told to stop",
                )),
                failure = too_much_memory(self.memory) => Err(failure),
                never = tell_progress(&state) => never,
            };
            if let Err(failure) = &result {
                // Whether or not there is time for it.
                drop(tokio::time::timeout(REPORT, state.report(failure)).await);
            }
            result
        })
    }
}

/// Resolves when the process has nearly all the memory that it may have.
async fn too_much_memory(limit: Option<u64>) -> TaskFailure {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(WATCH).await;
        let Some((now, _)) = task::process_memory(None) else {
            return std::future::pending().await;
        };
        if now as f64 > limit as f64 * LAST_RESORT {
            return TaskFailure::new(
                TaskExit::OutOfMemory,
                format!(
                    "memory ran out: {} MB are in use, of {} MB",
                    now >> 20,
                    limit >> 20
                ),
            );
        }
    }
}

async fn tell_progress(state: &TaskState) -> Result<TaskManifest, TaskFailure> {
    let mut ticks = tokio::time::interval(PROGRESS);
    loop {
        ticks.tick().await;
        let mut event = serde_json::to_value(state.progress()).unwrap_or_default();
        if let Some(event) = event.as_object_mut() {
            event.insert("event".into(), "progress".into());
        }
        say(&event);
    }
}

fn done(manifest: &TaskManifest) -> Value {
    let mut event = serde_json::to_value(manifest).unwrap_or_default();
    if let Some(event) = event.as_object_mut() {
        event.insert("event".into(), "done".into());
        // What the process keeps for the next.
        let memory = task::process_memory(None).map(|(now, _)| now);
        event.insert("memory".into(), memory.into());
    }
    event
}

/// One line of the log. Nobody may be left to read it.
fn say(event: &Value) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{event}");
    let _ = stdout.flush();
}

//! `geoflow task`: one fragment, in a process of its own; or, for a driver on the same machine, several.
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
use serde::Serialize;
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
        Err(failure) => return Log::default().tell(Err(failure)),
    };
    let ended = match args.serve {
        true => worker.runtime.block_on(serve::run(&worker)),
        false => Log::default().tell(worker.execute(TaskRequest {
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

    /// Runs one task, and tells how far it is. Every task has tables and settings of its own.
    async fn work(
        &self,
        request: TaskRequest,
        log: Log,
        state: TaskState,
    ) -> Result<TaskManifest, TaskFailure> {
        let session = self.sessions.clone().threads(request.threads).build()?;
        let mut work = {
            let state = state.clone();
            tokio::spawn(async move { task::run(&request, &session, &state).await })
        };
        let telling = tell_progress(&state, log);
        let result = tokio::select! {
            biased;
            result = &mut work => result.unwrap_or_else(|error| {
                Err(TaskFailure::new(TaskExit::BadData, format!("a bug in geoflow: {error}")))
            }),
            never = telling => never,
        };
        if let Err(failure) = &result {
            report(&state, failure).await;
        }
        result
    }

    /// Runs one task to its end, or to that of the process.
    fn execute(&self, request: TaskRequest) -> Result<TaskManifest, TaskFailure> {
        let state = TaskState::default();
        self.runtime.block_on(async {
            let failure = tokio::select! {
                biased;
                result = self.work(request, Log::default(), state.clone()) => return result,
                failure = self.stopped() => failure,
            };
            report(&state, &failure).await;
            Err(failure)
        })
    }

    /// Resolves when the process has to end, whatever it does.
    async fn stopped(&self) -> TaskFailure {
        tokio::select! {
            () = self.interrupt.clone().wait() => TaskFailure::new(
                TaskExit::TryAgain,
                "the task was told to stop",
            ),
            failure = too_much_memory(self.memory) => failure,
        }
    }
}

/// Leaves a report of a failure, whether or not there is time for it.
async fn report(state: &TaskState, failure: &TaskFailure) {
    drop(tokio::time::timeout(REPORT, state.report(failure)).await);
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

/// Tells every second how far a task is, and at once when its rows are read.
async fn tell_progress(state: &TaskState, log: Log) -> Result<TaskManifest, TaskFailure> {
    let mut ticks = tokio::time::interval(PROGRESS);
    loop {
        tokio::select! {
            _ = ticks.tick() => log.say("progress", &state.progress()),
            () = state.all_read() => log.say("all_read", &Value::Null),
        }
    }
}

/// Where a task says how it is.
#[derive(Debug, Clone, Copy, Default)]
struct Log {
    /// Its number, if it is one of several.
    task: Option<u64>,
}

impl Log {
    /// How the task has ended; what the process is to end with if that is the end of it.
    fn tell(self, outcome: Result<TaskManifest, TaskFailure>) -> ExitStatus {
        match outcome {
            Ok(manifest) => {
                self.say("done", &manifest);
                ExitStatus::Success
            }
            Err(failure) => {
                let code = failure.exit.code();
                self.say(
                    "failed",
                    &json!({ "exit_code": code, "message": failure.message }),
                );
                ExitStatus::Task(failure.exit)
            }
        }
    }

    /// One line. Nobody may be left to read it.
    fn say(self, event: &str, what: &impl Serialize) {
        let mut line = match serde_json::to_value(what) {
            Ok(Value::Object(line)) => line,
            _ => serde_json::Map::new(),
        };
        line.insert("event".into(), event.into());
        if let Some(task) = self.task {
            line.insert("task".into(), task.into());
        }
        if event == "done" {
            // What the process keeps for the next.
            let memory = task::process_memory(None).map(|(now, _)| now);
            line.insert("memory".into(), memory.into());
        }
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{}", Value::Object(line));
        let _ = stdout.flush();
    }
}

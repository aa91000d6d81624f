//! A process that runs tasks, one after the other.
//!
//! ```text
//!  order: plan, stage, index ──> standard input
//!                                    geoflow task --serve
//!  news, log, memory  <───────── standard output: JSON lines, the last of a task is `done` or `failed`
//! ```
//!
//! What fragments have in common a process reads once. One whose task has failed has ended; another takes its place.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::queue::Pending;

/// How processes are started.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The program: that of this process.
    pub program: PathBuf,
    /// Where each spills to.
    pub temp_dir: Option<PathBuf>,
    /// Variables that are set, or unset, beside those of this process.
    pub variables: Vec<(&'static str, Option<String>)>,
}

/// What a process that serves a driver is told to do: a line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The plan, as a URL.
    pub plan: String,
    /// The SHA-256 that it has.
    pub sha256: String,
    /// Which stage.
    pub stage: usize,
    /// Which fragment of the stage.
    pub index: usize,
}

/// How far a process is.
#[derive(Debug, Clone)]
pub(super) struct WorkerNews {
    pub(super) fragment: String,
    pub(super) attempt: String,
    pub(super) rows: u64,
    pub(super) rows_read: u64,
}

/// How a task ended.
#[derive(Debug)]
pub(super) struct WorkerEnd {
    pub(super) task: Pending,
    pub(super) attempt: String,
    pub(super) exit: WorkerExit,
    /// The most memory that it has told of, in bytes.
    pub(super) memory: u64,
    /// What it said: JSON lines.
    pub(super) log: String,
    /// What it said last of an error.
    pub(super) message: Option<String>,
    /// What it warned of.
    pub(super) warnings: Vec<String>,
    /// Whether its process had run others before.
    pub(super) used: bool,
    /// Its process, which can run another.
    pub(super) worker: Option<Worker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerExit {
    Code(u8),
    Signal(i32),
    NotStarted,
}

/// Bytes kept of what a process says of a task.
const LOG_BYTES: usize = 4 << 20;

/// A process that holds more of its memory than this between two tasks is not asked for a third.
const HELD: f64 = 0.75;

/// How long a process may take to end that is told to.
const GRACE: Duration = Duration::from_secs(2);

/// A process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    /// Held open: it ends itself when this one is gone.
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it has said on standard error since its last task.
    said: Arc<Mutex<String>>,
    saying: JoinHandle<()>,
    threads: usize,
    memory: Option<u64>,
    tasks: usize,
    /// Bytes that it held when it last told.
    held: u64,
}

impl Worker {
    fn start(task: &Pending, options: &WorkerOptions) -> std::io::Result<Self> {
        let mut command = Command::new(&options.program);
        command
            .args(["task", "--serve"])
            .arg(format!("--threads={}", task.threads))
            .env_remove("JOB_COMPLETION_INDEX")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(memory) = task.memory {
            command.arg(format!("--memory-limit={memory}B"));
        }
        if let Some(dir) = &options.temp_dir {
            command.arg("--temp-dir").arg(dir);
        }
        for (name, value) in &options.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        tracing::debug!("fragment {}: {command:?}", task.fragment.id);
        let mut child = command.spawn()?;
        let piped = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = piped else {
            return Err(std::io::Error::other("it has no standard streams"));
        };
        let said = Arc::new(Mutex::new(String::new()));
        Ok(Self {
            child,
            stdin,
            lines: BufReader::new(stdout).lines(),
            saying: tokio::spawn(listen(stderr, Arc::clone(&said))),
            said,
            threads: task.threads,
            memory: task.memory,
            tasks: 0,
            held: 0,
        })
    }

    /// Whether it has what the task is to have, and no more memory in use than it needs.
    pub(super) fn suits(&self, task: &Pending) -> bool {
        let full = |limit: u64| self.held as f64 > limit as f64 * HELD;
        self.threads == task.threads
            && self.memory == task.memory
            && !task.alone
            && !self.memory.is_some_and(full)
    }

    /// Gives it an order; its first answer, or none if it has ended.
    async fn begin(&mut self, order: &Order) -> Option<String> {
        self.said.lock().clear();
        let mut line = serde_json::to_string(order).ok()?;
        line.push('\n');
        // Where it does not listen any more, it says no more either.
        drop(self.stdin.write_all(line.as_bytes()).await);
        drop(self.stdin.flush().await);
        self.lines.next_line().await.ok().flatten()
    }

    /// How it ended, and what it said on standard error.
    async fn ended(mut self) -> (WorkerExit, String) {
        drop(self.stdin);
        let exit = match self.child.wait().await {
            Ok(status) => exit_of(status),
            Err(_) => WorkerExit::NotStarted,
        };
        drop(self.saying.await);
        let said = self.said.lock().trim().to_owned();
        (exit, said)
    }

    /// Lets it end, so that it takes its temporary files with it.
    pub(super) async fn close(self) {
        drop(tokio::time::timeout(GRACE, self.ended()).await);
    }
}

async fn listen(stderr: ChildStderr, said: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stderr).lines();
    // What is no text is no message.
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock();
        if said.len() < LOG_BYTES {
            said.push_str(&line);
            said.push('\n');
        }
    }
}

/// Runs a task to its end, in a process that has run others if there is one. Dropped, it kills the process.
pub(super) async fn run(
    task: Pending,
    stage: usize,
    options: WorkerOptions,
    idle: Option<Worker>,
    news: UnboundedSender<WorkerNews>,
) -> WorkerEnd {
    let order = Order {
        plan: task.plan.clone(),
        sha256: task.sha256.clone(),
        stage,
        index: task.index,
    };
    let mut end = WorkerEnd {
        attempt: String::new(),
        exit: WorkerExit::NotStarted,
        memory: 0,
        log: String::new(),
        message: None,
        warnings: vec![],
        used: false,
        worker: None,
        task,
    };
    let mut begun = None;
    if let Some(mut worker) = idle {
        // One that has ended meanwhile is no failure of this task.
        begun = worker.begin(&order).await.map(|line| (worker, Some(line)));
    }
    let (mut worker, mut line) = match begun {
        Some(begun) => begun,
        None => match Worker::start(&end.task, &options) {
            Ok(mut worker) => {
                let line = worker.begin(&order).await;
                (worker, line)
            }
            Err(error) => {
                let program = options.program.display();
                end.message = Some(format!("{program} cannot be started: {error}"));
                return end;
            }
        },
    };
    end.used = worker.tasks > 0;
    worker.tasks += 1;
    while let Some(said) = line {
        if note(&mut end, &mut worker, &said, &news) {
            end.exit = WorkerExit::Code(0);
            end.worker = Some(worker);
            return end;
        }
        line = worker.lines.next_line().await.ok().flatten();
    }
    let (exit, said) = worker.ended().await;
    end.exit = exit;
    if end.message.is_none() && !said.is_empty() {
        end.message = Some(said);
    }
    end
}

/// Reads one line of the log; whether it says that the task is done.
fn note(
    end: &mut WorkerEnd,
    worker: &mut Worker,
    line: &str,
    news: &UnboundedSender<WorkerNews>,
) -> bool {
    if end.log.len() < LOG_BYTES {
        end.log.push_str(line);
        end.log.push('\n');
    }
    let Ok(event) = serde_json::from_str::<Value>(line) else {
        return false;
    };
    let number = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or(0);
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    if !text("attempt").is_empty() {
        text("attempt").clone_into(&mut end.attempt);
    }
    if event.get("memory").is_some() {
        worker.held = number("memory");
        end.memory = end.memory.max(worker.held);
    }
    match text("event") {
        "done" => {
            let warnings = event.get("warnings").and_then(Value::as_array);
            let texts = warnings.into_iter().flatten().filter_map(Value::as_str);
            end.warnings.extend(texts.map(str::to_owned));
        }
        "failed" => end.message = Some(text("message").to_owned()),
        "progress" => {
            // Nobody listens any more when the job is given up.
            drop(news.send(WorkerNews {
                fragment: end.task.fragment.id.clone(),
                attempt: end.attempt.clone(),
                rows: number("rows"),
                rows_read: number("rows_read"),
            }));
        }
        _ => {}
    }
    text("event") == "done"
}

fn exit_of(status: std::process::ExitStatus) -> WorkerExit {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return WorkerExit::Signal(signal);
        }
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(WorkerExit::NotStarted, WorkerExit::Code)
}

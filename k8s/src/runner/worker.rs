//! A process that runs tasks, one or several at once.
//!
//! ```text
//!  order: task 7, plan, stage, index ──> standard input
//!                                            geoflow task --serve
//!  news, log, memory of task 7 <──────── standard output: JSON lines, the last of a task is `done` or `failed`
//! ```
//!
//! What fragments have in common a process reads once. With a process that ends all of its tasks end; others take them up.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::queue::{Pending, Share};
use crate::TaskExit;

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
    /// Its number, which all that is said of it has.
    pub task: u64,
    /// The plan, as a URL.
    pub plan: String,
    /// The SHA-256 that it has.
    pub sha256: String,
    /// Which stage.
    pub stage: usize,
    /// Which fragment of the stage.
    pub index: usize,
    /// Of the threads of the process, how many it may use.
    pub threads: usize,
}

/// How far a task is.
#[derive(Debug, Clone)]
pub(super) struct WorkerNews {
    pub(super) fragment: String,
    pub(super) what: WorkerNewsKind,
}

/// What there is to tell of a task.
#[derive(Debug, Clone)]
pub(super) enum WorkerNewsKind {
    Progress {
        attempt: String,
        rows: u64,
        rows_read: u64,
    },
    /// Its rows are read and computed; it writes, and leaves the threads to another.
    AllRead,
}

/// How a task ended.
#[derive(Debug)]
pub(super) struct WorkerEnd {
    pub(super) task: Pending,
    pub(super) attempt: String,
    pub(super) exit: WorkerExit,
    /// The most memory that its process has told of, in bytes.
    pub(super) memory: u64,
    /// What it said: JSON lines.
    pub(super) log: String,
    /// What it said last of an error.
    pub(super) message: Option<String>,
    /// What it warned of.
    pub(super) warnings: Vec<String>,
    /// What its process had.
    pub(super) share: Share,
    /// Whether its process has run others, before it or beside it.
    pub(super) used: bool,
    /// Whether its process, which has run others, ended before the task began.
    pub(super) unheard: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerExit {
    Code(u8),
    Signal(i32),
    NotStarted,
}

/// Bytes kept of what a process says of a task.
const LOG_BYTES: usize = 4 << 20;

/// A process that holds more of its memory than this when it has nothing to do is not asked for more.
const HELD: f64 = 0.75;

/// How long a process may take to end that is told to.
const GRACE: Duration = Duration::from_secs(2);

/// A process. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Worker {
    /// Held open: it ends itself when this one is gone.
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    desk: Arc<Mutex<Desk>>,
    /// Has the process, and reads what it says.
    listening: tokio::sync::Mutex<JoinSet<()>>,
    pub(super) share: Share,
}

/// Who is to hear what a process says.
#[derive(Debug, Default)]
struct Desk {
    /// Of the tasks that it has, by number.
    listeners: HashMap<u64, Listener>,
    /// Tasks it was given so far.
    tasks: u64,
    /// Whether it has said anything.
    heard: bool,
    /// Bytes that it held when it last told.
    held: u64,
    /// Whether it is about to end, for want of memory.
    leaving: bool,
    /// How it has ended, and what it has said on standard error.
    ended: Option<(WorkerExit, String)>,
}

#[derive(Debug)]
struct Listener {
    tell: UnboundedSender<Said>,
    /// Whether the task has rows left to read.
    reading: bool,
}

/// What there is to hear of a task.
#[derive(Debug)]
pub(super) enum Said {
    Line(String, Value),
    /// There is nothing more to hear.
    Ended(WorkerExit, String),
}

impl Worker {
    pub(super) fn start(share: Share, options: &WorkerOptions) -> std::io::Result<Self> {
        let mut command = Command::new(&options.program);
        command
            .args(["task", "--serve"])
            .arg(format!("--threads={}", share.threads))
            .env_remove("JOB_COMPLETION_INDEX")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(memory) = share.memory {
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
        tracing::debug!("{command:?}");
        let mut child = command.spawn()?;
        let piped = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = piped else {
            return Err(std::io::Error::other("it has no standard streams"));
        };
        let desk = Arc::new(Mutex::new(Desk::default()));
        let mut listening = JoinSet::new();
        listening.spawn(listen(child, stdout, stderr, Arc::clone(&desk)));
        Ok(Self {
            stdin: tokio::sync::Mutex::new(Some(stdin)),
            desk,
            listening: tokio::sync::Mutex::new(listening),
            share,
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.desk.lock().ended.is_some()
    }

    /// Whether it has no task.
    pub(super) fn is_idle(&self) -> bool {
        self.desk.lock().listeners.is_empty()
    }

    /// Whether it can run one more task of such a share: it has what that is to have, and is not full.
    pub(super) fn has_room(&self, share: Share) -> bool {
        let desk = self.desk.lock();
        let full = |limit: u64| desk.held as f64 > limit as f64 * HELD;
        let idle = desk.listeners.is_empty();
        self.share == share
            && desk.ended.is_none()
            && !desk.leaving
            && desk.listeners.values().filter(|l| l.reading).count() < share.at_once
            && !(idle && self.share.memory.is_some_and(full))
    }

    /// Takes a task in: its number, and what the process will say of it.
    pub(super) fn enter(&self) -> (u64, UnboundedReceiver<Said>) {
        let (tell, said) = unbounded_channel();
        let mut desk = self.desk.lock();
        let task = desk.tasks;
        desk.tasks += 1;
        match &desk.ended {
            Some((exit, error)) => drop(tell.send(Said::Ended(*exit, error.clone()))),
            None => {
                let reading = true;
                desk.listeners.insert(task, Listener { tell, reading });
            }
        }
        (task, said)
    }

    /// Gives it an order. Where it does not listen any more, it says no more either.
    async fn give(&self, order: &Order) {
        let Ok(mut line) = serde_json::to_string(order) else {
            return;
        };
        line.push('\n');
        if let Some(stdin) = self.stdin.lock().await.as_mut() {
            drop(stdin.write_all(line.as_bytes()).await);
            drop(stdin.flush().await);
        }
    }

    /// Lets it end, so that it takes its temporary files with it.
    pub(super) async fn close(&self) {
        drop(self.stdin.lock().await.take());
        let mut listening = self.listening.lock().await;
        drop(tokio::time::timeout(GRACE, listening.join_next()).await);
    }
}

/// Hands on what a process says, to its end. Dropped, it kills the process.
async fn listen(
    mut child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
    desk: Arc<Mutex<Desk>>,
) {
    let errors = async {
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        // What is no text is no message.
        while let Ok(Some(line)) = lines.next_line().await {
            if said.len() < LOG_BYTES {
                said.push_str(&line);
                said.push('\n');
            }
        }
        said.trim().to_owned()
    };
    let events = async {
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            desk.lock().hear(line);
        }
    };
    let ((), said) = tokio::join!(events, errors);
    let exit = match child.wait().await {
        Ok(status) => exit_of(status),
        Err(_) => WorkerExit::NotStarted,
    };
    let mut desk = desk.lock();
    for (_, listener) in desk.listeners.drain() {
        drop(listener.tell.send(Said::Ended(exit, said.clone())));
    }
    desk.ended = Some((exit, said));
}

impl Desk {
    fn hear(&mut self, line: String) {
        self.heard = true;
        let Ok(event) = serde_json::from_str::<Value>(&line) else {
            return;
        };
        if let Some(memory) = event.get("memory").and_then(Value::as_u64) {
            self.held = memory;
        }
        let Some(task) = event.get("task").and_then(Value::as_u64) else {
            return;
        };
        let kind = event.get("event").and_then(Value::as_str);
        let last = matches!(kind, Some("done" | "failed"));
        let code = event.get("exit_code").and_then(Value::as_u64);
        self.leaving |= code == Some(TaskExit::OutOfMemory.code().into());
        let Some(listener) = self.listeners.get_mut(&task) else {
            return;
        };
        listener.reading &= kind != Some("all_read");
        // Nobody listens any more when the job is given up.
        drop(listener.tell.send(Said::Line(line, event)));
        if last {
            self.listeners.remove(&task);
        }
    }
}

/// Runs a task that has entered a process to its end.
pub(super) async fn run(
    task: Pending,
    stage: usize,
    worker: Arc<Worker>,
    (number, mut said): (u64, UnboundedReceiver<Said>),
    news: UnboundedSender<WorkerNews>,
) -> WorkerEnd {
    worker
        .give(&Order {
            task: number,
            plan: task.plan.clone(),
            sha256: task.sha256.clone(),
            stage,
            index: task.index,
            threads: worker.share.threads_of_task(),
        })
        .await;
    let mut end = WorkerEnd {
        attempt: String::new(),
        exit: WorkerExit::NotStarted,
        memory: 0,
        log: String::new(),
        message: None,
        warnings: vec![],
        share: worker.share,
        used: false,
        unheard: false,
        task,
    };
    loop {
        match said.recv().await {
            Some(Said::Line(line, event)) => {
                if end.note(&line, &event, &news) {
                    break;
                }
            }
            Some(Said::Ended(exit, error)) => {
                end.exit = exit;
                // One that has ended meanwhile is no failure of this task.
                end.unheard = end.log.is_empty() && worker.desk.lock().heard;
                if end.message.is_none() && !error.is_empty() {
                    end.message = Some(error);
                }
                break;
            }
            // Who listens to the process is gone, and the process with it.
            None => break,
        }
    }
    end.used = worker.desk.lock().tasks > 1;
    end
}

impl WorkerEnd {
    /// Reads one line of the log; whether it is the last.
    fn note(&mut self, line: &str, event: &Value, news: &UnboundedSender<WorkerNews>) -> bool {
        if self.log.len() < LOG_BYTES {
            self.log.push_str(line);
            self.log.push('\n');
        }
        let number = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or(0);
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        if !text("attempt").is_empty() {
            text("attempt").clone_into(&mut self.attempt);
        }
        self.memory = self.memory.max(number("memory"));
        let tell = |what| {
            // Nobody listens any more when the job is given up.
            drop(news.send(WorkerNews {
                fragment: self.task.fragment.id.clone(),
                what,
            }));
        };
        match text("event") {
            "done" => {
                let warnings = event.get("warnings").and_then(Value::as_array);
                let texts = warnings.into_iter().flatten().filter_map(Value::as_str);
                self.warnings.extend(texts.map(str::to_owned));
                self.exit = WorkerExit::Code(0);
                true
            }
            "failed" => {
                self.message = Some(text("message").to_owned());
                let code = u8::try_from(number("exit_code"));
                self.exit = WorkerExit::Code(code.unwrap_or(u8::MAX));
                true
            }
            "all_read" => {
                tell(WorkerNewsKind::AllRead);
                false
            }
            "progress" => {
                tell(WorkerNewsKind::Progress {
                    attempt: self.attempt.clone(),
                    rows: number("rows"),
                    rows_read: number("rows_read"),
                });
                false
            }
            _ => false,
        }
    }
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

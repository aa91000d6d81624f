//! One process that runs one task.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::UnboundedSender;

use super::queue::Pending;
use crate::plan::StageKind;

/// How processes are started.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// The program: that of this process.
    pub program: PathBuf,
    /// Threads of each.
    pub threads: usize,
    /// Where each spills to.
    pub temp_dir: Option<PathBuf>,
    /// Variables that are set, or unset, beside those of this process.
    pub variables: Vec<(&'static str, Option<String>)>,
}

/// How far a process is.
#[derive(Debug, Clone)]
pub(super) struct WorkerNews {
    pub(super) fragment: String,
    pub(super) attempt: String,
    pub(super) rows: u64,
    pub(super) rows_read: u64,
}

/// How a process ended.
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerExit {
    Code(u8),
    Signal(i32),
    NotStarted,
}

/// Lines kept of what a process says.
const LOG_BYTES: usize = 4 << 20;

/// Runs a task to its end. Dropped, it kills the process.
pub(super) async fn run(
    task: Pending,
    stage: usize,
    kind: StageKind,
    options: WorkerOptions,
    news: UnboundedSender<WorkerNews>,
) -> WorkerEnd {
    let mut end = WorkerEnd {
        attempt: String::new(),
        exit: WorkerExit::NotStarted,
        memory: 0,
        log: String::new(),
        message: None,
        task,
    };
    let mut command = Command::new(&options.program);
    command
        .args(["task", "--exit-with-stdin", "--plan", &end.task.plan])
        .args(["--sha256", &end.task.sha256])
        .arg(format!("--stage={stage}"))
        .arg(format!("--index={}", end.task.index))
        .arg(format!("--threads={}", options.threads))
        .env_remove("JOB_COMPLETION_INDEX")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(memory) = end.task.memory {
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
    tracing::debug!(
        "{} fragment {}: {command:?}",
        kind.name(),
        end.task.fragment.id
    );
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            end.message = Some(format!(
                "{} cannot be started: {error}",
                options.program.display()
            ));
            return end;
        }
    };
    // Held open until the process ends: it ends itself when this one is gone.
    let _stdin = child.stdin.take();
    let stderr = child.stderr.take();
    let errors = async {
        let mut text = String::new();
        if let Some(mut stderr) = stderr {
            // What is no text is no message.
            drop(stderr.read_to_string(&mut text).await);
        }
        text
    };
    let stdout = child.stdout.take();
    let lines = async {
        let Some(stdout) = stdout else { return };
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            note(&mut end, &line, &news);
        }
    };
    let (errors, ()) = tokio::join!(errors, lines);
    end.exit = match child.wait().await {
        Ok(status) => exit_of(status),
        Err(_) => WorkerExit::NotStarted,
    };
    let errors = errors.trim();
    if end.message.is_none() && !errors.is_empty() {
        end.message = Some(errors.to_owned());
    }
    end
}

/// Reads one line of the log.
fn note(end: &mut WorkerEnd, line: &str, news: &UnboundedSender<WorkerNews>) {
    if end.log.len() < LOG_BYTES {
        end.log.push_str(line);
        end.log.push('\n');
    }
    let Ok(event) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let number = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or(0);
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    if !text("attempt").is_empty() {
        text("attempt").clone_into(&mut end.attempt);
    }
    end.memory = end.memory.max(number("memory"));
    match text("event") {
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

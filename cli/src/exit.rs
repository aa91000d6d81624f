//! The exit status of a run: one type, mapped to a number once, in `main`.

use std::process::ExitCode;

use geoflow_k8s::TaskExit;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Done. A reader that closed the pipe has all it wanted: that is done, too.
    Success,
    /// The statement, the data or the options are wrong.
    User,
    /// The command line is wrong.
    Usage,
    /// Files, network, credentials, memory or disk failed.
    Environment,
    /// A bug in geoflow.
    Bug,
    /// Ctrl-C or a request to terminate.
    Interrupted,
    /// A task that has not done its work.
    Task(TaskExit),
}

impl ExitStatus {
    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            ExitStatus::Success => 0,
            ExitStatus::User => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Environment => 3,
            ExitStatus::Bug => 70,
            ExitStatus::Interrupted => 130,
            ExitStatus::Task(exit) => exit.code(),
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}

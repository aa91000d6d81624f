//! Failures as the user meets them: whose fault, what, where, and what to do.

mod classify;
mod excerpt;
mod io;
mod render;
mod wording;

pub(crate) use classify::{from_arrow, from_datafusion, from_engine};
pub(crate) use excerpt::{Excerpt, Position};
pub(crate) use geoflow_engine::nearest;
pub(crate) use io::from_io;
pub(crate) use render::{to_json, to_text};

use crate::exit::ExitStatus;

/// The result of everything in this binary that may fail.
pub(crate) type Result<T, E = Box<Failure>> = std::result::Result<T, E>;

/// Why a run ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    User,
    Usage,
    Environment,
    Bug,
    Interrupted,
    /// The reader of standard output went away, as `head` does: no failure at all.
    PipeClosed,
}

impl FailureKind {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FailureKind::User => "user",
            FailureKind::Usage => "usage",
            FailureKind::Environment => "environment",
            FailureKind::Bug => "bug",
            FailureKind::Interrupted => "interrupted",
            FailureKind::PipeClosed => "pipe_closed",
        }
    }

    pub(crate) fn status(self) -> ExitStatus {
        match self {
            FailureKind::User => ExitStatus::User,
            FailureKind::Usage => ExitStatus::Usage,
            FailureKind::Environment => ExitStatus::Environment,
            FailureKind::Bug => ExitStatus::Bug,
            FailureKind::Interrupted => ExitStatus::Interrupted,
            FailureKind::PipeClosed => ExitStatus::Success,
        }
    }
}

/// A name in the SQL that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unknown {
    Table(String),
    Function(String),
}

/// A failure, ready to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Where in the SQL, before the text is known.
    pub(crate) position: Option<Position>,
    /// Where in the SQL, with the line to show.
    pub(crate) excerpt: Option<Excerpt>,
    /// A name that was not found: only the session knows what it may have meant.
    pub(crate) unknown: Option<Unknown>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Box<Self> {
        Box::new(Failure {
            kind,
            message: message.into(),
            hint: None,
            position: None,
            excerpt: None,
            unknown: None,
        })
    }

    pub(crate) fn user(message: impl Into<String>) -> Box<Self> {
        Self::new(FailureKind::User, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Box<Self> {
        Self::new(FailureKind::Usage, message)
    }

    pub(crate) fn environment(message: impl Into<String>) -> Box<Self> {
        Self::new(FailureKind::Environment, message)
    }

    pub(crate) fn bug(message: impl Into<String>) -> Box<Self> {
        Self::new(FailureKind::Bug, message)
    }

    /// `removed` are the outputs that were not complete yet.
    pub(crate) fn interrupted(removed: &[String]) -> Box<Self> {
        let message = match removed {
            [] => "interrupted".to_string(),
            removed => format!(
                "interrupted: what was written of {} has been removed",
                removed.join(", ")
            ),
        };
        Self::new(FailureKind::Interrupted, message)
    }

    pub(crate) fn pipe_closed() -> Box<Self> {
        Self::new(
            FailureKind::PipeClosed,
            "the reader of standard output is gone",
        )
    }

    pub(crate) fn with_hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_hint_if_none(self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        if self.hint.is_some() {
            self
        } else {
            self.with_hint(hint)
        }
    }

    pub(crate) fn at(mut self: Box<Self>, position: Option<Position>) -> Box<Self> {
        self.position = self.position.or(position);
        self
    }
}

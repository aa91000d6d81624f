//! Errors, sorted by whose fault they are.
//!
//! Three kinds are never mixed: the user's (what is wrong, where, and what to do), the
//! environment's (which resource, and whether a retry helps), and ours (a bug). The kind decides
//! the exit code of the binary and whether a task is retried.

use datafusion::error::DataFusionError;

/// The result of every fallible function of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The statement, the data or the options: the user can mend it.
    User,
    /// A file, a network, a credential, memory or disk: the surroundings must change.
    Environment,
    /// A bug in geoflow.
    Internal,
}

/// An error of geoflow, with the message a person reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The statement or its options are wrong.
    #[error("{0}")]
    Statement(String),
    /// The data are wrong: the message names the file, column, row or position.
    #[error("{0}")]
    Data(String),
    /// A geometry value is wrong. `row` counts from zero within the batch until
    /// [`Error::in_column`] has placed it.
    #[error("invalid geometry at row {row}: {reason}")]
    Geometry {
        /// Zero-based row.
        row: usize,
        /// What is wrong with the value.
        reason: String,
    },
    /// Two different coordinate reference systems meet.
    #[error("{0}")]
    Crs(String),
    /// A resource outside geoflow failed.
    #[error("{message}")]
    Environment {
        /// Which resource, and what to do.
        message: String,
        /// Whether trying again may help.
        retryable: bool,
    },
    /// A bug in geoflow.
    #[error(
        "internal error: {0}. This is a bug in geoflow: please report it with the statement that caused it"
    )]
    Internal(String),
}

impl Error {
    /// Whose fault this error is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Statement(_) | Error::Data(_) | Error::Geometry { .. } | Error::Crs(_) => {
                ErrorKind::User
            }
            Error::Environment { .. } => ErrorKind::Environment,
            Error::Internal(_) => ErrorKind::Internal,
        }
    }

    /// The same error in other words: `reword` is given what the user reads of the statement, the data and the
    /// surroundings. Errors of a row, and bugs, pass unchanged.
    pub(crate) fn reworded(self, reword: impl FnOnce(String) -> String) -> Self {
        match self {
            Error::Statement(text) => Error::Statement(reword(text)),
            Error::Data(text) => Error::Data(reword(text)),
            Error::Crs(text) => Error::Crs(reword(text)),
            Error::Environment { message, retryable } => Error::Environment {
                message: reword(message),
                retryable,
            },
            other => other,
        }
    }

    /// Names the column of a geometry error; other errors pass unchanged.
    pub fn in_column(self, column: &str) -> Self {
        match self {
            Error::Geometry { row, reason } => Error::Data(format!(
                "invalid geometry in column \"{column}\", row {row} of its batch: {reason}"
            )),
            other => other,
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

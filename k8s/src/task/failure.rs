//! Why a task fails, and whether it is worth another try.

use datafusion::error::DataFusionError;
use geoflow_engine::store::{explain_datafusion_error, explain_unnamed};
use geoflow_engine::{Error, ErrorKind};

use crate::TaskExit;
use crate::plan::PlanError;

/// The end of a task that has not done its work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TaskFailure {
    /// What the process exits with.
    pub exit: TaskExit,
    /// What went wrong, for a person.
    pub message: String,
}

impl TaskFailure {
    /// A failure of that kind.
    pub fn new(exit: TaskExit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}

impl From<PlanError> for TaskFailure {
    fn from(error: PlanError) -> Self {
        Self::new(TaskExit::BadPlan, error.to_string())
    }
}

impl From<Error> for TaskFailure {
    fn from(error: Error) -> Self {
        let exit = match (&error, error.kind()) {
            (Error::Environment { retryable, .. }, _) => match retryable {
                true => TaskExit::TryAgain,
                false => TaskExit::BadConfiguration,
            },
            (_, ErrorKind::User) => TaskExit::BadData,
            // A bug meets the next attempt as well.
            _ => TaskExit::BadData,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<DataFusionError> for TaskFailure {
    fn from(error: DataFusionError) -> Self {
        if let DataFusionError::ResourcesExhausted(message) = error.find_root() {
            return Self::new(
                TaskExit::OutOfMemory,
                format!(
                    "memory ran out: {}",
                    message.lines().next().unwrap_or_default()
                ),
            );
        }
        match find_own(&error) {
            Some(own) => own,
            None => match explain_datafusion_error(&error, None) {
                Some(explained) => explained.into(),
                None => Self::new(kind_of(&error), error.strip_backtrace()),
            },
        }
    }
}

fn kind_of(error: &DataFusionError) -> TaskExit {
    match error.find_root() {
        DataFusionError::IoError(io) => match io.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::PermissionDenied => {
                TaskExit::BadConfiguration
            }
            _ => TaskExit::TryAgain,
        },
        DataFusionError::ObjectStore(_) => TaskExit::TryAgain,
        _ => TaskExit::BadData,
    }
}

/// An error of ours, or of an object store, however deep it is wrapped.
fn find_own(error: &DataFusionError) -> Option<TaskFailure> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(own) = error.downcast_ref::<Error>() {
            let message = own.to_string();
            let exit = match own {
                Error::Environment {
                    retryable: true, ..
                } => TaskExit::TryAgain,
                Error::Environment { .. } => TaskExit::BadConfiguration,
                _ => TaskExit::BadData,
            };
            return Some(TaskFailure::new(exit, message));
        }
        if let Some(store) = error.downcast_ref::<object_store::Error>() {
            return Some(explain_unnamed(store).into());
        }
        if let Some(inner) = error.downcast_ref::<DataFusionError>()
            && let DataFusionError::Shared(shared) = inner
        {
            return find_own(shared);
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_exit_codes() {
        let environment = |retryable| Error::Environment {
            message: "x".into(),
            retryable,
        };
        let deep = |error: Error| DataFusionError::from(error).context("while reading");
        for (error, exit) in [
            (deep(environment(true)), TaskExit::TryAgain),
            (deep(environment(false)), TaskExit::BadConfiguration),
            (deep(Error::Data("x".into())), TaskExit::BadData),
            (
                DataFusionError::ResourcesExhausted("x".into()).context("y"),
                TaskExit::OutOfMemory,
            ),
            (
                DataFusionError::Shared(std::sync::Arc::new(deep(environment(true)))),
                TaskExit::TryAgain,
            ),
            (
                DataFusionError::Execution("division by zero".into()),
                TaskExit::BadData,
            ),
        ] {
            assert_eq!(TaskFailure::from(error).exit, exit);
        }
    }
}

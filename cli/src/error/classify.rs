//! Whose fault is it? Errors of DataFusion, Arrow, Parquet and object stores, sorted.

use std::error::Error as StdError;
use std::io;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::parser::ParserError;
use geoflow_engine::store::explain_unnamed;
use geoflow_engine::{Error as EngineError, ErrorKind};
use object_store::Error as StoreError;
use tokio::task::JoinError;

use super::nearest;
use super::wording::{self, lower_first, split_position, trim};
use super::{Failure, Position, from_io};

/// Sorts an error that came through DataFusion.
pub(crate) fn from_datafusion(error: &DataFusionError) -> Box<Failure> {
    match error {
        DataFusionError::ArrowError(error, _) => from_arrow(error),
        DataFusionError::ParquetError(error) => from_parquet(error),
        DataFusionError::ObjectStore(error) => from_store(error),
        DataFusionError::IoError(error) => from_io_error(error),
        DataFusionError::SQL(error, _) => from_parser(error),
        DataFusionError::NotImplemented(message) => {
            Failure::user(format!("not supported: {}", trim(message)))
        }
        DataFusionError::Plan(message)
        | DataFusionError::Configuration(message)
        | DataFusionError::Execution(message) => wording::user(message),
        DataFusionError::SchemaError(error, _) => from_schema(error),
        DataFusionError::Internal(message)
        | DataFusionError::Substrait(message)
        | DataFusionError::Ffi(message) => Failure::bug(trim(message)),
        DataFusionError::ExecutionJoin(error) => from_join(error),
        DataFusionError::ResourcesExhausted(message) => Failure::environment(wording::exhausted(
            message,
        ))
        .with_hint(
            "raise --memory-limit, lower --threads, or give --temp-dir a disk with space to spill",
        ),
        DataFusionError::External(error) => from_std(error.as_ref()),
        DataFusionError::Context(context, inner) => with_context(context, from_datafusion(inner)),
        DataFusionError::Diagnostic(diagnostic, inner) => {
            let position = diagnostic.span.map(|span| Position {
                line: span.start.line as usize,
                column: span.start.column as usize,
            });
            from_datafusion(inner).at(position)
        }
        DataFusionError::Collection(errors) => from_many(errors),
        DataFusionError::Shared(error) => from_datafusion(error),
    }
}

/// Sorts an error of the engine.
pub(crate) fn from_engine(error: &EngineError) -> Box<Failure> {
    match error.kind() {
        ErrorKind::User => Failure::user(error.to_string()),
        ErrorKind::Environment => Failure::environment(error.to_string()),
        ErrorKind::Internal => {
            // What to do about a bug is said by the hint.
            let message = error.to_string();
            let end = message.find(". This is a bug").unwrap_or(message.len());
            Failure::bug(&message[..end])
        }
    }
}

/// Sorts an error of Arrow.
pub(crate) fn from_arrow(error: &ArrowError) -> Box<Failure> {
    match error {
        ArrowError::ExternalError(error) => from_std(error.as_ref()),
        ArrowError::IoError(_, error) => from_io_error(error),
        ArrowError::MemoryError(message) => Failure::environment(message),
        ArrowError::CDataInterface(message) => Failure::bug(message),
        other => wording::user(&other.to_string()),
    }
}

fn from_parquet(error: &ParquetError) -> Box<Failure> {
    match error {
        ParquetError::External(error) => from_std(error.as_ref()),
        other => wording::user(&other.to_string()),
    }
}

fn from_store(error: &StoreError) -> Box<Failure> {
    match error {
        StoreError::UnknownConfigurationKey { .. } => Failure::user(error.to_string()),
        StoreError::JoinError { source } => from_join(source),
        other => from_engine(&explain_unnamed(other)),
    }
}

fn from_io_error(error: &io::Error) -> Box<Failure> {
    // An I/O error is also a common wrapping for errors that are none.
    match error.get_ref() {
        Some(inner) if is_known(inner) => from_std(inner),
        _ if error.kind() == io::ErrorKind::StorageFull => from_io("cannot spill to disk", error)
            .with_hint("free some space, or give --temp-dir a disk that has it"),
        _ => from_io("input or output failed", error),
    }
}

fn from_parser(error: &ParserError) -> Box<Failure> {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return Failure::user("the SQL is nested too deeply")
                .with_hint("name its inner parts with WITH, or make views of them");
        }
    };
    let (message, position) = split_position(message);
    let message = message
        .replacen("Expected: ", "expected ", 1)
        .replacen("found: ", "found ", 1);
    let message = message.replace("found EOF", "found the end of the SQL");
    Failure::user(format!("SQL does not parse: {}", lower_first(&message))).at(position)
}

fn from_schema(error: &SchemaError) -> Box<Failure> {
    let SchemaError::FieldNotFound {
        field,
        valid_fields,
    } = error
    else {
        let message = error.to_string();
        return Failure::user(lower_first(&message));
    };
    let failure = Failure::user(format!("column \"{}\" not found", field.flat_name()));
    let names: Vec<&str> = valid_fields.iter().map(|field| field.name()).collect();
    if let Some(near) = nearest(field.name(), names.iter().copied()) {
        let near = match near.chars().any(char::is_uppercase) {
            // Unquoted names are folded to lower case and would not find it.
            true => format!("\"{near}\" (with the quotes)"),
            false => format!("`{near}`"),
        };
        return failure.with_hint(format!("did you mean {near}?"));
    }
    match names.len() {
        0 => failure,
        1..=12 => failure.with_hint(format!("the columns are {}", names.join(", "))),
        more => failure.with_hint(format!(
            "the columns are {} and {} more",
            names[..12].join(", "),
            more - 12
        )),
    }
}

fn from_join(error: &JoinError) -> Box<Failure> {
    if error.is_cancelled() {
        return Failure::bug("a task was cancelled without a cause");
    }
    crate::panic::to_failure()
}

fn from_many(errors: &[DataFusionError]) -> Box<Failure> {
    let Some(first) = errors.first() else {
        return Failure::bug("an empty collection of errors");
    };
    let mut failure = from_datafusion(first);
    if errors.len() > 1 {
        failure.message = format!("{} (and {} more)", failure.message, errors.len() - 1);
    }
    failure
}

/// Sorts an error of unknown type by looking for a known one behind it.
fn from_std(error: &(dyn StdError + 'static)) -> Box<Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<EngineError>() {
            return from_engine(error);
        }
        if let Some(error) = error.downcast_ref::<DataFusionError>() {
            return from_datafusion(error);
        }
        if let Some(error) = error.downcast_ref::<ArrowError>() {
            return from_arrow(error);
        }
        if let Some(error) = error.downcast_ref::<ParquetError>() {
            return from_parquet(error);
        }
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return from_store(error);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return from_io_error(error);
        }
        if let Some(error) = error.downcast_ref::<JoinError>() {
            return from_join(error);
        }
        next = error.source();
    }
    wording::user(&with_causes(error))
}

fn is_known(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    error.is::<EngineError>()
        || error.is::<DataFusionError>()
        || error.is::<ArrowError>()
        || error.is::<ParquetError>()
        || error.is::<StoreError>()
        || error.is::<JoinError>()
}

/// The context says where, unless it only names a step of the optimizer or repeats the error.
fn with_context(context: &str, mut failure: Box<Failure>) -> Box<Failure> {
    let is_internal_step = !context.contains(' ')
        || context.starts_with("Optimizer rule")
        || context.starts_with("Not enough memory");
    if !is_internal_step {
        failure.message = format!("{}: {}", context.trim_end_matches(':'), failure.message);
    }
    failure
}

fn with_causes(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        next = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "a panic is what is tested")]
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Arc;

    use super::*;
    use crate::error::FailureKind;

    fn kind(error: DataFusionError) -> FailureKind {
        from_datafusion(&error).kind
    }

    #[test]
    fn wrappings_hide_nothing() {
        let engine = EngineError::Environment {
            message: "no answer".into(),
            retryable: true,
        };
        let arrow = ArrowError::ExternalError(Box::new(DataFusionError::from(engine)));
        let parquet = ParquetError::External(Box::new(arrow));
        let shared = DataFusionError::Shared(Arc::new(parquet.into()));
        let failure = from_datafusion(&shared.context("type_coercion"));
        assert_eq!(failure.kind, FailureKind::Environment);
        assert_eq!(failure.message, "no answer");
    }

    #[test]
    fn whose_fault() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(kind(full.into()), FailureKind::Environment);
        let missing = StoreError::NotFound {
            path: "a".into(),
            source: "gone".into(),
        };
        assert_eq!(kind(missing.into()), FailureKind::User);
        assert_eq!(
            kind(DataFusionError::Internal("odd".into())),
            FailureKind::Bug
        );
        assert_eq!(kind(ArrowError::DivideByZero.into()), FailureKind::User);
        let hidden = io::Error::other(EngineError::Internal("odd".into()));
        assert_eq!(kind(hidden.into()), FailureKind::Bug);
        assert_eq!(kind(DataFusionError::Collection(vec![])), FailureKind::Bug);
    }

    #[test]
    fn a_panic_in_a_task_is_a_bug_and_says_where() {
        crate::panic::install_hook();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let error =
            runtime.block_on(async { tokio::spawn(async { panic!("index 7 of 3") }).await });
        let failure = from_datafusion(&DataFusionError::ExecutionJoin(Box::new(
            error.unwrap_err(),
        )));
        assert_eq!(failure.kind, FailureKind::Bug);
        assert!(
            failure.message.starts_with("internal error: index 7 of 3"),
            "{}",
            failure.message
        );
        assert!(
            failure.message.contains("classify.rs"),
            "{}",
            failure.message
        );
    }
}

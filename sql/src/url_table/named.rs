//! Errors of DataFusion's own readers, which do not say of which file they are.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use futures::TryStreamExt;
use geoflow_engine::Error;
use geoflow_engine::through::{Through, ThroughExec};

/// The error with the name of what was read, and what it means.
pub(super) fn say(name: &str, error: DataFusionError) -> DataFusionError {
    let what = match error.find_root() {
        DataFusionError::ArrowError(error, _) => match &**error {
            ArrowError::ExternalError(_) | ArrowError::IoError(..) => None,
            ArrowError::CsvError(text)
            | ArrowError::JsonError(text)
            | ArrowError::ParseError(text) => Some(text.clone()),
            other => Some(other.to_string()),
        },
        DataFusionError::Execution(text) | DataFusionError::Internal(text) => Some(text.clone()),
        // What splits a file into lines counts as a store.
        DataFusionError::ObjectStore(error) => {
            let text = error.to_string();
            text.contains("LineDelimiter").then_some(text)
        }
        _ => None,
    };
    let Some(what) = what else { return error };
    if what.contains(name) && !what.contains("UTF-8") {
        return error;
    }
    Error::Data(format!("{name}: {}", plain(&what))).into()
}

/// What the messages of readers mean for somebody who has a file.
fn plain(what: &str) -> String {
    const CUT: &str = "it was perhaps not copied to its end";
    if what.contains("unterminated string") {
        return format!(
            "a text in quotes does not end: {CUT}, or its quotes are others (quote := '...')"
        );
    }
    if what.contains("Arrow file") || what.contains("footer") || what.contains("stream format") {
        return format!("it begins as Arrow IPC and does not end so: {CUT}");
    }
    if what.contains("invalid utf-8")
        || what.contains("valid UTF-8")
        || what.contains("UTF-8 error")
    {
        return "it holds bytes that are no UTF-8: save it in this encoding".to_owned();
    }
    match what.strip_prefix("incorrect number of fields for line ") {
        Some(rest) => match rest.split_once(", expected ") {
            Some((line, numbers)) => format!(
                "line {line} has another number of fields, expected {numbers}: {CUT}, or its values are separated by another sign (delim := '...')"
            ),
            None => what.to_owned(),
        },
        None => what.trim_end_matches('.').to_owned(),
    }
}

/// A table whose errors name it.
#[derive(Debug)]
pub(super) struct NamedTable {
    name: Arc<str>,
    table: Arc<dyn TableProvider>,
}

impl NamedTable {
    pub(super) fn new(name: &str, table: Arc<dyn TableProvider>) -> Self {
        Self {
            name: name.into(),
            table,
        }
    }
}

#[async_trait]
impl TableProvider for NamedTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        self.table.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = self.table.scan(session, projection, filters, limit).await?;
        let named = Named(Arc::clone(&self.name));
        Ok(Arc::new(ThroughExec::new(input, named)))
    }
}

/// Gives errors a name.
#[derive(Debug)]
struct Named(Arc<str>);

impl Through for Named {
    fn name(&self) -> &'static str {
        "ReadExec"
    }

    fn describe(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadExec: {}", self.0)
    }

    fn follow(&self, batches: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let name = Arc::clone(&self.0);
        let schema = batches.schema();
        let named = batches.map_err(move |error| say(&name, error));
        Box::pin(RecordBatchStreamAdapter::new(schema, named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        for (text, expected) in [
            (
                "incorrect number of fields for line 7, expected 4 got 2",
                "a.csv: line 7 has another number of fields, expected 4 got 2",
            ),
            (
                "invalid utf-8: invalid UTF-8 in field 0",
                "a.csv: it holds bytes that are no UTF-8",
            ),
            ("odd", "a.csv: odd"),
        ] {
            let error = ArrowError::CsvError(text.to_owned());
            let said = say("a.csv", error.into()).to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}

//! A statement that writes, taken apart: what it asks, and where the answer goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::listing::ListingTable;
use datafusion::datasource::source_as_provider;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::dml::{CopyTo, InsertOp, WriteOp};
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as SqlStatement;
use geoflow_engine::Error;

use crate::plan::Sink;

/// A statement, planned but not optimized.
pub(crate) struct Written {
    /// What is asked.
    pub(crate) query: LogicalPlan,
    pub(crate) sink: Sink,
    /// Whether the statement says itself where it writes.
    pub(crate) says_where: bool,
    /// The table that an `INSERT` writes to.
    pub(crate) target: Option<(TableReference, Arc<dyn TableProvider>)>,
}

/// Runs the statements that prepare the session. `known` tables are not made anew.
///
/// # Errors
/// [`Error::Statement`] for a statement that every task would run again to no good.
pub(crate) async fn run_setup(
    context: &SessionContext,
    setup: &[String],
    known: &HashMap<String, (TableReference, Arc<dyn TableProvider>)>,
) -> Result<()> {
    for (name, table) in known.values() {
        context.register_table(name.clone(), Arc::clone(table))?;
    }
    for text in setup {
        let statement = geoflow_sql::parse(&context.state(), text)?;
        // Those that the statement reads are in the plan, with what their files hold.
        if let SqlStatement::CreateExternalTable(create) = &statement
            && known.contains_key(&create.name.to_string())
        {
            continue;
        }
        let plan = context.state().statement_to_plan(statement).await?;
        if !may_repeat(&plan) {
            return Err(Error::Statement(format!(
                "`{}` stands before the statement of a job, where only SET, CREATE VIEW and CREATE EXTERNAL TABLE may: \
                 every task runs it again. Run it with `geoflow query`, write what it makes to files, and read those",
                shorten(text)
            ))
            .into());
        }
        context.execute_logical_plan(plan).await?;
    }
    Ok(())
}

fn may_repeat(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(_) | DdlStatement::CreateView(_))
            | LogicalPlan::Statement(Statement::SetVariable(_))
    )
}

/// Where a statement writes to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// It says so itself, or here is said where a query writes to.
    Asked(Option<&'a str>),
    /// It is known already.
    Known(&'a Sink),
}

/// Plans the statement of a job.
///
/// # Errors
/// [`Error::Statement`] when it does not write, or writes what a job cannot.
pub(crate) async fn plan_written(
    context: &SessionContext,
    text: &str,
    place: Place<'_>,
) -> Result<Written> {
    let statement = geoflow_sql::parse(&context.state(), text)?;
    let plan = geoflow_sql::statement_to_plan(&context.state(), statement).await?;
    match plan {
        LogicalPlan::Copy(copy) => copy_to(copy),
        LogicalPlan::Dml(dml) => {
            if !matches!(dml.op, WriteOp::Insert(InsertOp::Append)) {
                return Err(user(&format!(
                    "{} cannot run as a job: write a new folder with COPY (SELECT ...) TO '...'",
                    dml.op.name()
                )));
            }
            let target = source_as_provider(&dml.target)?;
            let sink = match place {
                // The table may be one that stands in for it.
                Place::Known(sink) => sink.clone(),
                Place::Asked(_) => Sink {
                    output: folder_of(target.as_ref(), &dml.table_name)?,
                    append: true,
                    partition_by: folders_of(target.as_ref()),
                    options: BTreeMap::new(),
                },
            };
            Ok(Written {
                sink,
                says_where: true,
                target: Some((dml.table_name, target)),
                query: Arc::unwrap_or_clone(dml.input),
            })
        }
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => Err(user(
            "EXPLAIN writes nothing: `geoflow job plan` shows how a statement is cut",
        )),
        LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) | LogicalPlan::DescribeTable(_) => {
            Err(user(DOES_NOT_WRITE))
        }
        query => match place {
            Place::Asked(None) => Err(user(DOES_NOT_WRITE)),
            Place::Known(sink) => Ok(Written {
                query,
                sink: sink.clone(),
                says_where: false,
                target: None,
            }),
            Place::Asked(Some(output)) => Ok(Written {
                query,
                sink: Sink {
                    output: output.to_owned(),
                    append: false,
                    partition_by: vec![],
                    options: BTreeMap::new(),
                },
                says_where: false,
                target: None,
            }),
        },
    }
}

const DOES_NOT_WRITE: &str = "the statement does not write anything: add -o FOLDER to a SELECT, or write COPY (SELECT ...) TO 'folder/' or INSERT INTO";

fn copy_to(copy: CopyTo) -> Result<Written> {
    let format = copy.file_type.get_ext();
    if format != "parquet" {
        return Err(user(&format!(
            "a job writes Parquet, not {format}: say STORED AS PARQUET, and convert the parts afterwards"
        )));
    }
    Ok(Written {
        query: Arc::unwrap_or_clone(copy.input),
        sink: Sink {
            output: copy.output_url,
            append: false,
            partition_by: copy.partition_by,
            options: copy.options.into_iter().collect(),
        },
        says_where: true,
        target: None,
    })
}

fn folder_of(table: &dyn TableProvider, name: &TableReference) -> Result<String> {
    let listing = table.downcast_ref::<ListingTable>();
    let folder = listing
        .and_then(|table| table.table_paths().first())
        .filter(|url| url.is_collection());
    match folder {
        Some(url) => Ok(url.as_str().to_owned()),
        None => Err(user(&format!(
            "a job can insert only into a folder of Parquet files, which {name} is not"
        ))),
    }
}

/// The columns of a table that stand in the names of its folders.
fn folders_of(table: &dyn TableProvider) -> Vec<String> {
    let listing = table.downcast_ref::<ListingTable>();
    let columns = listing.map(|table| table.options().table_partition_cols.iter());
    columns
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

fn user(message: &str) -> DataFusionError {
    Error::Statement(message.to_owned()).into()
}

fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

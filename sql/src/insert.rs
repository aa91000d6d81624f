//! `INSERT` into files with coverings: a box beside each geometry, which the writer makes and nobody gives.

use arrow::datatypes::Schema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast;
use geoflow_engine::Error;
use geoflow_engine::geoparquet::covering_columns;

/// Plans a statement; it is not analyzed yet. An `INSERT` that names no columns, and does not give those of coverings, is
/// planned as if it named all others.
///
/// # Errors
/// When the statement cannot be planned.
pub async fn statement_to_plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan> {
    let target = target(state, &statement).await?;
    let named = target
        .as_ref()
        .and_then(|schema| without_coverings(&statement, schema));
    let error = match state.statement_to_plan(statement).await {
        Err(error) if is_of_count(&error) => error,
        planned => return planned,
    };
    if let Some(named) = named
        && let Ok(plan) = state.statement_to_plan(named).await
    {
        return Ok(plan);
    }
    match target {
        None => Err(error),
        Some(schema) => {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            Err(Error::Statement(format!(
                "the table has {} columns ({}), and as many are not given: say which are, as in INSERT INTO t (a, b) SELECT ...",
                names.len(),
                names.join(", ")
            ))
            .into())
        }
    }
}

/// Whether the columns of an `INSERT` are more or fewer than those of its table.
fn is_of_count(error: &DataFusionError) -> bool {
    error
        .to_string()
        .contains("Column count doesn't match insert query")
}

/// The columns of the table that a statement inserts into, if it does not say itself which are meant.
async fn target(
    state: &SessionState,
    statement: &Statement,
) -> Result<Option<std::sync::Arc<Schema>>> {
    let Some(insert) = insert(statement) else {
        return Ok(None);
    };
    let ast::TableObject::TableName(name) = &insert.table else {
        return Ok(None);
    };
    if !insert.columns.is_empty() {
        return Ok(None);
    }
    let normalize = state.config_options().sql_parser.enable_ident_normalization;
    let table = object_name_to_table_reference(name.clone(), normalize)?;
    let Ok(schema) = state.schema_for_ref(table.clone()) else {
        return Ok(None);
    };
    let table = schema.table(table.table()).await?;
    Ok(table.map(|table| table.schema()))
}

fn insert(statement: &Statement) -> Option<&ast::Insert> {
    match statement {
        Statement::Statement(inner) => match inner.as_ref() {
            ast::Statement::Insert(insert) => Some(insert),
            _ => None,
        },
        _ => None,
    }
}

/// The same `INSERT`, with the names of all columns but those of coverings.
fn without_coverings(statement: &Statement, schema: &Schema) -> Option<Statement> {
    let coverings = covering_columns(schema).ok()?;
    let given = schema.fields().iter().enumerate();
    let names: Vec<ast::ObjectName> = given
        .filter(|(i, _)| !coverings.contains(i))
        .map(|(_, field)| ast::Ident::with_quote('"', field.name()).into())
        .collect();
    if names.len() == schema.fields().len() {
        return None;
    }
    let mut statement = statement.clone();
    if let Statement::Statement(inner) = &mut statement
        && let ast::Statement::Insert(insert) = inner.as_mut()
    {
        insert.columns = names;
    }
    Some(statement)
}

//! SQL text cut into statements by the parser itself, so that quotes and comments are respected.

use datafusion::config::SqlParserOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement as SqlStatement};
use datafusion::sql::sqlparser::ast;

use crate::error::{Failure, Result, from_datafusion};
use crate::sql_text::SqlText;

/// What a statement leaves to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yield {
    /// Rows.
    Rows,
    /// A plan, as text.
    Plan,
    /// A count of rows written elsewhere: `COPY`, `INSERT`.
    Count,
    /// Nothing: `CREATE`, `SET`.
    Nothing,
}

impl Yield {
    /// Whether this is something that `-o` could hold.
    pub(crate) fn is_result(self) -> bool {
        matches!(self, Yield::Rows | Yield::Plan)
    }
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: SqlStatement,
    pub(crate) yields: Yield,
    /// Index of the text it was written in.
    pub(crate) text: usize,
}

/// Parses all texts. A mistake in the last statement is reported before the first one runs.
pub(crate) fn parse(texts: &[SqlText], options: &SqlParserOptions) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let dialect = geoflow_sql::dialect(options)
            .ok_or_else(|| Failure::user(format!("unknown SQL dialect {}", options.dialect)))?;
        let expanded = geoflow_sql::expand_stars(dialect.as_ref(), &text.text);
        let parsed = DFParserBuilder::new(expanded.as_ref())
            .with_dialect(dialect.as_ref())
            .with_recursion_limit(options.recursion_limit.get())
            .build()
            .and_then(|mut parser| parser.parse_statements())
            .map_err(|error| text.locate(from_datafusion(&error)))?;
        statements.extend(parsed.into_iter().map(|sql| Statement {
            yields: yields(&sql),
            sql,
            text: index,
        }));
    }
    if statements.is_empty() {
        return Err(Failure::usage("no SQL given: there is no statement in it"));
    }
    Ok(statements)
}

fn yields(statement: &SqlStatement) -> Yield {
    match statement {
        SqlStatement::Explain(_) => Yield::Plan,
        SqlStatement::CopyTo(_) => Yield::Count,
        SqlStatement::CreateExternalTable(_) | SqlStatement::Reset(_) => Yield::Nothing,
        SqlStatement::Statement(statement) => match statement.as_ref() {
            ast::Statement::Query(_)
            | ast::Statement::ShowTables { .. }
            | ast::Statement::ShowColumns { .. }
            | ast::Statement::ShowVariable { .. }
            | ast::Statement::ShowFunctions { .. }
            | ast::Statement::ShowCreate { .. }
            | ast::Statement::ExplainTable { .. }
            | ast::Statement::Execute { .. } => Yield::Rows,
            ast::Statement::Explain {
                describe_alias: ast::DescribeAlias::Describe | ast::DescribeAlias::Desc,
                ..
            } => Yield::Rows,
            ast::Statement::Explain { .. } => Yield::Plan,
            ast::Statement::Insert(_)
            | ast::Statement::Update { .. }
            | ast::Statement::Delete(_) => Yield::Count,
            _ => Yield::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn kinds(sql: &str) -> Vec<Yield> {
        let text = SqlText {
            origin: "test".to_string(),
            text: sql.to_string(),
        };
        let statements = parse(&[text], &SqlParserOptions::default()).unwrap();
        statements
            .iter()
            .map(|statement| statement.yields)
            .collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_cut() {
        let sql = "SELECT ';' AS a; -- one; two\n/* ; */ SET x = 'a;b';; EXPLAIN SELECT 1;";
        assert_eq!(kinds(sql), [Yield::Rows, Yield::Nothing, Yield::Plan]);
        assert_eq!(
            kinds(
                "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'x'; SHOW TABLES; COPY t TO 'y' STORED AS CSV"
            ),
            [Yield::Nothing, Yield::Rows, Yield::Count]
        );
    }

    #[test]
    fn a_mistake_is_placed() {
        let text = SqlText {
            origin: "test".to_string(),
            text: "SELECT 1;\nSELEC 1".to_string(),
        };
        let failure = parse(&[text], &SqlParserOptions::default()).unwrap_err();
        assert_eq!(failure.excerpt.unwrap().position.line, 2);
    }
}

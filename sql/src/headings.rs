//! Names of computed columns where a table is a path.
//!
//! DataFusion names `max(name)` after its columns with their tables: `max(out/part.parquet.name)`. Over a table
//! that is a path, and has no name of its own, such a column is called what the statement says: `max(name)`.

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast;

/// Gives names to the computed columns of a statement that reads paths.
pub(crate) fn shorten(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => match statement.as_mut() {
            ast::Statement::Query(query) => of_query(query),
            ast::Statement::CreateView(view) => of_query(&mut view.query),
            ast::Statement::CreateTable(table) => {
                if let Some(query) = &mut table.query {
                    of_query(query);
                }
            }
            _ => {}
        },
        Statement::Explain(explain) => shorten(&mut explain.statement),
        Statement::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                of_query(query);
            }
        }
        _ => {}
    }
}

fn of_query(query: &mut ast::Query) {
    of_body(&mut query.body);
}

/// Of a set operation, the first input names the columns.
fn of_body(body: &mut ast::SetExpr) {
    match body {
        ast::SetExpr::Select(select) if reads_paths(select) => {
            for item in &mut select.projection {
                name(item);
            }
        }
        ast::SetExpr::Query(query) => of_query(query),
        ast::SetExpr::SetOperation { left, .. } => of_body(left),
        _ => {}
    }
}

fn reads_paths(select: &ast::Select) -> bool {
    let relations = |table: &ast::TableWithJoins| {
        is_path(&table.relation) || table.joins.iter().any(|join| is_path(&join.relation))
    };
    select.from.iter().any(relations)
}

fn is_path(relation: &ast::TableFactor) -> bool {
    let ast::TableFactor::Table {
        name, alias: None, ..
    } = relation
    else {
        return false;
    };
    let [ast::ObjectNamePart::Identifier(only)] = name.0.as_slice() else {
        return false;
    };
    names_path(only)
}

fn names_path(part: &ast::Ident) -> bool {
    part.quote_style.is_some() && part.value.contains(['/', '\\', '.'])
}

fn name(item: &mut ast::SelectItem) {
    let ast::SelectItem::UnnamedExpr(expr) = item else {
        return;
    };
    // Columns have names, and what makes several columns gives them theirs.
    let computed = match expr {
        ast::Expr::Function(function) => !function.name.to_string().eq_ignore_ascii_case("unnest"),
        // The path has no name, so this is a member of a struct.
        ast::Expr::CompoundIdentifier(parts) => parts.iter().all(|part| !names_path(part)),
        ast::Expr::Identifier(_) | ast::Expr::CompoundFieldAccess { .. } | ast::Expr::Value(_) => {
            false
        }
        _ => true,
    };
    if computed {
        let said = expr.to_string();
        *item = ast::SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: ast::Ident::with_quote('"', said),
        };
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::Session;

    #[tokio::test]
    async fn columns_are_called_what_the_statement_says() {
        let session = Session::try_new().unwrap();
        let cities = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/cities.parquet");
        for (select, names) in [
            (
                "name, upper(name), ST_NPoints(geometry), 'x'",
                "name|upper(name)|ST_NPoints(geometry)|Utf8(\"x\")",
            ),
            ("count(*), max(name) AS m", "count(*)|m"),
            ("length(name) + 1", "length(name) + 1"),
            ("bbox.xmin", "bbox.xmin"),
        ] {
            let sql = format!("SELECT {select} FROM '{cities}'");
            for sql in [
                sql.clone(),
                format!("({sql})"),
                format!("{sql} UNION ALL {sql}"),
            ] {
                let frame = session.sql(&sql).await.unwrap();
                let fields = frame.schema().fields().iter();
                let found: Vec<&str> = fields.map(|f| f.name().as_str()).collect();
                assert_eq!(found.join("|"), names, "{sql}");
            }
        }
        // What is ordered or grouped by a computed column is so still.
        let sql = format!(
            "SELECT length(name), count(*) FROM '{cities}' GROUP BY length(name) HAVING count(*) > 1 ORDER BY count(*) DESC, length(name) LIMIT 1"
        );
        let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
        assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 1);
        // A table with a name of its own keeps it.
        let sql = format!("SELECT max(c.name) FROM '{cities}' c");
        let frame = session.sql(&sql).await.unwrap();
        assert_eq!(frame.schema().field(0).name(), "max(c.name)");
    }
}

//! Functions in FROM that return sets of rows in PostgreSQL, and lists here: `FROM t, ST_Dump(t.geom) AS d`.

use datafusion::sql::sqlparser::ast::{self, Expr, Ident, SetExpr, TableFactor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::functions;

/// A table that a function makes.
pub(crate) struct Rows {
    pub(crate) name: Ident,
    /// Whether its only column is `value`, and its name stands for that.
    pub(crate) is_series: bool,
}

/// Makes a `LATERAL` subquery of each such function in the FROM of a query, and tells what tables functions make.
pub(crate) fn rewrite(body: &mut SetExpr, tables: &mut Vec<Rows>) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            rewrite(left, tables);
            rewrite(right, tables);
        }
        SetExpr::Select(select) => {
            for from in &mut select.from {
                tables.extend(rows(&mut from.relation));
                for join in &mut from.joins {
                    tables.extend(rows(&mut join.relation));
                }
            }
        }
        _ => {}
    }
}

fn rows(table: &mut TableFactor) -> Option<Rows> {
    let (name, args, alias, numbered) = match table {
        TableFactor::Table {
            name,
            args: Some(args),
            alias,
            with_ordinality,
            ..
        } => (name, &args.args, alias, *with_ordinality),
        TableFactor::Function {
            name,
            args,
            alias,
            with_ordinality,
            ..
        } => (name, &*args, alias, *with_ordinality),
        _ => return None,
    };
    let function = name.to_string().to_ascii_lowercase();
    let series = ["generate_series", "range"].contains(&function.as_str());
    let listed: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
    let listed = listed.join(", ");
    let call = format!("{name}({listed})");
    let own_name = || Ident::new(function.clone());
    let table_name = alias
        .as_ref()
        .map_or_else(own_name, |alias| alias.name.clone());
    let mut columns = match functions::list_parts(&function) {
        Some(parts) if !parts.is_empty() => {
            let part = |part: &&str| format!("unnest({call})['{part}'] AS {part}");
            parts.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        Some(_) => format!("unnest({call}) AS {table_name}"),
        None if function == "unnest" => format!("{call} AS {table_name}"),
        None if series && (numbered || args.iter().any(refers)) => {
            format!("unnest({call}) AS {table_name}")
        }
        None => {
            return alias
                .as_ref()
                .filter(|a| series && a.columns.is_empty())
                .map(|a| Rows {
                    name: a.name.clone(),
                    is_series: true,
                });
        }
    };
    if numbered {
        let list = match function.as_str() {
            "unnest" => listed,
            _ => call,
        };
        let numbers = format!("unnest(generate_series(1, cardinality({list})::bigint))");
        columns = format!("{columns}, {numbers} AS ordinality");
    }
    let query = Parser::new(&GenericDialect)
        .try_with_sql(&format!("SELECT {columns}"))
        .and_then(|mut parser| parser.parse_query())
        .ok()?;
    let alias = alias.take().unwrap_or_else(|| ast::TableAlias {
        explicit: true,
        name: table_name.clone(),
        columns: vec![],
        at: None,
    });
    *table = TableFactor::Derived {
        lateral: true,
        subquery: query,
        alias: Some(alias),
        sample: None,
    };
    Some(Rows {
        name: table_name,
        is_series: false,
    })
}

/// Whether an argument refers to columns.
fn refers(arg: &ast::FunctionArg) -> bool {
    let mut found = false;
    let _ = ast::visit_expressions(arg, |expr| {
        found |= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        std::ops::ControlFlow::<()>::Continue(())
    });
    found
}

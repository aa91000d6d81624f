//! What PostGIS users write and DataFusion's planner does not read: `(ST_Dump(geom)).geom`, and table
//! functions in any case.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::{functions, syntax};

/// Rewrites a statement:
///
/// | written | read as |
/// |---|---|
/// | `(ST_Dump(geom)).geom` | `unnest(ST_Dump(geom))['geom']`, a column named `geom` |
/// | `(value).part` | `value['part']`, a column named `part` |
/// | `FROM ST_SquareGrid(...)` | `FROM st_squaregrid(...)` |
pub(crate) fn rewrite(statement: &mut Statement) {
    syntax::visit(statement, &mut Idioms);
}

struct Idioms;

impl ast::VisitorMut for Idioms {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        name_parts(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut ast::TableFactor) -> ControlFlow<()> {
        if let ast::TableFactor::Table {
            name,
            args: Some(_),
            ..
        }
        | ast::TableFactor::Function { name, .. } = table
        {
            let text = name.to_string();
            if functions::is_table(&text) {
                *name = vec![ast::Ident::new(text.to_ascii_lowercase())].into();
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        let ast::Expr::CompoundFieldAccess { root, access_chain } = expr else {
            return ControlFlow::Continue(());
        };
        let ast::Expr::Nested(inner) = root.as_mut() else {
            return ControlFlow::Continue(());
        };
        let mut parts = false;
        for access in access_chain.iter_mut() {
            if let ast::AccessExpr::Dot(ast::Expr::Identifier(part)) = access {
                let value = ast::Value::SingleQuotedString(folded(part));
                let index = ast::Expr::value(value);
                *access = ast::AccessExpr::Subscript(ast::Subscript::Index { index });
                parts = true;
            }
        }
        if let ast::Expr::Function(function) = inner.as_mut()
            && parts
            && functions::is_dump(&function.name.to_string())
        {
            syntax::wrap("unnest", inner);
            **root = std::mem::replace(inner, ast::Expr::value(ast::Value::Null));
        }
        ControlFlow::Continue(())
    }
}

/// Names the columns of a query as PostgreSQL does: `(value).part` is `part`.
fn name_parts(body: &mut ast::SetExpr) {
    match body {
        ast::SetExpr::SetOperation { left, right, .. } => {
            name_parts(left);
            name_parts(right);
        }
        ast::SetExpr::Select(select) => {
            for item in &mut select.projection {
                let ast::SelectItem::UnnamedExpr(expr) = item else {
                    continue;
                };
                if let Some(alias) = last_part(expr) {
                    let expr = std::mem::replace(expr, ast::Expr::value(ast::Value::Null));
                    *item = ast::SelectItem::ExprWithAlias { expr, alias };
                }
            }
        }
        _ => {}
    }
}

fn last_part(expr: &ast::Expr) -> Option<ast::Ident> {
    match expr {
        ast::Expr::CompoundFieldAccess { root, access_chain }
            if matches!(root.as_ref(), ast::Expr::Nested(_)) =>
        {
            match access_chain.last()? {
                ast::AccessExpr::Dot(ast::Expr::Identifier(part)) => Some(part.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// An identifier as SQL understands it: in lower case, unless it is quoted.
fn folded(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

//! What PostGIS users write and DataFusion's planner does not read: parts of values, functions that return sets of
//! rows, and table functions in any case.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::sets_of_rows::{self, Rows};
use crate::{functions, syntax};

/// Rewrites a statement:
///
/// | written | read as |
/// |---|---|
/// | `(ST_Dump(geom)).geom` | `unnest(ST_Dump(geom))['geom']`, a column named `geom` |
/// | `(value).part`, `f(x).part`, `list[1].part` | `value['part']`, a column named `part` |
/// | `FROM t, ST_Dump(t.geom) AS d` | `FROM t, LATERAL (SELECT unnest(...)['geom'] AS geom, ...) AS d` |
/// | `(d).geom` of such a table | `d.geom` |
/// | `'SRID=4326;POINT(1 2)'::geometry` | `ST_GeomFromEWKT('SRID=4326;POINT(1 2)')` |
/// | `SELECT i FROM generate_series(1, 3) AS i` | `SELECT i.value AS i` |
/// | `coalesce(NULL, geom)` | `coalesce(geom)` |
/// | `FROM ST_SquareGrid(...)` | `FROM st_squaregrid(...)` |
pub(crate) fn rewrite(statement: &mut Statement) {
    syntax::visit(statement, &mut Idioms::default());
}

/// Tables made by functions, of the queries around the place that is visited.
#[derive(Default)]
struct Idioms {
    tables: Vec<Vec<Rows>>,
}

impl Idioms {
    fn table(&self, name: &ast::Ident) -> Option<&Rows> {
        let mut all = self.tables.iter().rev().flatten();
        all.find(|table| syntax::folded(&table.name) == syntax::folded(name))
    }

    /// `i` of `generate_series(1, 3) AS i`.
    fn is_series(&self, expr: &ast::Expr) -> bool {
        let ast::Expr::Identifier(name) = expr else {
            return false;
        };
        self.table(name).is_some_and(|table| table.is_series)
    }
}

impl ast::VisitorMut for Idioms {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        let mut tables = vec![];
        sets_of_rows::rewrite(&mut query.body, &mut tables);
        self.tables.push(tables);
        self.name_parts(&mut query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut ast::Query) -> ControlFlow<()> {
        self.tables.pop();
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
        if self.is_series(expr)
            && let ast::Expr::Identifier(name) = expr
        {
            *expr = ast::Expr::CompoundIdentifier(vec![name.clone(), ast::Ident::new("value")]);
        }
        without_nulls(expr);
        with_srid(expr);
        let ast::Expr::CompoundFieldAccess { root, access_chain } = expr else {
            return ControlFlow::Continue(());
        };
        if let ast::Expr::Nested(inner) = root.as_ref()
            && let ast::Expr::Identifier(name) = inner.as_ref()
            && self.table(name).is_some()
            && let Some(ast::AccessExpr::Dot(ast::Expr::Identifier(part))) = access_chain.first()
        {
            **root = ast::Expr::CompoundIdentifier(vec![name.clone(), part.clone()]);
            access_chain.remove(0);
        }
        if access_chain.is_empty() {
            *expr = std::mem::replace(root, ast::Expr::value(ast::Value::Null));
            return ControlFlow::Continue(());
        }
        // What follows a name is its column; what follows anything else is a part of its value.
        let mut of_name = matches!(
            root.as_ref(),
            ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_)
        );
        let mut parts = false;
        for access in access_chain.iter_mut() {
            match access {
                ast::AccessExpr::Dot(ast::Expr::Identifier(part)) if !of_name => {
                    let value = ast::Value::SingleQuotedString(syntax::folded(part));
                    let index = ast::Expr::value(value);
                    *access = ast::AccessExpr::Subscript(ast::Subscript::Index { index });
                    parts = true;
                }
                ast::AccessExpr::Dot(_) => {}
                ast::AccessExpr::Subscript(_) => of_name = false,
            }
        }
        if let ast::Expr::Nested(inner) = root.as_mut()
            && let ast::Expr::Function(function) = inner.as_mut()
            && parts
            && functions::is_dump(&function.name.to_string())
        {
            syntax::wrap("unnest", inner);
            **root = std::mem::replace(inner, ast::Expr::value(ast::Value::Null));
        }
        ControlFlow::Continue(())
    }
}

impl Idioms {
    /// Names the columns of a query as PostgreSQL does: `(value).part` is `part`.
    fn name_parts(&self, body: &mut ast::SetExpr) {
        match body {
            ast::SetExpr::SetOperation { left, right, .. } => {
                self.name_parts(left);
                self.name_parts(right);
            }
            ast::SetExpr::Select(select) => {
                for item in &mut select.projection {
                    let ast::SelectItem::UnnamedExpr(expr) = item else {
                        continue;
                    };
                    let name = match &*expr {
                        ast::Expr::Identifier(name) if self.is_series(expr) => Some(name.clone()),
                        other => last_part(other),
                    };
                    if let Some(alias) = name {
                        let expr = std::mem::replace(expr, ast::Expr::value(ast::Value::Null));
                        *item = ast::SelectItem::ExprWithAlias { expr, alias };
                    }
                }
            }
            _ => {}
        }
    }
}

fn last_part(expr: &ast::Expr) -> Option<ast::Ident> {
    match expr {
        ast::Expr::CompoundFieldAccess { root, access_chain }
            if matches!(root.as_ref(), ast::Expr::Nested(_) | ast::Expr::Function(_)) =>
        {
            match access_chain.last()? {
                ast::AccessExpr::Dot(ast::Expr::Identifier(part)) => Some(part.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `ST_GeomFromEWKT('SRID=4326;POINT(1 2)')` in place of a cast of the text to geometry: the CRS of a cast is that of
/// its type.
fn with_srid(expr: &mut ast::Expr) {
    let ast::Expr::Cast {
        kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
        expr: inner,
        data_type: ast::DataType::Custom(name, modifiers),
        ..
    } = expr
    else {
        return;
    };
    let name = name.to_string().to_ascii_lowercase();
    let text = match inner.as_ref() {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => text.trim_start(),
            _ => return,
        },
        _ => return,
    };
    if !["geometry", "public.geometry"].contains(&name.as_str()) {
        return;
    }
    let Some(function) = functions::reader_with_srid(text) else {
        return;
    };
    syntax::wrap(function, inner);
    if modifiers.is_empty() {
        *expr = std::mem::replace(inner.as_mut(), ast::Expr::value(ast::Value::Null));
    }
}

/// Takes NULL from the arguments of `coalesce`, where others are left: DataFusion finds no type for it beside bytes.
fn without_nulls(expr: &mut ast::Expr) {
    let ast::Expr::Function(function) = expr else {
        return;
    };
    let ast::FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let is_null = |arg: &ast::FunctionArg| match arg {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(ast::Expr::Value(value))) => {
            value.value == ast::Value::Null
        }
        _ => false,
    };
    if function.name.to_string().eq_ignore_ascii_case("coalesce") && !list.args.iter().all(is_null)
    {
        list.args.retain(|arg| !is_null(arg));
    }
}

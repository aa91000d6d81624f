//! What the rewritings of parsed statements share.

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{self, VisitMut, VisitorMut};

/// Leads a visitor through all that is SQL in a statement, what `EXPLAIN` and `COPY` hold as well.
pub(crate) fn visit(statement: &mut Statement, visitor: &mut impl VisitorMut<Break = ()>) {
    // The visitors break off nowhere.
    let _ = match statement {
        Statement::Statement(statement) => statement.visit(visitor),
        Statement::Explain(explain) => return visit(&mut explain.statement, visitor),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => query.visit(visitor),
            CopyToSource::Relation(_) => return,
        },
        _ => return,
    };
}

/// Puts a call around an expression: `name(expr)`.
pub(crate) fn wrap(name: &str, expr: &mut ast::Expr) {
    let argument = std::mem::replace(expr, ast::Expr::value(ast::Value::Null));
    let argument = ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument));
    *expr = ast::Expr::Function(ast::Function {
        name: vec![ast::Ident::new(name)].into(),
        uses_odbc_syntax: false,
        parameters: ast::FunctionArguments::None,
        args: ast::FunctionArguments::List(ast::FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument],
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    });
}

/// An identifier as SQL understands it: in lower case, unless it is quoted.
pub(crate) fn folded(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

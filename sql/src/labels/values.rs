//! `VALUES (ST_Point(1, 2)), (NULL)`.
//!
//! DataFusion refuses rows whose cells differ in their metadata, before any rule sees them. So the
//! cells that are calls or casts go through a function that has no metadata, [`bare_function`], which
//! the analyzer rule takes away again; the labels then come from all cells of a column at once.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::syntax;

const BARE: &str = "__bare";

/// Wraps the cells of all `VALUES` of a statement.
pub(crate) fn hide_labels(statement: &mut Statement) {
    syntax::visit(statement, &mut Wrapper);
}

struct Wrapper;

impl ast::VisitorMut for Wrapper {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        wrap(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn wrap(body: &mut ast::SetExpr) {
    match body {
        ast::SetExpr::SetOperation { left, right, .. } => {
            wrap(left);
            wrap(right);
        }
        ast::SetExpr::Values(values) if values.rows.len() > 1 => {
            for cell in values.rows.iter_mut().flat_map(|row| &mut row.content) {
                if matches!(cell, ast::Expr::Function(_) | ast::Expr::Cast { .. }) {
                    syntax::wrap(BARE, cell);
                }
            }
        }
        _ => {}
    }
}

/// What is within [`bare_function`].
pub(super) fn unwrapped(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == BARE => call.args.pop(),
        _ => None,
    }
}

/// The function that hides the metadata of its argument.
pub(crate) fn bare_function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Bare {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bare {
    signature: Signature,
}

impl ScalarUDFImpl for Bare {
    fn name(&self) -> &str {
        BARE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let null = ColumnarValue::Scalar(datafusion::scalar::ScalarValue::Null);
        Ok(args.args.into_iter().next().unwrap_or(null))
    }
}

//! Names that are an aggregate of one geometry and a function of more: `ST_Union(a, b)`.

use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::definition::Returns;

/// Turns calls of an aggregate with several arguments, or with a list that is built on the spot, into calls
/// of the function of that name. SQL would find a function first, and never the aggregate, so the functions are known here alone.
#[derive(Debug)]
pub(super) struct SharedNames {
    pub(super) functions: Vec<Arc<ScalarUDF>>,
}

impl ExprPlanner for SharedNames {
    fn plan_aggregate(&self, call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if call.args.len() < 2 && !call.args.iter().any(is_list) {
            return Ok(PlannerResult::Original(call));
        }
        let name = call.func.name();
        let Some(function) = self.functions.iter().find(|f| f.name() == name) else {
            return Ok(PlannerResult::Original(call));
        };
        if call.distinct || call.filter.is_some() || !call.order_by.is_empty() {
            return plan_err!(
                "{name} of several arguments or a list is no aggregate: it takes no DISTINCT, FILTER or ORDER BY"
            );
        }
        Ok(PlannerResult::Planned(function.call(call.args)))
    }
}

/// Whether an expression makes a list. What a column holds is not known here.
fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_list(&alias.expr),
        Expr::ScalarFunction(call) => match super::definition(&call.func) {
            Some(function) => matches!(function.returns, Returns::List(_)),
            None => LISTS.contains(&call.func.name()),
        },
        _ => false,
    }
}

/// DataFusion's functions that make lists of lists and values.
const LISTS: [&str; 13] = [
    "make_array",
    "array_append",
    "array_concat",
    "array_distinct",
    "array_except",
    "array_intersect",
    "array_prepend",
    "array_remove",
    "array_repeat",
    "array_reverse",
    "array_slice",
    "array_sort",
    "array_union",
];

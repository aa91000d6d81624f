//! Names that are an aggregate of one geometry and a function of more: `ST_Union(a, b)`.

use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};

/// Turns calls of an aggregate with several arguments into calls of the function of that name. SQL
/// would find a function first, and never the aggregate, so the functions are known here alone.
#[derive(Debug)]
pub(super) struct SharedNames {
    pub(super) functions: Vec<Arc<ScalarUDF>>,
}

impl ExprPlanner for SharedNames {
    fn plan_aggregate(&self, call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        if call.args.len() < 2 {
            return Ok(PlannerResult::Original(call));
        }
        let name = call.func.name();
        let Some(function) = self.functions.iter().find(|f| f.name() == name) else {
            return Ok(PlannerResult::Original(call));
        };
        if call.distinct || call.filter.is_some() || !call.order_by.is_empty() {
            return plan_err!(
                "{name} of several arguments is no aggregate: it takes no DISTINCT, FILTER or ORDER BY"
            );
        }
        Ok(PlannerResult::Planned(function.call(call.args)))
    }
}

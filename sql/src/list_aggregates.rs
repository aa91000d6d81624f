//! `ST_Collect(array_agg(geom))`: the aggregate of a list that is itself an aggregate.

use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};

use crate::functions;

/// Makes one aggregate of the two: DuckDB and PostGIS collect geometries in a list first, which
/// here would be a detour by way of a list in memory.
#[derive(Debug, Default)]
pub(crate) struct ListAggregates {}

impl ExprPlanner for ListAggregates {
    fn plan_aggregate(&self, call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let [only] = call.args.as_slice() else {
            return Ok(PlannerResult::Original(call));
        };
        // A call by another name of the function has that as its alias.
        let Expr::AggregateFunction(list) = only.clone().unalias() else {
            return Ok(PlannerResult::Original(call));
        };
        let plain = !call.distinct && call.filter.is_none() && call.order_by.is_empty();
        if !plain || list.func.name() != "array_agg" || !functions::is_spatial_aggregate(&call.func)
        {
            return Ok(PlannerResult::Original(call));
        }
        let list = list.params;
        Ok(PlannerResult::Original(RawAggregateExpr {
            func: call.func,
            args: list.args,
            distinct: list.distinct,
            filter: list.filter,
            order_by: list.order_by,
            null_treatment: None,
        }))
    }
}

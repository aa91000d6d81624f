//! `ST_Distance` of a row and one of its nearest, which the join has measured already.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::node::NearestJoinNode;

const ST_DISTANCE: &str = "st_distance";

/// Puts a column of the join in the place of `ST_Distance(a, b)` above a join on `ST_KNN(a, b, k)`. The geometries
/// then need not be gathered for each pair, nor the distance measured again.
///
/// It follows [`NearestJoinRule`](super::NearestJoinRule).
#[derive(Debug, Default)]
pub struct NearestDistanceRule {}

impl OptimizerRule for NearestDistanceRule {
    fn name(&self) -> &str {
        "nearest_distance"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        // These alone say which columns they put out: any other would pass one on that nobody asked for.
        if !matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return Ok(Transformed::no(plan));
        }
        let Some(node) = plan.inputs().first().and_then(|input| nearest_below(input)) else {
            return Ok(Transformed::no(plan));
        };
        if !mentions_distance(&plan, node)? {
            return Ok(Transformed::no(plan));
        }
        let mut node = node.clone();
        let column = match &node.distance {
            Some(column) => column.clone(),
            None => {
                let name = config.alias_generator().next("__nearest_distance");
                node = node.with_distance(Column::from_name(name.clone()))?;
                Column::from_name(name)
            }
        };
        let found = Found { node, column };
        found.replace(&plan).map(Transformed::yes)
    }
}

/// The join by nearest neighbours whose columns reach `plan` under their own names.
fn nearest_below(plan: &LogicalPlan) -> Option<&NearestJoinNode> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => {
            nearest_below(plan.inputs().first()?)
        }
        _ => None,
    }
}

/// Whether an expression of `plan`, or of those between it and the join, asks for the distance.
fn mentions_distance(plan: &LogicalPlan, node: &NearestJoinNode) -> Result<bool> {
    if let LogicalPlan::Extension(_) = plan {
        return Ok(false);
    }
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|expr| Ok(is_distance(expr, node)))?;
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    for input in plan.inputs() {
        found = found || mentions_distance(input, node)?;
    }
    Ok(found)
}

fn is_distance(expr: &Expr, node: &NearestJoinNode) -> bool {
    let Expr::ScalarFunction(call) = expr else {
        return false;
    };
    let [a, b] = call.args.as_slice() else {
        return false;
    };
    let (left, right) = (&node.left_geometry, &node.right_geometry);
    call.func.name() == ST_DISTANCE && ((a, b) == (left, right) || (a, b) == (right, left))
}

/// A join, and the column of its distances.
struct Found {
    node: NearestJoinNode,
    column: Column,
}

impl Found {
    /// `plan` above the join with that column.
    fn replace(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if let LogicalPlan::Extension(_) = plan {
            let node = Arc::new(self.node.clone());
            return Ok(LogicalPlan::Extension(Extension { node }));
        }
        let names = NamePreserver::new(plan);
        let expressions = plan.expressions().into_iter().map(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_down(|expr| {
                Ok(match is_distance(&expr, &self.node) {
                    true => Transformed::yes(Expr::Column(self.column.clone())),
                    false => Transformed::no(expr),
                })
            });
            Ok(name.restore(expr.data()?))
        });
        let expressions = expressions.collect::<Result<Vec<_>>>()?;
        let inputs = plan.inputs().into_iter().map(|input| self.replace(input));
        plan.with_new_exprs(expressions, inputs.collect::<Result<_>>()?)
    }
}

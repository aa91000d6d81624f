//! The rule that makes the node.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Extension, Join, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use geoflow_engine::options::GeoflowOptions;

use super::ST_KNN;
use super::lateral::nearest_of_lateral;
use super::node::NearestJoinNode;

/// Replaces a join on `ST_KNN`, or with a `LATERAL` subquery that takes the first rows by distance, by a
/// node of its own. It must be the first of the rules.
#[derive(Debug, Default)]
pub struct NearestJoinRule {}

impl NearestJoinRule {
    /// The rule.
    pub fn new() -> Self {
        Self::default()
    }
}

impl OptimizerRule for NearestJoinRule {
    fn name(&self) -> &str {
        "nearest_join"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if let LogicalPlan::Join(join) = &plan
            && GeoflowOptions::of(&config.options())
                .join
                .lateral_nearest
                .is_on()
            && let Some(nearest) = nearest_of_lateral(join)?
        {
            return Ok(Transformed::yes(nearest));
        }
        if !mentions_nearest(&plan)? {
            return Ok(Transformed::no(plan));
        }
        let LogicalPlan::Join(join) = plan else {
            return plan_err!(
                "ST_KNN is a condition of a join: write FROM a JOIN b ON ST_KNN(a.geometry, b.geometry, k)"
            );
        };
        let node = Arc::new(nearest_join(join)?);
        Ok(Transformed::yes(LogicalPlan::Extension(Extension { node })))
    }
}

/// Whether an expression of the plan's own calls `ST_KNN`.
fn mentions_nearest(plan: &LogicalPlan) -> Result<bool> {
    if let LogicalPlan::Extension(_) = plan {
        return Ok(false);
    }
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr_mentions_nearest(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn expr_mentions_nearest(expr: &Expr) -> Result<bool> {
    use datafusion::common::tree_node::TreeNode;
    expr.exists(|e| Ok(matches!(e, Expr::ScalarFunction(call) if call.func.name() == ST_KNN)))
}

fn nearest_join(join: Join) -> Result<NearestJoinNode> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return plan_err!(
            "ST_KNN finds the nearest rows of the right side for each row of the left: only inner \
             and left joins do that, this is a {} join",
            join.join_type
        );
    }
    let mut call = None;
    let mut residual: Vec<Expr> = join
        .on
        .iter()
        .map(|(l, r)| binary_expr(l.clone(), Operator::Eq, r.clone()))
        .collect();
    for conjunct in join.filter.into_iter().flat_map(split_conjunction_owned) {
        match conjunct {
            Expr::ScalarFunction(function) if function.func.name() == ST_KNN && call.is_none() => {
                call = Some(function);
            }
            other => residual.push(other),
        }
    }
    let Some(call) = call else {
        return misplaced();
    };
    for other in &residual {
        if expr_mentions_nearest(other)? {
            return misplaced();
        }
    }
    let (left_geometry, right_geometry, k) =
        arguments(call, join.left.schema(), join.right.schema())?;
    Ok(NearestJoinNode {
        left: join.left,
        right: join.right,
        left_geometry,
        right_geometry,
        k,
        residual: conjunction(residual),
        ties: vec![],
        join_type: join.join_type,
        distance: None,
        schema: join.schema,
    })
}

fn misplaced<T>() -> Result<T> {
    plan_err!("ST_KNN stands once in the condition of a join, beside other conditions by AND")
}

fn arguments(
    call: ScalarFunction,
    left: &DFSchema,
    right: &DFSchema,
) -> Result<(Expr, Expr, usize)> {
    let mut args = call.args.into_iter();
    let (Some(a), Some(b)) = (args.next(), args.next()) else {
        return plan_err!("ST_KNN takes two geometries and the number of neighbours");
    };
    let k = args.next().unwrap_or_else(|| lit(1i64));
    let k = match as_literal(&k).map(|k| k.cast_to(&arrow::datatypes::DataType::Int64)) {
        Some(Ok(ScalarValue::Int64(Some(k)))) if k >= 0 => k as usize,
        _ => {
            return plan_err!(
                "the number of neighbours of ST_KNN is a constant not below zero, not {k}"
            );
        }
    };
    if let Some(spheroid) = args.next()
        && !matches!(
            as_literal(&spheroid),
            Some(ScalarValue::Boolean(Some(false)))
        )
    {
        return plan_err!("ST_KNN measures in the plane: use_spheroid can only be FALSE");
    }
    let of = |expr: &Expr, schema: &DFSchema| {
        let columns = expr.column_refs();
        !columns.is_empty() && columns.iter().all(|c| schema.has_column(c))
    };
    if !(of(&a, left) && of(&b, right)) {
        return plan_err!(
            "the first geometry of ST_KNN is of the left side of the join, the second of the right: \
             each row of the left side gets its nearest rows of the right"
        );
    }
    Ok((a, b, k))
}

/// The value of a literal, casts of literals included.
fn as_literal(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(cast) => as_literal(&cast.expr),
        _ => None,
    }
}

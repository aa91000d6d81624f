//! The rule that puts the spatial join in place of DataFusion's joins.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::utils::{collect_columns, conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use geoflow_engine::join::{SpatialJoinExec, choose_build_side};
use geoflow_engine::options::{GeoflowOptions, JoinOptions};

use super::conjunct::{self, SpatialFilter};
use super::strategy::{self, Strategy};

/// Replaces a join whose filter holds a spatial predicate by [`SpatialJoinExec`].
///
/// It runs first of the physical rules, on the joins that DataFusion's planner has just made. By
/// then comma joins, `EXISTS` and `NOT EXISTS` have become joins, filters have been pushed down,
/// unused columns are gone, and outer joins that are none have been simplified: rules that know
/// a join, but would not know a node of our own. And the inputs can be asked for their
/// statistics, which decide the side that is built.
#[derive(Debug, Default)]
pub struct SpatialJoinRule {}

impl SpatialJoinRule {
    /// The rule.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PhysicalOptimizerRule for SpatialJoinRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = &GeoflowOptions::of(config).join;
        // Bottom up, so that a join above another spatial join sees its estimates.
        plan.transform_up(|node| {
            let replaced = match node.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => from_nested_loop(join, options)?,
                None => match node.downcast_ref::<HashJoinExec>() {
                    Some(join) => from_hash_join(join, options)?,
                    None => None,
                },
            };
            Ok(match replaced {
                Some(join) => Transformed::yes(join),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "spatial_join"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn from_nested_loop(
    join: &NestedLoopJoinExec,
    options: &JoinOptions,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = join.filter() else {
        return Ok(None);
    };
    let Some(SpatialFilter { on, residual }) = conjunct::split(filter)? else {
        return Ok(None);
    };
    let projection = join.projection().as_ref().map(|p| p.to_vec());
    let side = build_side(join.left(), join.right(), options)?;
    Ok(Some(Arc::new(SpatialJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        on,
        residual,
        *join.join_type(),
        side,
        projection,
    )?)))
}

/// An equality beside the spatial predicate: a hash join stays what it is, or the index finds the
/// pairs and the equality becomes a residual, as [`strategy`] says.
fn from_hash_join(
    join: &HashJoinExec,
    options: &JoinOptions,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = join.filter() else {
        return Ok(None);
    };
    let Some(SpatialFilter { on, residual }) = conjunct::split(filter)? else {
        return Ok(None);
    };
    let Strategy::Index(reason) = strategy::choose(join, options.strategy)? else {
        return Ok(None);
    };
    let residual = with_equalities(join, residual)?;
    let projection = join.projection.as_ref().map(|p| p.to_vec());
    let side = build_side(join.left(), join.right(), options)?;
    let join = SpatialJoinExec::try_new(
        Arc::clone(join.left()),
        Arc::clone(join.right()),
        on,
        Some(residual),
        *join.join_type(),
        side,
        projection,
    )?;
    Ok(Some(Arc::new(join.with_reason(reason))))
}

fn build_side(
    left: &Arc<dyn ExecutionPlan>,
    right: &Arc<dyn ExecutionPlan>,
    options: &JoinOptions,
) -> Result<JoinSide> {
    if let Some(side) = options.build_side.side() {
        return Ok(side);
    }
    let statistics = StatisticsContext::new();
    let whole = StatisticsArgs::new();
    let left = statistics.compute(left.as_ref(), &whole)?;
    let right = statistics.compute(right.as_ref(), &whole)?;
    Ok(choose_build_side(&left, &right))
}

/// The residual filter of a hash join, joined by its key equalities.
fn with_equalities(join: &HashJoinExec, residual: Option<JoinFilter>) -> Result<JoinFilter> {
    let (mut indices, mut fields, mut conditions) = match &residual {
        Some(filter) => (
            filter.column_indices().to_vec(),
            filter.schema().fields().to_vec(),
            vec![Arc::clone(filter.expression())],
        ),
        None => (vec![], vec![], vec![]),
    };
    let operator = match join.null_equality() {
        NullEquality::NullEqualsNothing => Operator::Eq,
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
    };
    let mut bring = |expr: &PhysicalExprRef, side: JoinSide| -> Result<PhysicalExprRef> {
        let schema = match side {
            JoinSide::Left => join.left().schema(),
            _ => join.right().schema(),
        };
        for column in collect_columns(expr) {
            let index = column.index();
            if !indices.iter().any(|c| c.side == side && c.index == index) {
                indices.push(ColumnIndex { index, side });
                fields.push(Arc::new(Field::clone(schema.field(index))));
            }
        }
        Arc::clone(expr)
            .transform(|node| {
                let Some(column) = node.downcast_ref::<Column>() else {
                    return Ok(Transformed::no(node));
                };
                let at = indices
                    .iter()
                    .position(|c| c.side == side && c.index == column.index());
                let moved: PhysicalExprRef =
                    Arc::new(Column::new(column.name(), at.unwrap_or(column.index())));
                Ok(Transformed::yes(moved))
            })
            .data()
    };
    for (left, right) in join.on() {
        let left = bring(left, JoinSide::Left)?;
        let right = bring(right, JoinSide::Right)?;
        conditions.push(Arc::new(BinaryExpr::new(left, operator, right)));
    }
    Ok(JoinFilter::new(
        conjunction(conditions),
        indices,
        Arc::new(Schema::new(fields)),
    ))
}

//! The rule that aggregates nearest neighbours row by row.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, Statistics};
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, Partitioning};
use geoflow_engine::clustered::ClusteredAggregateExec;
use geoflow_engine::join::{JoinPredicate, SpatialJoinExec};

use super::strategy::distinct_values;

/// Replaces a partial aggregation over `ST_KNN`, by a key that tells (nearly) all left rows from each other, by
/// [`ClusteredAggregateExec`]. Of a key that many rows share, a hash table makes less.
///
/// It runs after the rules that know DataFusion's aggregations.
#[derive(Debug)]
pub(crate) struct ClusteredAggregateRule;

impl PhysicalOptimizerRule for ClusteredAggregateRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(aggregate) = node.downcast_ref::<AggregateExec>() else {
                return Ok(Transformed::no(node));
            };
            if !has_group_a_row(aggregate)? {
                return Ok(Transformed::no(node));
            }
            let clustered = ClusteredAggregateExec::try_new(aggregate)?;
            Ok(match clustered {
                Some(clustered) => Transformed::yes(Arc::new(clustered)),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "clustered_aggregate"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether the input is a join of nearest neighbours, and a column among the groups has (nearly) a value for each left row.
fn has_group_a_row(aggregate: &AggregateExec) -> Result<bool> {
    let keys = aggregate.group_expr().input_exprs();
    let columns = (keys.iter())
        .map(|key| Some(key.downcast_ref::<Column>()?.index()))
        .collect::<Option<Vec<_>>>();
    let Some((join, columns)) = columns.and_then(|columns| below(aggregate.input(), columns))
    else {
        return Ok(false);
    };
    if !matches!(join.on().predicate, JoinPredicate::Nearest { .. }) {
        return Ok(false);
    }
    let left = (columns.iter())
        .map(|&column| match join.input_column(column)? {
            (JoinSide::Left, column) => Some(column),
            _ => None,
        })
        .collect::<Option<Vec<_>>>();
    let Some(left) = left else {
        return Ok(false);
    };
    let statistics =
        StatisticsContext::new().compute(join.left().as_ref(), &StatisticsArgs::new())?;
    Ok(left.iter().any(|&column| tells_apart(&statistics, column)))
}

/// The join below projections and what deals out whole batches, and its columns that `columns` are taken from.
fn below(
    plan: &Arc<dyn ExecutionPlan>,
    columns: Vec<usize>,
) -> Option<(&SpatialJoinExec, Vec<usize>)> {
    if let Some(join) = plan.downcast_ref::<SpatialJoinExec>() {
        return Some((join, columns));
    }
    if let Some(deal) = plan.downcast_ref::<RepartitionExec>()
        && matches!(deal.partitioning(), Partitioning::RoundRobinBatch(_))
    {
        return below(deal.input(), columns);
    }
    let projection = plan.downcast_ref::<ProjectionExec>()?;
    let columns = (columns.into_iter())
        .map(|column| {
            let expr = &projection.expr().get(column)?.expr;
            Some(expr.downcast_ref::<Column>()?.index())
        })
        .collect::<Option<_>>()?;
    below(projection.input(), columns)
}

/// Whether a column may have as many values as there are rows, or half as many.
fn tells_apart(statistics: &Statistics, column: usize) -> bool {
    let rows = statistics.num_rows.get_value();
    let values = (statistics.column_statistics.get(column)).and_then(distinct_values);
    rows.zip(values)
        .is_some_and(|(&rows, values)| values >= rows as f64 / 2.0)
}

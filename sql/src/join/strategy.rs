//! By hash or by index: how a join by an equality and a spatial predicate finds its pairs.
//!
//! Keys that pair a row with many others, such as a country's code, would make the hash join test
//! all pairs of a country. A key that is (nearly) distinct on one side pairs each row with one
//! other, which no index can better. What decides is the number of pairs that the key leaves,
//! estimated from statistics: the product of the rows, spread over the distinct keys.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use geoflow_engine::join::StrategyNote;
use geoflow_engine::options::{GeoflowOptions, JoinStrategy};
use geoflow_engine::through::ThroughExec;

use super::conjunct;

/// Candidates that the index is taken to find for a row of the larger input.
const CANDIDATES_A_ROW: f64 = 4.0;

/// What finds the pairs, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Strategy {
    Index(String),
    Hash(String),
}

/// Chooses for a hash join whose filter holds a spatial predicate.
pub(super) fn choose(join: &HashJoinExec, wanted: JoinStrategy) -> Result<Strategy> {
    if join.null_aware {
        // `NOT IN` asks of the keys what no index of geometries knows.
        return Ok(Strategy::Hash("NOT IN".to_owned()));
    }
    Ok(match wanted {
        JoinStrategy::Index => Strategy::Index("as set".to_owned()),
        JoinStrategy::Hash => Strategy::Hash("as set".to_owned()),
        JoinStrategy::Auto => by_statistics(join)?,
    })
}

fn by_statistics(join: &HashJoinExec) -> Result<Strategy> {
    let context = StatisticsContext::new();
    let left = context.compute(join.left().as_ref(), &StatisticsArgs::new())?;
    let right = context.compute(join.right().as_ref(), &StatisticsArgs::new())?;
    let keys = |side: fn(&(PhysicalExprRef, PhysicalExprRef)) -> &PhysicalExprRef| {
        join.on().iter().map(side).collect::<Vec<_>>()
    };
    let distinct = [
        distinct_keys(&keys(|on| &on.0), &left),
        distinct_keys(&keys(|on| &on.1), &right),
    ];
    let rows = |s: &Statistics| s.num_rows.get_value().map(|&rows| rows as f64);
    let (Some(left), Some(right)) = (rows(&left), rows(&right)) else {
        return Ok(Strategy::Index("rows unknown".to_owned()));
    };
    let Some(distinct) = distinct.into_iter().flatten().reduce(f64::max) else {
        return Ok(Strategy::Index("distinct keys unknown".to_owned()));
    };
    let by_key = left * right / distinct.max(1.0);
    let by_index = left.max(right) * CANDIDATES_A_ROW;
    Ok(match by_key <= by_index {
        true => Strategy::Hash(format!("about {} pairs by key", rounded(by_key))),
        false => Strategy::Index(format!("about {} pairs by key", rounded(by_key))),
    })
}

/// Two digits are all that an estimate knows.
fn rounded(pairs: f64) -> String {
    match pairs < 100.0 {
        true => format!("{pairs:.0}"),
        false => format!("{pairs:.1e}"),
    }
}

/// About how many distinct keys one input has; `None` if nothing is known of any of its columns.
fn distinct_keys(keys: &[&PhysicalExprRef], statistics: &Statistics) -> Option<f64> {
    let rows = *statistics.num_rows.get_value()? as f64;
    let known = keys.iter().filter_map(|key| {
        let column = key.downcast_ref::<Column>()?.index();
        distinct_values(statistics.column_statistics.get(column)?)
    });
    known.reduce(|a, b| a * b).map(|all| all.min(rows))
}

/// The distinct values of a column, or what its range has room for.
pub(super) fn distinct_values(column: &ColumnStatistics) -> Option<f64> {
    if let Some(&distinct) = column.distinct_count.get_value() {
        return (distinct > 0).then_some(distinct as f64);
    }
    let whole = |value: Option<&ScalarValue>| -> Option<f64> {
        let value = value?;
        let type_ = value.data_type();
        if !(type_.is_integer() || matches!(type_, DataType::Date32)) {
            return None;
        }
        match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(Some(value)) => Some(value as f64),
            _ => None,
        }
    };
    let least = whole(column.min_value.get_value())?;
    let greatest = whole(column.max_value.get_value())?;
    (greatest >= least).then_some(greatest - least + 1.0)
}

/// Notes in the plan why a hash join with a spatial condition stayed one. It runs after all other rules,
/// for which such a note would stand in the way.
#[derive(Debug, Default)]
pub struct JoinStrategyRule {}

impl JoinStrategyRule {
    /// The rule.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PhysicalOptimizerRule for JoinStrategyRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = GeoflowOptions::of(config).join.strategy;
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            let spatial = match join.filter() {
                Some(filter) => conjunct::split(filter)?.is_some(),
                None => false,
            };
            if !spatial {
                return Ok(Transformed::no(node));
            }
            let Strategy::Hash(reason) = choose(join, wanted)? else {
                return Ok(Transformed::no(node));
            };
            let note = StrategyNote::new(format!("hash ({reason})"));
            Ok(Transformed::yes(Arc::new(ThroughExec::new(node, note))))
        })
        .data()
    }

    fn name(&self) -> &str {
        "join_strategy"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

//! Partial aggregation of rows whose groups stand together.
//!
//! A join of nearest neighbours puts out the `k` rows of a left row one after the other. Grouped by a key of the left
//! rows, a hash table of all groups would find each row's group among millions, though it is that of the row before;
//! and its memory would be that of all groups. DataFusion has a partial aggregation for sorted input that keeps only the
//! groups of late and puts out the others. It needs no order: that equal keys stand together suffices for it to be
//! quick, and not even that for it to be right, since a group that comes again is put out again, and the final
//! aggregation merges what was put out.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    SendableRecordBatchStream,
};

use crate::through::{Through, ThroughExec};

/// A partial aggregation that puts out groups as soon as others come. Nothing above it takes its rows for sorted.
#[derive(Debug)]
pub struct ClusteredAggregateExec {
    /// The aggregation as it was planned.
    aggregate: Arc<AggregateExec>,
    /// The same, over an input that is said to be sorted.
    by_clusters: AggregateExec,
}

impl ClusteredAggregateExec {
    /// The same aggregation. `None` for one that is not partial, has no groups or several sets of them, asks for an order
    /// or a limit, or has found an order already.
    ///
    /// # Errors
    /// When DataFusion cannot plan it.
    pub fn try_new(aggregate: &AggregateExec) -> Result<Option<Self>> {
        let groups = aggregate.group_expr();
        let plain = *aggregate.mode() == AggregateMode::Partial
            && *aggregate.input_order_mode() == InputOrderMode::Linear
            && aggregate.limit_options().is_none()
            && groups.is_single()
            && (aggregate.aggr_expr().iter()).all(|aggregate| aggregate.order_bys().is_empty());
        let keys = groups.input_exprs().into_iter();
        let Some(order) = LexOrdering::new(keys.map(PhysicalSortExpr::new_default)) else {
            return Ok(None);
        };
        if !plain {
            return Ok(None);
        }
        let input = ThroughExec::new(Arc::clone(aggregate.input()), AsIfSorted(order));
        let by_clusters = AggregateExec::try_new(
            AggregateMode::Partial,
            groups.clone(),
            aggregate.aggr_expr().to_vec(),
            aggregate.filter_expr().to_vec(),
            Arc::new(input),
            aggregate.input_schema(),
        )?;
        let clustered = *by_clusters.input_order_mode() == InputOrderMode::Sorted
            && by_clusters.schema() == aggregate.schema();
        Ok(clustered.then(|| Self {
            aggregate: Arc::new(aggregate.clone()),
            by_clusters,
        }))
    }

    /// The aggregation as it was planned.
    pub fn aggregate(&self) -> &Arc<AggregateExec> {
        &self.aggregate
    }
}

impl DisplayAs for ClusteredAggregateExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(t, DisplayFormatType::TreeRender) {
            f.write_str("Clustered")?;
        }
        self.aggregate.fmt_as(t, f)
    }
}

impl ExecutionPlan for ClusteredAggregateExec {
    fn name(&self) -> &'static str {
        "ClusteredAggregateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.aggregate.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![self.aggregate.input()]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.aggregate.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let aggregate = Arc::clone(&self.aggregate).replace_children(children, options)?;
        let Some(planned) = aggregate.downcast_ref::<AggregateExec>() else {
            return Ok(aggregate);
        };
        Ok(match Self::try_new(planned)? {
            Some(clustered) => Arc::new(clustered),
            None => aggregate,
        })
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.by_clusters.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.by_clusters.metrics()
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        self.aggregate.statistics_from_inputs(inputs, args)
    }
}

/// Says of rows that they are sorted. They are not: only who needs no order may stand above.
#[derive(Debug)]
struct AsIfSorted(LexOrdering);

impl Through for AsIfSorted {
    fn name(&self) -> &'static str {
        "AsIfSorted"
    }

    fn describe(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsIfSorted: {}", self.0)
    }

    fn properties(&self, input: &Arc<PlanProperties>) -> Arc<PlanProperties> {
        let mut known = input.eq_properties.clone();
        known.add_ordering(self.0.clone());
        Arc::new(PlanProperties::clone(input).with_eq_properties(known))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::catalog::MemTable;
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    use datafusion::physical_plan::collect;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<u8>, Option<f64>);

    fn batch(rows: &[Row]) -> RecordBatch {
        let a: Int64Array = rows.iter().map(|row| row.0).collect();
        let b: StringArray = (rows.iter())
            .map(|row| row.1.map(|b| "x".repeat(b.into())))
            .collect();
        let v: Float64Array = rows.iter().map(|row| row.2).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("a", Arc::new(a) as ArrayRef, true),
            ("b", Arc::new(b) as ArrayRef, true),
            ("v", Arc::new(v) as ArrayRef, true),
        ])
        .unwrap()
    }

    fn clustered(plan: Arc<dyn ExecutionPlan>) -> (Arc<dyn ExecutionPlan>, usize) {
        let mut made = 0;
        let plan = plan.transform_up(|node| {
            let new = match node.downcast_ref::<AggregateExec>() {
                Some(aggregate) => ClusteredAggregateExec::try_new(aggregate)?,
                None => None,
            };
            made += usize::from(new.is_some());
            Ok(match new {
                Some(new) => Transformed::yes(Arc::new(new) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            })
        });
        (plan.data().unwrap(), made)
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (
            prop::option::weighted(0.9, 0i64..6),
            prop::option::weighted(0.9, 0u8..3),
            prop::option::weighted(0.8, (-9i32..9).prop_map(f64::from)),
        );
        // Some stand together, and come again later.
        prop::collection::vec((row, 1usize..5), 0..40).prop_map(|runs| {
            let runs = runs.into_iter();
            runs.flat_map(|(row, n)| std::iter::repeat_n(row, n))
                .collect()
        })
    }

    proptest! {
        #[test]
        fn answers_are_those_of_the_hash_table(
            partitions in prop::collection::vec(prop::collection::vec(rows(), 0..4), 1..4),
            two_keys: bool,
        ) {
            let batches: Vec<Vec<RecordBatch>> =
                partitions.iter().map(|p| p.iter().map(|rows| batch(rows)).collect()).collect();
            let config = SessionConfig::new().with_target_partitions(2).with_batch_size(16);
            let context = SessionContext::new_with_config(config);
            let table = MemTable::try_new(batch(&[]).schema(), batches).unwrap();
            context.register_table("t", Arc::new(table)).unwrap();
            let keys = if two_keys { "b, a" } else { "a" };
            let sql = format!(
                "SELECT {keys}, count(*), count(v), sum(v), avg(v) FILTER (WHERE v > 0), min(b)
                 FROM t GROUP BY {keys} ORDER BY {keys}"
            );
            let plan = async || context.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
            let answers = tokio::runtime::Runtime::new().unwrap().block_on(async {
                let (clustered, made) = clustered(plan().await);
                // One partition is aggregated in one step.
                assert!(made == 1 || partitions.len() == 1);
                let mut answers = vec![];
                for plan in [plan().await, clustered] {
                    let all = collect(plan, context.task_ctx()).await.unwrap();
                    answers.push(pretty_format_batches(&all).unwrap().to_string());
                }
                answers
            });
            prop_assert_eq!(&answers[0], &answers[1]);
        }
    }
}

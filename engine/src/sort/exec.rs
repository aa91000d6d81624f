//! The operator.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics,
};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions, Statistics, apply_expression_roots,
};
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use super::buckets::Sorter;
use super::layout::RowLayout;
use crate::Error;

/// Sorts all partitions of its input into one, whole; see the module. Rows that are equal in all that they are sorted by
/// stay in the order of partitions and rows.
#[derive(Debug)]
pub struct ParallelSortExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// DataFusion's sort, where it had to help out.
    helper: Arc<Mutex<Option<Arc<SortExec>>>>,
}

impl ParallelSortExec {
    /// Sorts `input`, which must be bounded, by `order`.
    ///
    /// # Errors
    /// When `order` is not one of the input's columns.
    pub fn try_new(input: Arc<dyn ExecutionPlan>, order: LexOrdering) -> Result<Self> {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.reorder(order.clone())?;
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            input.boundedness(),
        );
        Ok(Self {
            input,
            order,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            helper: Arc::default(),
        })
    }
}

impl DisplayAs for ParallelSortExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParallelSortExec: expr=[{}]", self.order)
    }
}

impl ExecutionPlan for ParallelSortExec {
    fn name(&self) -> &'static str {
        "ParallelSortExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.order.iter().map(|key| &key.expr), f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children
            .into_iter()
            .next()
            .ok_or_else(|| Error::Internal("ParallelSortExec has one child".into()))?;
        Ok(Arc::new(Self::try_new(input, self.order.clone())?))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(Error::Internal(format!("a sort has no partition {partition}")).into());
        }
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let inputs = (0..self.input.output_partitioning().partition_count())
            .map(|partition| self.input.execute(partition, Arc::clone(&context)))
            .collect::<Result<Vec<_>>>()?;
        let sorter = Arc::new(Sorter {
            layout: Arc::new(RowLayout::new(&self.input.schema())),
            order: self.order.clone(),
            elapsed: metrics.elapsed_compute().clone(),
            spills: SpillMetrics::new(&self.metrics, partition),
            helper: Arc::clone(&self.helper),
            context,
        });
        let sorted = stream::once(sorter.sort(inputs)).try_flatten();
        let counted = sorted.inspect_ok(move |batch| metrics.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            counted,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        if let Some(spilled) = self.helper.lock().as_ref().and_then(|sort| sort.metrics()) {
            // Its rows are those of this operator.
            let others = spilled
                .iter()
                .filter(|metric| metric.value().name() != "output_rows");
            for metric in others {
                metrics.push(Arc::clone(metric));
            }
        }
        Some(metrics)
    }

    fn child_stats_requests(&self, _partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let input = inputs
            .first()
            .ok_or_else(|| Error::Internal("ParallelSortExec has one child".into()))?;
        Ok(Arc::clone(input))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

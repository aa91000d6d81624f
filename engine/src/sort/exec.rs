//! The operator.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    PlanProperties, ReplaceChildrenOptions, Statistics, apply_expression_roots,
};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::collect::collect;
use super::in_memory::{joined, sort_in_memory};
use super::layout::RowLayout;
use super::on_disk::sort_on_disk;
use crate::Error;

/// Sorts all partitions of its input into one, whole; see the module. Rows that are equal in all that they are sorted by
/// stay in the order of partitions and rows.
#[derive(Debug)]
pub struct ParallelSortExec {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// DataFusion's sort, once memory has not sufficed.
    spilling: Arc<Mutex<Option<Arc<SortExec>>>>,
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
            spilling: Arc::default(),
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
        let elapsed = metrics.elapsed_compute().clone();
        let full = Arc::new(AtomicBool::new(false));
        let layout = Arc::new(RowLayout::new(&self.input.schema()));
        let inputs = (0..self.input.output_partitioning().partition_count())
            .map(|partition| {
                let consumer = MemoryConsumer::new(format!("ParallelSort[{partition}]"));
                let reservation = consumer
                    .with_can_spill(true)
                    .register(context.memory_pool());
                Ok(collect(
                    self.input.execute(partition, Arc::clone(&context))?,
                    Arc::clone(&layout),
                    self.order.clone(),
                    Arc::clone(&full),
                    reservation,
                    elapsed.clone(),
                ))
            })
            .collect::<Result<Vec<_>>>()?;
        let order = self.order.clone();
        let spilling = Arc::clone(&self.spilling);
        let sorted = stream::once(async move {
            let tasks: Vec<_> = inputs.into_iter().map(SpawnedTask::spawn).collect();
            let mut collected = Vec::with_capacity(tasks.len());
            for task in tasks {
                collected.push(joined(task).await?);
            }
            if full.load(Ordering::Relaxed) {
                let (sort, rows) = sort_on_disk(&layout, order, collected, context)?;
                *spilling.lock() = Some(sort);
                return Ok(rows.boxed());
            }
            sort_in_memory(&layout, &order, collected, &context, elapsed).await
        })
        .try_flatten();

        let counted = sorted.inspect_ok(move |batch| metrics.record_output(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            counted,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        if let Some(spilled) = self
            .spilling
            .lock()
            .as_ref()
            .and_then(|sort| sort.metrics())
        {
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

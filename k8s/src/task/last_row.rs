//! The moment when a plan has yielded its last row, and nothing but writing is left.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;
use tokio::sync::Notify;

/// Passes on the batches of the one partition below, and tells when there are no more.
#[derive(Debug)]
pub(super) struct LastRowExec {
    input: Arc<dyn ExecutionPlan>,
    told: Arc<Notify>,
}

impl LastRowExec {
    /// Notifies whoever waits for `told`, now or later.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, told: Arc<Notify>) -> Self {
        Self { input, told }
    }

    /// The same below a plan that writes.
    pub(super) fn below(
        writer: Arc<dyn ExecutionPlan>,
        told: &Arc<Notify>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = writer.children().first().copied().cloned() else {
            return Ok(writer);
        };
        let watched: Arc<dyn ExecutionPlan> = Arc::new(Self::new(input, Arc::clone(told)));
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        writer.replace_children(vec![watched], options)
    }
}

impl DisplayAs for LastRowExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LastRow")
    }
}

impl ExecutionPlan for LastRowExec {
    fn name(&self) -> &'static str {
        "LastRow"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(Self::new(input, Arc::clone(&self.told))),
            None => self,
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
        let mut batches = self.input.execute(partition, context)?;
        let told = Arc::clone(&self.told);
        let schema = batches.schema();
        let watched = futures::stream::poll_fn(move |cx| {
            let polled = batches.poll_next_unpin(cx);
            if matches!(polled, Poll::Ready(None)) {
                told.notify_one();
            }
            polled
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, watched)))
    }
}

//! Operators that leave the rows below them as they are.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};

/// What an operator does beside passing rows on.
pub trait Through: fmt::Debug + Send + Sync + 'static {
    /// The name of the operator.
    fn name(&self) -> &'static str;

    /// What `EXPLAIN` shows.
    ///
    /// # Errors
    /// When the text cannot be written.
    fn describe(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// What is known of the rows: what is known of the input's, and perhaps more.
    fn properties(&self, input: &Arc<PlanProperties>) -> Arc<PlanProperties> {
        Arc::clone(input)
    }

    /// Follows the batches of a partition, which stay as they are.
    fn follow(&self, batches: SendableRecordBatchStream) -> SendableRecordBatchStream {
        batches
    }
}

/// Passes on the rows, their order and their statistics.
#[derive(Debug)]
pub struct ThroughExec<T> {
    input: Arc<dyn ExecutionPlan>,
    what: Arc<T>,
    properties: Arc<PlanProperties>,
}

impl<T: Through> ThroughExec<T> {
    /// The operator above `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>, what: T) -> Self {
        Self::sharing(input, Arc::new(what))
    }

    fn sharing(input: Arc<dyn ExecutionPlan>, what: Arc<T>) -> Self {
        Self {
            properties: what.properties(input.properties()),
            input,
            what,
        }
    }
}

impl<T: Through> DisplayAs for ThroughExec<T> {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.describe(t, f)
    }
}

impl<T: Through> ExecutionPlan for ThroughExec<T> {
    fn name(&self) -> &'static str {
        self.what.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
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
        _: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(Self::sharing(input, Arc::clone(&self.what))),
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
        Ok(self.what.follow(self.input.execute(partition, context)?))
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(match inputs {
            [input] => Arc::clone(input),
            _ => Arc::new(Statistics::new_unknown(&self.input.schema())),
        })
    }
}

//! The rule that sorts with all threads.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use geoflow_engine::options::GeoflowOptions;
use geoflow_engine::sort::ParallelSortExec;

/// Replaces sorts of all rows into one partition by [`ParallelSortExec`]. Those with a limit stay, which keep only the
/// first rows, and those that sort each partition on its own.
///
/// It runs last: other rules know DataFusion's sorts.
#[derive(Debug)]
pub(crate) struct ParallelSortRule;

impl PhysicalOptimizerRule for ParallelSortRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !GeoflowOptions::of(config).sort.parallel {
            return Ok(plan);
        }
        plan.transform_down(|node| {
            let Some(sort) = whole_sort(&node) else {
                return Ok(Transformed::no(node));
            };
            let sort = ParallelSortExec::try_new(Arc::clone(sort.input()), sort.expr().clone())?;
            Ok(Transformed::yes(Arc::new(sort)))
        })
        .data()
    }

    fn name(&self) -> &str {
        "parallel_sort"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The sort that puts all rows of `node` in order, into one partition.
fn whole_sort(node: &Arc<dyn ExecutionPlan>) -> Option<&SortExec> {
    let (sort, whole) = match node.downcast_ref::<SortPreservingMergeExec>() {
        Some(merge) if merge.fetch().is_none() => {
            let sort = merge.input().downcast_ref::<SortExec>()?;
            (sort, merge.expr() == sort.expr())
        }
        Some(_) => return None,
        None => {
            let sort = node.downcast_ref::<SortExec>()?;
            (
                sort,
                sort.input().output_partitioning().partition_count() == 1,
            )
        }
    };
    let input = sort.input();
    let sorted = input
        .equivalence_properties()
        .ordering_satisfy(sort.expr().clone())
        .unwrap_or(true);
    (whole && sort.fetch().is_none() && !sorted && !input.boundedness().is_unbounded())
        .then_some(sort)
}

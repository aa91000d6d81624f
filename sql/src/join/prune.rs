//! The rule that lets scans of GeoParquet leave out what cannot overlap.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use geoflow_engine::geoparquet::{BoundsFilter, prune_by_predicate};
use geoflow_engine::join::{SpatialJoinExec, push_bounds};
use geoflow_engine::options::GeoflowOptions;

use super::constant;

/// Connects spatial joins with the scans of their probe sides, and filters by constant geometries with
/// the scans below them; conditions on the fields of a covering are already with the scan.
///
/// It runs last of the physical rules: operators that other rules put between a join and its scan are
/// in place by then, and no rule needs to know the source that takes the place of DataFusion's.
#[derive(Debug, Default)]
pub struct SpatialPruningRule {}

impl SpatialPruningRule {
    /// The rule.
    pub fn new() -> Self {
        Self::default()
    }
}

impl PhysicalOptimizerRule for SpatialPruningRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let dynamic = GeoflowOptions::of(config).join.dynamic_filter.is_on();
        plan.transform_up(|node| {
            let pruned: Option<Arc<dyn ExecutionPlan>> =
                if let Some(join) = node.downcast_ref::<SpatialJoinExec>() {
                    match dynamic {
                        true => join.with_pruned_probe()?.map(|join| Arc::new(join) as _),
                        false => None,
                    }
                } else if let Some(filter) = node.downcast_ref::<FilterExec>() {
                    below_filter(&node, filter)?
                } else {
                    prune_by_predicate(&node)
                };
            Ok(match pruned {
                Some(pruned) => Transformed::yes(pruned),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "spatial_pruning"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A filter whose scan leaves out what lies far from the constants that the filter compares with.
fn below_filter(
    node: &Arc<dyn ExecutionPlan>,
    filter: &FilterExec,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut input = Arc::clone(filter.input());
    let mut any = false;
    for within in constant::rectangles(filter.predicate(), &input.schema())? {
        let bounds = Arc::new(BoundsFilter::constant(within.rectangles));
        if let Some(pruned) = push_bounds(&input, within.column, &bounds)? {
            input = pruned;
            any = true;
        }
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    any.then(|| Arc::clone(node).replace_children(vec![input], options))
        .transpose()
}

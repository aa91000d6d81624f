//! The rule that lets scans of GeoParquet leave out what cannot overlap.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use geoflow_engine::join::SpatialJoinExec;

/// Connects spatial joins with the scans of their probe sides.
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
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let pruned = match node.downcast_ref::<SpatialJoinExec>() {
                Some(join) => join.with_pruned_probe()?,
                None => None,
            };
            Ok(match pruned {
                Some(join) => Transformed::yes(Arc::new(join) as Arc<dyn ExecutionPlan>),
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

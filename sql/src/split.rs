//! The rule that cuts shared files between row groups.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use geoflow_engine::geoparquet::cut_between_row_groups;

/// Gives every partition of a scan whole row groups, as many as the others get.
///
/// It runs once partitions are settled, and before the rule that replaces the sources of scans.
pub(crate) struct SplitRule {
    /// Footers that planning has read.
    pub(crate) footers: Arc<FileMetadataCache>,
}

impl fmt::Debug for SplitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SplitRule")
    }
}

impl PhysicalOptimizerRule for SplitRule {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match cut_between_row_groups(&node, self.footers.as_ref()) {
                Some(scan) => Transformed::yes(scan),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "split_between_row_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

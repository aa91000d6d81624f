//! What `EXPLAIN ANALYZE` shows of the parts of files that a scan leaves out by their bounds.

use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, PruningMetrics};

/// Metrics of one partition of a scan.
#[derive(Debug, Clone)]
pub(super) struct PruneMetrics {
    /// Files, or the ranges of files that a partition reads.
    pub files: PruningMetrics,
    /// Row groups of the files that were not left out whole.
    pub row_groups: PruningMetrics,
    /// Pages of the row groups that were not left out whole; counted as the stretches of rows for which
    /// the page index has bounds of their own.
    pub pages: PruningMetrics,
    /// Bytes of the columns that are read: of all files that were considered, and of the pages that are left.
    pub bytes: PruningMetrics,
}

impl PruneMetrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let new = || MetricBuilder::new(set);
        Self {
            files: new().pruning_metrics("files_pruned_bounds", partition),
            row_groups: new().pruning_metrics("row_groups_pruned_bounds", partition),
            pages: new().pruning_metrics("pages_pruned_bounds", partition),
            bytes: new().pruning_metrics("bytes_pruned_bounds", partition),
        }
    }
}

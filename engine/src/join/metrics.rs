//! What `EXPLAIN ANALYZE` shows of a spatial join.

use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Gauge, MetricBuilder, SpillMetrics, Time,
};

/// Metrics of the build side; counted once, by the partition that builds.
#[derive(Debug, Clone)]
pub(super) struct BuildMetrics {
    /// Time to evaluate, concatenate and index the build side, its input not included.
    pub build_time: Time,
    /// Rows collected.
    pub build_input_rows: Count,
    /// Batches collected.
    pub build_input_batches: Count,
    /// Bytes reserved for the build side's rows, index and prepared geometries.
    pub build_mem_used: Gauge,
    /// Bytes of the R-tree.
    pub index_size: Gauge,
    /// Cells that the build side was cut into, because it did not fit into memory.
    pub spill_cells: Count,
    /// Times that rows of a cell were indexed and joined; more than there are cells where some did not
    /// fit at once.
    pub spill_passes: Count,
    /// Files, bytes and rows of both sides on disk.
    pub spill: SpillMetrics,
}

impl BuildMetrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let new = || MetricBuilder::new(set);
        Self {
            build_time: new().subset_time("build_time", partition),
            build_input_rows: new().counter("build_input_rows", partition),
            build_input_batches: new().counter("build_input_batches", partition),
            build_mem_used: new().gauge("build_mem_used", partition),
            index_size: new().gauge("index_size", partition),
            spill_cells: new().counter("spill_cells", partition),
            spill_passes: new().counter("spill_passes", partition),
            spill: SpillMetrics::new(set, partition),
        }
    }
}

/// Metrics of one probe partition.
#[derive(Debug, Clone)]
pub(super) struct ProbeMetrics {
    pub baseline: BaselineMetrics,
    /// Rows of the probe side.
    pub input_rows: Count,
    /// Batches of the probe side.
    pub input_batches: Count,
    /// Pairs whose rectangles overlap.
    pub candidates: Count,
    /// Candidates decided without looking at an edge.
    pub true_hits: Count,
    /// Pairs that are joined.
    pub matches: Count,
    /// Batches of which a part was shared out among threads.
    pub shared_batches: Count,
    /// Time to find candidates.
    pub filter_time: Time,
    /// Time to decide them.
    pub refine_time: Time,
}

impl ProbeMetrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let new = || MetricBuilder::new(set);
        Self {
            baseline: BaselineMetrics::new(set, partition),
            input_rows: new().counter("input_rows", partition),
            input_batches: new().counter("input_batches", partition),
            candidates: new().counter("candidates", partition),
            true_hits: new().counter("true_hits", partition),
            matches: new().counter("matches", partition),
            shared_batches: new().counter("shared_batches", partition),
            filter_time: new().subset_time("filter_time", partition),
            refine_time: new().subset_time("refine_time", partition),
        }
    }
}

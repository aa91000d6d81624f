//! A session in which statements are planned so that they can be cut.

use std::sync::Arc;

use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::execution::context::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::prelude::SessionContext;
use geoflow_engine::geoparquet::GeoParquetFormat;
use geoflow_sql::Session;

/// Rules that would hide where a plan can be cut: answers from the statistics of a table that a task has
/// only a part of, aggregates whose partial states are not to be seen, and sorts that know no partitions.
const UNWANTED: [&str; 3] = [
    "aggregate_statistics",
    "combine_partial_final_agg",
    "parallel_sort",
];

/// A partial state exists only where a plan has more than one partition.
const LEAST_PARTITIONS: usize = 2;

/// Prepares a session for planning fragments. Driver and tasks do the same, so that they find
/// the same places to cut.
pub(crate) fn prepare(session: &Session) -> SessionContext {
    let context = session.context();
    let state = context.state();
    let rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = state
        .physical_optimizers()
        .iter()
        .filter(|rule| !UNWANTED.contains(&rule.name().to_lowercase().as_str()))
        .cloned()
        .collect();
    let mut state: SessionState = SessionStateBuilder::new_from_existing(state)
        .with_physical_optimizer_rules(rules)
        .build();
    let options = state.config_mut().options_mut();
    // A scalar subquery as a join, so that no operator depends on one that is cut off.
    options
        .optimizer
        .enable_physical_uncorrelated_scalar_subquery = false;
    // Footers are read once, by the planner of fragments.
    options.execution.collect_statistics = false;
    let partitions = state.config().target_partitions().max(LEAST_PARTITIONS);
    let config = state.config().clone().with_target_partitions(partitions);
    *state.config_mut() = config;
    // In its place, because the tables of paths hold on to the state.
    *context.state_ref().write() = state;
    context.clone()
}

/// Whether a format is ours for Parquet.
pub(crate) fn is_parquet(format: &dyn FileFormat) -> bool {
    format.downcast_ref::<GeoParquetFormat>().is_some()
        || format.downcast_ref::<ParquetFormat>().is_some()
}

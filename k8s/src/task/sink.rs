//! The end of a task's plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileOutputMode, FileSinkConfig};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_expr::{LexOrdering, LexRequirement};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use geoflow_engine::Error;

use super::write::one_partition;
use crate::plan::Sink;

/// Options of `COPY` that are not those of the format.
const SINGLE_FILE: &str = "single_file_output";
const KEEP_COLUMNS: &str = "execution.keep_partition_by_columns";

/// Refuses an output that cannot be written, before anything runs.
///
/// # Errors
/// What the sink says of the schema and of its options.
pub(crate) async fn check_output(
    state: &SessionState,
    physical: &Arc<dyn ExecutionPlan>,
    sink: &Sink,
) -> Result<()> {
    let place = ListingTableUrl::parse(&sink.output)?;
    let config = FileSinkConfig {
        original_url: sink.output.clone(),
        object_store_url: place.object_store(),
        table_paths: vec![place],
        file_group: FileGroup::default(),
        output_schema: physical.schema(),
        table_partition_cols: vec![],
        insert_op: InsertOp::Append,
        keep_partition_by_columns: false,
        file_extension: "parquet".into(),
        file_output_mode: FileOutputMode::Directory,
    };
    plan_sink(state, Arc::clone(physical), sink, config).await?;
    Ok(())
}

/// Whether a fragment may write several files.
pub(super) fn is_many_files(sink: &Sink) -> bool {
    let cells = |key: &String| key == "cells" || key == "format.cells";
    !sink.partition_by.is_empty() || sink.options.keys().any(cells)
}

/// The plan that writes the rows of another where `config` says, by the same sink as `COPY`.
pub(super) async fn plan_sink(
    state: &SessionState,
    physical: Arc<dyn ExecutionPlan>,
    sink: &Sink,
    config: FileSinkConfig,
) -> Result<Arc<dyn ExecutionPlan>> {
    let many = is_many_files(sink);
    let cells = ["cells", "format.cells"]
        .iter()
        .find_map(|key| sink.options.get(*key));
    if let Some(cells) = cells.filter(|cells| cells.trim().to_ascii_lowercase().starts_with("kd")) {
        return Err(Error::Statement(format!(
            "the cells '{cells}' are cut by all rows, of which each task of a job sees some: partition by 'h3:4' or 'quadkey:6', or write with geoflow query"
        ))
        .into());
    }
    let columns = sink.partition_by.iter();
    let config = FileSinkConfig {
        // The type is that of the rows.
        table_partition_cols: columns.map(|c| (c.clone(), DataType::Null)).collect(),
        keep_partition_by_columns: keeps_columns(state, &sink.options)?,
        file_output_mode: match many {
            true => FileOutputMode::Directory,
            false => FileOutputMode::SingleFile,
        },
        ..config
    };
    let mut options: HashMap<String, String> = sink
        .options
        .iter()
        .filter(|(key, _)| ![SINGLE_FILE, KEEP_COLUMNS].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if many {
        // Those of other fragments are there already.
        options.retain(|key, _| !key.ends_with("if_exists") && !key.ends_with("overwrite"));
        options.insert("if_exists".into(), "append".into());
    }
    let factory = state
        .get_file_format_factory("parquet")
        .ok_or_else(|| Error::Internal("no Parquet in the session".into()))?;
    let format = factory.create(state, &options)?;
    let order = match physical.output_partitioning().partition_count() {
        1 => physical.output_ordering().cloned(),
        _ => None,
    };
    let order = order.map(LexRequirement::from);
    let writer = format
        .create_writer_physical_plan(physical, state, config, order)
        .await?;
    sorted(writer)
}

fn keeps_columns(state: &SessionState, options: &BTreeMap<String, String>) -> Result<bool> {
    match options.get(KEEP_COLUMNS).map(|value| value.trim()) {
        None => Ok(state.config().options().execution.keep_partition_by_columns),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(Error::Statement(format!(
            "the option '{KEEP_COLUMNS}' is '{other}', it must be 'true' or 'false'"
        ))
        .into()),
    }
}

/// Brings the rows into the order, and into the one partition, that a sink requires: no optimizer sees it.
fn sorted(writer: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(input) = writer.children().first().copied().cloned() else {
        return Ok(writer);
    };
    let required = writer.required_input_ordering();
    let required = required.into_iter().next().flatten();
    let ordering = required.map(|required| required.into_single());
    let ordering = ordering.and_then(|required| {
        LexOrdering::new(
            required
                .into_iter()
                .map(datafusion::physical_expr::PhysicalSortExpr::from),
        )
    });
    let input = match ordering {
        None => one_partition(input),
        Some(ordering)
            if input.output_partitioning().partition_count() == 1
                && input
                    .equivalence_properties()
                    .ordering_satisfy(ordering.iter().cloned())? =>
        {
            input
        }
        Some(ordering) => {
            let sort = SortExec::new(ordering.clone(), input).with_preserve_partitioning(true);
            Arc::new(SortPreservingMergeExec::new(ordering, Arc::new(sort)))
        }
    };
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    let writer = Arc::clone(&writer).replace_children(vec![input], options);
    writer.map_err(|e: DataFusionError| e)
}

//! The states of the fragments as an input of the last stage.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{StreamExt, TryStreamExt};
use geoflow_engine::Error;

use super::Part;
use super::write::same_types;
use crate::plan::sha256_hex;
use crate::planner::Split;
use crate::storage::Folder;

/// The plan with states in place of what the fragments have run.
pub(super) fn insert_states(
    root: &Arc<dyn ExecutionPlan>,
    split: &Split,
    folder: &Folder,
    states: &[Part],
) -> Result<Arc<dyn ExecutionPlan>> {
    replace_at(root, &split.replaced, &|node| {
        scan_states(node, split, folder, states)
    })
}

/// What stands in place of a node.
type Replacement<'a> = dyn Fn(&Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> + 'a;

fn replace_at(
    node: &Arc<dyn ExecutionPlan>,
    path: &[usize],
    make: &Replacement<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some((&at, rest)) = path.split_first() else {
        return make(node);
    };
    let mut children: Vec<Arc<dyn ExecutionPlan>> =
        node.children().into_iter().map(Arc::clone).collect();
    let child = children
        .get_mut(at)
        .ok_or_else(|| Error::Internal(format!("{} has no input {at}", node.name())))?;
    *child = replace_at(child, rest, make)?;
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node).replace_children(children, options)
}

fn scan_states(
    node: &Arc<dyn ExecutionPlan>,
    split: &Split,
    folder: &Folder,
    states: &[Part],
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = node.schema();
    let count = node.output_partitioning().partition_count().max(1);
    let mut partitions: Vec<Vec<Part>> = vec![vec![]; count];
    for (i, state) in states.iter().enumerate() {
        if let Some(partition) = partitions.get_mut(i % count) {
            partition.push(state.clone());
        }
    }
    let partitions = partitions
        .into_iter()
        .map(|parts| {
            Arc::new(StatePartition {
                schema: Arc::clone(&schema),
                folder: folder.clone(),
                parts,
            }) as Arc<dyn PartitionStream>
        })
        .collect();
    let scan = StreamingTableExec::try_new(schema, partitions, None, [], false, None)?;
    let scan: Arc<dyn ExecutionPlan> = Arc::new(scan);
    // Where there are more partitions, an operator above counts them together.
    Ok(match split.limit {
        Some(limit) if count == 1 => Arc::new(GlobalLimitExec::new(scan, 0, Some(limit))),
        _ => scan,
    })
}

#[derive(Debug)]
struct StatePartition {
    schema: SchemaRef,
    folder: Folder,
    parts: Vec<Part>,
}

impl PartitionStream for StatePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (folder, schema) = (self.folder.clone(), Arc::clone(&self.schema));
        let parts = self.parts.clone();
        let batches = futures::stream::iter(parts)
            .then(move |part| {
                let (folder, schema) = (folder.clone(), Arc::clone(&schema));
                async move {
                    let batches = read(&folder, &part, &schema).await?;
                    let batches = batches.into_iter().map(Ok::<_, DataFusionError>);
                    Ok::<_, DataFusionError>(futures::stream::iter(batches))
                }
            })
            .try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

/// The batches of a state, if it is what its manifest says.
async fn read(folder: &Folder, part: &Part, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let shown = folder.display_object(&part.file);
    let bytes = folder.get(&part.file).await?.ok_or_else(|| {
        Error::Data(format!(
            "{shown} is gone: resume the job without it, or submit it again"
        ))
    })?;
    if sha256_hex(&bytes) != part.sha256 {
        return Err(Error::Data(format!(
            "{shown} is not what was written: its SHA-256 differs from that in its manifest"
        ))
        .into());
    }
    let reader = FileReader::try_new(Cursor::new(bytes), None)?;
    if !same_types(&reader.schema(), schema) {
        return Err(Error::Internal(format!(
            "{shown} has the columns {}, {} are wanted",
            reader.schema(),
            schema
        ))
        .into());
    }
    reader
        .map(|batch| {
            let batch = batch?;
            let options =
                arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            Ok(RecordBatch::try_new_with_options(
                Arc::clone(schema),
                columns,
                &options,
            )?)
        })
        .collect()
}

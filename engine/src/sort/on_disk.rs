//! The sort of rows that memory does not hold, by DataFusion.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::collect::{Collected, Held};
use super::layout::RowLayout;
use super::packed::{PackedRows, rows_within};
use crate::Error;

/// Bytes of a batch for that sort, which reserves twice as many before it takes one in.
const BATCH_BYTES: usize = 2 << 20;

/// Rows of a batch at least, however long they are.
const LEAST_ROWS: usize = 64;

/// DataFusion's sort over what has been collected and what comes after it.
pub(super) fn sort_on_disk(
    layout: &Arc<RowLayout>,
    order: LexOrdering,
    collected: Vec<Collected>,
    context: &TaskContext,
) -> Result<(Arc<SortExec>, SendableRecordBatchStream)> {
    let context = making_do(&collected, context);
    let partitions = collected
        .into_iter()
        .map(|rows| -> Arc<dyn PartitionStream> {
            Arc::new(Again {
                layout: Arc::clone(layout),
                // Its reservation goes: DataFusion's sort reserves what the rows take as they come.
                rows: Mutex::new(Some((rows.held, rows.rest))),
            })
        })
        .collect();
    let schema = Arc::clone(&layout.schema);
    let again = StreamingTableExec::try_new(schema, partitions, None, [], false, None)?;
    // By one sort for all: several would leave nothing of the memory to the merge of what they give.
    let all = CoalescePartitionsExec::new(Arc::new(again));
    let sort = Arc::new(SortExec::new(order, Arc::new(all)));
    let rows = sort.execute(0, context)?;
    Ok((sort, rows))
}

/// The same context, for a sort that makes do with what memory it has: with batches of no more rows than are likely to
/// have [`BATCH_BYTES`], as a merge holds one of each of its inputs; and with a fourth of all memory for a merge of what
/// is in memory, which holds all of it.
fn making_do(collected: &[Collected], context: &TaskContext) -> Arc<TaskContext> {
    let held = || collected.iter().flat_map(|rows| &rows.held);
    let rows: usize = held().map(|held| held.numbers.len()).sum();
    let bytes: usize = held().map(|held| held.rows.size()).sum();
    let fitting = rows_within(BATCH_BYTES, rows, bytes).max(LEAST_ROWS);
    let config = context.session_config();
    let batch_size = config.batch_size().min(fitting);
    let mut config = config.clone().with_batch_size(batch_size);
    if let MemoryLimit::Finite(limit) = context.memory_pool().memory_limit() {
        config = config.with_sort_spill_reservation_bytes(limit / 4);
    }
    let fitted = TaskContext::default().with_session_config(config);
    Arc::new(fitted.with_runtime(context.runtime_env()))
}

/// The rows of a partition that have been collected, and then the rest.
struct Again {
    layout: Arc<RowLayout>,
    rows: Mutex<Option<(Vec<Held>, Option<SendableRecordBatchStream>)>>,
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

impl PartitionStream for Again {
    fn schema(&self) -> &SchemaRef {
        &self.layout.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = match self.rows.lock().take() {
            Some((held, rest)) => {
                let (layout, to) = (Arc::clone(&self.layout), Arc::clone(&self.layout));
                // A batch that shares the bytes of a large page would count for all of the page.
                let rest = stream::iter(rest).flatten();
                let rest = rest.map(move |batch| PackedRows::pack(&layout, &batch?));
                stream::iter(held)
                    .map(|held| Ok(held.rows))
                    .chain(rest)
                    .map_ok(move |rows| stream::iter(rows.unpack(Arc::clone(&to), BATCH_BYTES)))
                    .try_flatten()
                    .boxed()
            }
            None => {
                let error = Error::Internal("rows of a sort are read once".into());
                stream::once(async { Err(error.into()) }).boxed()
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema().clone(), rows))
    }
}

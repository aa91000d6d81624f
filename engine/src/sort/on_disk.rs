//! The sort of rows that memory does not hold, by DataFusion.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, stream};
use parking_lot::Mutex;

use super::collect::{Collected, Held};
use super::layout::RowLayout;
use crate::Error;

/// DataFusion's sort over what has been collected and what comes after it.
pub(super) fn sort_on_disk(
    layout: &Arc<RowLayout>,
    order: LexOrdering,
    collected: Vec<Collected>,
    context: Arc<TaskContext>,
) -> Result<(Arc<SortExec>, SendableRecordBatchStream)> {
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
                let layout = Arc::clone(&self.layout);
                stream::iter(held)
                    .map(move |held| held.rows.unpack(&layout))
                    .chain(stream::iter(rest).flatten())
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

//! Takes in the rows of a partition, as long as memory suffices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::ArrayRef;
use datafusion::common::utils::memory::RecordBatchMemoryCounter;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::metrics::Time;
use futures::StreamExt;

use super::layout::RowLayout;
use super::packed::PackedRows;
use super::prefix::Prefixes;
use super::ranges::Entry;

/// Bytes that a row takes beside its values: its number, and its entry while it is sorted.
const ROW: usize = size_of::<u64>() + size_of::<Entry>();

/// The rows of a batch and what they are sorted by.
pub(super) struct Held {
    pub rows: PackedRows,
    /// Of what the rows are sorted by, what is not one of their columns.
    pub keys: Vec<ArrayRef>,
    pub numbers: Vec<u64>,
    /// Whether rows of equal numbers are equal in all that they are sorted by.
    pub exact: bool,
}

/// The rows of a partition.
pub(super) struct Collected {
    pub held: Vec<Held>,
    /// What has not been read, when memory did not suffice.
    pub rest: Option<SendableRecordBatchStream>,
    pub reservation: MemoryReservation,
}

/// Takes in `input` until it ends, or until any partition finds that memory does not suffice, which sets `full`.
pub(super) async fn collect(
    mut input: SendableRecordBatchStream,
    layout: Arc<RowLayout>,
    order: LexOrdering,
    full: Arc<AtomicBool>,
    reservation: MemoryReservation,
    elapsed: Time,
) -> Result<Collected> {
    let schema = input.schema();
    let first = order.first();
    let prefixes = Prefixes::try_new(first, &first.expr.data_type(&schema)?)?;
    let mut counter = RecordBatchMemoryCounter::new();
    let mut held = Vec::new();
    while !full.load(Ordering::Relaxed) {
        let Some(batch) = input.next().await.transpose()? else {
            return Ok(Collected {
                held,
                rest: None,
                reservation,
            });
        };
        let _timer = elapsed.timer();
        let rows = batch.num_rows();
        if rows == 0 {
            continue;
        }
        let prefixed = prefixes.of(&first.expr.evaluate(&batch)?.into_array(rows)?)?;
        let keys = order
            .iter()
            .filter(|key| column_of(key).is_none())
            .map(|key| key.expr.evaluate(&batch)?.into_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let packed = PackedRows::pack(&layout, &batch)?;
        drop(batch);
        let mut bytes = packed.size() + counter.count_batch(packed.others()) + rows * ROW;
        bytes += keys
            .iter()
            .map(|key| key.get_array_memory_size())
            .sum::<usize>();
        if reservation.try_grow(bytes).is_err() {
            full.store(true, Ordering::Relaxed);
        }
        held.push(Held {
            rows: packed,
            keys,
            exact: prefixed.exact && order.len() == 1,
            numbers: prefixed.numbers,
        });
    }
    Ok(Collected {
        held,
        rest: Some(input),
        reservation,
    })
}

/// The column that a sort key is.
pub(super) fn column_of(key: &PhysicalSortExpr) -> Option<usize> {
    key.expr.downcast_ref::<Column>().map(Column::index)
}

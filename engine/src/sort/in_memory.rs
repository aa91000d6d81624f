//! The sort of rows that are in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::SortField;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::metrics::Time;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::collect::{Collected, Held};
use super::layout::RowLayout;
use super::packed::{PackedRows, gather, gather_columns};
use super::ranges::{Entry, scatter, splitters};
use super::ties::break_ties;
use crate::Error;

/// Rows of a range.
const RANGE_ROWS: usize = 256 * 1024;

/// What a task returns.
pub(super) async fn joined<T: 'static>(task: SpawnedTask<Result<T>>) -> Result<T> {
    task.join_unwind()
        .await
        .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?
}

/// All rows in order, by as many tasks as the session has partitions.
pub(super) async fn sort_in_memory(
    layout: &Arc<RowLayout>,
    order: &LexOrdering,
    collected: Vec<Collected>,
    context: &TaskContext,
    elapsed: Time,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let threads = context.session_config().target_partitions();
    let batch_size = context.session_config().batch_size();
    let fields = order
        .iter()
        .map(|key| {
            let data_type = key.expr.data_type(&layout.schema)?;
            Ok(SortField::new_with_options(data_type, key.options))
        })
        .collect::<Result<Vec<_>>>()?;
    let fields: Arc<[SortField]> = fields.into();
    let order = Arc::new(order.clone());

    let mut reservations: Vec<MemoryReservation> = Vec::with_capacity(collected.len());
    let mut held = Vec::new();
    for some in collected {
        held.extend(some.held);
        reservations.push(some.reservation);
    }
    let numbers: Vec<Vec<u64>> = held
        .iter_mut()
        .map(|held: &mut Held| std::mem::take(&mut held.numbers))
        .collect();
    let ranges = in_ranges(numbers, threads, &elapsed).await?;

    let rows = Arc::new(Rows {
        layout: Arc::clone(layout),
        held,
        reservations,
    });
    let exact = rows.held.iter().all(|held| held.exact);
    let (sorting, gathering) = (Arc::clone(&rows), elapsed.clone());
    let sorted = stream::iter(ranges)
        .map(move |range| {
            let (rows, fields) = (Arc::clone(&sorting), Arc::clone(&fields));
            let order = Arc::clone(&order);
            let elapsed = elapsed.clone();
            joined(SpawnedTask::spawn(async move {
                let _timer = elapsed.timer();
                let mut entries = range.concat();
                drop(range);
                entries.sort_unstable();
                if !exact {
                    break_ties(&mut entries, &rows, &order, &fields)?;
                }
                Ok(Arc::new(entries))
            }))
        })
        .buffered(threads);
    let chunks = sorted.map_ok(move |entries| {
        let starts = (0..entries.len()).step_by(batch_size);
        let chunks = starts.map(move |start| {
            let end = entries.len().min(start + batch_size);
            Ok::<_, DataFusionError>((Arc::clone(&entries), start..end))
        });
        stream::iter(chunks)
    });
    let gathered = chunks
        .try_flatten()
        .map(move |chunk| {
            let (rows, elapsed) = (Arc::clone(&rows), gathering.clone());
            async move {
                let (entries, range) = chunk?;
                joined(SpawnedTask::spawn(async move {
                    let _timer = elapsed.timer();
                    rows.gather(entries.get(range).unwrap_or_default())
                }))
                .await
            }
        })
        .buffered(threads * 2);
    Ok(gathered.boxed())
}

/// The rows with these numbers in ranges, each in parts that belong together.
async fn in_ranges(
    numbers: Vec<Vec<u64>>,
    threads: usize,
    elapsed: &Time,
) -> Result<Vec<Vec<Vec<Entry>>>> {
    let rows: usize = numbers.iter().map(Vec::len).sum();
    let count = rows.div_ceil(RANGE_ROWS).max(threads);
    let splitters: Arc<[u64]> = splitters(numbers.iter().map(Vec::as_slice), count).into();
    let mut parts: Vec<Vec<(u32, Vec<u64>)>> = (0..threads).map(|_| Vec::new()).collect();
    let each = numbers.len().div_ceil(threads).max(1);
    for (batch, numbers) in numbers.into_iter().enumerate() {
        let index = u32::try_from(batch)
            .map_err(|_| Error::Internal("a sort of 2^32 batches".to_owned()))?;
        if let Some(part) = parts.get_mut(batch / each) {
            part.push((index, numbers));
        }
    }
    let tasks: Vec<_> = parts
        .into_iter()
        .map(|part| {
            let (splitters, elapsed) = (Arc::clone(&splitters), elapsed.clone());
            SpawnedTask::spawn(async move {
                let _timer = elapsed.timer();
                let mut ranges = vec![Vec::new(); splitters.len() + 1];
                for (batch, numbers) in part {
                    scatter(&numbers, batch, &splitters, &mut ranges);
                }
                Ok(ranges)
            })
        })
        .collect();
    let mut ranges = vec![Vec::with_capacity(threads); splitters.len() + 1];
    for task in tasks {
        for (range, part) in ranges.iter_mut().zip(joined(task).await?) {
            range.push(part);
        }
    }
    Ok(ranges)
}

/// All rows of the input.
pub(super) struct Rows {
    layout: Arc<RowLayout>,
    pub held: Vec<Held>,
    #[expect(dead_code, reason = "held as long as the rows are")]
    reservations: Vec<MemoryReservation>,
}

impl Rows {
    /// The rows of `entries`, in their order.
    fn gather(&self, entries: &[Entry]) -> Result<RecordBatch> {
        let places: Vec<(usize, usize)> = entries.iter().map(|entry| entry.place()).collect();
        gather(&self.layout, &self.packed(), &places)
    }

    /// Some columns of the rows at `places`, each a batch and a row in it.
    pub(super) fn columns(
        &self,
        places: &[(usize, usize)],
        columns: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        gather_columns(&self.layout, &self.packed(), places, columns)
    }

    fn packed(&self) -> Vec<&PackedRows> {
        self.held.iter().map(|held| &held.rows).collect()
    }
}

//! The sort of any number of rows: in memory, or by ranges of their keys that memory holds one after another.
//!
//! ```text
//!  rows in memory ──> bounds of ranges ──┐
//!                                        ├──> a file for each range ──> sorted in memory, or cut again ──> rows, in order
//!  the rest, as much as memory holds ────┘
//! ```
//!
//! A merge would hold a batch of each of its inputs, and with large values nobody knows how much that is; a range that turns
//! out to be too large is cut once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::spill_file::SpillFile;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{SpillMetrics, Time};
use datafusion::physical_plan::sorts::sort::SortExec;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use parking_lot::Mutex;

use super::collect::{Collected, Held, collect};
use super::in_memory::{joined, sort_in_memory};
use super::layout::RowLayout;
use super::on_disk::sort_on_disk;
use super::packed::{PackedRows, gather, rows_within};
use super::ranges::{Entry, scatter, splitters};

/// Ranges that rows are cut into at once. Each has a file that is open.
const BUCKETS: usize = 64;

/// Bytes of a batch in a file.
const BATCH_BYTES: usize = 1 << 20;

/// What does not change from one set of rows to the next.
#[derive(Debug)]
pub(super) struct Sorter {
    pub layout: Arc<RowLayout>,
    pub order: LexOrdering,
    pub context: Arc<TaskContext>,
    pub elapsed: Time,
    pub spills: SpillMetrics,
    /// DataFusion's sort, where it had to help out.
    pub helper: Arc<Mutex<Option<Arc<SortExec>>>>,
}

/// Rows in order.
type Sorted = BoxStream<'static, Result<RecordBatch>>;

/// The rows of a range, in a file that vanishes with this and all who read it.
struct Bucket {
    file: Arc<dyn SpillFile>,
    sample: Sample,
}

/// A bucket that is being filled.
struct Filling {
    write: Write,
    sample: Sample,
}

/// Appends a batch to a file; without one, completes the file, which is none without rows. DataFusion's type for it has no
/// public name.
type Write = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

impl Sorter {
    /// The rows of all inputs.
    pub(super) fn sort(
        self: Arc<Self>,
        inputs: Vec<SendableRecordBatchStream>,
    ) -> BoxFuture<'static, Result<Sorted>> {
        self.sort_some(inputs, None)
    }

    /// `sample`: numbers of the rows, where they are known. The first rows do not stand for all of them: they may be in order
    /// already.
    fn sort_some(
        self: Arc<Self>,
        inputs: Vec<SendableRecordBatchStream>,
        sample: Option<Sample>,
    ) -> BoxFuture<'static, Result<Sorted>> {
        async move {
            let (collected, full) = self.collect(inputs).await?;
            if !full {
                let elapsed = self.elapsed.clone();
                let (layout, order) = (&self.layout, &self.order);
                return sort_in_memory(layout, order, collected, &self.context, elapsed).await;
            }
            let splitters = match &sample {
                Some(sample) => splitters([sample.numbers.as_slice()].into_iter(), BUCKETS),
                None => {
                    let held = collected.iter().flat_map(|some| &some.held);
                    splitters(held.map(|held| held.numbers.as_slice()), BUCKETS)
                }
            };
            if sample.is_some() && splitters.len() < 2 {
                // Their first bytes are alike, and only a comparison of all of them can tell more.
                let order = self.order.clone();
                let (sort, rows) = sort_on_disk(&self.layout, order, collected, &self.context)?;
                *self.helper.lock() = Some(sort);
                return Ok(rows.boxed());
            }
            let buckets = self.cut(collected, &splitters).await?;
            let sorted = stream::iter(buckets).then(move |bucket| {
                let sorter = Arc::clone(&self);
                async move {
                    let rows = sorter.spilling().read_spill_as_stream(bucket.file, None)?;
                    sorter.sort_some(vec![rows], Some(bucket.sample)).await
                }
            });
            Ok(sorted.try_flatten().boxed())
        }
        .boxed()
    }

    /// As many rows as memory holds, and whether there may be more.
    async fn collect(
        &self,
        inputs: Vec<SendableRecordBatchStream>,
    ) -> Result<(Vec<Collected>, bool)> {
        let full = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = inputs
            .into_iter()
            .enumerate()
            .map(|(number, input)| {
                let consumer = MemoryConsumer::new(format!("ParallelSort[{number}]"));
                SpawnedTask::spawn(collect(
                    input,
                    Arc::clone(&self.layout),
                    self.order.clone(),
                    Arc::clone(&full),
                    (consumer.with_can_spill(true)).register(self.context.memory_pool()),
                    self.elapsed.clone(),
                ))
            })
            .collect();
        let mut collected = Vec::with_capacity(tasks.len());
        for task in tasks {
            collected.push(joined(task).await?);
        }
        Ok((collected, full.load(Ordering::Relaxed)))
    }

    fn spilling(&self) -> SpillManager {
        let runtime = self.context.runtime_env();
        let compression = self.context.session_config().spill_compression();
        SpillManager::new(
            runtime,
            self.spills.clone(),
            Arc::clone(&self.layout.schema),
        )
        .with_compression_type(compression)
    }

    /// Puts all rows, and those that have not been read yet, into files by ranges.
    async fn cut(&self, mut collected: Vec<Collected>, splitters: &[u64]) -> Result<Vec<Bucket>> {
        let spilling = self.spilling();
        let mut filling = (0..=splitters.len())
            .map(|_| {
                let mut file = spilling.create_in_progress_file("sorting")?;
                let write: Write = Box::new(move |batch| match batch {
                    Some(batch) => file.append_batch(batch).map(|_| None),
                    None => file.finish(),
                });
                let sample = Sample::default();
                Ok(Filling { write, sample })
            })
            .collect::<Result<Vec<_>>>()?;
        loop {
            let mut held = vec![];
            let mut rest = vec![];
            let mut reservations = vec![];
            for some in collected {
                held.extend(some.held);
                rest.extend(some.rest);
                reservations.push(some.reservation);
            }
            filling = self.fill(filling, held, splitters).await?;
            drop(reservations);
            if rest.is_empty() {
                break;
            }
            (collected, _) = self.collect(rest).await?;
        }
        let buckets = filling.into_iter().map(|mut filling| {
            let file = (filling.write)(None)?;
            let sample = filling.sample;
            Ok(file.map(|file| Bucket { file, sample }))
        });
        buckets.filter_map(Result::transpose).collect()
    }

    /// Puts rows into their buckets, by as many tasks as the session has partitions.
    async fn fill(
        &self,
        filling: Vec<Filling>,
        held: Vec<Held>,
        splitters: &[u64],
    ) -> Result<Vec<Filling>> {
        let mut ranges: Vec<Vec<Entry>> = vec![vec![]; filling.len()];
        let mut packed = Vec::with_capacity(held.len());
        for (batch, held) in (0..).zip(held) {
            scatter(&held.numbers, batch, splitters, &mut ranges);
            packed.push(held.rows);
        }
        let rows: usize = ranges.iter().map(Vec::len).sum();
        let bytes: usize = packed.iter().map(PackedRows::size).sum();
        let fitting = rows_within(BATCH_BYTES, rows, bytes);
        let batch_size = fitting.clamp(1, self.context.session_config().batch_size());
        let threads = self.context.session_config().target_partitions();
        let each = filling.len().div_ceil(threads.max(1)).max(1);
        let packed = Arc::new(packed);
        let mut parts = filling.into_iter().zip(ranges);
        let mut tasks = vec![];
        loop {
            let part: Vec<_> = parts.by_ref().take(each).collect();
            if part.is_empty() {
                break;
            }
            let (layout, packed) = (Arc::clone(&self.layout), Arc::clone(&packed));
            let elapsed = self.elapsed.clone();
            tasks.push(SpawnedTask::spawn_blocking(move || {
                let _timer = elapsed.timer();
                append(part, &layout, &packed, batch_size)
            }));
        }
        let mut filled = vec![];
        for task in tasks {
            filled.extend(joined(task).await?);
        }
        Ok(filled)
    }
}

/// Appends to each bucket its rows.
fn append(
    part: Vec<(Filling, Vec<Entry>)>,
    layout: &RowLayout,
    packed: &[PackedRows],
    batch_size: usize,
) -> Result<Vec<Filling>> {
    let packed: Vec<&PackedRows> = packed.iter().collect();
    let mut filled = Vec::with_capacity(part.len());
    for (mut filling, entries) in part {
        for entries in entries.chunks(batch_size) {
            let places: Vec<_> = entries.iter().map(|entry| entry.place()).collect();
            let batch = gather(layout, &packed, &places)?;
            (filling.write)(Some(&batch))?;
        }
        (entries.iter()).for_each(|entry| filling.sample.push(entry.number()));
        filled.push(filling);
    }
    Ok(filled)
}

/// Some of the numbers that have been seen, evenly.
#[derive(Debug, Default)]
struct Sample {
    numbers: Vec<u64>,
    /// Numbers that follow the last one.
    skipped: usize,
    /// Those that are skipped after each.
    skip: usize,
}

impl Sample {
    const MOST: usize = 4096;

    fn push(&mut self, number: u64) {
        if self.skipped < self.skip && !self.numbers.is_empty() {
            self.skipped += 1;
            return;
        }
        if self.numbers.len() == Self::MOST {
            let mut nth = 0;
            self.numbers.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.skip = 2 * self.skip + 1;
        }
        self.numbers.push(number);
        self.skipped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn a_sample_is_even() {
        let mut sample = Sample::default();
        (0..100_000).for_each(|number| sample.push(number));
        let numbers = &sample.numbers;
        assert!((Sample::MOST / 2..=Sample::MOST).contains(&numbers.len()));
        let gaps = numbers.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| (1..=64).contains(&gap)));
        assert_eq!(numbers.first(), Some(&0));
        assert!(numbers.last() > Some(&99_900));
    }
}

//! Rows of a cell, as many at a time as memory holds.

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;

use super::cut::Spilled;
use super::file::Run;
use crate::Error;
use crate::join::build::{BuildSide, Memory, index};
use crate::join::collect::Collected;

/// Reads a file in chunks of bounded size.
pub(super) struct Chunks {
    rows: Option<SendableRecordBatchStream>,
    /// The batch that did not fit into the last chunk.
    next: Option<RecordBatch>,
    /// Bytes of a chunk.
    most: usize,
    cost: Box<dyn Fn(&RecordBatch) -> usize + Send + Sync>,
    /// For a single piece that is larger than that.
    extra: MemoryReservation,
}

impl Chunks {
    /// Chunks of a file that take `most` bytes, where `cost` tells what a batch takes.
    pub(super) fn read(
        run: &Run,
        most: usize,
        spilled: &Spilled,
        cost: impl Fn(&RecordBatch) -> usize + Send + Sync + 'static,
    ) -> Result<Self> {
        let extra = MemoryConsumer::new("SpatialJoinCell").register(spilled.context.memory_pool());
        Ok(Self {
            rows: Some(run.read()?),
            next: None,
            most,
            cost: Box::new(cost),
            extra,
        })
    }

    /// Whether there are no more rows.
    pub(super) fn is_exhausted(&self) -> bool {
        self.rows.is_none() && self.next.is_none()
    }

    /// The next rows, at least one if there are any.
    pub(super) async fn next(&mut self) -> Result<Vec<RecordBatch>> {
        let mut batches = vec![];
        let mut bytes = 0;
        loop {
            let batch = match (self.next.take(), &mut self.rows) {
                (Some(batch), _) => batch,
                (None, None) => break,
                (None, Some(rows)) => match rows.next().await {
                    Some(batch) => batch?,
                    None => {
                        self.rows = None;
                        break;
                    }
                },
            };
            let more = (self.cost)(&batch);
            if bytes + more > self.most && !batches.is_empty() {
                self.next = Some(batch);
                break;
            }
            bytes += more;
            batches.push(batch);
            if bytes > self.most {
                self.make_room(bytes - self.most, &batches[0])?;
            }
        }
        Ok(batches)
    }

    fn make_room(&self, bytes: usize, batch: &RecordBatch) -> Result<()> {
        if bytes <= self.extra.size() {
            return Ok(());
        }
        self.extra.try_resize(bytes).map_err(|error| {
            Error::Environment {
                message: format!(
                    "the spatial join cannot be cut any further: {} of its rows need {bytes} bytes \
                     more than the {} bytes of memory that are left for them: raise \
                     --memory-limit, or leave out wide columns ({error})",
                    batch.num_rows(),
                    self.most,
                ),
                retryable: false,
            }
            .into()
        })
    }
}

/// Indexes rows of a cell for one probe partition. Their memory is that of the join; what is prepared
/// comes on top.
pub(super) fn index_chunk(spilled: &Spilled, batches: Vec<RecordBatch>) -> Result<BuildSide> {
    let collector = &spilled.collector;
    let timer = collector.metrics.build_time.clone();
    let _timer = timer.timer();
    let batches = batches
        .into_iter()
        .map(|batch| collector.examine(batch))
        .collect::<Result<Vec<Collected>>>()?;
    let pool = spilled.context.memory_pool();
    index(
        spilled.schema.clone(),
        batches,
        collector,
        &spilled.options,
        &Memory {
            pool,
            reservation: &MemoryConsumer::new("SpatialJoinCell").register(pool),
            has_room: true,
        },
    )
}

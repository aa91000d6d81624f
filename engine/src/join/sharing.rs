//! A batch that takes long is shared out among threads.
//!
//! ```text
//!  batch ── probed until it has taken long ──> pairs
//!             └── rows that are left ──> slices ──> helper: probes them ──┐
//!                                           └─────> helper: probes them ──┴──> pairs
//! ```
//!
//! The rows of a dense or costly batch would else keep one partition busy when all others are done. Helpers are tasks
//! of the runtime: threads that are idle take them up, and a partition that is not polled holds nobody up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use futures::{StreamExt, stream};
use parking_lot::Mutex;

use super::any_of::ProbeRows;
use super::build::BuildSide;
use super::stream::{JoinParts, JoinStream};

/// What a slice should take.
const SLICE: Duration = Duration::from_millis(5);

/// Most rows of a slice.
const SLICE_ROWS: usize = 1024;

/// When batches are shared out, and among how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharing {
    pub threads: usize,
    /// How long a batch may take on its own.
    pub after: Duration,
}

impl Sharing {
    /// Nothing is shared out.
    pub(super) fn never() -> Self {
        Self {
            threads: 1,
            after: Duration::MAX,
        }
    }

    /// Whether a batch that has taken so long is.
    pub(super) fn is_due(&self, elapsed: Duration) -> bool {
        self.threads > 1 && elapsed >= self.after
    }
}

/// The rows of a batch that have not been probed.
pub(super) struct Rest {
    batch: RecordBatch,
    /// Rows of a slice.
    slice: usize,
}

impl Rest {
    /// Takes the rows that are left out of a batch that has been probed for so long.
    pub(super) fn of(rows: &mut ProbeRows, elapsed: Duration) -> Result<Option<Self>> {
        let Some(batch) = rows.leave_rest()? else {
            return Ok(None);
        };
        let done = rows.batch.num_rows() - batch.num_rows();
        let pace = done.max(1) as f64 / elapsed.as_secs_f64().max(1e-6);
        let slice = (pace * SLICE.as_secs_f64()) as usize;
        Ok(Some(Self {
            batch,
            slice: slice.clamp(1, SLICE_ROWS),
        }))
    }

    /// Has helpers join the rows.
    pub(super) fn share_out(
        self,
        parts: &JoinParts,
        build: &Arc<BuildSide>,
    ) -> SendableRecordBatchStream {
        let rows = self.batch.num_rows();
        let slices = (0..rows)
            .step_by(self.slice)
            .map(|from| self.batch.slice(from, self.slice.min(rows - from)));
        let slices = Arc::new(Mutex::new(slices.collect::<VecDeque<_>>()));
        let threads = parts.sharing.threads;
        let mut helpers = RecordBatchReceiverStream::builder(Arc::clone(&parts.schema), threads);
        for _ in 0..threads {
            let output = helpers.tx();
            let parts = JoinParts {
                sharing: Sharing::never(),
                ..parts.clone()
            };
            let input = taken_in_turn(&self.batch, &slices);
            let mut joined = JoinStream::helper(parts, Arc::clone(build), input).into_stream();
            helpers.spawn(async move {
                while let Some(batch) = joined.next().await {
                    let failed = batch.is_err();
                    // Nobody waits for it any more, or it ends with its error.
                    if output.send(batch).await.is_err() || failed {
                        break;
                    }
                }
                Ok(())
            });
        }
        helpers.build()
    }
}

/// A stream of the slices that no other such stream has taken.
fn taken_in_turn(
    batch: &RecordBatch,
    slices: &Arc<Mutex<VecDeque<RecordBatch>>>,
) -> SendableRecordBatchStream {
    let slices = Arc::clone(slices);
    let batches = stream::poll_fn(move |_| std::task::Poll::Ready(slices.lock().pop_front()));
    Box::pin(RecordBatchStreamAdapter::new(
        batch.schema(),
        batches.map(Ok),
    ))
}

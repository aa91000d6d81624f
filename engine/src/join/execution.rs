//! One run of a join, shared by its output partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::collect::Built;
use super::spill::{CellJoin, ProbeInputs};
use super::stream::{JoinParts, JoinStream};
use crate::Error;

/// Where a plan keeps the run that is under way.
pub(super) type RunSlot = Arc<Mutex<Option<Arc<JoinRun>>>>;

type SharedBuild = Shared<BoxFuture<'static, Result<Arc<Built>, Arc<DataFusionError>>>>;

/// The build side, collected by whichever partition asks first and awaited by all, and the inputs of
/// the probe side.
pub(super) struct JoinRun {
    build: SharedBuild,
    pub(super) inputs: Arc<ProbeInputs>,
    /// Rows that the probe side is estimated to have; zero if nobody knows.
    pub(super) expected_rows: usize,
    /// Output partitions that are not done.
    left: AtomicUsize,
}

impl std::fmt::Debug for JoinRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinRun").finish_non_exhaustive()
    }
}

impl JoinRun {
    pub(super) fn new(
        build: BoxFuture<'static, Result<Built, DataFusionError>>,
        inputs: ProbeInputs,
        partitions: usize,
        expected_rows: usize,
    ) -> Self {
        Self {
            build: build
                .map(|built| built.map(Arc::new).map_err(Arc::new))
                .boxed()
                .shared(),
            inputs: Arc::new(inputs),
            expected_rows,
            left: AtomicUsize::new(partitions),
        }
    }

    /// The output of one partition.
    pub(super) fn stream(
        self: Arc<Self>,
        partition: usize,
        parts: JoinParts,
        slot: RunSlot,
    ) -> SendableRecordBatchStream {
        let schema = Arc::clone(&parts.schema);
        let lease = Lease { run: self, slot };
        let run = Arc::clone(&lease.run);
        let batches = stream::once(async move { run.start(partition, parts).await }).try_flatten();
        // Neither the plan nor a partition that has ended holds on to memory and files.
        let leased = stream::unfold(Some((batches.boxed(), lease)), |state| async {
            let (mut batches, lease) = state?;
            match batches.next().await? {
                Ok(batch) => Some((Ok(batch), Some((batches, lease)))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, leased))
    }

    async fn start(
        self: Arc<Self>,
        partition: usize,
        parts: JoinParts,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let built = self.build.clone().await.map_err(DataFusionError::Shared)?;
        match &*built {
            Built::Whole(build) => {
                let input = self.inputs.take(partition).ok_or_else(|| {
                    Error::Internal(format!("partition {partition} of a join runs twice"))
                })?;
                let build = futures::future::ready(Ok(Arc::clone(build))).boxed();
                Ok(JoinStream::new(parts, build, input, None).into_stream())
            }
            Built::Spilled(spilled) => {
                let schema = Arc::clone(&parts.schema);
                let cells = CellJoin::new(parts, Arc::clone(spilled), Arc::clone(&self.inputs));
                let batches = stream::unfold(Some(cells), |cells| async {
                    let mut cells = cells?;
                    match cells.next().await {
                        Ok(Some(batch)) => Some((Ok(batch), Some(cells))),
                        Ok(None) => None,
                        Err(error) => Some((Err(error), None)),
                    }
                });
                Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
            }
        }
    }
}

/// The part of one output partition in a run. With the last one the plan forgets the run.
struct Lease {
    run: Arc<JoinRun>,
    slot: RunSlot,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.run.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut slot = self.slot.lock();
            if slot.as_ref().is_some_and(|run| Arc::ptr_eq(run, &self.run)) {
                *slot = None;
            }
        }
    }
}

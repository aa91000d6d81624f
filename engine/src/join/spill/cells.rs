//! One output partition that joins cell after cell.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::EmptyRecordBatchStream;
use futures::{FutureExt, StreamExt};

use super::chunks::{Chunks, index_chunk};
use super::cut::Spilled;
use super::file::Run;
use super::nearest;
use super::probe::{ProbeInputs, Routed};
use super::settle::{Bits, Settle, Stage};
use crate::join::memory::indexed_batch_size;
use crate::join::stream::{JoinParts, JoinStream};

/// Joins cells until there are none left.
pub(in crate::join) struct CellJoin {
    parts: JoinParts,
    spilled: Arc<Spilled>,
    inputs: Arc<ProbeInputs>,
    /// The probe side in cells, once it is, and if there is memory for one more to join them.
    routed: Option<Arc<Routed>>,
    task: Task,
}

enum Task {
    /// Nothing, before the first cell and between two.
    Idle,
    /// A cell that is joined in one go, or rows that are only put out.
    Whole(SendableRecordBatchStream),
    /// A cell that is joined in passes.
    Passes(Box<Passes>),
    /// No cells are left.
    Done,
}

struct Passes {
    build: Chunks,
    probe: Option<Arc<Run>>,
    /// Which probe rows had a partner in an earlier pass; `None` before the first that another
    /// follows, and where nobody asks.
    earlier: Option<Arc<Bits>>,
    under_way: SendableRecordBatchStream,
}

impl CellJoin {
    pub(in crate::join) fn new(
        parts: JoinParts,
        spilled: Arc<Spilled>,
        inputs: Arc<ProbeInputs>,
    ) -> Self {
        Self {
            parts,
            spilled,
            inputs,
            routed: None,
            task: Task::Idle,
        }
    }

    /// The next batch of the output.
    pub(in crate::join) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.task = match std::mem::replace(&mut self.task, Task::Done) {
                Task::Done => return Ok(None),
                Task::Idle => self.next_cell().await?,
                Task::Whole(mut rows) => match rows.next().await {
                    Some(batch) => {
                        self.task = Task::Whole(rows);
                        return batch.map(Some);
                    }
                    None => self.finish_cell()?,
                },
                Task::Passes(mut passes) => match passes.under_way.next().await {
                    Some(batch) => {
                        self.task = Task::Passes(passes);
                        return batch.map(Some);
                    }
                    None => self.next_pass(passes).await?,
                },
            };
        }
    }

    async fn routed(&mut self) -> Result<Option<Arc<Routed>>> {
        if let Some(routed) = &self.routed {
            return Ok(Some(Arc::clone(routed)));
        }
        let probe = &self.spilled.probe;
        let probing = &self.parts.probing;
        let routed = probe.get(&self.spilled, &self.inputs, probing).await?;
        // From here on every row comes again.
        self.parts.probing = probing.clone().without_counting();
        let one_less = |left: usize| left.checked_sub(1);
        let workers = &self.spilled.workers;
        let admitted = workers.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
        Ok(admitted
            .is_ok()
            .then(|| Arc::clone(self.routed.insert(routed))))
    }

    async fn next_cell(&mut self) -> Result<Task> {
        let Some(routed) = self.routed().await? else {
            return Ok(Task::Done);
        };
        let spilled = Arc::clone(&self.spilled);
        let nth = spilled.next.fetch_add(1, Ordering::AcqRel);
        let Some(cell) = spilled.cells.get(nth) else {
            return match &routed.loners {
                Some(loners) if nth == spilled.cells.len() => self.rest(loners, None),
                _ if nth == spilled.cells.len() => self.finish_cell(),
                _ => Ok(Task::Done),
            };
        };
        let probe = routed.cells.get(nth).cloned().flatten();
        if spilled.is_nearest() {
            return match probe {
                Some(probe) => {
                    let rows = nearest::join(&self.parts, Arc::clone(&spilled), &probe)?;
                    Ok(Task::Whole(rows))
                }
                None => self.finish_cell(),
            };
        }
        if probe.is_none() && !spilled.roles().build.shows_unmatched() {
            return self.finish_cell();
        }
        let conditions = spilled.collector.locators.len();
        let cost = move |batch: &RecordBatch| indexed_batch_size(batch, conditions);
        let build = Chunks::read(&cell.run, spilled.share, &spilled, cost)?;
        self.pass(build, probe, None).await
    }

    async fn next_pass(&mut self, passes: Box<Passes>) -> Result<Task> {
        let Passes {
            build,
            probe,
            earlier,
            under_way,
        } = *passes;
        // The index of one pass goes before that of the next is made.
        drop(under_way);
        if build.is_exhausted() {
            drop(build);
            return self.finish_cell();
        }
        self.pass(build, probe, earlier).await
    }

    /// Joins as many build rows as fit with all probe rows of the cell.
    async fn pass(
        &mut self,
        mut build: Chunks,
        probe: Option<Arc<Run>>,
        mut earlier: Option<Arc<Bits>>,
    ) -> Result<Task> {
        self.spilled.collector.metrics.spill_passes.add(1);
        let batches = build.next().await?;
        let is_last = build.is_exhausted();
        let index = Arc::new(index_chunk(&self.spilled, batches)?);
        let mut settle = None;
        if let Some(probe) = probe.as_ref().filter(|_| self.settles()) {
            if !is_last && earlier.is_none() {
                earlier = Some(Arc::new(Bits::new(probe.rows)));
            }
            settle = self.settle(Stage::Cell {
                earlier: earlier.clone(),
                is_last,
                position: 0,
            });
        }
        let under_way = self.stream(index, probe.as_deref(), settle)?;
        Ok(Task::Passes(Box::new(Passes {
            build,
            probe,
            earlier,
            under_way,
        })))
    }

    /// Puts out rows by what is known of them.
    fn rest(&mut self, rows: &Arc<Run>, settle: Option<Settle>) -> Result<Task> {
        let nothing = Arc::new(index_chunk(&self.spilled, vec![])?);
        Ok(Task::Whole(self.stream(nothing, Some(rows), settle)?))
    }

    fn stream(
        &self,
        index: Arc<crate::join::build::BuildSide>,
        probe: Option<&Run>,
        settle: Option<Settle>,
    ) -> Result<SendableRecordBatchStream> {
        let mut parts = self.parts.clone();
        for condition in &mut parts.probing.conditions {
            condition.expected_rows = probe.map_or(0, |run| run.rows);
        }
        let input = match probe {
            Some(run) => run.read()?,
            None => Box::pin(EmptyRecordBatchStream::new(Arc::clone(&self.parts.schema))),
        };
        let build = futures::future::ready(Ok(index)).boxed();
        Ok(JoinStream::new(parts, build, input, settle).into_stream())
    }

    /// Whether probe rows that are in several cells, or met in several passes, must be followed.
    fn settles(&self) -> bool {
        self.spilled.roles().probe.needs_matches()
    }

    fn settle(&self, stage: Stage) -> Option<Settle> {
        let border = Arc::clone(&self.routed.as_ref()?.partners);
        Some(Settle { border, stage })
    }

    /// A cell is done. After the last of all, it is known who of the rows in several cells has a
    /// partner.
    fn finish_cell(&mut self) -> Result<Task> {
        // The rest of the border comes when the count is at zero already, and leaves it there.
        let one_less = |open: usize| open.checked_sub(1);
        let open = &self.spilled.open;
        if open.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less) != Ok(1) {
            return Ok(Task::Idle);
        }
        let border = self
            .routed
            .as_ref()
            .and_then(|routed| routed.border.clone());
        match border {
            Some(border) => {
                let settle = self.settle(Stage::Border);
                self.rest(&border, settle)
            }
            None => Ok(Task::Idle),
        }
    }
}

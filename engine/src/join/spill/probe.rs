//! The probe side, sent to the cells that its rows may have partners in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::JoinSet;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream,
};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;

use super::cut::{Extent, Spilled, add_number, with_number};
use super::file::Run;
use super::route::CellWriters;
use super::settle::Bits;
use crate::Error;
use crate::geometry::Bounds;
use crate::join::any_of::AnyOf;
use crate::join::on::JoinPredicate;
use crate::join::rtree::PackedRTree;
use crate::predicate::bounds_distance;

/// The name of the column that counts probe rows in several cells.
const BORDER: &str = "__geoflow_border";

/// The partitions of the probe side, each read by whoever comes first: its own output partition, or
/// the one that sends all of them to cells.
#[derive(Debug)]
pub(in crate::join) struct ProbeInputs {
    plan: Arc<dyn ExecutionPlan>,
    slots: Mutex<Vec<Slot>>,
}

enum Slot {
    Unopened,
    Open(SendableRecordBatchStream),
    Taken,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Slot::Unopened => "unopened",
            Slot::Open(_) => "open",
            Slot::Taken => "taken",
        })
    }
}

impl ProbeInputs {
    pub(in crate::join) fn new(plan: Arc<dyn ExecutionPlan>) -> Self {
        let partitions = plan.output_partitioning().partition_count();
        let slots = (0..partitions).map(|_| Slot::Unopened).collect();
        Self {
            plan,
            slots: Mutex::new(slots),
        }
    }

    /// Starts a partition, unless somebody has.
    pub(in crate::join) fn open(&self, partition: usize, context: &Arc<TaskContext>) -> Result<()> {
        let mut slots = self.slots.lock();
        if let Some(slot @ Slot::Unopened) = slots.get_mut(partition) {
            *slot = Slot::Open(self.plan.execute(partition, Arc::clone(context))?);
        }
        Ok(())
    }

    /// The rows of a partition; `None` if somebody else reads them.
    pub(in crate::join) fn take(&self, partition: usize) -> Option<SendableRecordBatchStream> {
        let slot = std::mem::replace(self.slots.lock().get_mut(partition)?, Slot::Taken);
        match slot {
            Slot::Open(stream) => Some(stream),
            Slot::Unopened | Slot::Taken => None,
        }
    }

    fn take_all(&self, context: &Arc<TaskContext>) -> Result<Vec<SendableRecordBatchStream>> {
        let partitions = self.slots.lock().len();
        let mut streams = vec![];
        for partition in 0..partitions {
            self.open(partition, context)?;
            streams.extend(self.take(partition));
        }
        Ok(streams)
    }
}

/// The probe side in cells.
#[derive(Debug)]
pub(super) struct Routed {
    /// By cell of the build side.
    pub cells: Vec<Option<Arc<Run>>>,
    /// Rows that have no partner, where such are put out.
    pub loners: Option<Arc<Run>>,
    /// Rows in several cells, where it is put out what has become of them.
    pub border: Option<Arc<Run>>,
    /// Which of these have a partner.
    pub partners: Arc<Bits>,
}

type SharedRouted = Shared<BoxFuture<'static, Result<Arc<Routed>, Arc<DataFusionError>>>>;

/// Routed by the output partition that asks first, awaited by all.
#[derive(Debug, Default)]
pub(super) struct RoutedProbe(Mutex<Option<SharedRouted>>);

impl RoutedProbe {
    pub(super) async fn get(
        &self,
        spilled: &Arc<Spilled>,
        inputs: &Arc<ProbeInputs>,
        probing: &AnyOf,
    ) -> Result<Arc<Routed>> {
        let routed = self.shared(spilled, inputs, probing);
        routed.await.map_err(DataFusionError::Shared)
    }

    fn shared(
        &self,
        spilled: &Arc<Spilled>,
        inputs: &Arc<ProbeInputs>,
        probing: &AnyOf,
    ) -> SharedRouted {
        let mut shared = self.0.lock();
        if let Some(routed) = shared.as_ref() {
            return routed.clone();
        }
        // What is shared must not own its owner, or neither would ever go.
        let router = ProbeRouter::new(spilled, probing, inputs.plan.schema());
        let (inputs, context) = (Arc::clone(inputs), Arc::clone(&spilled.context));
        let routed = async move {
            let streams = inputs.take_all(&context)?;
            router.route_all(streams).await
        }
        .map(|routed| routed.map(Arc::new).map_err(Arc::new))
        .boxed()
        .shared();
        *shared = Some(routed.clone());
        routed
    }
}

/// Sends probe rows to the cells they meet.
struct ProbeRouter {
    probing: AnyOf,
    finders: Vec<Arc<PackedRTree>>,
    /// By cell, and for each condition.
    extents: Vec<Vec<Extent>>,
    writers: CellWriters,
    /// Rows in several cells so far.
    border: AtomicU64,
    /// Whether it must be known which rows have a partner.
    settles: bool,
}

impl ProbeRouter {
    fn new(spilled: &Spilled, probing: &AnyOf, schema: SchemaRef) -> Self {
        let settles = probing.roles.probe.needs_matches() && !spilled.is_nearest();
        let schema = if settles {
            with_number(&schema, BORDER)
        } else {
            schema
        };
        Self {
            probing: probing.clone(),
            finders: spilled.finders.clone(),
            extents: (spilled.cells.iter())
                .map(|cell| cell.extents.clone())
                .collect(),
            writers: CellWriters::new(
                spilled.store.clone(),
                schema,
                spilled.cells.len() + 2,
                spilled.reservation.size(),
                spilled.piece,
            ),
            border: AtomicU64::new(0),
            settles,
        }
    }

    fn loners(&self) -> usize {
        self.extents.len()
    }

    fn border(&self) -> usize {
        self.extents.len() + 1
    }

    async fn route_all(self, streams: Vec<SendableRecordBatchStream>) -> Result<Routed> {
        let router = Arc::new(self);
        let mut tasks = JoinSet::new();
        for mut stream in streams {
            let router = Arc::clone(&router);
            tasks.spawn(async move {
                while let Some(batch) = stream.next().await {
                    router.route(&router.probing.skip_invalid(batch?)?)?;
                }
                Ok::<_, DataFusionError>(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
        }
        let Some(router) = Arc::into_inner(router) else {
            return Err(Error::Internal("a task outlives the routing".into()).into());
        };
        let mut files = router.writers.finish()?;
        let (border, loners) = (files.pop().flatten(), files.pop().flatten());
        Ok(Routed {
            cells: files,
            loners,
            border,
            partners: Arc::new(Bits::new(router.border.into_inner() as usize)),
        })
    }

    fn route(&self, batch: &RecordBatch) -> Result<()> {
        let elapsed = self.probing.metrics.baseline.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let rows = batch.num_rows();
        let conditions = &self.probing.conditions;
        let examined = conditions
            .iter()
            .map(|condition| condition.examine(batch, None))
            .collect::<Result<Vec<_>>>()?;
        let mut by_cell: Vec<Vec<u32>> = vec![vec![]; self.border() + 1];
        let mut numbers: Vec<Option<u64>> = vec![];
        let (mut stack, mut found) = (vec![], vec![]);
        for row in 0..rows {
            found.clear();
            for (condition, (geometry, distances)) in conditions.iter().zip(&examined) {
                let bounds = condition.bounds(geometry, row)?;
                if bounds.is_empty() {
                    if condition.on.joins_empties() && !geometry.is_null(row) {
                        found.extend(self.cells_with_empties(condition.nth));
                    }
                } else if let JoinPredicate::Nearest { .. } = condition.on.predicate {
                    found.extend(self.home(&bounds));
                } else if let Some(place) = condition.place(&bounds, distances.as_deref(), row) {
                    self.finders[condition.nth].query(&place, &mut stack, |cell| found.push(cell));
                }
            }
            if conditions.len() > 1 {
                found.sort_unstable();
                found.dedup();
            }
            if self.settles {
                let several = found.len() > 1;
                numbers.push(several.then(|| self.border.fetch_add(1, Ordering::Relaxed)));
                if several {
                    by_cell[self.border()].push(row as u32);
                }
            }
            if found.is_empty() && self.probing.roles.probe.shows_unmatched() {
                found.push(self.loners() as u32);
            }
            for cell in &found {
                by_cell[*cell as usize].push(row as u32);
            }
        }
        let batch = if self.settles {
            &add_number(batch, &self.writers.schema(), UInt64Array::from(numbers))?
        } else {
            batch
        };
        for (cell, rows) in by_cell.into_iter().enumerate() {
            self.writers.push(cell, batch, rows)?;
        }
        Ok(())
    }

    fn cells_with_empties(&self, condition: usize) -> impl Iterator<Item = u32> {
        let cells = (0u32..).zip(&self.extents);
        cells
            .filter(move |(_, extents)| extents[condition].has_empties)
            .map(|(cell, _)| cell)
    }

    /// The nearest cell.
    fn home(&self, bounds: &Bounds) -> Option<u32> {
        let extents = self.extents.iter().map(|extents| &extents[0].bounds);
        (0u32..)
            .zip(extents)
            .filter(|(_, extent)| !extent.is_empty())
            .map(|(cell, extent)| (cell, bounds_distance(bounds, extent)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(cell, _)| cell)
    }
}

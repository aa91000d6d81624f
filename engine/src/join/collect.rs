//! The way to the build side: all partitions are collected at once, in memory while it lasts.
//!
//! ```text
//!  partition 0 .. n, all at once
//!        |
//!   geometry, bounds (per batch)
//!        |
//!   room in memory? ── yes ──> kept ──────────────────> index            (Built::Whole)
//!        |                                                ^
//!        no, for any of them: all go to files             | cell by cell
//!        └────────────────────> files ──> cells ──────────┘              (Built::Spilled)
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinSide;
use datafusion::common::runtime::JoinSet;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;

use super::build::{BuildOptions, BuildSide, Memory, evaluate_distances, index};
use super::memory::{Footprint, indexed_size, largest_column};
use super::metrics::BuildMetrics;
use super::on::SpatialOn;
use super::source::{GeometrySource, skip_invalid};
use super::spill::{Run, RunWriter, Sample, SpillStore, Spilled, cut};
use crate::error;
use crate::geometry::{Bounds, GeometryArray, InvalidPolicy, set_null};
use crate::options::GeoflowOptions;

/// The part of the memory free at the start that a join may fill before it spills. The rest is for
/// what runs beside it and for what it cannot foresee.
const MOST_OF_FREE: f64 = 0.75;

/// Bytes of a piece of a file, which is in memory as a whole.
const PIECE: usize = 1 << 20;

/// The build side, ready to be probed.
pub(super) enum Built {
    /// All of it in memory.
    Whole(Arc<BuildSide>),
    /// In cells on disk.
    Spilled(Arc<Spilled>),
}

/// What is to be collected, and for whom.
pub(super) struct BuildTask {
    pub plan: Arc<dyn ExecutionPlan>,
    pub on: SpatialOn,
    pub side: JoinSide,
    pub options: BuildOptions,
    pub metrics: BuildMetrics,
    pub context: Arc<TaskContext>,
}

impl BuildTask {
    /// Runs all partitions, and indexes what they yield or cuts it into cells.
    pub(super) async fn run(self) -> Result<Built> {
        let schema = self.plan.schema();
        let locator = |condition: &SpatialOn| {
            Ok(Locator {
                source: GeometrySource::try_new(condition.geometry(self.side), &self.plan)?,
                distance: condition.distance_of(self.side).cloned(),
                joins_empties: condition.joins_empties(),
            })
        };
        let collector = Collector {
            locators: self.on.conditions().map(locator).collect::<Result<_>>()?,
            invalid: self.options.invalid.clone(),
            metrics: self.metrics.clone(),
        };
        let spill = &GeoflowOptions::of_task(&self.context).spill;
        let store = SpillStore::new(
            self.context.runtime_env(),
            self.metrics.spill.clone(),
            spill.max_size.bytes(),
        );
        let hoard = Arc::new(Hoard::new(&self.context));

        let partitions = self.plan.output_partitioning().partition_count();
        let mut tasks = JoinSet::new();
        for partition in 0..partitions {
            let stream = self.plan.execute(partition, Arc::clone(&self.context))?;
            let gather = Gather::new(Arc::clone(&schema), Arc::clone(&hoard), store.clone());
            let collector = collector.clone();
            tasks.spawn(async move {
                let gathered = collector.collect(stream, gather).await;
                gathered.map(|gathered| (partition, gathered))
            });
        }
        let mut by_partition = Vec::with_capacity(partitions);
        while let Some(done) = tasks.join_next().await {
            by_partition.push(done.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??);
        }
        // The order of rows must not depend on which task was quicker.
        by_partition.sort_by_key(|(partition, _)| *partition);
        let gathered: Vec<Gather> = by_partition.into_iter().map(|(_, g)| g).collect();

        if hoard.is_full() {
            let mut runs = vec![];
            let mut samples = vec![];
            for gather in gathered {
                let (run, sample) = gather.into_file()?;
                runs.extend(run.map(Arc::new));
                samples.push(sample);
            }
            let collector = collector.without_counting();
            let spilled = cut(self, collector, store, &hoard, runs, samples).await?;
            return Ok(Built::Spilled(Arc::new(spilled)));
        }
        let timer = self.metrics.build_time.clone();
        let _timer = timer.timer();
        let build = index(
            schema,
            gathered.into_iter().flat_map(|g| g.kept).collect(),
            &collector,
            &self.options,
            &Memory {
                pool: self.context.memory_pool(),
                reservation: &hoard.reservation,
                has_room: false,
            },
        )?;
        Ok(Built::Whole(Arc::new(build)))
    }
}

/// The memory that all partitions of the build side fill together.
pub(super) struct Hoard {
    pub reservation: MemoryReservation,
    /// Bytes that may be held.
    pub most: usize,
    full: AtomicBool,
}

impl Hoard {
    fn new(context: &TaskContext) -> Self {
        let pool = context.memory_pool();
        let most = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => {
                (limit.saturating_sub(pool.reserved()) as f64 * MOST_OF_FREE) as usize
            }
            _ => usize::MAX,
        };
        Self {
            reservation: MemoryConsumer::new("SpatialJoinBuild").register(pool),
            most,
            full: AtomicBool::new(false),
        }
    }

    /// Makes room, if all have found some so far.
    fn hold(&self, bytes: usize) -> bool {
        if self.is_full() {
            return false;
        }
        let fits = self.reservation.size().saturating_add(bytes) <= self.most
            && self.reservation.try_grow(bytes).is_ok();
        if !fits {
            self.full.store(true, Ordering::Relaxed);
        }
        fits
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// What is gathered from one partition: batches in memory, or a file of all of them.
struct Gather {
    schema: SchemaRef,
    kept: Vec<Collected>,
    held: usize,
    footprint: Footprint,
    file: Option<RunWriter>,
    sample: Sample,
    hoard: Arc<Hoard>,
    store: SpillStore,
}

impl Gather {
    fn new(schema: SchemaRef, hoard: Arc<Hoard>, store: SpillStore) -> Self {
        Self {
            schema,
            kept: vec![],
            held: 0,
            footprint: Footprint::default(),
            file: None,
            sample: Sample::default(),
            hoard,
            store,
        }
    }

    fn add(&mut self, batch: Collected) -> Result<()> {
        if self.file.is_none() {
            let bytes = batch.indexed_size(&mut self.footprint);
            if self.hoard.hold(bytes) {
                self.held += bytes;
                self.kept.push(batch);
                return Ok(());
            }
        }
        self.write_kept()?;
        self.write(&batch)
    }

    /// Moves to the file what is in memory.
    fn write_kept(&mut self) -> Result<()> {
        for batch in std::mem::take(&mut self.kept) {
            self.write(&batch)?;
        }
        self.footprint = Footprint::default();
        self.hoard.reservation.shrink(self.held);
        self.held = 0;
        Ok(())
    }

    fn write(&mut self, batch: &Collected) -> Result<()> {
        self.sample.add(batch);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = self.store.create(&self.schema, PIECE)?;
                self.file.insert(file)
            }
        };
        file.write(&batch.batch)
    }

    fn into_file(mut self) -> Result<(Option<Run>, Sample)> {
        self.write_kept()?;
        Ok((self.file.map(RunWriter::finish).transpose()?, self.sample))
    }
}

/// One batch of the build side with what was computed from it in its own task.
pub(super) struct Collected {
    pub batch: RecordBatch,
    /// One for each condition of the join.
    pub located: Vec<Located>,
}

/// What one condition asks of a batch.
pub(super) struct Located {
    pub geometry: ArrayRef,
    /// The rows whose geometry is taken for NULL, in `geometry` but not in the batch.
    pub invalid: Option<BooleanArray>,
    pub view: GeometryArray,
    pub bounds: Arc<[Bounds]>,
    pub distances: Option<Vec<f64>>,
}

impl Located {
    /// Where row `i` may have partners: its rectangle, expanded by its distance if it brings one.
    /// `None` for a row without a place: NULL, EMPTY, or with a distance that holds no pair.
    pub(super) fn place(&self, i: usize) -> Option<Bounds> {
        let bounds = &self.bounds[i];
        match self.distances.as_ref().map(|d| d[i]) {
            _ if bounds.is_empty() => None,
            None => Some(*bounds),
            // A negative distance, or none, holds no pair.
            Some(distance) => (distance >= 0.0).then(|| bounds.expand(distance)),
        }
    }

    /// Whether the geometry of row `i` is EMPTY.
    pub(super) fn is_empty(&self, i: usize) -> bool {
        self.bounds[i].is_empty() && !self.view.is_null(i)
    }
}

impl Collected {
    /// The union of all places of row `i`; `None` if it has none.
    pub(super) fn place(&self, i: usize) -> Option<Bounds> {
        let places = self.located.iter().filter_map(|located| located.place(i));
        places.reduce(|all, place| all.union(&place))
    }

    /// Bytes of the first geometry of row `i`.
    pub(super) fn value_size(&self, i: usize) -> usize {
        let wkb = self.located.first().and_then(|located| located.view.wkb(i));
        wkb.map_or(0, <[u8]>::len)
    }

    /// Bytes that are added by holding the batch and indexing it.
    fn indexed_size(&self, footprint: &mut Footprint) -> usize {
        let mut bytes = footprint.add(&self.batch);
        let mut largest = largest_column(&self.batch);
        for located in &self.located {
            // A geometry that is a column of the batch has been counted.
            let computed = footprint.add_array(&located.geometry);
            largest = largest.max(computed);
            bytes += computed + located.distances.as_ref().map_or(0, |d| d.capacity() * 8);
        }
        let rows = self.batch.num_rows();
        indexed_size(bytes, largest, rows, self.located.len())
    }
}

/// What the tasks that collect need to know.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    /// One for each condition of the join.
    pub locators: Vec<Locator>,
    pub invalid: InvalidPolicy,
    pub metrics: BuildMetrics,
}

/// Where one condition finds its geometry and its distance.
#[derive(Debug, Clone)]
pub(super) struct Locator {
    pub source: GeometrySource,
    pub distance: Option<PhysicalExprRef>,
    pub joins_empties: bool,
}

impl Collector {
    async fn collect(
        &self,
        mut stream: SendableRecordBatchStream,
        mut gather: Gather,
    ) -> Result<Gather> {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let _timer = self.metrics.build_time.timer();
            self.metrics.build_input_batches.add(1);
            self.metrics.build_input_rows.add(batch.num_rows());
            gather.add(self.examine(batch)?)?;
        }
        Ok(gather)
    }

    /// For rows that come again, and whose invalid geometries were counted before.
    fn without_counting(mut self) -> Self {
        self.invalid = self.invalid.without_counting();
        self
    }

    /// Computes what is asked of each row.
    pub(super) fn examine(&self, batch: RecordBatch) -> Result<Collected> {
        let sources = self.locators.iter().map(|locator| &locator.source);
        let batch = skip_invalid(batch, sources, &self.invalid)?;
        let rows = batch.num_rows();
        let mut located: Vec<Located> = Vec::with_capacity(self.locators.len());
        for (i, locator) in self.locators.iter().enumerate() {
            let distances = match &locator.distance {
                Some(expr) => Some(evaluate_distances(expr, &batch)?),
                None => None,
            };
            if let Some(same) = self.first_with_geometry(i) {
                located.push(Located {
                    geometry: Arc::clone(&located[same].geometry),
                    invalid: located[same].invalid.clone(),
                    view: located[same].view.clone(),
                    bounds: Arc::clone(&located[same].bounds),
                    distances,
                });
                continue;
            }
            let source = &locator.source;
            let mut geometry = source.evaluate(&batch)?;
            let invalid = source.find_nulled(&geometry, &self.invalid)?;
            if let Some(invalid) = &invalid {
                geometry = set_null(&geometry, invalid)?;
            }
            let view = GeometryArray::try_new(&geometry, &source.ty)?;
            let bounds = (0..rows)
                .map(|row| view.bounds(row))
                .collect::<error::Result<Arc<[_]>>>()
                .map_err(|e| source.named(e))?;
            located.push(Located {
                geometry,
                invalid,
                view,
                bounds,
                distances,
            });
        }
        Ok(Collected { batch, located })
    }

    /// The first condition, before the `i`th, with the same geometry as that.
    pub(super) fn first_with_geometry(&self, i: usize) -> Option<usize> {
        let geometry = &self.locators[i].source.expr;
        self.locators[..i]
            .iter()
            .position(|other| other.source.expr.eq(geometry))
    }

    /// The first condition, before the `i`th, with the same geometry and distance as that.
    pub(super) fn first_with_rectangles(&self, i: usize) -> Option<usize> {
        let Locator {
            source, distance, ..
        } = &self.locators[i];
        self.locators[..i]
            .iter()
            .position(|other| other.source.expr.eq(&source.expr) && other.distance.eq(distance))
    }
}

//! The build side, cut into cells.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::runtime::JoinSet;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;

use super::file::{Run, SpillStore};
use super::probe::RoutedProbe;
use super::route::CellWriters;
use super::sample::Sample;
use crate::Error;
use crate::geometry::Bounds;
use crate::join::build::BuildOptions;
use crate::join::collect::{BuildTask, Collected, Collector, Hoard};
use crate::join::on::{JoinPredicate, SpatialOn};
use crate::join::roles::Roles;
use crate::join::rtree::PackedRTree;
use crate::tiling::{KdCells, KdOptions};

/// Cells at most: each keeps a file of either side open. What is larger is joined in passes.
const MOST_CELLS: usize = 128;

/// How much of a worker's share of memory a cell is to fill, as the sample has it.
const FILL: f64 = 0.7;

/// Memory below which no cell can be joined in earnest.
const LEAST_MEMORY: usize = 1 << 10;

/// The build side in cells, shared by all output partitions.
#[derive(Debug)]
pub(in crate::join) struct Spilled {
    /// In an order in which neighbours tend to follow each other; rows without a place come last.
    pub(super) cells: Vec<Cell>,
    /// Which cells a rectangle meets, for each condition.
    pub(in crate::join) finders: Vec<Arc<PackedRTree>>,
    pub(super) collector: Collector,
    pub(super) on: SpatialOn,
    /// For cells: one partition probes each.
    pub(super) options: BuildOptions,
    pub(super) schema: SchemaRef,
    pub(super) store: SpillStore,
    pub(super) context: Arc<TaskContext>,
    /// Bytes that the rows of one worker and their index may take.
    pub(super) share: usize,
    /// Bytes of a piece of a file.
    pub(super) piece: usize,
    /// How many more output partitions may join cells.
    pub(super) workers: AtomicUsize,
    /// The next cell to join.
    pub(super) next: AtomicUsize,
    /// Cells that are not done yet; the rows that meet none count as one more.
    pub(super) open: AtomicUsize,
    pub(super) probe: RoutedProbe,
    /// All shares.
    pub(super) reservation: MemoryReservation,
}

/// A cell of the build side.
#[derive(Debug)]
pub(super) struct Cell {
    pub run: Arc<Run>,
    /// For each condition.
    pub extents: Vec<Extent>,
}

/// Where the rows of a cell may have partners under one condition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The union of the places of its rows; empty if none has a place.
    pub bounds: Bounds,
    /// Whether EMPTY may be joined with EMPTY here.
    pub has_empties: bool,
}

impl Extent {
    const NOTHING: Self = Self {
        bounds: Bounds::EMPTY,
        has_empties: false,
    };

    fn add(&mut self, other: &Self) {
        self.bounds = self.bounds.union(&other.bounds);
        self.has_empties |= other.has_empties;
    }
}

impl Spilled {
    /// Whether nearest rows are joined, rows of all cells with rows of all others.
    pub(super) fn is_nearest(&self) -> bool {
        matches!(self.on.predicate, JoinPredicate::Nearest { .. })
    }

    /// What becomes of the rows of both sides.
    pub(super) fn roles(&self) -> Roles {
        self.options.roles
    }

    /// Whether rows without a place may have partners under a condition.
    pub(in crate::join) fn has_empties(&self, condition: usize) -> bool {
        let mut extents = self.cells.iter().map(|cell| &cell.extents[condition]);
        extents.any(|extent| extent.has_empties)
    }
}

/// Cuts the rows in `runs`, which `samples` are taken from, into cells that fit into memory.
pub(in crate::join) async fn cut(
    task: BuildTask,
    collector: Collector,
    store: SpillStore,
    hoard: &Hoard,
    runs: Vec<Arc<Run>>,
    samples: Vec<Sample>,
) -> Result<Spilled> {
    let reservation = reserve(hoard)?;
    let memory = reservation.size();
    let piece = (memory / 64).clamp(1 << 10, 1 << 20);
    let workers = (memory / (16 * piece)).clamp(1, task.options.probe_partitions.max(1));
    let conditions = collector.locators.len();
    let size = |run: &Arc<Run>| run.indexed_size(conditions);
    let total: usize = runs.iter().map(size).sum();
    // Polygons that are decoded for each batch of points anew cost far more than cells that are smaller.
    let prepared: usize = samples.iter().map(Sample::prepared).sum();
    let of_rows = total as f64 / (total as f64 + prepared as f64).max(1.0);
    let share = ((memory / workers) as f64 * of_rows) as usize;
    let mut samples = Sample::unite(samples);
    let wanted = (total as f64 / (share as f64 * FILL)).ceil();
    let kd = KdCells::cut(
        &mut samples,
        &KdOptions {
            most_cells: (wanted as usize).clamp(2, MOST_CELLS),
            enough: 0.0,
            by_size: true,
        },
    );
    drop(samples);

    let numbered = matches!(task.on.predicate, JoinPredicate::Nearest { .. });
    let schema = task.plan.schema();
    let schema = if numbered {
        with_number(&schema, ROW)
    } else {
        schema
    };
    let router = Arc::new(BuildRouter {
        writers: CellWriters::new(
            store.clone(),
            Arc::clone(&schema),
            kd.len() + 1,
            memory,
            piece,
        ),
        kd,
        collector: collector.clone(),
        keeps_all: task.options.roles.build.shows_unmatched(),
        numbered,
    });
    let extents = router.route_all(runs).await?;
    let Some(router) = Arc::into_inner(router) else {
        return Err(Error::Internal("a task outlives the cut".into()).into());
    };
    let files = router.writers.finish()?;
    let cells: Vec<Cell> = files
        .into_iter()
        .zip(extents)
        .filter_map(|(run, extents)| Some(Cell { run: run?, extents }))
        .collect();
    task.metrics.spill_cells.add(cells.len());
    let finder = |condition: usize| {
        let bounds = cells.iter().map(|cell| cell.extents[condition].bounds);
        let entries: Vec<_> = (0u32..)
            .zip(bounds)
            .filter(|(_, b)| !b.is_empty())
            .collect();
        Arc::new(PackedRTree::build(&entries))
    };
    // The rest is taken again for what is prepared.
    reservation.shrink(memory.saturating_sub(share * workers));
    Ok(Spilled {
        finders: (0..conditions).map(finder).collect(),
        open: AtomicUsize::new(cells.len() + 1),
        cells,
        collector,
        on: task.on,
        options: BuildOptions {
            probe_partitions: 1,
            ..task.options
        },
        schema,
        store,
        context: task.context,
        share,
        piece,
        workers: AtomicUsize::new(workers),
        next: AtomicUsize::new(0),
        probe: RoutedProbe::default(),
        reservation,
    })
}

/// Takes as much memory as the build side was allowed, or what there is.
fn reserve(hoard: &Hoard) -> Result<MemoryReservation> {
    let reservation = hoard.reservation.new_empty();
    let mut bytes = hoard.most;
    loop {
        match reservation.try_grow(bytes) {
            Ok(()) => return Ok(reservation),
            Err(error) if bytes / 2 < LEAST_MEMORY => {
                return Err(error.context(
                    "the spatial join finds no memory to join even a small part of its build \
                     side: raise --memory-limit",
                ));
            }
            Err(_) => bytes /= 2,
        }
    }
}

/// The name of the column that counts build rows.
const ROW: &str = "__geoflow_row";

/// A schema with a column for a number a row.
pub(super) fn with_number(schema: &SchemaRef, name: &str) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().map(Arc::clone).collect();
    fields.push(Arc::new(Field::new(name, DataType::UInt64, true)));
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// A batch with a number a row.
pub(super) fn add_number(
    batch: &RecordBatch,
    schema: &SchemaRef,
    numbers: UInt64Array,
) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    let rows = numbers.len();
    columns.push(Arc::new(numbers) as ArrayRef);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// Sends build rows to their cells.
struct BuildRouter {
    kd: KdCells,
    writers: CellWriters,
    collector: Collector,
    /// Whether rows that can have no partner are put out.
    keeps_all: bool,
    /// Whether rows are counted, in their order.
    numbered: bool,
}

/// By cell, and for each condition.
type Extents = Vec<Vec<Extent>>;

impl BuildRouter {
    /// Reads all files, each once, and returns the extents of the cells.
    async fn route_all(self: &Arc<Self>, runs: Vec<Arc<Run>>) -> Result<Extents> {
        let mut extents = self.no_extents();
        if self.numbered {
            let mut first = 0;
            for run in runs {
                let rows = run.rows as u64;
                merge(&mut extents, &self.route(run, first).await?);
                first += rows;
            }
            return Ok(extents);
        }
        let mut tasks = JoinSet::new();
        for run in runs {
            let router = Arc::clone(self);
            tasks.spawn(async move { router.route(run, 0).await });
        }
        while let Some(done) = tasks.join_next().await {
            let found = done.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
            merge(&mut extents, &found);
        }
        Ok(extents)
    }

    fn no_extents(&self) -> Extents {
        vec![vec![Extent::NOTHING; self.collector.locators.len()]; self.kd.len() + 1]
    }

    async fn route(&self, run: Arc<Run>, mut row: u64) -> Result<Extents> {
        let mut extents = self.no_extents();
        let mut batches = run.read()?;
        drop(run);
        while let Some(batch) = batches.next().await {
            let timer = self.collector.metrics.build_time.clone();
            let _timer = timer.timer();
            let examined = self.collector.examine(batch?)?;
            let rows = examined.batch.num_rows();
            let mut by_cell: Vec<Vec<u32>> = vec![vec![]; extents.len()];
            for i in 0..rows {
                if let Some(cell) = self.cell_of(&examined, i, &mut extents) {
                    by_cell[cell].push(i as u32);
                }
            }
            let batch = if self.numbered {
                let numbers = UInt64Array::from_iter_values(row..row + rows as u64);
                row += rows as u64;
                add_number(&examined.batch, &self.writers.schema(), numbers)?
            } else {
                examined.batch
            };
            for (cell, rows) in by_cell.into_iter().enumerate() {
                self.writers.push(cell, &batch, rows)?;
            }
        }
        Ok(extents)
    }

    /// The cell of a row, whose extents grow by it; `None` for a row that is of no use.
    fn cell_of(&self, batch: &Collected, row: usize, extents: &mut Extents) -> Option<usize> {
        let place = batch.place(row);
        let cell = match &place {
            Some(place) => self.kd.cell_of(place),
            None => self.kd.len(),
        };
        let mut is_of_use = self.keeps_all || place.is_some();
        let conditions = batch.located.iter().zip(&self.collector.locators);
        for ((located, locator), extent) in conditions.zip(&mut extents[cell]) {
            let has_empties = locator.joins_empties && located.is_empty(row);
            is_of_use |= has_empties;
            extent.add(&Extent {
                bounds: located.place(row).unwrap_or(Bounds::EMPTY),
                has_empties,
            });
        }
        is_of_use.then_some(cell)
    }
}

fn merge(all: &mut Extents, these: &Extents) {
    for (cell, found) in all.iter_mut().zip(these) {
        for (extent, found) in cell.iter_mut().zip(found) {
            extent.add(found);
        }
    }
}

//! The build side: what was collected, indexed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions,
};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;

use super::collect::{Collected, Collector, Located, Locator};
use super::grid::{Coverage, PointGrid};
use super::memory::prepared_size;
use super::roles::Roles;
use super::rtree::PackedRTree;
use crate::Error;
use crate::geometry::{Bounds, GeometryArray, GeometryType, InvalidPolicy, set_null};
use crate::options::{Approximation, Fraction, JoinOptions};
use crate::predicate::{PrepareOptions, PreparedSet};

/// The collected and indexed side of a join, shared by all probe partitions.
#[derive(Debug)]
pub(super) struct BuildSide {
    /// All rows, in the order of partitions and batches.
    pub batch: RecordBatch,
    /// One for each condition of the join, in their order.
    pub indexes: Vec<Arc<SpatialIndex>>,
    visited: Vec<AtomicU64>,
    probes_left: AtomicUsize,
}

/// What finds and decides the partners of a geometry, for one condition of a join.
#[derive(Debug)]
pub(super) struct SpatialIndex {
    /// The geometries of all rows. Conditions on the same geometry share them.
    pub geometries: Arc<PreparedSet>,
    /// The same, as they are stored.
    pub array: GeometryArray,
    /// The rectangles of rows that have one. Conditions on the same geometry and distance share them.
    pub tree: Arc<PackedRTree>,
    /// The rows whose geometry is EMPTY; kept for `ST_Equals` alone.
    pub empties: Vec<u32>,
    /// The distance of each row, where it comes from this side; NaN for NULL.
    pub distances: Option<Vec<f64>>,
    /// For probes that are points; made when enough of them have come.
    grid: OnceLock<Option<PointGrid>>,
    points_seen: AtomicUsize,
    /// Bytes of all geometries together.
    geometry_bytes: usize,
    threads: usize,
    /// Whether there is to be one.
    grid_wanted: Approximation,
    /// The part of free memory that the grid may take.
    grid_share: Fraction,
    /// Holds the memory until the last probe partition lets go.
    reservation: Arc<MemoryReservation>,
    pool: Arc<dyn MemoryPool>,
}

/// A point finds its candidates in the R-tree in about this many times the time in which a byte of
/// WKB is rasterised.
const BYTES_PER_POINT: usize = 600;

impl SpatialIndex {
    /// Whether no row can satisfy the predicate.
    pub(super) fn is_hopeless(&self) -> bool {
        self.tree.is_empty() && self.empties.is_empty()
    }

    /// The grid for a batch of `points` probe points, once so many have come (or are `expected`)
    /// that it pays to make one. `reach` is added to all rectangles.
    ///
    /// A geometry that cannot be rasterised leaves the join without a grid; the refinement of its
    /// candidates says what is wrong with it.
    pub(super) fn grid(
        &self,
        points: usize,
        expected: usize,
        coverage: Coverage,
        reach: f64,
    ) -> Option<&PointGrid> {
        if let Some(grid) = self.grid.get() {
            return grid.as_ref();
        }
        let seen = self.points_seen.fetch_add(points, Ordering::Relaxed) + points;
        let pays = || seen.max(expected).saturating_mul(BYTES_PER_POINT) >= self.geometry_bytes;
        if !self.grid_wanted.raster().is_due(pays) {
            return None;
        }
        let make = || {
            let mut entries = self.tree.entries();
            if reach > 0.0 {
                for (_, bounds) in &mut entries {
                    *bounds = bounds.expand(reach);
                }
            }
            let vertices = self.geometry_bytes / 16;
            // Room is made for all that a grid takes while it is built.
            let budget = share_of_free(&self.pool, self.grid_share).min(PointGrid::MOST_BYTES);
            self.reservation.try_grow(budget).ok()?;
            let (array, threads) = (&self.array, self.threads);
            let points = match expected {
                0 => usize::MAX,
                expected => seen.max(expected),
            };
            let built =
                PointGrid::build(array, &entries, coverage, vertices, points, threads, budget);
            let grid = built.ok().flatten();
            let size = grid.as_ref().map_or(0, PointGrid::size);
            self.reservation.shrink(budget - size.min(budget));
            grid
        };
        self.grid.get_or_init(make).as_ref()
    }
}

impl BuildSide {
    /// The same rows for another run, none of which has a partner yet.
    pub(super) fn for_run(&self, roles: Roles, probe_partitions: usize) -> Self {
        Self {
            batch: self.batch.clone(),
            indexes: self.indexes.clone(),
            visited: unvisited(roles, self.batch.num_rows()),
            probes_left: AtomicUsize::new(probe_partitions),
        }
    }

    /// Whether another run has it, by [`for_run`](Self::for_run).
    pub(super) fn is_used(&self) -> bool {
        self.indexes
            .iter()
            .any(|index| Arc::strong_count(index) > 1)
    }

    /// Whether no row can satisfy the predicate.
    pub(super) fn is_hopeless(&self) -> bool {
        self.indexes.iter().all(|index| index.is_hopeless())
    }

    /// Records that a row has a partner.
    #[inline]
    pub(super) fn visit(&self, row: u32) {
        if let Some(word) = self.visited.get(row as usize / 64) {
            let bit = 1 << (row % 64);
            // Most rows are hit many times: reading first spares the cache line.
            if word.load(Ordering::Relaxed) & bit == 0 {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// Whether a row is known to have a partner.
    #[inline]
    pub(super) fn is_visited(&self, row: u32) -> bool {
        self.visited
            .get(row as usize / 64)
            .is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (row % 64)) != 0)
    }

    /// Says that one probe partition is done; `true` for the last, which then sees every visit.
    pub(super) fn finish_probe(&self) -> bool {
        self.probes_left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// How the build side is made and used.
#[derive(Debug, Clone)]
pub(super) struct BuildOptions {
    /// Who reads it.
    pub probe_partitions: usize,
    pub roles: Roles,
    /// The settings of the session.
    pub settings: JoinOptions,
    pub invalid: InvalidPolicy,
}

/// What the memory of an index is taken from.
pub(super) struct Memory<'a> {
    pub pool: &'a Arc<dyn MemoryPool>,
    /// Grows by what is prepared, and passes to the index.
    pub reservation: &'a MemoryReservation,
    /// Whether room for the rows and their trees was made elsewhere; else it is made here.
    pub has_room: bool,
}

/// Indexes rows, in the order of `batches`.
pub(super) fn index(
    schema: SchemaRef,
    batches: Vec<Collected>,
    collector: &Collector,
    options: &BuildOptions,
    memory: &Memory<'_>,
) -> Result<BuildSide> {
    let Memory {
        pool, reservation, ..
    } = *memory;
    let rows: usize = batches.iter().map(|b| b.batch.num_rows()).sum();
    if u32::try_from(rows).is_err() {
        return Err(Error::Environment {
            message: format!(
                "the build side of the spatial join has {rows} rows, more than one index holds \
                 ({}): filter it, or cut the statement into parts",
                u32::MAX
            ),
            retryable: false,
        }
        .into());
    }

    let mut placed: Vec<Placed> = Vec::with_capacity(collector.locators.len());
    for (i, locator) in collector.locators.iter().enumerate() {
        let mut all = Placed::new(&batches, i, locator, rows);
        all.tree = match collector.first_with_rectangles(i) {
            Some(same) => Arc::clone(&placed[same].tree),
            None => Arc::new(PackedRTree::build(&std::mem::take(&mut all.entries))),
        };
        placed.push(all);
    }
    let tree_bytes: usize = distinct(placed.iter().map(|p| &p.tree))
        .map(|tree| tree.size())
        .sum();
    let distance_bytes: usize = placed
        .iter()
        .filter_map(|p| p.distances.as_ref())
        .map(|d| d.capacity() * size_of::<f64>())
        .sum();

    let (batch, arrays) = concat_sides(&schema, batches, collector, rows)?;
    if !memory.has_room {
        let bytes = get_record_batch_memory_size(&batch) + tree_bytes + distance_bytes;
        reservation.try_resize(bytes)?;
    }
    let mut geometries: Vec<(Arc<PreparedSet>, GeometryArray)> = vec![];
    for (i, locator) in collector.locators.iter().enumerate() {
        geometries.push(match collector.first_with_geometry(i) {
            Some(same) => geometries[same].clone(),
            None => {
                let array = GeometryArray::try_new(&arrays[i], &locator.source.ty)?;
                let share = options.settings.prepared_memory_share;
                let prepare = PrepareOptions {
                    raster: options.settings.approximation.raster(),
                    max_bytes: prepare_budget(&array, share, pool, reservation),
                    ..PrepareOptions::default()
                };
                let set = PreparedSet::with_options(array.clone(), prepare);
                (Arc::new(set), array)
            }
        });
    }
    collector.metrics.index_size.set(tree_bytes);
    collector.metrics.build_mem_used.set(reservation.size());

    let reservation = Arc::new(reservation.split(reservation.size()));
    let indexes = placed
        .into_iter()
        .zip(geometries)
        .map(|(placed, (geometries, array))| {
            Arc::new(SpatialIndex {
                geometries,
                tree: placed.tree,
                empties: placed.empties,
                distances: placed.distances,
                grid: OnceLock::new(),
                points_seen: AtomicUsize::new(0),
                geometry_bytes: array.value_bytes(),
                array,
                threads: options.probe_partitions,
                grid_wanted: options.settings.approximation,
                grid_share: options.settings.grid_memory_share,
                reservation: Arc::clone(&reservation),
                pool: Arc::clone(pool),
            })
        })
        .collect();
    Ok(BuildSide {
        batch,
        indexes,
        visited: unvisited(options.roles, rows),
        probes_left: AtomicUsize::new(options.probe_partitions),
    })
}

/// A bit for each row, where it matters which have a partner.
fn unvisited(roles: Roles, rows: usize) -> Vec<AtomicU64> {
    let words = match roles.build.needs_matches() {
        true => rows.div_ceil(64),
        false => 0,
    };
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

/// Where the rows lie that one condition can join.
struct Placed {
    entries: Vec<(u32, Bounds)>,
    tree: Arc<PackedRTree>,
    empties: Vec<u32>,
    distances: Option<Vec<f64>>,
}

impl Placed {
    /// Gathers the rectangles of condition `i`; the tree is made of them later.
    fn new(batches: &[Collected], i: usize, locator: &Locator, rows: usize) -> Self {
        let mut placed = Self {
            entries: Vec::with_capacity(rows),
            tree: Arc::new(PackedRTree::build(&[])),
            empties: vec![],
            distances: locator.distance.is_some().then(|| Vec::with_capacity(rows)),
        };
        let mut row = 0u32;
        for located in batches.iter().map(|b| &b.located[i]) {
            for i in 0..located.bounds.len() {
                if let Some(place) = located.place(i) {
                    placed.entries.push((row, place));
                } else if locator.joins_empties && located.is_empty(i) {
                    placed.empties.push(row);
                }
                row += 1;
            }
            if let (Some(all), Some(these)) = (&mut placed.distances, &located.distances) {
                all.extend_from_slice(these);
            }
        }
        placed
    }
}

/// Shared values, each once.
fn distinct<'a, T: 'a>(all: impl Iterator<Item = &'a Arc<T>>) -> impl Iterator<Item = &'a Arc<T>> {
    let mut seen = vec![];
    all.filter(move |value| {
        let new = !seen.contains(&Arc::as_ptr(value));
        seen.push(Arc::as_ptr(value));
        new
    })
}

/// A part of the memory that nobody has reserved yet; all there is where memory has no limit.
fn share_of_free(pool: &Arc<dyn MemoryPool>, share: Fraction) -> usize {
    match pool.memory_limit() {
        MemoryLimit::Finite(limit) => share.of(limit.saturating_sub(pool.reserved())),
        _ if share.get() > 0.0 => usize::MAX,
        _ => 0,
    }
}

/// Bytes that prepared geometries may take, reserved: all they want where memory has no limit, else
/// at most a share of what is free; none if that is not to be had, and geometries are then decoded
/// again and again.
fn prepare_budget(
    array: &GeometryArray,
    share: Fraction,
    pool: &Arc<dyn MemoryPool>,
    reservation: &MemoryReservation,
) -> usize {
    let MemoryLimit::Finite(_) = pool.memory_limit() else {
        return usize::MAX;
    };
    let wanted = prepared_size(array.value_bytes());
    let budget = wanted.min(share_of_free(pool, share));
    match reservation.try_grow(budget) {
        Ok(()) => budget,
        Err(_) => 0,
    }
}

/// Concatenates column by column, so that no more than one column exists twice: all rows, and the
/// geometries of each condition.
fn concat_sides(
    schema: &SchemaRef,
    batches: Vec<Collected>,
    collector: &Collector,
    rows: usize,
) -> Result<(RecordBatch, Vec<ArrayRef>)> {
    let (mut columns, located): (Vec<Vec<ArrayRef>>, Vec<Vec<Located>>) = batches
        .into_iter()
        .map(|c| (c.batch.columns().to_vec(), c.located))
        .unzip();

    let mut whole: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for (i, field) in schema.fields().iter().enumerate() {
        let parts: Vec<ArrayRef> = columns
            .iter_mut()
            .map(|batch| {
                std::mem::replace(&mut batch[i], Arc::new(arrow::array::NullArray::new(0)))
            })
            .collect();
        whole.push(concat_parts(&parts, field.data_type())?);
    }
    let mut geometries: Vec<ArrayRef> = vec![];
    for (i, locator) in collector.locators.iter().enumerate() {
        let column = locator.source.expr.downcast_ref::<Column>();
        let geometry = match (column, collector.first_with_geometry(i)) {
            (Some(column), _) => {
                let whole = &whole[column.index()];
                match invalid_of_all(&located, i, rows) {
                    Some(invalid) => set_null(whole, &invalid)?,
                    None => Arc::clone(whole),
                }
            }
            (None, Some(same)) => Arc::clone(&geometries[same]),
            (None, None) => {
                let parts: Vec<ArrayRef> =
                    located.iter().map(|l| Arc::clone(&l[i].geometry)).collect();
                let empty = DataType::Binary;
                let data_type = parts.first().map_or(&empty, |g| g.data_type()).clone();
                concat_parts(&parts, &data_type)?
            }
        };
        geometries.push(geometry);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), whole, &options)?;
    Ok((batch, geometries))
}

/// The rows of all batches whose geometry is taken for NULL under condition `i`, if there are any.
fn invalid_of_all(located: &[Vec<Located>], i: usize, rows: usize) -> Option<BooleanArray> {
    located.iter().find(|l| l[i].invalid.is_some())?;
    let mut all = BooleanBufferBuilder::new(rows);
    for located in located.iter().map(|l| &l[i]) {
        match &located.invalid {
            Some(invalid) => all.append_buffer(invalid.values()),
            None => all.append_n(located.bounds.len(), false),
        }
    }
    Some(BooleanArray::new(all.finish(), None))
}

fn concat_parts(parts: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    if parts.is_empty() {
        return Ok(arrow::array::new_empty_array(data_type));
    }
    let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(concat(&parts)?)
}

/// The geometry type of an expression over rows of `schema`; binary values without a label are
/// WKB of unknown CRS.
pub(super) fn geometry_type(expr: &PhysicalExprRef, schema: &SchemaRef) -> Result<GeometryType> {
    let field = expr.return_field(schema)?;
    match GeometryType::from_field(&field)? {
        Some(ty) => Ok(ty),
        None => Ok(GeometryType::wkb(None)),
    }
}

/// The distances of a batch; NULL becomes NaN, which holds no pair.
pub(super) fn evaluate_distances(expr: &PhysicalExprRef, batch: &RecordBatch) -> Result<Vec<f64>> {
    let array = expr.evaluate(batch)?.into_array(batch.num_rows())?;
    let array = cast(&array, &DataType::Float64)?;
    Ok(array
        .as_primitive::<Float64Type>()
        .iter()
        .map(|d| d.unwrap_or(f64::NAN))
        .collect())
}

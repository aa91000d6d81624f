//! The build side: collected from all partitions at once, then indexed.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::JoinSide;
use datafusion::common::runtime::JoinSet;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties, SendableRecordBatchStream,
};
use futures::StreamExt;

use super::grid::{Coverage, PointGrid};
use super::metrics::BuildMetrics;
use super::on::SpatialOn;
use super::roles::Roles;
use super::rtree::PackedRTree;
use crate::geometry::{Bounds, GeometryArray, GeometryType};
use crate::predicate::{PrepareOptions, PreparedSet};
use crate::{Error, error};

/// The collected and indexed side of a join, shared by all probe partitions.
#[derive(Debug)]
pub(super) struct BuildSide {
    /// All rows, in the order of partitions and batches.
    pub batch: RecordBatch,
    /// Their geometries.
    pub geometries: PreparedSet,
    /// The same, as they are stored.
    pub array: GeometryArray,
    /// The rectangles of rows that have one.
    pub tree: PackedRTree,
    /// The rows whose geometry is EMPTY; kept for `ST_Equals` alone.
    pub empties: Vec<u32>,
    /// The distance of each row, where it comes from this side; NaN for NULL.
    pub distances: Option<Vec<f64>>,
    /// For probes that are points; made when enough of them have come.
    grid: OnceLock<Option<PointGrid>>,
    points_seen: AtomicUsize,
    threads: usize,
    visited: Vec<AtomicU64>,
    probes_left: AtomicUsize,
    /// Holds the memory until the last probe partition lets go.
    reservation: MemoryReservation,
}

/// A point finds its candidates in the R-tree in about this many times the time in which a byte of
/// WKB is rasterised.
const BYTES_PER_POINT: usize = 600;

/// Bytes that a byte of WKB becomes when it is decoded and its edges are indexed.
const PREPARED_PER_BYTE: usize = 3;

impl BuildSide {
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
        let bytes = self.array.value_bytes();
        if seen.max(expected).saturating_mul(BYTES_PER_POINT) < bytes {
            return None;
        }
        let make = || {
            let mut entries = self.tree.entries();
            if reach > 0.0 {
                for (_, bounds) in &mut entries {
                    *bounds = bounds.expand(reach);
                }
            }
            let vertices = bytes / 16;
            let grid = PointGrid::build(&self.array, &entries, coverage, vertices, self.threads)
                .ok()??;
            self.reservation.try_grow(grid.size()).ok()?;
            Some(grid)
        };
        self.grid.get_or_init(make).as_ref()
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

/// One batch of the build side with what was computed from it in its own task.
struct Collected {
    batch: RecordBatch,
    geometry: ArrayRef,
    bounds: Vec<Bounds>,
    distances: Option<Vec<f64>>,
}

/// What the tasks that collect need to know.
#[derive(Clone)]
struct Collector {
    geometry: PhysicalExprRef,
    geometry_type: GeometryType,
    distance: Option<PhysicalExprRef>,
    metrics: BuildMetrics,
}

/// Runs all partitions of `plan` and indexes what they yield.
pub(super) async fn collect(
    plan: Arc<dyn ExecutionPlan>,
    on: SpatialOn,
    side: JoinSide,
    roles: Roles,
    probe_partitions: usize,
    metrics: BuildMetrics,
    context: Arc<TaskContext>,
) -> Result<BuildSide> {
    let schema = plan.schema();
    let geometry = Arc::clone(on.geometry(side));
    let collector = Collector {
        geometry_type: geometry_type(&geometry, &schema)?,
        geometry,
        distance: on.distance_of(side).cloned(),
        metrics,
    };
    let reservation =
        Arc::new(MemoryConsumer::new("SpatialJoinBuild").register(context.memory_pool()));

    let partitions = plan.output_partitioning().partition_count();
    let mut tasks = JoinSet::new();
    for partition in 0..partitions {
        let stream = plan.execute(partition, Arc::clone(&context))?;
        let collector = collector.clone();
        let reservation = Arc::clone(&reservation);
        tasks.spawn(async move {
            let collected = collector.collect(stream, &reservation).await;
            collected.map(|batches| (partition, batches))
        });
    }
    let mut by_partition = Vec::with_capacity(partitions);
    while let Some(done) = tasks.join_next().await {
        by_partition.push(done.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??);
    }
    // The order of rows must not depend on which task was quicker.
    by_partition.sort_by_key(|(partition, _)| *partition);
    let batches: Vec<Collected> = by_partition.into_iter().flat_map(|(_, b)| b).collect();

    let timer = collector.metrics.build_time.clone();
    let _timer = timer.timer();
    index(
        schema,
        batches,
        collector,
        &on,
        roles,
        probe_partitions,
        (context.memory_pool(), &reservation),
    )
}

impl Collector {
    async fn collect(
        &self,
        mut stream: SendableRecordBatchStream,
        reservation: &MemoryReservation,
    ) -> Result<Vec<Collected>> {
        let mut batches = vec![];
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            reservation.try_grow(
                get_record_batch_memory_size(&batch)
                    + batch.num_rows() * size_of::<Bounds>()
                    + PackedRTree::estimate_size(batch.num_rows()),
            )?;
            let _timer = self.metrics.build_time.timer();
            self.metrics.build_input_batches.add(1);
            self.metrics.build_input_rows.add(batch.num_rows());
            batches.push(self.examine(batch)?);
        }
        Ok(batches)
    }

    fn examine(&self, batch: RecordBatch) -> Result<Collected> {
        let rows = batch.num_rows();
        let geometry = self.geometry.evaluate(&batch)?.into_array(rows)?;
        let view = GeometryArray::try_new(&geometry, &self.geometry_type)?;
        let bounds = (0..rows)
            .map(|row| view.bounds(row))
            .collect::<error::Result<Vec<_>>>()
            .map_err(|e| name_column(e, &self.geometry))?;
        let distances = match &self.distance {
            Some(expr) => Some(evaluate_distances(expr, &batch)?),
            None => None,
        };
        Ok(Collected {
            batch,
            geometry,
            bounds,
            distances,
        })
    }
}

fn index(
    schema: SchemaRef,
    batches: Vec<Collected>,
    collector: Collector,
    on: &SpatialOn,
    roles: Roles,
    probe_partitions: usize,
    (pool, reservation): (&Arc<dyn MemoryPool>, &MemoryReservation),
) -> Result<BuildSide> {
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

    let mut distances = collector
        .distance
        .is_some()
        .then(|| Vec::with_capacity(rows));
    let mut entries = Vec::with_capacity(rows);
    let mut empties = vec![];
    let mut row = 0u32;
    for collected in &batches {
        for (i, bounds) in collected.bounds.iter().enumerate() {
            let distance = collected.distances.as_ref().map(|d| d[i]);
            // A negative distance, or none, holds no pair: the row needs no entry.
            let reach = distance.unwrap_or(0.0);
            if bounds.is_empty() {
                if on.joins_empties() && !collected.geometry.is_null(i) {
                    empties.push(row);
                }
            } else if reach >= 0.0 {
                let bounds = match distance {
                    Some(d) => bounds.expand(d),
                    None => *bounds,
                };
                entries.push((row, bounds));
            }
            row += 1;
        }
        if let (Some(all), Some(these)) = (&mut distances, &collected.distances) {
            all.extend_from_slice(these);
        }
    }
    let tree = PackedRTree::build(&entries);
    drop(entries);

    let (batch, geometry) = concat_sides(&schema, batches, &collector.geometry, rows)?;
    let array = GeometryArray::try_new(&geometry, &collector.geometry_type)?;
    reservation.try_resize(
        get_record_batch_memory_size(&batch)
            + tree.size()
            + distances.as_ref().map_or(0, |d| d.capacity() * 8),
    )?;
    let options = PrepareOptions {
        max_bytes: prepare_budget(&array, pool, reservation),
        ..PrepareOptions::default()
    };
    let geometries = PreparedSet::with_options(array.clone(), options);
    collector.metrics.index_size.set(tree.size());
    collector.metrics.build_mem_used.set(reservation.size());

    let words = if roles.build.needs_matches() {
        rows.div_ceil(64)
    } else {
        0
    };
    Ok(BuildSide {
        batch,
        geometries,
        array,
        tree,
        empties,
        distances,
        grid: OnceLock::new(),
        points_seen: AtomicUsize::new(0),
        threads: probe_partitions,
        visited: (0..words).map(|_| AtomicU64::new(0)).collect(),
        probes_left: AtomicUsize::new(probe_partitions),
        reservation: reservation.split(reservation.size()),
    })
}

/// Bytes that prepared geometries may take, reserved: all they want where memory has no limit, else
/// at most half of what is free; none if that is not to be had, and geometries are then decoded
/// again and again.
fn prepare_budget(
    array: &GeometryArray,
    pool: &Arc<dyn MemoryPool>,
    reservation: &MemoryReservation,
) -> usize {
    let MemoryLimit::Finite(limit) = pool.memory_limit() else {
        return usize::MAX;
    };
    let free = limit.saturating_sub(pool.reserved());
    let wanted = array.value_bytes().saturating_mul(PREPARED_PER_BYTE);
    let budget = wanted.min(free / 2);
    match reservation.try_grow(budget) {
        Ok(()) => budget,
        Err(_) => 0,
    }
}

/// Concatenates column by column, so that no more than one column exists twice.
fn concat_sides(
    schema: &SchemaRef,
    batches: Vec<Collected>,
    geometry: &PhysicalExprRef,
    rows: usize,
) -> Result<(RecordBatch, ArrayRef)> {
    let geometry_column = geometry.downcast_ref::<Column>().map(Column::index);
    let (mut columns, geometries): (Vec<Vec<ArrayRef>>, Vec<ArrayRef>) = batches
        .into_iter()
        .map(|c| (c.batch.columns().to_vec(), c.geometry))
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
    let geometry = match geometry_column {
        Some(i) => Arc::clone(&whole[i]),
        None => {
            let empty = DataType::Binary;
            let data_type = geometries.first().map_or(&empty, |g| g.data_type()).clone();
            concat_parts(&geometries, &data_type)?
        }
    };
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(schema), whole, &options)?;
    Ok((batch, geometry))
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

/// Names the column that an invalid geometry stands in.
pub(super) fn name_column(error: Error, geometry: &PhysicalExprRef) -> DataFusionError {
    let name = match geometry.downcast_ref::<Column>() {
        Some(column) => column.name().to_string(),
        None => geometry.to_string(),
    };
    error.in_column(&name).into()
}

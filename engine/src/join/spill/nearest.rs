//! Nearest neighbours among build rows that are in cells on disk.
//!
//! ```text
//!   probe rows, each in its nearest cell, block by block
//!        |
//!   cells, the nearest to the block first ── loaded for the rows that may find nearer ones there
//!        |                                          |
//!   best: k x (distance, build row) a probe row  <──┘
//!        |
//!   cells that hold any of the best, read once more ──> pairs
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{BatchCoalescer, concat_batches};
use arrow::datatypes::UInt64Type;
use datafusion::error::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

use super::chunks::{Chunks, index_chunk};
use super::cut::Spilled;
use super::file::Run;
use crate::Error;
use crate::geometry::Bounds;
use crate::join::build::BuildSide;
use crate::join::memory::{batch_size, indexed_batch_size};
use crate::join::nearest::{NearestSearch, Place, SLACK, TILE};
use crate::join::on::JoinPredicate;
use crate::join::output::Rows;
use crate::join::probe::Pairs;
use crate::join::probe::Probing;
use crate::join::residual::Asked;
use crate::join::roles::Role;
use crate::join::rtree::HilbertOrder;
use crate::join::stream::{JoinParts, select};
use crate::predicate::{ProbeBatch, bounds_distance};

/// Joins the probe rows of one cell with their nearest rows of all cells.
pub(super) fn join(
    parts: &JoinParts,
    spilled: Arc<Spilled>,
    probe: &Run,
) -> Result<SendableRecordBatchStream> {
    let JoinPredicate::Nearest { k } = spilled.on.predicate else {
        return Err(Error::Internal("no join by nearest neighbours".into()).into());
    };
    if spilled.roles().build.needs_matches() {
        return Err(Error::Environment {
            message: "the right side of this join by nearest neighbours does not fit into memory, and \
                      cannot be cut into cells where its own rows are kept too: raise --memory-limit"
                .into(),
            retryable: false,
        }
        .into());
    }
    // Half of the memory is for a block, half for the cell that it is compared with.
    let rows: usize = spilled.cells.iter().map(|cell| cell.run.rows).sum();
    let a_row = size_of::<Bounds>() + size_of::<Vec<Best>>() + k.min(rows) * size_of::<Best>();
    let cost = move |batch: &RecordBatch| 2 * batch_size(batch) + batch.num_rows() * a_row;
    let Some(condition) = parts.probing.conditions.first().cloned() else {
        return Err(Error::Internal("a join without a condition".into()).into());
    };
    let search = Search {
        condition,
        blocks: Chunks::read(probe, spilled.share / 2, &spilled, cost)?,
        ready: BatchCoalescer::new(Arc::clone(&parts.schema), parts.batch_size),
        parts: parts.clone(),
        spilled,
        k,
        nearest: NearestSearch::default(),
        block: None,
    };
    let schema = Arc::clone(&parts.schema);
    let baseline = parts.probing.metrics.baseline.clone();
    let batches = stream::unfold(Some(search), move |search| {
        let baseline = baseline.clone();
        async move {
            let mut search = search?;
            match search.next().await {
                Ok(Some(batch)) => {
                    baseline.record_output(batch.num_rows());
                    Some((Ok(batch), Some(search)))
                }
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

/// One of the nearest rows of a probe row.
#[derive(Debug, Clone, Copy)]
struct Best {
    distance: f64,
    /// The number of the build row among all.
    row: u64,
    cell: u32,
}

/// Probe rows that are searched for together.
struct Block {
    batch: RecordBatch,
    geometry: Arc<ProbeBatch>,
    bounds: Vec<Bounds>,
    best: Vec<Vec<Best>>,
}

/// A block whose search is over, on its way out.
struct Found {
    batch: RecordBatch,
    matched: Vec<bool>,
    /// By cell: the build rows that are among the best, in order.
    wanted: VecDeque<(u32, Vec<Wanted>)>,
    /// The cell that is read: its batches, and what is wanted of them.
    reading: Option<(SendableRecordBatchStream, Vec<Wanted>)>,
}

/// A build row that is among the best of a probe row.
struct Wanted {
    number: u64,
    probe: u32,
    distance: f64,
}

struct Search {
    parts: JoinParts,
    condition: Probing,
    spilled: Arc<Spilled>,
    blocks: Chunks,
    k: usize,
    nearest: NearestSearch,
    block: Option<Found>,
    ready: BatchCoalescer,
}

impl Search {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.next_completed_batch() {
                return Ok(Some(batch));
            }
            match self.block.take() {
                Some(found) => self.block = self.put_out(found).await?,
                None if !self.blocks.is_exhausted() => {
                    let batches = self.blocks.next().await?;
                    if let Some(first) = batches.first() {
                        let batch = concat_batches(&first.schema(), &batches)?;
                        drop(batches);
                        self.block = Some(self.search(batch).await?);
                    }
                }
                None if self.ready.is_empty() => return Ok(None),
                None => self.ready.finish_buffered_batch()?,
            }
        }
    }

    /// Searches all cells that may hold one of the nearest rows, the nearest cells first.
    async fn search(&mut self, batch: RecordBatch) -> Result<Found> {
        let probing = &self.condition;
        probing.metrics.input_batches.add(1);
        probing.metrics.input_rows.add(batch.num_rows());
        let (geometry, _) = probing.examine(&batch, None)?;
        let bounds = (0..geometry.len())
            .map(|row| probing.bounds(&geometry, row))
            .collect::<Result<Vec<_>>>()?;
        let mut block = Block {
            best: vec![vec![]; bounds.len()],
            batch,
            geometry,
            bounds,
        };
        let whole = (block.bounds.iter()).fold(Bounds::EMPTY, |all, b| all.union(b));
        let spilled = Arc::clone(&self.spilled);
        let mut cells: Vec<(f64, u32)> = (0u32..)
            .zip(&spilled.cells)
            .map(|(i, cell)| (i, &cell.extents[0].bounds))
            .filter(|(_, extent)| !extent.is_empty())
            .map(|(i, extent)| (bounds_distance(&whole, extent), i))
            .collect();
        cells.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, i) in cells {
            let Some(cell) = spilled.cells.get(i as usize) else {
                continue;
            };
            let rows = self.hopeful(&block, &cell.extents[0].bounds);
            if rows.is_empty() {
                continue;
            }
            let half = spilled.share / 2;
            let mut chunks = Chunks::read(&cell.run, half, &spilled, |batch| {
                indexed_batch_size(batch, 1)
            })?;
            while !chunks.is_exhausted() {
                spilled.collector.metrics.spill_passes.add(1);
                let batches = chunks.next().await?;
                let numbers: Vec<u64> = batches.iter().flat_map(numbers).copied().collect();
                let build = index_chunk(&spilled, batches)?;
                self.search_chunk(&mut block, &rows, &build, &numbers, i)?;
            }
        }
        Ok(block.into_found())
    }

    /// The rows of the block that may find nearer rows in a cell, in spatial order.
    fn hopeful(&self, block: &Block, extent: &Bounds) -> Vec<u32> {
        let curve = HilbertOrder::new(extent);
        let mut rows = vec![];
        for (row, bounds) in (0u32..).zip(&block.bounds) {
            let worst = match block.best[row as usize].get(self.k.wrapping_sub(1)) {
                Some(worst) => worst.distance,
                None => f64::INFINITY,
            };
            let may = !bounds.is_empty() && bounds_distance(bounds, extent) * SLACK <= worst;
            if may && self.k > 0 {
                let centre = bounds.centre();
                rows.push((curve.key(centre.x, centre.y), row));
            }
        }
        rows.sort_unstable();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn search_chunk(
        &mut self,
        block: &mut Block,
        rows: &[u32],
        build: &BuildSide,
        numbers: &[u64],
        cell: u32,
    ) -> Result<()> {
        let probing = &self.condition;
        let index = &build.indexes[0];
        let _timer = probing.metrics.filter_time.timer();
        for tile in rows.chunks(TILE) {
            let whole = tile.iter().fold(Bounds::EMPTY, |all, row| {
                all.union(&block.bounds[*row as usize])
            });
            self.nearest.gather(&index.tree, &whole, self.k, |_| None);
            for &row in tile {
                let exact = |other: Place<'_>, limit: f64| {
                    index
                        .geometries
                        .distance(other.row, &block.geometry, row, limit)
                };
                let found = self
                    .nearest
                    .nearest(&block.bounds[row as usize], self.k, f64::INFINITY, exact)
                    .map_err(|e| probing.source.named(e))?;
                let best = &mut block.best[row as usize];
                best.extend(found.iter().filter_map(|(distance, other)| {
                    Some(Best {
                        distance: *distance,
                        row: *numbers.get(*other as usize)?,
                        cell,
                    })
                }));
                best.sort_unstable_by(|a, b| {
                    (a.distance.total_cmp(&b.distance)).then(a.row.cmp(&b.row))
                });
                best.truncate(self.k);
            }
        }
        Ok(())
    }

    /// Puts out the pairs of the next batch that holds any; `None` when the block is done.
    async fn put_out(&mut self, mut found: Found) -> Result<Option<Found>> {
        let Some((rows, wanted)) = &mut found.reading else {
            let Some((cell, wanted)) = found.wanted.pop_front() else {
                self.finish_block(&found)?;
                return Ok(None);
            };
            if let Some(cell) = self.spilled.cells.get(cell as usize) {
                found.reading = Some((cell.run.read()?, wanted));
            }
            return Ok(Some(found));
        };
        let Some(build) = rows.next().await.transpose()? else {
            found.reading = None;
            return Ok(Some(found));
        };
        let mut pairs = Pairs::default();
        // Numbers rise from batch to batch and within each.
        let numbers = numbers(&build);
        let end = numbers.last().map_or(0, |last| {
            wanted.partition_point(|wanted| wanted.number <= *last)
        });
        for wanted in wanted.drain(..end) {
            if let Ok(at) = numbers.binary_search(&wanted.number) {
                pairs.push_at(at as u32, wanted.probe, wanted.distance);
            }
        }
        if wanted.is_empty() {
            found.reading = None;
        }
        self.put_out_pairs(&build, &mut found, pairs)?;
        Ok(Some(found))
    }

    fn put_out_pairs(
        &mut self,
        build: &RecordBatch,
        found: &mut Found,
        mut pairs: Pairs,
    ) -> Result<()> {
        let JoinParts {
            probing,
            output,
            batch_size,
            ..
        } = &self.parts;
        if let Some(residual) = &probing.residual {
            residual.apply(build, &found.batch, &mut pairs, &mut Asked::default())?;
        }
        probing.metrics.matches.add(pairs.len());
        for &row in &pairs.probe {
            found.matched[row as usize] = true;
        }
        if !probing.roles.emits_pairs() {
            return Ok(());
        }
        for from in (0..pairs.len()).step_by(*batch_size) {
            let to = (from + batch_size).min(pairs.len());
            let build_rows = UInt32Array::from(pairs.build[from..to].to_vec());
            let probe_rows = UInt32Array::from(pairs.probe[from..to].to_vec());
            let batch = output.batch(
                to - from,
                Rows::Take(build, &build_rows),
                Rows::Take(&found.batch, &probe_rows),
                pairs.distances(from..to),
            )?;
            self.ready.push_batch(batch)?;
        }
        Ok(())
    }

    /// Puts out the rows of the block that stand alone.
    fn finish_block(&mut self, found: &Found) -> Result<()> {
        let JoinParts {
            probing,
            output,
            batch_size,
            ..
        } = &self.parts;
        let role = probing.roles.probe;
        for from in (0..found.matched.len()).step_by(*batch_size) {
            let to = (from + batch_size).min(found.matched.len());
            let Some(rows) = select(role, from, to, |row| found.matched[row]) else {
                continue;
            };
            let mark = (role == Role::Mark).then(|| {
                let marks = rows.values().iter();
                let marks = marks.map(|&row| Some(found.matched[row as usize]));
                Arc::new(BooleanArray::from_iter(marks)) as ArrayRef
            });
            let alone = Rows::Take(&found.batch, &rows);
            let batch = output.batch(rows.len(), Rows::Null, alone, mark)?;
            self.ready.push_batch(batch)?;
        }
        Ok(())
    }
}

impl Block {
    fn into_found(self) -> Found {
        let mut all: Vec<(Best, u32)> = (0u32..)
            .zip(&self.best)
            .flat_map(|(row, best)| best.iter().map(move |best| (*best, row)))
            .collect();
        all.sort_unstable_by_key(|(best, row)| (best.cell, best.row, *row));
        let wanted = all
            .chunk_by(|(a, _), (b, _)| a.cell == b.cell)
            .map(|of| {
                let wanted = of.iter().map(|(best, probe)| Wanted {
                    number: best.row,
                    probe: *probe,
                    distance: best.distance,
                });
                (of[0].0.cell, wanted.collect())
            })
            .collect();
        Found {
            matched: vec![false; self.bounds.len()],
            batch: self.batch,
            wanted,
            reading: None,
        }
    }
}

/// The numbers of build rows, which stand in their last column.
fn numbers(batch: &RecordBatch) -> &[u64] {
    let last = batch.columns().last();
    match last.and_then(|column| column.as_primitive_opt::<UInt64Type>()) {
        Some(numbers) => numbers.values(),
        None => &[],
    }
}

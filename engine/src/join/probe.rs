//! One batch of the probe side, on its way through index and refinement, under one condition.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};
use datafusion::common::JoinSide;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExprRef;
use geo_types::Coord;

use super::build::{BuildSide, SpatialIndex, evaluate_distances};
use super::grid::{Cell, Coverage, is_inside, row_of};
use super::metrics::ProbeMetrics;
use super::nearest::{NearestSearch, Place, TILE, limit_beside};
use super::on::{JoinDistance, JoinPredicate, SpatialOn};
use super::residual::{Asked, Beside};
use super::roles::Roles;
use super::rtree::HilbertOrder;
use super::sharing::Sharing;
use super::source::GeometrySource;
use crate::Error;
use crate::geometry::{Bounds, GeometryArray, InvalidPolicy, set_null};
use crate::predicate::{Distances, ProbeBatch, RefineStats, SpatialPredicate};

/// How many candidates are gathered before they are refined. Enough to spread the cost of a
/// call, few enough to stay in the second-level cache.
const CHUNK: usize = 16_384;

/// How many candidates are gathered at least, however long they take.
const FEWEST: usize = 1;

/// Probe rows that are sorted together for a search of nearest rows: the more there are, the
/// closer together are the rows of a tile.
const NEAREST_MORSEL: usize = 1 << 20;

/// What does not change from batch to batch.
#[derive(Clone)]
pub(super) struct Probing {
    /// The condition; its alternatives are not looked at.
    pub on: SpatialOn,
    /// Which of the join's conditions it is.
    pub nth: usize,
    pub probe_side: JoinSide,
    /// The geometry of the probe side.
    pub source: GeometrySource,
    pub invalid: InvalidPolicy,
    pub roles: Roles,
    /// Nothing is asked of pairs but that a probe row has one, and no residual filter may yet
    /// reject it.
    pub first_hit_suffices: bool,
    /// Rows that the probe side is estimated to have; zero if nobody knows.
    pub expected_rows: usize,
    pub metrics: ProbeMetrics,
}

impl Probing {
    /// How many rows are probed together at least, where more neighbours make it cheaper.
    pub(super) fn morsel(&self) -> usize {
        match self.on.predicate {
            JoinPredicate::Nearest { .. } => NEAREST_MORSEL,
            _ => 1,
        }
    }

    /// The predicate, the build side's geometry first.
    fn predicate(&self) -> SpatialPredicate {
        match (&self.on.predicate, self.probe_side) {
            (JoinPredicate::Relation(predicate), JoinSide::Left) => predicate.flip(),
            (JoinPredicate::Relation(predicate), _) => *predicate,
            (JoinPredicate::DWithin(_) | JoinPredicate::Nearest { .. }, _) => {
                SpatialPredicate::DWithin
            }
        }
    }

    /// The geometry of the probe side.
    pub(super) fn geometry(&self) -> &PhysicalExprRef {
        &self.source.expr
    }

    /// What the build side knows for this condition.
    fn index<'a>(&self, build: &'a BuildSide) -> &'a SpatialIndex {
        &build.indexes[self.nth]
    }

    /// The geometries of a batch, which may be `shared`, and the distances of its rows where the probe
    /// side has any: one for all rows if constant, else one a row.
    pub(super) fn examine(
        &self,
        batch: &RecordBatch,
        shared: Option<Arc<ProbeBatch>>,
    ) -> Result<(Arc<ProbeBatch>, Option<Vec<f64>>)> {
        let geometry = match shared {
            Some(shared) => shared,
            None => {
                let mut array = self.source.evaluate(batch)?;
                if let Some(invalid) = self.source.find_nulled(&array, &self.invalid)? {
                    array = set_null(&array, &invalid)?;
                }
                let view = GeometryArray::try_new(&array, &self.source.ty)?;
                Arc::new(ProbeBatch::try_new(view).map_err(|e| self.source.named(e))?)
            }
        };
        let distances = match &self.on.predicate {
            JoinPredicate::DWithin(JoinDistance::Constant(d)) => Some(vec![d.unwrap_or(f64::NAN)]),
            _ => match self.on.distance_of(self.probe_side) {
                Some(expr) => Some(evaluate_distances(expr, batch)?),
                None => None,
            },
        };
        Ok((geometry, distances))
    }

    /// The rectangle of a row.
    pub(super) fn bounds(&self, geometry: &ProbeBatch, row: usize) -> Result<Bounds> {
        let invalid = |e: Error| self.source.named(e);
        geometry.bounds(row).map_err(invalid)
    }

    /// Where a row with these bounds may have partners; `None` if its distance holds no pair.
    pub(super) fn place(
        &self,
        bounds: &Bounds,
        distances: Option<&[f64]>,
        row: usize,
    ) -> Option<Bounds> {
        // `None` if the predicate has no distance or the build side brings it.
        let reach = match distances {
            None => return Some(*bounds),
            Some([constant]) => *constant,
            Some(all) => all[row],
        };
        (reach >= 0.0).then(|| bounds.expand(reach))
    }

    /// Takes in a batch: geometry, distances, and the order in which rows are probed. `shared` is the
    /// geometry, where another condition has looked at the same.
    pub(super) fn start(
        &self,
        batch: &RecordBatch,
        shared: Option<Arc<ProbeBatch>>,
        build: &BuildSide,
    ) -> Result<Search> {
        let rows = batch.num_rows();
        let (geometry, distances) = self.examine(batch, shared)?;
        let invalid = |e: Error| self.source.named(e);
        let index = self.index(build);
        let path = match self.grid_plan(&geometry) {
            Some((coverage, reach))
                if index
                    .grid(rows, self.expected_rows, coverage, reach)
                    .is_some() =>
            {
                Path::Grid
            }
            _ => self.spatial_order(index, &geometry).map_err(invalid)?,
        };
        Ok(Search {
            geometry,
            distances,
            path,
            next: 0,
            is_joined_by_chunk: !matches!(self.on.predicate, JoinPredicate::Nearest { .. }),
        })
    }

    /// What a grid would have to know to answer for this batch; `None` if it cannot.
    fn grid_plan(&self, geometry: &ProbeBatch) -> Option<(Coverage, f64)> {
        geometry.points()?;
        match &self.on.predicate {
            JoinPredicate::Relation(_) => match self.predicate() {
                SpatialPredicate::Intersects
                | SpatialPredicate::Contains
                | SpatialPredicate::Covers
                | SpatialPredicate::Touches => Some((Coverage::Geometry, 0.0)),
                _ => None,
            },
            JoinPredicate::DWithin(JoinDistance::Constant(Some(d))) if *d >= 0.0 => {
                Some((Coverage::Rectangle, *d))
            }
            JoinPredicate::DWithin(JoinDistance::Column(side, _)) if *side != self.probe_side => {
                Some((Coverage::Rectangle, 0.0))
            }
            _ => None,
        }
    }

    /// Rows sorted along a Hilbert curve: neighbours touch the same nodes of the tree and the same
    /// geometries.
    fn spatial_order(&self, index: &SpatialIndex, geometry: &ProbeBatch) -> crate::Result<Path> {
        let curve = HilbertOrder::new(index.tree.bounds());
        let mut order = Vec::with_capacity(geometry.len());
        let mut empties = vec![];
        let mut place = |row: usize, x: f64, y: f64| {
            order.push(u64::from(curve.key(x, y)) << 32 | row as u64);
        };
        let mut no_place = |row: usize| {
            if self.on.joins_empties() && !geometry.is_null(row) {
                empties.push(row as u32);
            }
        };
        let mut rectangles = vec![];
        if let Some((x, y)) = geometry.points() {
            for (row, (&x, &y)) in x.iter().zip(y).enumerate() {
                match x.is_nan() {
                    true => no_place(row),
                    false => place(row, x, y),
                }
            }
        } else {
            rectangles.reserve(geometry.len());
            for row in 0..geometry.len() {
                let b = geometry.bounds(row)?;
                match b.is_empty() {
                    true => no_place(row),
                    false => place(row, b.centre().x, b.centre().y),
                }
                rectangles.push(b);
            }
        }
        order.sort_unstable();
        Ok(Path::Tree {
            order,
            rectangles,
            empties,
        })
    }

    /// Finds and decides the next candidates. `pairs` is cleared, then holds the pairs that
    /// satisfy the spatial predicate and what is asked `beside`; `false` when the batch is used up. `matched` tells which rows
    /// have a partner, and is told where one partner is enough.
    pub(super) fn advance(
        &self,
        rows: &mut Search,
        matched: &mut [bool],
        build: &BuildSide,
        beside: Option<Beside<'_>>,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<bool> {
        pairs.clear();
        scratch.candidates.clear();
        let more = {
            let _timer = self.metrics.filter_time.timer();
            match (&rows.path, &self.on.predicate) {
                (Path::Grid, _) => self.find_by_grid(rows, build, scratch, pairs),
                (_, JoinPredicate::Nearest { k }) => {
                    self.find_nearest(rows, *k, build, scratch, pairs)?
                }
                _ => self.find_by_tree(rows, build, scratch),
            }
        };
        let (sure, found) = (pairs.len(), scratch.candidates.len());
        self.metrics.true_hits.add(sure);
        self.metrics.candidates.add(sure + found);
        let (first, last) = match beside {
            Some(beside) if beside.residual.goes_first(&scratch.asked) => (Some(beside), None),
            _ => (None, beside),
        };
        if let Some(beside) = first {
            beside.apply(&mut scratch.candidates, &mut scratch.asked)?;
            beside.apply(pairs, &mut scratch.asked)?;
        }
        if scratch.candidates.len() > 0 {
            let _timer = self.metrics.refine_time.timer();
            if self.first_hit_suffices {
                self.refine_to_first(rows, matched, build, scratch, pairs)?;
            } else {
                self.refine(rows, build, scratch, pairs)?;
            }
        }
        if let Some(beside) = last {
            beside.apply(pairs, &mut scratch.asked)?;
        }
        Ok(more || sure + found > 0)
    }

    /// Looks up points in the grid, in the order of the batch. Pairs that need no refinement are
    /// put out at once. `false` when the batch is used up.
    fn find_by_grid(
        &self,
        rows: &mut Search,
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> bool {
        let index = self.index(build);
        let Some((coverage, reach)) = self.grid_plan(&rows.geometry) else {
            return false;
        };
        let Some(grid) = index.grid(0, self.expected_rows, coverage, reach) else {
            return false;
        };
        let Some((x, y)) = rows.geometry.points() else {
            return false;
        };
        let skip_visited = self.roles.build.wants_existence();
        let wanted = |row: u32| !(skip_visited && build.is_visited(row));
        let touches = self.predicate() == SpatialPredicate::Touches;
        let Scratch {
            stack,
            candidates,
            chunk: Chunk(chunk),
            ..
        } = scratch;
        while candidates.len() + pairs.len() < *chunk {
            let row = rows.next;
            let (Some(&x), Some(&y)) = (x.get(row), y.get(row)) else {
                return false;
            };
            rows.next += 1;
            match grid.at(x, y) {
                Cell::References(references) => {
                    for &reference in references {
                        let other = row_of(reference);
                        if !wanted(other) {
                            continue;
                        }
                        if !is_inside(reference) {
                            candidates.push(other, row as u32);
                        } else if !touches {
                            pairs.push(other, row as u32);
                        }
                    }
                }
                Cell::Crowded => {
                    let bounds = Bounds::point(x, y);
                    let bounds = if reach > 0.0 {
                        bounds.expand(reach)
                    } else {
                        bounds
                    };
                    index.tree.query(&bounds, stack, |other| {
                        if wanted(other) {
                            candidates.push(other, row as u32);
                        }
                    });
                }
            }
        }
        true
    }

    /// Finds the nearest build rows of the next tiles. `false` when the batch is used up.
    ///
    /// Pairs come in the order of tiles, those of a row together: to put 60 MB of them back into the order of rows costs more
    /// than what comes after would save.
    fn find_nearest(
        &self,
        rows: &mut Search,
        k: usize,
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<bool> {
        let k = k.min(build.batch.num_rows());
        while pairs.len() < CHUNK {
            let put = |row, distance, other| pairs.push_at(other, row, distance);
            if !self.search_tile(rows, k, build, &mut scratch.nearest, put)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Finds the nearest build rows of the next tile: `put` is told the row, a distance and the build row, all of one
    /// row together, the nearest first. `false` when there are no more tiles.
    fn search_tile(
        &self,
        rows: &mut Search,
        k: usize,
        build: &BuildSide,
        search: &mut NearestSearch,
        mut put: impl FnMut(u32, f64, u32),
    ) -> Result<bool> {
        let index = self.index(build);
        let Path::Tree {
            order, rectangles, ..
        } = &rows.path
        else {
            return Ok(false);
        };
        let points = rows.geometry.points();
        let tile = &order[rows.next..order.len().min(rows.next + TILE)];
        if tile.is_empty() {
            return Ok(false);
        }
        rows.next += tile.len();
        let whole = tile.iter().fold(Bounds::EMPTY, |all, &place| {
            all.union(&rectangle(place, points, rectangles).1)
        });
        let ring = |row| points.and(index.geometries.few_edged_ring(row));
        search.gather(&index.tree, &whole, k, ring);
        // What is known of a row bounds what its neighbour on the curve can find.
        let mut before: Option<(Bounds, f64)> = None;
        for &place in tile {
            let (row, bounds) = rectangle(place, points, rectangles);
            let limit = before.map_or(f64::INFINITY, |(neighbour, kth)| {
                limit_beside(&neighbour, kth, &bounds)
            });
            let p = Coord {
                x: bounds.min_x,
                y: bounds.min_y,
            };
            // Only points are asked with rings.
            let exact = |other: Place<'_>, limit: f64| match other.distance(p) {
                Some(distance) => Ok(distance),
                None => (index.geometries).distance(other.row, &rows.geometry, row, limit),
            };
            let found = search
                .nearest(&bounds, k, limit, exact)
                .map_err(|e| self.source.named(e))?;
            let kth = found.get(k.wrapping_sub(1));
            before = kth.map(|(distance, _)| (bounds, *distance));
            for (distance, other) in found {
                put(row, *distance, *other);
            }
        }
        Ok(true)
    }

    /// Looks up rectangles in the R-tree, in spatial order. `false` when the batch is used up.
    fn find_by_tree(&self, rows: &mut Search, build: &BuildSide, scratch: &mut Scratch) -> bool {
        let index = self.index(build);
        let skip_visited = self.roles.build.wants_existence();
        let Scratch {
            stack,
            candidates,
            chunk: Chunk(chunk),
            ..
        } = scratch;
        let Search {
            path:
                Path::Tree {
                    order,
                    rectangles,
                    empties,
                },
            geometry,
            distances,
            next,
            ..
        } = rows
        else {
            return false;
        };
        let points = geometry.points();
        for row in empties.drain(..) {
            for &other in &index.empties {
                candidates.push(other, row);
            }
        }
        while candidates.len() < *chunk {
            let Some(&place) = order.get(*next) else {
                return false;
            };
            *next += 1;
            let (row, bounds) = rectangle(place, points, rectangles);
            let Some(bounds) = self.place(&bounds, distances.as_deref(), row as usize) else {
                continue;
            };
            index.tree.query(&bounds, stack, |other| {
                if !(skip_visited && build.is_visited(other)) {
                    candidates.push(other, row);
                }
            });
        }
        true
    }

    /// Decides candidates, which stand together by probe row, until each row has a partner: in
    /// rounds that take one, two, four ... more of the rows that have none.
    fn refine_to_first(
        &self,
        rows: &Search,
        matched: &mut [bool],
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<()> {
        let all = std::mem::take(&mut scratch.candidates);
        for &row in &pairs.probe {
            matched[row as usize] = true;
        }
        let mut from = 0;
        let mut open: Vec<(usize, usize)> = all
            .probe
            .chunk_by(|a, b| a == b)
            .map(|group| {
                from += group.len();
                (from - group.len(), from)
            })
            .filter(|(from, _)| !matched[all.probe[*from] as usize])
            .collect();
        let mut width = 1;
        while !open.is_empty() {
            scratch.candidates.clear();
            for (from, end) in &mut open {
                let to = from.saturating_add(width).min(*end);
                for i in *from..to {
                    scratch.candidates.push(all.build[i], all.probe[i]);
                }
                *from = to;
            }
            let before = pairs.len();
            self.refine(rows, build, scratch, pairs)?;
            for &row in &pairs.probe[before..] {
                matched[row as usize] = true;
            }
            open.retain(|(from, end)| from < end && !matched[all.probe[*from] as usize]);
            width *= 2;
        }
        scratch.candidates = all;
        Ok(())
    }

    fn refine(
        &self,
        rows: &Search,
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<()> {
        let stats = self.decide(rows, build, scratch)?;
        self.metrics.true_hits.add(stats.true_hits);
        let Scratch {
            candidates, hits, ..
        } = scratch;
        for &hit in hits.iter() {
            pairs.push(
                candidates.build[hit as usize],
                candidates.probe[hit as usize],
            );
        }
        Ok(())
    }

    /// Takes away the pairs for which this condition holds.
    pub(super) fn remove_hits(
        &self,
        rows: &Search,
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<()> {
        if pairs.len() == 0 {
            return Ok(());
        }
        std::mem::swap(&mut scratch.candidates, pairs);
        self.decide(rows, build, scratch)?;
        pairs.clear();
        let Scratch {
            candidates, hits, ..
        } = scratch;
        let mut hits = hits.iter().copied().peekable();
        for i in 0..candidates.len() {
            if hits.next_if_eq(&(i as u32)).is_none() {
                pairs.push(candidates.build[i], candidates.probe[i]);
            }
        }
        Ok(())
    }

    /// Decides the candidates: which of them satisfy the predicate is in `hits`, ascending.
    fn decide(
        &self,
        rows: &Search,
        build: &BuildSide,
        scratch: &mut Scratch,
    ) -> Result<RefineStats> {
        let index = self.index(build);
        let Scratch {
            candidates,
            hits,
            distances,
            keys,
            ..
        } = scratch;
        candidates.sort_by_build(keys);
        let distance = match (&index.distances, &rows.distances) {
            (Some(all), _) => {
                distances.clear();
                distances.extend(candidates.build.iter().map(|&row| all[row as usize]));
                Distances::PerPair(distances)
            }
            (None, Some(all)) => match all.as_slice() {
                [constant] => Distances::Constant(*constant),
                _ => {
                    distances.clear();
                    distances.extend(candidates.probe.iter().map(|&row| all[row as usize]));
                    Distances::PerPair(distances)
                }
            },
            (None, None) => Distances::None,
        };
        hits.clear();
        index
            .geometries
            .refine(
                self.predicate(),
                &rows.geometry,
                &candidates.build,
                &candidates.probe,
                distance,
                hits,
            )
            .map_err(|e| self.source.named(e))
    }
}

/// How a batch finds its candidates.
enum Path {
    /// All rows are points, and there is a grid.
    Grid,
    /// By R-tree.
    Tree {
        /// Positions on the curve, each with its row in the lower half.
        order: Vec<u64>,
        /// By row; none where all rows are points.
        rectangles: Vec<Bounds>,
        /// EMPTY rows stand apart.
        empties: Vec<u32>,
    },
}

/// The row of a place in the order, and its rectangle.
#[inline]
fn rectangle(place: u64, points: Option<(&[f64], &[f64])>, rectangles: &[Bounds]) -> (u32, Bounds) {
    let row = (place & 0xffff_ffff) as usize;
    let bounds = match points {
        Some((x, y)) => Bounds::point(x[row], y[row]),
        None => rectangles[row],
    };
    (row as u32, bounds)
}

/// A batch of the probe side under one condition.
pub(super) struct Search {
    pub geometry: Arc<ProbeBatch>,
    /// One for all rows if constant, else one a row.
    distances: Option<Vec<f64>>,
    path: Path,
    /// The next row, or place in the order.
    next: usize,
    /// Candidates are found and decided chunk by chunk.
    is_joined_by_chunk: bool,
}

impl Search {
    /// Takes the rows out that have not been looked up, where there are several. Nearest rows are found at an
    /// even pace, and are not shared out.
    pub(super) fn leave_rest(&mut self) -> Option<Vec<u32>> {
        let rest: Vec<u32> = match &self.path {
            Path::Grid => (self.next as u32..self.geometry.len() as u32).collect(),
            Path::Tree { order, empties, .. } => {
                if !empties.is_empty() || !self.is_joined_by_chunk {
                    return None;
                }
                order
                    .get(self.next..)?
                    .iter()
                    .map(|place| *place as u32)
                    .collect()
            }
        };
        if rest.len() < 2 {
            return None;
        }
        match &mut self.path {
            Path::Grid => self.next = self.geometry.len(),
            Path::Tree { order, .. } => order.truncate(self.next),
        }
        Some(rest)
    }
}

/// Pairs of build and probe rows, as two index arrays.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub build: Vec<u32>,
    pub probe: Vec<u32>,
    /// How far apart they are; empty where nobody has measured it.
    pub apart: Vec<f64>,
}

impl Pairs {
    pub(super) fn push(&mut self, build: u32, probe: u32) {
        self.build.push(build);
        self.probe.push(probe);
    }

    /// A pair whose distance is known. Either all pairs are pushed so or none.
    pub(super) fn push_at(&mut self, build: u32, probe: u32, distance: f64) {
        self.push(build, probe);
        self.apart.push(distance);
    }

    /// The distances of some of the pairs, if they are known.
    pub(super) fn distances(&self, of: Range<usize>) -> Option<ArrayRef> {
        let distances = self.apart.get(of)?;
        Some(Arc::new(Float64Array::from(distances.to_vec())))
    }

    pub(super) fn clear(&mut self) {
        self.build.clear();
        self.probe.clear();
        self.apart.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.build.len()
    }

    /// Puts pairs of the same build row together: a geometry that is not kept in memory is then
    /// decoded once for all of them.
    fn sort_by_build(&mut self, keys: &mut Vec<u64>) {
        keys.clear();
        let pairs = self.build.iter().zip(&self.probe);
        keys.extend(pairs.map(|(build, probe)| u64::from(*build) << 32 | u64::from(*probe)));
        keys.sort_unstable();
        for ((key, build), probe) in keys.iter().zip(&mut self.build).zip(&mut self.probe) {
            (*build, *probe) = ((key >> 32) as u32, *key as u32);
        }
    }

    /// Keeps the pairs whose flag is set.
    pub(super) fn retain(&mut self, keep: &arrow::array::BooleanArray) {
        let mut kept = 0;
        for i in keep.values().set_indices() {
            if keep.is_null(i) {
                continue;
            }
            self.build[kept] = self.build[i];
            self.probe[kept] = self.probe[i];
            if let Some(distance) = self.apart.get(i).copied() {
                self.apart[kept] = distance;
            }
            kept += 1;
        }
        self.build.truncate(kept);
        self.probe.truncate(kept);
        self.apart.truncate(kept);
    }
}

/// Buffers that are reused from chunk to chunk.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    stack: Vec<(u32, u32)>,
    nearest: NearestSearch,
    candidates: Pairs,
    hits: Vec<u32>,
    distances: Vec<f64>,
    keys: Vec<u64>,
    asked: Asked,
    chunk: Chunk,
}

impl Scratch {
    pub(super) fn new(sharing: &Sharing) -> Self {
        let first = if sharing.after.is_zero() { FEWEST } else { 256 };
        Self {
            chunk: Chunk(first),
            ..Self::default()
        }
    }

    /// Gathers fewer candidates at once where they took long, so that whoever may share them out is asked in time.
    pub(super) fn pace(&mut self, took: Duration, sharing: &Sharing) {
        let Chunk(candidates) = &mut self.chunk;
        if took > sharing.after / 4 {
            *candidates = (*candidates / 2).max(FEWEST);
        } else if took < sharing.after / 16 {
            *candidates = (*candidates * 2).min(CHUNK);
        }
    }
}

/// How many candidates are gathered at once.
#[derive(Debug, Default)]
struct Chunk(usize);

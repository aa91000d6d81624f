//! Geometries that are tested many times: one side of a join, or a constant.
//!
//! ```text
//!  set_rows    [7, 7, 9, ...]  ──> PreparedSet   points read in place; anything else decoded
//!                                                when first touched, indexed when asked often
//!  other_rows  [0, 3, 3, ...]  ──> ProbeBatch    point slices, or decoded once a row
//!                                      │
//!                                      └──> hits [0, 2, ...]   indexes into the pairs
//! ```
//!
//! What a point asks of a polygon, cheapest first: its bounds, one cell of its raster, the edges
//! of one stripe. Each is there only once so many points have asked that building it pays.

use std::sync::Arc;

use geo_types::Coord;

use super::decide::decide;
use super::decoded::Decoded;
use super::ledger::Ledger;
use super::options::{Build, PrepareOptions};
use super::points::{decide_point, decide_two_points};
use super::probe::check_row;
use super::slots::Slots;
use super::{Distances, ProbeBatch, SpatialPredicate};
use crate::Result;
use crate::geometry::GeometryArray;

/// How the pairs of one call were decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefineStats {
    /// Hits decided without touching an edge.
    pub true_hits: usize,
    /// Pairs that needed an exact test.
    pub exact: usize,
}

impl RefineStats {
    /// Adds another call's counts.
    pub fn add(&mut self, other: RefineStats) {
        self.true_hits += other.true_hits;
        self.exact += other.exact;
    }
}

/// Geometries of one side of a join, or one constant, prepared lazily: each is decoded when it is
/// first touched. Shared by all threads of a join.
#[derive(Debug)]
pub struct PreparedSet {
    array: GeometryArray,
    slots: Slots,
    options: PrepareOptions,
    ledger: Arc<Ledger>,
}

impl PreparedSet {
    /// Shares the array; decodes and copies nothing yet.
    pub fn new(geometries: GeometryArray) -> Self {
        Self::with_options(geometries, PrepareOptions::default())
    }

    /// As [`PreparedSet::new`], with choices.
    pub fn with_options(geometries: GeometryArray, options: PrepareOptions) -> Self {
        Self {
            slots: Slots::new(geometries.len()),
            array: geometries,
            ledger: Arc::new(Ledger::new(options.max_bytes)),
            options,
        }
    }

    /// Number of geometries.
    pub fn len(&self) -> usize {
        self.array.len()
    }

    /// Whether there are no geometries.
    pub fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Memory that prepared forms take so far, in bytes, the array itself not counted. It grows
    /// during [`PreparedSet::refine`].
    pub fn prepared_bytes(&self) -> usize {
        self.ledger.bytes() + self.slots.bytes()
    }

    /// Tests candidate pairs: pair `i` is `(set_rows[i], other_rows[i])`. Appends to `hits` every
    /// `i`, ascending, for which `predicate(set geometry, other geometry)` holds; `hits` is not
    /// cleared. NULL and EMPTY hold no pair (but EMPTY equals EMPTY).
    ///
    /// Pairs with the same set row are best neighbours: the row is then looked up once.
    ///
    /// # Errors
    /// [`Error::Geometry`](crate::Error::Geometry) for a value that cannot be decoded;
    /// [`Error::Internal`](crate::Error::Internal) for rows that do not exist.
    pub fn refine(
        &self,
        predicate: SpatialPredicate,
        other: &ProbeBatch,
        set_rows: &[u32],
        other_rows: &[u32],
        distance: Distances<'_>,
        hits: &mut Vec<u32>,
    ) -> Result<RefineStats> {
        let mut stats = RefineStats::default();
        let mut from = 0;
        for run in set_rows[..set_rows.len().min(other_rows.len())].chunk_by(|a, b| a == b) {
            let row = check_row(run[0], self.len())?;
            let pairs = Pairs {
                predicate,
                other,
                rows: &other_rows[from..from + run.len()],
                from,
                distance,
            };
            from += run.len();
            match self.array.point(row) {
                Some(p) => pairs.with_point(p, &mut stats, hits)?,
                None => self.with_row(row, run.len(), |decoded| {
                    pairs.with_decoded(decoded, &mut stats, hits)
                })?,
            }
        }
        Ok(stats)
    }

    /// The point in a row, cheaply, if the value is one and not EMPTY.
    pub(super) fn point(&self, row: usize) -> Option<Coord<f64>> {
        self.array.point(row)
    }

    /// The prepared form of a row, if it is there.
    #[inline]
    pub(super) fn prepared(&self, row: usize) -> Option<&Decoded> {
        self.slots.peek(row)
    }

    /// Calls `test` with the prepared form of a row, if it is not NULL, after `probes` more pairs
    /// have come for it.
    pub(super) fn with_row(
        &self,
        row: usize,
        probes: usize,
        test: impl FnOnce(&Decoded) -> Result<()>,
    ) -> Result<()> {
        let slot = self.slots.get(row);
        let ask = |decoded: &Decoded| {
            if probes > 0 {
                decoded.ask(probes, self.options.raster);
            }
        };
        if let Some(decoded) = slot.get() {
            ask(decoded);
            return test(decoded);
        }
        let Some(mut decoded) = self.array.decoded(row)? else {
            return Ok(());
        };
        for part in decoded.parts_mut() {
            part.index_edges(self.options.stripes);
        }
        if self.ledger.is_full() {
            return test(&decoded);
        }
        let decoded = slot.get_or_init(|| {
            for part in decoded.parts_mut() {
                part.count_in(&self.ledger);
            }
            Box::new(decoded)
        });
        ask(decoded);
        test(decoded)
    }
}

/// Candidate pairs that share their set row.
struct Pairs<'a> {
    predicate: SpatialPredicate,
    other: &'a ProbeBatch,
    rows: &'a [u32],
    /// Index of the first pair.
    from: usize,
    distance: Distances<'a>,
}

impl Pairs<'_> {
    /// The set's geometry is a point.
    fn with_point(
        &self,
        p: Coord<f64>,
        stats: &mut RefineStats,
        hits: &mut Vec<u32>,
    ) -> Result<()> {
        let flipped = self.predicate.flip();
        for (i, &row) in (self.from..).zip(self.rows) {
            let row = self.other.check(row)?;
            let hit = if let Some(q) = self.other.point(row) {
                let hit = decide_two_points(self.predicate, p, q, self.distance.get(i));
                stats.true_hits += usize::from(hit);
                hit
            } else if self.other.points().is_some() {
                false // NULL or EMPTY
            } else {
                stats.exact += 1;
                match self.other.decoded(row)? {
                    Some(decoded) => {
                        decoded.ask(1, Build::Auto);
                        decide_point(flipped, decoded, p, self.distance.get(i)).0
                    }
                    None => false,
                }
            };
            if hit {
                hits.push(i as u32);
            }
        }
        Ok(())
    }

    fn with_decoded(
        &self,
        decoded: &Decoded,
        stats: &mut RefineStats,
        hits: &mut Vec<u32>,
    ) -> Result<()> {
        for (i, &row) in (self.from..).zip(self.rows) {
            let row = self.other.check(row)?;
            let d = self.distance.get(i);
            let (hit, exact) = if let Some(p) = self.other.point(row) {
                decide_point(self.predicate, decoded, p, d)
            } else if self.other.points().is_some() {
                let empty = matches!(decoded, Decoded::Empty)
                    && self.predicate == SpatialPredicate::Equals
                    && !self.other.is_null(row);
                (empty, false)
            } else {
                match self.other.decoded(row)? {
                    Some(other) => (decide(self.predicate, decoded, other, d), true),
                    None => (false, false),
                }
            };
            stats.exact += usize::from(exact);
            stats.true_hits += usize::from(hit && !exact);
            if hit {
                hits.push(i as u32);
            }
        }
        Ok(())
    }
}

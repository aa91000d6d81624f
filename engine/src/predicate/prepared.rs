//! Geometries that are tested many times: one side of a join, or a constant.
//!
//! ```text
//!  set_rows    [7, 7, 9, ...]  ──> PreparedSet   decoded and indexed when first touched
//!  other_rows  [0, 3, 3, ...]  ──> ProbeBatch    point slices, or decoded once a row
//!                                      │
//!                                      └──> hits [0, 2, ...]   indexes into the pairs
//! ```

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use geo::CoordsIter;
use geo_types::Geometry;

use super::{Distances, ProbeBatch, SpatialPredicate};
use crate::geometry::GeometryArray;
use crate::{Error, Result};

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
    decoded: Vec<OnceLock<Box<Geometry<f64>>>>,
    bytes: AtomicUsize,
}

impl PreparedSet {
    /// Shares the array; decodes and copies nothing yet.
    pub fn new(geometries: GeometryArray) -> Self {
        let mut decoded = Vec::new();
        decoded.resize_with(geometries.len(), OnceLock::new);
        Self {
            array: geometries,
            decoded,
            bytes: AtomicUsize::new(0),
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
        self.bytes.load(Ordering::Relaxed)
    }

    /// Tests candidate pairs: pair `i` is `(set_rows[i], other_rows[i])`. Appends to `hits` every
    /// `i`, ascending, for which `predicate(set geometry, other geometry)` holds; `hits` is not
    /// cleared. NULL and EMPTY hold no pair (but EMPTY equals EMPTY).
    ///
    /// # Errors
    /// [`Error::Geometry`] for a value that cannot be decoded; [`Error::Internal`] for rows that
    /// do not exist.
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
        for (i, (&set_row, &other_row)) in set_rows.iter().zip(other_rows).enumerate() {
            let Some(a) = self.geometry(set_row)? else {
                continue;
            };
            let d = distance.get(i);
            let hit = other
                .with_geometry(other.check(other_row)?, |b| predicate.evaluate(a, b, d))?
                .unwrap_or(false);
            stats.exact += 1;
            if hit {
                hits.push(i as u32);
            }
        }
        Ok(stats)
    }

    fn geometry(&self, row: u32) -> Result<Option<&Geometry<f64>>> {
        let Some(slot) = self.decoded.get(row as usize) else {
            return Err(Error::Internal(format!(
                "candidate row {row} of a build side of {} rows",
                self.len()
            )));
        };
        if let Some(geometry) = slot.get() {
            return Ok(Some(geometry));
        }
        let Some(geometry) = self.array.geometry(row as usize)? else {
            return Ok(None);
        };
        let geometry = slot.get_or_init(|| {
            let bytes = 64 + geometry.coords_count() * 16;
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            Box::new(geometry)
        });
        Ok(Some(geometry))
    }
}

//! One batch of the probe side under all conditions of a join, each pair once.
//!
//! ```text
//!  batch ──> condition 0: its index, its refinement ──────────────────────────> pairs
//!        ──> condition 1: its index, its refinement ── less what 0 holds ─────> pairs
//!        ──> condition 2: its index, its refinement ── less what 0 or 1 hold ─> pairs
//! ```
//!
//! Nothing needs to be remembered of the pairs that went before: whether an earlier condition
//! holds a pair, that condition says when asked.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use datafusion::error::Result;

use super::build::BuildSide;
use super::metrics::ProbeMetrics;
use super::probe::{Pairs, Probing, Scratch, Search};
use super::residual::{Beside, Residual};
use super::roles::Roles;
use super::source::skip_invalid;
use crate::geometry::InvalidPolicy;

/// What does not change from batch to batch.
#[derive(Clone)]
pub(super) struct AnyOf {
    /// At least one.
    pub conditions: Vec<Probing>,
    pub roles: Roles,
    pub metrics: ProbeMetrics,
    pub invalid: InvalidPolicy,
    /// What must hold beside any of the conditions.
    pub residual: Option<Residual>,
}

/// A batch of the probe side.
pub(super) struct ProbeRows {
    pub batch: RecordBatch,
    /// Which rows have a partner; empty when nobody asks.
    pub matched: Vec<bool>,
    searches: Vec<Search>,
    /// The condition whose turn it is.
    turn: usize,
    /// Rows that are left to others; empty if none are.
    left: Vec<bool>,
}

impl ProbeRows {
    /// Takes the rows out that have not been looked up yet, for others to probe. `None` where they are not
    /// told from the others, or are not worth it.
    pub(super) fn leave_rest(&mut self) -> Result<Option<RecordBatch>> {
        let [search] = self.searches.as_mut_slice() else {
            return Ok(None);
        };
        let Some(rest) = search.leave_rest() else {
            return Ok(None);
        };
        self.left.resize(self.batch.num_rows(), false);
        for &row in &rest {
            self.left[row as usize] = true;
        }
        let rest = UInt32Array::from(rest);
        Ok(Some(take_record_batch(&self.batch, &rest)?))
    }

    /// Whether rows are left to others.
    pub(super) fn is_shared(&self) -> bool {
        !self.left.is_empty()
    }

    /// Whether a row is left to others.
    pub(super) fn is_left(&self, row: usize) -> bool {
        self.left.get(row).copied().unwrap_or(false)
    }
}

impl AnyOf {
    /// How many rows are probed together at least, where more neighbours make it cheaper.
    pub(super) fn morsel(&self) -> usize {
        self.conditions
            .iter()
            .map(Probing::morsel)
            .max()
            .unwrap_or(1)
    }

    /// Leaves out the rows that are to be skipped.
    pub(super) fn skip_invalid(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let sources = self.conditions.iter().map(|condition| &condition.source);
        skip_invalid(batch, sources, &self.invalid)
    }

    /// For rows that come again, and whose invalid geometries were counted before.
    pub(super) fn without_counting(mut self) -> Self {
        self.invalid = self.invalid.without_counting();
        for condition in &mut self.conditions {
            condition.invalid = self.invalid.clone();
        }
        self
    }

    /// Takes in a batch.
    pub(super) fn start(&self, batch: RecordBatch, build: &BuildSide) -> Result<ProbeRows> {
        let batch = self.skip_invalid(batch)?;
        let mut searches: Vec<Search> = Vec::with_capacity(self.conditions.len());
        for (i, condition) in self.conditions.iter().enumerate() {
            let shared = self.conditions[..i]
                .iter()
                .position(|other| other.geometry() == condition.geometry())
                .map(|same| Arc::clone(&searches[same].geometry));
            searches.push(condition.start(&batch, shared, build)?);
        }
        let matched = match self.roles.probe.needs_matches() {
            true => vec![false; batch.num_rows()],
            false => vec![],
        };
        Ok(ProbeRows {
            batch,
            matched,
            searches,
            turn: 0,
            left: vec![],
        })
    }

    /// Finds and decides the next candidates. `pairs` is cleared, then holds pairs that satisfy
    /// a condition and the residual; `false` when the batch is used up.
    pub(super) fn advance(
        &self,
        rows: &mut ProbeRows,
        build: &BuildSide,
        scratch: &mut Scratch,
        pairs: &mut Pairs,
    ) -> Result<bool> {
        let ProbeRows {
            batch,
            matched,
            searches,
            turn,
            ..
        } = rows;
        while let Some(condition) = self.conditions.get(*turn) {
            let search = &mut searches[*turn];
            let beside = self.residual.as_ref().map(|residual| Beside {
                residual,
                build: &build.batch,
                probe: batch,
            });
            if condition.advance(search, matched, build, beside, scratch, pairs)? {
                // Where rows are marked and not put out, it does no harm to mark one twice.
                if self.roles.emits_pairs() {
                    for (earlier, search) in self.conditions[..*turn].iter().zip(&*searches) {
                        earlier.remove_hits(search, build, scratch, pairs)?;
                    }
                }
                self.metrics.matches.add(pairs.len());
                return Ok(true);
            }
            *turn += 1;
        }
        pairs.clear();
        Ok(false)
    }
}

//! One place for the prepared form of every row, made in blocks as rows are touched: a build side
//! of millions of points, which are read in place, never has any.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::decoded::Decoded;

const BLOCK: usize = 256;

#[derive(Debug)]
pub(super) struct Slots {
    blocks: Vec<OnceLock<Box<[Slot]>>>,
    /// Blocks in use.
    made: AtomicUsize,
}

#[derive(Debug, Default)]
pub(super) struct Slot {
    decoded: OnceLock<Box<Decoded>>,
    /// Pairs that have come for this row. Threads may lose counts to one another: it only
    /// decides when an index is built.
    probes: AtomicU32,
}

/// Count of a slot that has all its indexes.
const DONE: u32 = u32::MAX;

impl Slots {
    pub(super) fn new(rows: usize) -> Self {
        let mut blocks = Vec::new();
        blocks.resize_with(rows.div_ceil(BLOCK), OnceLock::new);
        Self {
            blocks,
            made: AtomicUsize::new(0),
        }
    }

    pub(super) fn get(&self, row: usize) -> &Slot {
        let block = self.blocks[row / BLOCK].get_or_init(|| {
            self.made.fetch_add(1, Ordering::Relaxed);
            (0..BLOCK).map(|_| Slot::default()).collect()
        });
        &block[row % BLOCK]
    }

    pub(super) fn bytes(&self) -> usize {
        self.made.load(Ordering::Relaxed) * BLOCK * size_of::<Slot>()
            + self.blocks.capacity() * size_of::<OnceLock<Box<[Slot]>>>()
    }
}

impl Slot {
    #[inline]
    pub(super) fn get(&self) -> Option<&Decoded> {
        self.decoded.get().map(|d| &**d)
    }

    pub(super) fn get_or_init(&self, decode: impl FnOnce() -> Decoded) -> &Decoded {
        self.decoded.get_or_init(|| Box::new(decode()))
    }

    /// Whether every index is built.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.probes.load(Ordering::Relaxed) == DONE
    }

    pub(super) fn done(&self) {
        self.probes.store(DONE, Ordering::Relaxed);
    }

    /// Counts pairs; returns how many have come before and now.
    #[inline]
    pub(super) fn count(&self, probes: usize) -> usize {
        let before = self.probes.load(Ordering::Relaxed);
        let now = before
            .saturating_add(u32::try_from(probes).unwrap_or(u32::MAX))
            .min(DONE - 1);
        self.probes.store(now, Ordering::Relaxed);
        now as usize
    }
}

//! One place for the prepared form of every row, made in blocks as rows are touched: a build side
//! of millions of points, which are read in place, never has any.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::decoded::Decoded;

const BLOCK: usize = 256;

#[derive(Debug)]
pub(super) struct Slots {
    blocks: Vec<OnceLock<Box<[Slot]>>>,
    /// Blocks in use.
    made: AtomicUsize,
}

/// The prepared form of one row.
pub(super) type Slot = OnceLock<Box<Decoded>>;

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
            (0..BLOCK).map(|_| Slot::new()).collect()
        });
        &block[row % BLOCK]
    }

    /// The prepared form of a row, if it is there.
    #[inline]
    pub(super) fn peek(&self, row: usize) -> Option<&Decoded> {
        let slot = self.blocks[row / BLOCK].get()?.get(row % BLOCK)?;
        slot.get().map(|decoded| &**decoded)
    }

    pub(super) fn bytes(&self) -> usize {
        self.made.load(Ordering::Relaxed) * BLOCK * size_of::<Slot>()
            + self.blocks.capacity() * size_of::<OnceLock<Box<[Slot]>>>()
    }
}

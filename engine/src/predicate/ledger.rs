//! How much memory the prepared forms of a set take.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes taken, and the most that may be.
#[derive(Debug)]
pub(crate) struct Ledger {
    bytes: AtomicUsize,
    most: usize,
}

impl Ledger {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            most,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Whether nothing more should be kept.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= self.most
    }
}

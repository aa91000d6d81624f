//! Build sides that outlive a run, for plans that have the same one again and again.
//!
//! ```text
//!  run 0 ── nothing there ──> collected, indexed ── kept under its key ─┐
//!  run 1 ── there ──> probed, with visits and counts of its own  <──────┤
//!  run 2 ── while run 0 collects: waits for it                         <┘
//!                     somebody finds no memory ──> those that no run uses are let go ──> asks again
//! ```
//!
//! Whoever gives out the keys says that build sides of one key hold the same rows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

use super::build::BuildSide;

/// The build sides that several runs share. Clones share them as well.
///
/// Their memory stays reserved as long as they are kept, in the pool of the run that made them.
#[derive(Debug, Clone, Default)]
pub struct SharedBuilds(Arc<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    kept: Mutex<HashMap<Arc<str>, Arc<BuildSide>>>,
    /// Of those that are being collected, by whom others wait.
    turns: Mutex<HashMap<Arc<str>, Weak<Turn>>>,
}

/// Held by the run that collects; others of its key look again when it is done.
pub(super) type Turn = tokio::sync::Mutex<()>;

impl SharedBuilds {
    /// Lets go of those whose key is not among these. What a run still uses goes with the run.
    pub fn keep(&self, keys: &[Arc<str>]) {
        let gone: Vec<_> = {
            let mut kept = self.0.kept.lock();
            kept.extract_if(|key, _| !keys.contains(key)).collect()
        };
        // Memory is given back when no lock is held: the pool may ask for more of it.
        drop(gone);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.kept.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.kept.lock().is_empty()
    }

    /// A pool that lets go of those that no run uses before it says that there is no memory. To let go of the others would
    /// give no memory back, and have the next run make them again.
    pub fn guard(&self, pool: Arc<dyn MemoryPool>) -> Arc<dyn MemoryPool> {
        Arc::new(Yielding {
            pool,
            builds: self.clone(),
        })
    }

    /// Lets go of those that no run uses; whether there were any.
    fn keep_used(&self) -> bool {
        let gone: Vec<_> = {
            let mut kept = self.0.kept.lock();
            let unused = |build: &Arc<BuildSide>| Arc::strong_count(build) == 1 && !build.is_used();
            kept.extract_if(|_, build| unused(build)).collect()
        };
        !gone.is_empty()
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<BuildSide>> {
        self.0.kept.lock().get(key).cloned()
    }

    /// The turn of those that need what is to be kept under `key`.
    pub(super) fn turn(&self, key: &Arc<str>) -> Arc<Turn> {
        let mut turns = self.0.turns.lock();
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(Arc::clone(key), Arc::downgrade(&turn));
        turn
    }

    pub(super) fn put(&self, key: &Arc<str>, build: &Arc<BuildSide>) {
        let mut kept = self.0.kept.lock();
        let before = kept.insert(Arc::clone(key), Arc::clone(build));
        drop(kept);
        drop(before);
    }
}

/// The build side of a join as others share it.
#[derive(Debug, Clone)]
pub(super) struct SharedBuild {
    pub builds: SharedBuilds,
    pub key: Arc<str>,
    /// Rows that all runs together will probe it with; zero if nobody knows.
    pub rows: usize,
}

/// Passes everything on to another pool.
#[derive(Debug)]
struct Yielding {
    pool: Arc<dyn MemoryPool>,
    builds: SharedBuilds,
}

impl fmt::Display for Yielding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.fmt(f)
    }
}

impl MemoryPool for Yielding {
    fn name(&self) -> &str {
        self.pool.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        match self.pool.try_grow(reservation, additional) {
            Err(_) if self.builds.keep_used() => self.pool.try_grow(reservation, additional),
            done => done,
        }
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

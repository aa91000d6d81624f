//! What became of invalid geometries, for whoever reports to the user.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::config::{ConfigField, Visit};
use datafusion::error::{DataFusionError, Result};
use parking_lot::Mutex;

/// Counts the geometries that were taken for NULL or left out. Clones share the count, so that it
/// travels with the settings to every operator and function of a session. It is no setting itself
/// and is not listed with them.
#[derive(Debug, Clone, Default)]
pub struct InvalidCounter(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    count: AtomicU64,
    first: Mutex<Option<String>>,
}

/// Geometries that were taken for NULL or left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSeen {
    /// How many; one that several operators met is counted by each.
    pub count: u64,
    /// What is wrong with one of them, and where it stands.
    pub example: String,
}

impl InvalidCounter {
    /// Counts `count` more, of which `example` describes one.
    pub fn record(&self, count: u64, example: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        self.0.count.fetch_add(count, Ordering::Relaxed);
        self.0.first.lock().get_or_insert_with(example);
    }

    /// What was counted since the last call, if anything.
    pub fn take(&self) -> Option<InvalidSeen> {
        let count = self.0.count.swap(0, Ordering::Relaxed);
        let example = self.0.first.lock().take().unwrap_or_default();
        (count > 0).then_some(InvalidSeen { count, example })
    }
}

/// Two sessions with the same settings are the same, whatever they have met.
impl PartialEq for InvalidCounter {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl ConfigField for InvalidCounter {
    fn visit<V: Visit>(&self, _: &mut V, _: &str, _: &'static str) {}

    fn set(&mut self, _: &str, _: &str) -> Result<()> {
        Err(DataFusionError::Configuration(
            "this is a count, not a setting".to_owned(),
        ))
    }
}

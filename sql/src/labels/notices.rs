//! What the planner did that its user should know.

use std::sync::Arc;

use parking_lot::Mutex;

/// Notices of one session, in the order in which they came up. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// Adds a notice, once.
    pub(crate) fn push(&self, notice: String) {
        let mut all = self.0.lock();
        if !all.contains(&notice) {
            all.push(notice);
        }
    }

    /// Takes those that have come up since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

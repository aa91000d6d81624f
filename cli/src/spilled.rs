//! The folder of spilled rows: it goes when the process does, however that ends.
//!
//! A statement that ends lets go of its files one by one. One that is broken off does not: its tasks
//! may be deep in a kernel, and the process does not wait for them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::execution::DiskManager;

/// Those of all sessions, as long as anybody uses them.
static MANAGERS: Mutex<Vec<Weak<DiskManager>>> = Mutex::new(vec![]);

/// How often removal is tried: a task that still runs may make one more file meanwhile.
const ATTEMPTS: usize = 5;

/// Remembers what a session spills.
pub(crate) fn remember(manager: &Arc<DiskManager>) {
    MANAGERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Arc::downgrade(manager));
}

/// Removes what is left on disk. Tasks that still read or write find their files gone.
pub(crate) fn remove() {
    let managers = std::mem::take(&mut *MANAGERS.lock().unwrap_or_else(PoisonError::into_inner));
    let folders: Vec<PathBuf> = managers
        .iter()
        .filter_map(Weak::upgrade)
        .flat_map(|manager| manager.temp_dir_paths())
        .collect();
    for folder in folders {
        for _ in 0..ATTEMPTS {
            if std::fs::remove_dir_all(&folder).is_ok() || !folder.exists() {
                break;
            }
        }
    }
}

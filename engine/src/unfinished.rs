//! Local files that are being written. Whoever ends the process in the middle removes them.
//!
//! A destructor does the same when a write fails, but none runs when the process ends under it.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

static FILES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Files that were given up and not there: a thread that has been left behind may still give one its name.
static LATE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Entry {
    id: u64,
    /// A file, or a folder with all in it.
    path: PathBuf,
    /// What it was to become.
    shown: String,
}

/// Remembers a file that must not survive an interruption, until dropped.
#[derive(Debug)]
pub struct Unfinished {
    id: u64,
    /// Removed with this.
    removed: Option<PathBuf>,
}

impl Unfinished {
    /// Remembers the file or folder `path`, which is to become `shown`. Whoever writes it removes it when
    /// that fails.
    pub fn new(path: &Path, shown: impl Into<String>) -> Self {
        Self {
            id: Self::remember(path, shown.into()),
            removed: None,
        }
    }

    /// Remembers a file that must not stay as it is, or not without others; it is removed unless
    /// [kept](Unfinished::keep).
    pub fn part(path: &Path, shown: impl Into<String>) -> Self {
        Self {
            id: Self::remember(path, shown.into()),
            removed: Some(path.to_owned()),
        }
    }

    /// The file stays.
    pub fn keep(mut self) {
        self.removed = None;
    }

    fn remember(path: &Path, shown: String) -> u64 {
        let mut files = FILES.lock();
        let id = files.last().map_or(0, |entry| entry.id + 1);
        files.push(Entry {
            id,
            path: path.to_owned(),
            shown,
        });
        id
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        FILES.lock().retain(|entry| entry.id != self.id);
        if let Some(path) = self.removed.take()
            && std::fs::remove_file(&path).is_err()
        {
            LATE.lock().push(path);
        }
    }
}

/// What is unfinished, by the names that it is to have.
pub fn unfinished() -> Vec<String> {
    let mut all: Vec<String> = vec![];
    for entry in FILES.lock().iter() {
        if !all.contains(&entry.shown) {
            all.push(entry.shown.clone());
        }
    }
    all
}

/// Removes what is unfinished.
///
/// A writer may still be at it: what it writes goes nowhere. A file that it gives its final name all the same goes when
/// this is called again.
pub fn remove_unfinished() {
    let mut late = LATE.lock();
    late.extend(FILES.lock().drain(..).map(|entry| entry.path));
    for path in late.iter() {
        // The writer may have been quicker.
        drop(match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        });
    }
}

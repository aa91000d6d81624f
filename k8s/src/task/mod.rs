//! One task: a fragment of a plan, read, computed, written and recorded.

mod manifest;

pub use manifest::{AttemptReport, Outcome, Part, TaskManifest, TaskStatistics};

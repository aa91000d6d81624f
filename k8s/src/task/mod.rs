//! One task: a fragment of a plan, read, computed, written and recorded.

mod failure;
mod inputs;
mod last_row;
mod limits;
mod manifest;
mod metrics;
mod run;
mod share;
mod sink;
mod states;
mod store;
mod write;

pub use failure::TaskFailure;
pub(crate) use inputs::CHANGED;
pub use limits::{Limits, process_memory};
pub use manifest::{AttemptReport, Outcome, Part, TaskManifest, TaskStatistics};
pub use run::{TaskProgress, TaskRequest, TaskState, run};
pub(crate) use run::{attempt_id, host};
pub(crate) use sink::check_output;

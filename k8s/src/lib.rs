//! One statement, run as many tasks.
//!
//! ```text
//!  statement ──planner──> Plan ──> runner: a task for every fragment ──> parts + manifests
//!                (footers)              (processes, or pods)                    |
//!                                                           commit: _SUCCESS, once
//! ```
//!
//! A statement that writes is cut into fragments, each a piece that one task runs alone ([`plan`]). A
//! task reads the plan, runs its fragment and leaves a part and a manifest ([`task`]). Everything
//! about a job is in its folder in object storage ([`job`]); a task tells whoever started it whether to
//! try again by its exit code ([`TaskExit`]).

pub mod cluster;
pub mod commit;
pub mod diagnose;
mod exit;
pub mod job;
pub mod kubernetes;
pub mod manifest;
pub mod plan;
pub mod planner;
pub mod profile;
pub mod runner;
mod session;
pub mod storage;
mod table;
pub mod task;

pub use exit::TaskExit;
pub use plan::{PLAN_VERSION, Plan, PlanError};

//! The Kubernetes runner: a stage of the plan is an Indexed Job.
//!
//! ```text
//!            plan.json, job.json, kubernetes.json          (written by submit)
//!                 |
//!  Driver: for each stage
//!     missing = fragments of the plan, without those that have a manifest
//!     nothing missing ------------------------------------------> next stage
//!     no Job yet ------- create NAME-sK ------------------------> watch
//!     Job failed, all of memory: create NAME-sK-rN with more ---> watch
//!                  memory, at the cap with finer fragments
//!     Job failed otherwise, or is suspended --------------------> stop, and say why
//! ```
//!
//! The driver keeps nothing that it could not find again: whoever runs `wait` next, on whatever
//! machine, goes on where the last one stopped, and two at once do not disturb each other, since
//! the names of Jobs and of plans decide who was first.

mod driver;
mod follow_up;
mod inspect;
mod launch;
mod overview;
mod progress;
mod tally;

pub use driver::{Cutting, Driver, Ended, Report, Split, first_job};
pub use inspect::{Record, TaskPod, diagnose_job, jobs_of, overview_of_all, pods_of};
pub use k8s_openapi::api::batch::v1::Job as Manifest;
pub use launch::Launch;
pub use overview::{JobOverview, overview};
pub use progress::Progress;
pub use tally::Tally;

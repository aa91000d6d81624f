//! The cluster: its API server, seen through kube's client.
//!
//! ```text
//!            create, patch, logs
//!  runner ------------------------> API server --> Job controller --> pods
//!     ^                                 |
//!     +---- Watch: Jobs and pods <------+   lists, then changes; begins again when it must
//! ```
//!
//! Everything is found again by labels: there is no other record of which Jobs exist.

mod connect;
mod error;
mod jobs;
mod logs;
mod state;
mod watch;

pub use connect::Cluster;
pub use error::explain_kube_error;
pub use jobs::Created;
pub use logs::LogOptions;
pub use state::{JobFailure, JobState};
pub use watch::{Watch, Watched};

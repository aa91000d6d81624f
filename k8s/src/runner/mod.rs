//! Who runs the tasks of a job.

mod finer;
mod heartbeat;
pub mod local;
mod queue;
mod worker;

pub use finer::{cut_finer, record_split};
pub use queue::follow_up;
pub use worker::Order;

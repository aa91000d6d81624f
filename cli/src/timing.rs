//! Where the time of a run went.

use std::time::{Duration, Instant};

/// Time spent in each phase, summed over all statements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    started: Instant,
    pub(crate) parse: Duration,
    pub(crate) plan: Duration,
    /// Waiting for batches.
    pub(crate) execute: Duration,
    /// Formatting and writing batches.
    pub(crate) write: Duration,
}

impl Timing {
    pub(crate) fn start() -> Self {
        Timing {
            started: Instant::now(),
            parse: Duration::ZERO,
            plan: Duration::ZERO,
            execute: Duration::ZERO,
            write: Duration::ZERO,
        }
    }

    /// One line: the phases and the whole.
    pub(crate) fn report(&self) -> String {
        format!(
            "time: parse {:.3} s, plan {:.3} s, execute {:.3} s, write {:.3} s, total {:.3} s",
            self.parse.as_secs_f64(),
            self.plan.as_secs_f64(),
            self.execute.as_secs_f64(),
            self.write.as_secs_f64(),
            self.started.elapsed().as_secs_f64(),
        )
    }
}

//! A progress line on standard error, for queries that take their time.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Faster queries show nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);

/// Watches a running plan until dropped, then leaves no trace.
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    watcher: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch; the line appears once the query has taken two seconds.
    pub(crate) fn watch(plan: Arc<dyn ExecutionPlan>) -> Self {
        let (stop, stopped) = channel::<()>();
        let started = Instant::now();
        let watcher = std::thread::Builder::new()
            .name("progress".to_string())
            .spawn(move || {
                if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                    bar.set_style(style);
                }
                loop {
                    bar.set_message(message(plan.as_ref(), started));
                    bar.tick();
                    if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                        bar.finish_and_clear();
                        return;
                    }
                }
            });
        // Without a thread to spare there is no progress to see, and no harm done.
        Progress {
            stop: Some(stop),
            watcher: watcher.ok(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn message(plan: &dyn ExecutionPlan, started: Instant) -> String {
    let read = rows_read(plan);
    let out = plan
        .metrics()
        .and_then(|metrics| metrics.output_rows())
        .unwrap_or(0);
    format!(
        "{} rows read, {} rows out, {} s",
        HumanCount(read as u64),
        HumanCount(out as u64),
        started.elapsed().as_secs()
    )
}

/// Rows that the scans have handed out so far.
fn rows_read(plan: &dyn ExecutionPlan) -> usize {
    let children = plan.children();
    if children.is_empty() {
        return plan
            .metrics()
            .and_then(|metrics| metrics.output_rows())
            .unwrap_or(0);
    }
    children.iter().map(|child| rows_read(child.as_ref())).sum()
}

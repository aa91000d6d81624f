//! A progress line on standard error, for queries that take their time.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Faster queries show nothing.
const PATIENCE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(200);

/// The line on the screen, for those who end the run without a word to the watcher.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Takes the line from the screen, for good.
pub(crate) fn hide() {
    if let Some(bar) = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bar.finish_and_clear();
    }
}

/// Watches a running plan until dropped, then leaves no trace.
pub(crate) struct Progress {
    stop: Option<Sender<()>>,
    watcher: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts to watch; the line appears once the query has taken two seconds.
    pub(crate) fn watch(plan: Arc<dyn ExecutionPlan>, place: ProgressDrawTarget) -> Self {
        let (stop, stopped) = channel::<()>();
        let started = Instant::now();
        let watcher = std::thread::Builder::new()
            .name("progress".to_string())
            .spawn(move || {
                if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let bar = ProgressBar::with_draw_target(None, place);
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                    bar.set_style(style);
                }
                *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
                while !bar.is_finished() {
                    bar.set_message(message(plan.as_ref(), started));
                    if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                        hide();
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

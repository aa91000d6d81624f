//! A progress line on standard error, for queries that take their time.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

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

/// Rows and bytes so far, as the operators of a plan count them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    /// Rows that the scans have handed out.
    read: usize,
    /// Rows that the scans have, if all of them know.
    total: Option<usize>,
    bytes_read: usize,
    /// Rows at the end of the plan.
    out: usize,
    bytes_written: usize,
}

impl Counts {
    fn of(plan: &dyn ExecutionPlan) -> Self {
        let mut counts = Counts {
            total: Some(0),
            ..Counts::default()
        };
        if let Some(metrics) = plan.metrics() {
            let named = |name: &str| {
                metrics
                    .sum_by_name(name)
                    .map_or(0, |value| value.as_usize())
            };
            // A sink has no rows of its own.
            counts.out = metrics
                .output_rows()
                .unwrap_or(0)
                .max(named("rows_written"));
            counts.bytes_written = named("bytes_written");
        }
        counts.add_scans(plan);
        counts
    }

    fn add_scans(&mut self, plan: &dyn ExecutionPlan) {
        let children = plan.children();
        for child in &children {
            self.add_scans(child.as_ref());
        }
        if !children.is_empty() {
            return;
        }
        if let Some(metrics) = plan.metrics() {
            self.read += metrics.output_rows().unwrap_or(0);
            let bytes = metrics.sum_by_name("bytes_scanned");
            self.bytes_read += bytes.map_or(0, |value| value.as_usize());
        }
        let rows = StatisticsContext::new()
            .compute(plan, &StatisticsArgs::new())
            .ok();
        let rows = rows.and_then(|statistics| statistics.num_rows.get_value().copied());
        self.total = self.total.zip(rows).map(|(total, rows)| total + rows);
    }

    fn text(&self) -> String {
        let rows = |rows: usize| HumanCount(rows as u64);
        let bytes = |bytes: usize| match bytes {
            0 => String::new(),
            bytes => format!(" ({})", BinaryBytes(bytes as u64)),
        };
        // What is left out of a scan is not read, and what is read twice counts twice.
        let total = self.total.filter(|total| *total >= self.read && *total > 0);
        let of = total.map_or_else(String::new, |total| format!(" of {}", rows(total)));
        format!(
            "{}{of} rows read{}, {} rows out{}",
            rows(self.read),
            bytes(self.bytes_read),
            rows(self.out),
            bytes(self.bytes_written)
        )
    }
}

fn message(plan: &dyn ExecutionPlan, started: Instant) -> String {
    let seconds = started.elapsed().as_secs();
    format!("{}, {seconds} s", Counts::of(plan).text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_bytes() {
        let counts = Counts {
            read: 1_200,
            total: Some(5_000),
            bytes_read: 3 << 20,
            out: 7,
            bytes_written: 2048,
        };
        assert_eq!(
            counts.text(),
            "1,200 of 5,000 rows read (3.00 MiB), 7 rows out (2.00 KiB)"
        );
        let unknown = Counts {
            total: None,
            bytes_read: 0,
            bytes_written: 0,
            ..counts
        };
        assert_eq!(unknown.text(), "1,200 rows read, 7 rows out");
    }
}

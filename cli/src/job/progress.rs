//! The bar over the fragments of a job.

use std::time::Instant;

use geoflow_k8s::runner::local::Event;
use indicatif::{HumanCount, HumanDuration};

use super::bar::Bar;
use crate::printer::Printer;

/// Shows how a job goes on: on a terminal as a bar, else by notes alone.
pub(super) struct Watch<'a> {
    bar: Bar<'a>,
    /// When the stage began, and the fragments that were done by then.
    began: Instant,
    before: u64,
    /// Rows of the fragments that were done in this run.
    rows: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        Self {
            bar: Bar::new(printer),
            began: Instant::now(),
            before: 0,
            rows: 0,
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        match event {
            Event::Stage {
                kind,
                fragments,
                done,
            } => {
                self.bar.finish();
                (self.began, self.before, self.rows) = (Instant::now(), done as u64, 0);
                if done == fragments {
                    return;
                }
                self.bar.begin(&format!("{:<6}", kind.name()));
                if let Some(bar) = self.bar.shown() {
                    bar.set_length(fragments as u64);
                    bar.set_position(done as u64);
                }
            }
            Event::Done { rows } => {
                self.rows += rows;
                if let Some(bar) = self.bar.shown() {
                    bar.inc(1);
                }
            }
            Event::Progress { running, rows_read } => self.update(running, rows_read),
            Event::Finer { fragment, into } => {
                if let Some(bar) = self.bar.shown() {
                    bar.inc_length(into.saturating_sub(1) as u64);
                }
                self.bar.note(&format!(
                    "fragment {fragment} ran out of memory and is cut into {into}"
                ));
            }
            Event::Note(text) => self.bar.note(&text),
        }
    }

    fn update(&self, running: usize, rows_read: u64) {
        let Some(bar) = self.bar.shown() else { return };
        let seconds = self.began.elapsed().as_secs_f64().max(0.1);
        let rate = (self.rows + rows_read) as f64 / seconds;
        let done = bar.position().saturating_sub(self.before);
        let left = bar.length().unwrap_or(0).saturating_sub(bar.position());
        let eta = match done {
            0 => String::new(),
            done => {
                let left = self.began.elapsed().mul_f64(left as f64 / done as f64);
                format!(", {} left", HumanDuration(left))
            }
        };
        bar.set_message(format!(
            "{running} running, {} rows/s{eta}",
            HumanCount(rate as u64)
        ));
    }

    pub(super) fn finish(&mut self) {
        self.bar.finish();
    }
}

//! The bar over the fragments of a job.

use std::time::Instant;

use geoflow_k8s::runner::local::Event;
use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

use crate::printer::Printer;

/// Shows how a job goes on: on a terminal as a bar, else by notes alone.
pub(super) struct Watch<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
    /// When the stage began, and the fragments that were done by then.
    began: Instant,
    before: u64,
    /// Rows of the fragments that were done in this run.
    rows: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        Self {
            printer,
            bar: None,
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
                self.finish();
                (self.began, self.before, self.rows) = (Instant::now(), done as u64, 0);
                if done == fragments {
                    return;
                }
                let Some(target) = self.printer.progress_target() else {
                    return;
                };
                let bar = ProgressBar::with_draw_target(Some(fragments as u64), target);
                let template = format!("{:<6} {{bar:30}} {{pos}}/{{len}} {{msg}}", kind.name());
                if let Ok(style) = ProgressStyle::with_template(&template) {
                    bar.set_style(style);
                }
                bar.set_position(done as u64);
                self.bar = Some(bar);
            }
            Event::Done { rows } => {
                self.rows += rows;
                if let Some(bar) = &self.bar {
                    bar.inc(1);
                }
            }
            Event::Progress { running, rows_read } => self.update(running, rows_read),
            Event::Finer { fragment, into } => {
                if let Some(bar) = &self.bar {
                    bar.inc_length(into.saturating_sub(1) as u64);
                }
                self.note(&format!(
                    "fragment {fragment} ran out of memory and is cut into {into}"
                ));
            }
            Event::Note(text) => self.note(&text),
        }
    }

    fn update(&self, running: usize, rows_read: u64) {
        let Some(bar) = &self.bar else { return };
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

    fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.printer.note(text)),
            None => self.printer.note(text),
        }
    }

    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

//! How a job in a cluster goes on, as a line on a terminal and as notes elsewhere.

use std::time::{Duration, Instant};

use geoflow_k8s::kubernetes::{Progress, Report};
use indicatif::{HumanBytes, HumanCount, HumanDuration};

use crate::job::bar::Bar;
use crate::printer::Printer;

/// Without a terminal there is a line this often.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Watch<'a> {
    bar: Bar<'a>,
    stage: Option<usize>,
    said: Option<Instant>,
    line: String,
    /// Reasons for waiting that were said already.
    waiting: Vec<String>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        Watch {
            bar: Bar::new(printer),
            stage: None,
            said: None,
            line: String::new(),
            waiting: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, report: Report) {
        match report {
            Report::Note(note) => self.bar.note(&note),
            Report::Progress(progress) => self.progress(&progress),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if self.stage != Some(progress.stage) {
            self.stage = Some(progress.stage);
            let title = format!("stage {}/{}", progress.stage + 1, progress.stages);
            self.bar.begin(&title);
        }
        for finding in &progress.waiting {
            let why = format!("{}: {}", finding.cause.title(), finding.explanation);
            if !self.waiting.contains(&why) {
                self.bar
                    .note(&format!("waiting: {why}\n  {}", finding.remedy));
                self.waiting.push(why);
            }
        }
        let line = line(progress);
        if let Some(bar) = self.bar.shown() {
            bar.set_length(progress.fragments as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(line);
            return;
        }
        let now = format!("{}/{} fragments, {line}", progress.done, progress.fragments);
        let due = self.said.is_none_or(|said| said.elapsed() >= EVERY);
        if now != self.line && (due || progress.done == progress.fragments) {
            self.bar.note(&now);
            self.line = now;
            self.said = Some(Instant::now());
        }
    }

    pub(super) fn finish(&mut self) {
        self.bar.finish();
    }
}

fn line(progress: &Progress) -> String {
    let mut line = format!("{} running, {} pending", progress.running, progress.pending);
    if progress.failed > 0 {
        line.push_str(&format!(", {} failed", progress.failed));
    }
    if progress.retried > 0 {
        line.push_str(&format!(", {} retried", progress.retried));
    }
    line.push_str(&format!(
        ", {} rows, {}",
        HumanCount(progress.rows),
        HumanBytes(progress.bytes)
    ));
    if let Some(eta) = progress.eta.filter(|eta| !eta.is_zero()) {
        line.push_str(&format!(", {} left", HumanDuration(eta)));
    }
    line
}

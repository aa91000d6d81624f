//! The line of a job on a terminal; elsewhere there is none.

use indicatif::{ProgressBar, ProgressStyle};

use crate::printer::Printer;

/// A bar over the fragments of a stage, and the notes that go past it.
pub(super) struct Bar<'a> {
    printer: &'a Printer,
    bar: Option<ProgressBar>,
}

impl<'a> Bar<'a> {
    pub(super) fn new(printer: &'a Printer) -> Self {
        Self { printer, bar: None }
    }

    /// Ends the bar that is there and begins another, where there is a terminal.
    pub(super) fn begin(&mut self, title: &str) {
        self.finish();
        self.bar = self.printer.progress_target().map(|target| {
            let bar = ProgressBar::with_draw_target(None, target);
            let template = format!("{title} {{bar:30}} {{pos}}/{{len}} {{msg}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
    }

    /// The bar, if it is shown.
    pub(super) fn shown(&self) -> Option<&ProgressBar> {
        self.bar.as_ref()
    }

    /// Something worth knowing, above the bar.
    pub(super) fn note(&self, text: &str) {
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

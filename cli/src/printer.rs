//! The only owner of standard output and standard error.
//!
//! Standard output is data. Everything else goes to standard error: errors always, notes unless
//! `--quiet`, progress only on a terminal.

use std::io::{IsTerminal, Write};

use geoflow_sql::object_store::without_queries;
use indicatif::ProgressDrawTarget;

use crate::args::ErrorFormat;
use crate::error::{Failure, FailureKind, to_json, to_text};
use crate::settings::Speech;

/// Speaks for geoflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    speech: Speech,
}

impl Printer {
    pub(crate) fn new(speech: Speech) -> Self {
        Printer { speech }
    }

    /// Standard output, for data.
    pub(crate) fn stdout(&self) -> std::io::Stdout {
        std::io::stdout()
    }

    /// Whether data go to a person's eyes.
    pub(crate) fn stdout_is_terminal(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// The place of a progress line, where there is one and it is welcome.
    pub(crate) fn progress_target(&self) -> Option<ProgressDrawTarget> {
        let welcome = !self.speech.quiet
            && self.speech.error_format == ErrorFormat::Text
            && std::io::stderr().is_terminal();
        welcome.then(ProgressDrawTarget::stderr)
    }

    /// Writes text to standard output.
    ///
    /// A pipe that its reader has closed is not an error of ours: it ends the run as done.
    pub(crate) fn data(&self, text: &str) -> Result<(), Box<Failure>> {
        let mut stdout = self.stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| stdout_failure(&error))
    }

    /// Something worth knowing that is no error.
    pub(crate) fn note(&self, text: &str) {
        if !self.speech.quiet {
            self.stderr(&format!("{text}\n"));
        }
    }

    /// A report the user has asked for by an option.
    pub(crate) fn report(&self, text: &str) {
        self.stderr(&format!("{text}\n"));
    }

    /// The last word of a run that failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.kind == FailureKind::PipeClosed {
            return;
        }
        self.stderr(&match self.speech.error_format {
            ErrorFormat::Text => to_text(failure, self.speech.color),
            ErrorFormat::Json => to_json(failure),
        });
    }

    /// Standard error may be gone; there is nobody left to tell.
    fn stderr(&self, text: &str) {
        let text = without_queries(text);
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
        let _ = stderr.flush();
    }
}

/// Standard error for logs, of which others write the most: they say whole addresses.
#[derive(Debug)]
pub(crate) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        std::io::stderr().write_all(without_queries(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The failure behind an error of writing to standard output.
pub(crate) fn stdout_failure(error: &std::io::Error) -> Box<Failure> {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::pipe_closed(),
        _ => crate::error::from_io("cannot write to standard output", error),
    }
}

//! Where a result goes. A file appears complete or not at all.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use geoflow_engine::Unfinished;
use tempfile::NamedTempFile;

use crate::error::{Failure, Result, from_io};
use crate::printer::{Printer, stdout_failure};

const BUFFER: usize = 1 << 16;

/// The place of a result, checked but not opened.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    path: Option<PathBuf>,
    overwrite: bool,
    /// A device or named pipe: written straight, as there is nothing to replace.
    special: bool,
}

impl Destination {
    /// `-` and nothing are standard output.
    pub(crate) fn new(output: Option<&OsStr>, overwrite: bool) -> Self {
        let path = output.filter(|output| *output != "-").map(PathBuf::from);
        Destination {
            path,
            overwrite,
            special: false,
        }
    }

    /// Whether what is there is replaced.
    pub(crate) fn overwrites(&self) -> bool {
        self.overwrite
    }

    /// `None` for standard output.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Refuses what cannot be written, before any work is done for it.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let shown = path.display();
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(Failure::user(format!(
                    "cannot write \"{shown}\": it is a directory"
                )));
            }
            Ok(found) if found.is_file() && !self.overwrite => return Err(exists(path)),
            Ok(found) => {
                self.special = !found.is_file();
                // A symbolic link keeps pointing at the file that is replaced.
                self.path = Some(path.canonicalize().unwrap_or_else(|_| path.clone()));
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(from_io(&format!("cannot write \"{shown}\""), &error)),
        }
        let directory = directory_of(path);
        match directory.is_dir() {
            true => Ok(()),
            false => Err(Failure::user(format!(
                "cannot write \"{shown}\": the directory \"{}\" does not exist",
                directory.display()
            ))),
        }
    }
}

fn exists(path: &Path) -> Box<Failure> {
    Failure::user(format!("\"{}\" exists already", path.display()))
        .with_hint("--overwrite replaces it")
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// An open place, shared between a format's writer and the one who commits.
///
/// Dropped without [`Sink::commit`], it leaves no file behind.
#[derive(Debug, Clone)]
pub(crate) struct Sink(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    place: Place,
    /// The first error, which may come back from a library as a mere string.
    failure: Option<Box<Failure>>,
}

#[derive(Debug)]
enum Place {
    Stdout(BufWriter<io::Stdout>),
    Special {
        file: BufWriter<File>,
        path: PathBuf,
    },
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
        overwrite: bool,
        _unfinished: Unfinished,
    },
    Committed,
}

impl Sink {
    /// Opens the destination; a file under a temporary name beside the final one.
    pub(crate) fn open(destination: &Destination, printer: &Printer) -> Result<Self> {
        let place = match &destination.path {
            None => Place::Stdout(BufWriter::with_capacity(BUFFER, printer.stdout())),
            Some(path) if destination.special => {
                let file = File::options()
                    .write(true)
                    .open(path)
                    .map_err(|error| cannot_write(path, &error))?;
                Place::Special {
                    file: BufWriter::with_capacity(BUFFER, file),
                    path: path.clone(),
                }
            }
            Some(path) => {
                let file = temporary(path).map_err(|error| cannot_write(path, &error))?;
                let unfinished = Unfinished::new(file.path(), path.display().to_string());
                Place::File {
                    file: BufWriter::with_capacity(BUFFER, file),
                    path: path.clone(),
                    overwrite: destination.overwrite,
                    _unfinished: unfinished,
                }
            }
        };
        Ok(Sink(Arc::new(Mutex::new(State {
            place,
            failure: None,
        }))))
    }

    /// The sink of a writer that makes files of its own.
    pub(crate) fn elsewhere() -> Self {
        Sink(Arc::new(Mutex::new(State {
            place: Place::Committed,
            failure: None,
        })))
    }

    /// Whether bytes go to standard output, where nobody can seek.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.state().place, Place::Stdout(_))
    }

    /// The failure of the place itself, if that was the cause, else what the format says.
    pub(crate) fn failure_or(&self, other: impl FnOnce() -> Box<Failure>) -> Box<Failure> {
        self.state().failure.take().unwrap_or_else(other)
    }

    /// Makes the result visible under its name.
    pub(crate) fn commit(self) -> Result<()> {
        let mut state = self.state();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        match std::mem::replace(&mut state.place, Place::Committed) {
            Place::Stdout(mut stdout) => stdout.flush().map_err(|error| stdout_failure(&error)),
            Place::Special { mut file, path } => {
                file.flush().map_err(|error| cannot_write(&path, &error))
            }
            Place::File {
                file,
                path,
                overwrite,
                _unfinished,
            } => {
                let file = file
                    .into_inner()
                    .map_err(|error| cannot_write(&path, error.error()))?;
                // A name must never stand for a file whose bytes a power cut has lost.
                file.as_file()
                    .sync_all()
                    .map_err(|error| cannot_write(&path, &error))?;
                let renamed = match overwrite {
                    true => file.persist(&path),
                    false => file.persist_noclobber(&path),
                };
                renamed.map(drop).map_err(|error| match error.error.kind() {
                    io::ErrorKind::AlreadyExists => exists(&path),
                    _ => cannot_write(&path, &error.error),
                })
            }
            Place::Committed => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let result = state.place.writer().and_then(|writer| writer.write(buffer));
        state.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let result = state.place.writer().and_then(|writer| writer.flush());
        state.remember(result)
    }
}

impl State {
    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
            && self.failure.is_none()
        {
            self.failure = Some(self.place.explain(error));
        }
        result
    }
}

impl Place {
    fn writer(&mut self) -> io::Result<&mut dyn Write> {
        match self {
            Place::Stdout(stdout) => Ok(stdout),
            Place::Special { file, .. } => Ok(file),
            Place::File { file, .. } => Ok(file),
            Place::Committed => Err(io::Error::other("the result is complete")),
        }
    }

    fn explain(&self, error: &io::Error) -> Box<Failure> {
        match self {
            Place::Stdout(_) => stdout_failure(error),
            Place::Special { path, .. } | Place::File { path, .. } => cannot_write(path, error),
            Place::Committed => Failure::bug("a result was written to after its end"),
        }
    }
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut builder = tempfile::Builder::new();
    let prefix = format!(".{name}.");
    builder.prefix(&prefix).suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program creates files; the umask takes its part.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory_of(path))
}

fn cannot_write(path: &Path, error: &io::Error) -> Box<Failure> {
    from_io(&format!("cannot write \"{}\"", path.display()), error)
}

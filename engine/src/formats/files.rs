//! What to say of files that cannot be opened or read.

use std::io;
use std::path::Path;

use crate::Error;

/// The error for a file that cannot be opened.
pub(super) fn cannot_open(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Error::Statement(format!("{shown} does not exist")),
        _ => Error::Environment {
            message: format!("{shown} cannot be opened: {error}"),
            retryable: false,
        },
    }
}

/// The error for a file that cannot be read on.
pub(super) fn cannot_read(path: &Path, error: &io::Error) -> Error {
    Error::Environment {
        message: format!("{} cannot be read: {error}", path.display()),
        retryable: true,
    }
}

//! Failures of reading and writing.

use std::io::ErrorKind;

use super::Failure;

/// Classifies an I/O error met while doing `what` ("cannot write \"x.csv\"").
pub(crate) fn from_io(what: &str, error: &std::io::Error) -> Box<Failure> {
    let message = format!("{what}: {}", plain(error));
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            Failure::user(message)
        }
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::InvalidInput => {
            Failure::user(message)
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Failure::environment(message).with_hint("free some space, or write somewhere else")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Failure::environment(message).with_hint("check the permissions, or use another place")
        }
        _ => Failure::environment(message),
    }
}

/// The words of the system without Rust's "(os error 28)".
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let plain = match text.find(" (os error ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut chars = plain.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => error.kind().to_string(),
    }
}

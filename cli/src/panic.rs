//! Panics are bugs: they end with exit code 70 and words to report, not with a backtrace.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use crate::error::Failure;

/// What the last panic said, and where. Tasks' panics reach us without their place.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Replaces Rust's report of panics. With RUST_BACKTRACE set the original speaks as well.
pub(crate) fn install_hook() {
    let original = std::panic::take_hook();
    let verbose = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    std::panic::set_hook(Box::new(move |info| {
        let place = info
            .location()
            .map(|place| format!(" ({}:{})", crate_path(place.file()), place.line()));
        let message = format!(
            "{}{}",
            payload_text(info.payload()),
            place.unwrap_or_default()
        );
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
        if verbose {
            original(info);
        }
    }));
}

/// The failure for the panic that just happened, on whatever thread.
pub(crate) fn to_failure() -> Box<Failure> {
    let said = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    Failure::bug(format!(
        "internal error: {}",
        said.as_deref().unwrap_or("a task panicked")
    ))
}

fn payload_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a message")
}

/// Drops the directories of the machine that compiled us.
fn crate_path(path: &str) -> &str {
    path.rsplit_once("/src/").map_or(path, |(head, _)| {
        let start = head.rfind('/').map_or(0, |slash| slash + 1);
        &path[start..]
    })
}

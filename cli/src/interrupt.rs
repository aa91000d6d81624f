//! Ctrl-C and SIGTERM: stop, tidy up, exit 130.
//!
//! ```text
//!  signal ──> thread "signals" ──> Interrupt::wait() resolves in the main future
//!                  │                   the work is dropped, and with it the unfinished output
//!                  └── a second signal, or no end within GRACE: the thread removes the
//!                      unfinished output itself and ends the process
//! ```
//!
//! A thread of its own, because every other thread may be deep in a kernel or blocked on a full
//! pipe when the user has had enough.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::exit::ExitStatus;

/// How long the tidy way may take before the hard way.
const GRACE: Duration = Duration::from_secs(3);

/// The unfinished output file, for the hard way.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Notice of an interruption.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Starts to listen for signals.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let (ask, asked) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("signals".to_string())
            .spawn(move || runtime.block_on(serve(ask)))?;
        Ok(Interrupt { asked })
    }

    /// Resolves when the user has had enough, and never if there is no way to know.
    pub(crate) async fn wait(mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn serve(ask: watch::Sender<bool>) {
    // Handlers are in place before the first await, so no early signal is lost to them.
    let Ok(mut signals) = Signals::new() else {
        return;
    };
    signals.next().await;
    if ask.send(true).is_err() {
        return;
    }
    tokio::select! {
        () = signals.next() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    if let Some(path) = UNFINISHED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
    {
        let _ = std::fs::remove_file(path);
    }
    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Remembers a file that must not survive an interruption, until dropped.
#[derive(Debug)]
pub(crate) struct Unfinished;

impl Unfinished {
    pub(crate) fn new(path: &Path) -> Self {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.to_path_buf());
        Unfinished
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

//! Ctrl-C and SIGTERM: stop, tidy up, exit 130.
//!
//! ```text
//!  signal ──> thread "signals" ──> Interrupt::wait() resolves on the main thread
//!                  │                   the unfinished output and what was spilled are removed, the process ends
//!                  └── a second signal, or no end within GRACE: this thread does the same
//! ```
//!
//! A thread of its own, because every other thread may be deep in a kernel or blocked on a full
//! pipe when the user has had enough. For the same reason nobody waits for the work to let go of
//! its file.

use std::time::Duration;

use geoflow_engine::remove_unfinished;
use tokio::sync::watch;

use crate::exit::ExitStatus;
use crate::spilled;

/// How long the main thread has to end the process.
const GRACE: Duration = Duration::from_secs(3);

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
    remove_unfinished();
    spilled::remove();
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

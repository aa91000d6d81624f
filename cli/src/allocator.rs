//! What hands out memory.

/// Sorts, hash tables and joins reach all over large buffers: on huge pages, which glibc does not ask for, that takes an
/// eighth less time. Its settings are in `.cargo/config.toml`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The static binary of the container image is built against musl, whose own allocator takes one
/// lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives freed memory back at once, and not when it has not been asked for again for a while, and does without huge
/// pages: for work that streams, where what is kept in between and at the ends of pages is a good part of all memory.
pub(crate) fn stay_small() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages are used");
    }
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use tikv_jemalloc_ctl::{Access, AsName, arenas};
        // Those to come, and those that there are: of some numbers there is none yet.
        let arenas = arenas::narenas::read().unwrap_or_default();
        let these = (0..arenas).map(|arena| format!("arena.{arena}.dirty_decay_ms\0"));
        for setting in these.chain(["arenas.dirty_decay_ms\0".to_owned()]) {
            let milliseconds: isize = 0;
            if let Err(error) = setting.as_bytes().name().write(milliseconds) {
                // It changes no answer.
                tracing::debug!(setting = setting.trim_end_matches('\0'), %error, "freed memory is kept for a while");
            }
        }
    }
}

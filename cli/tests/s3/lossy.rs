//! A way to the S3 server on which the answers to puts of manifests get lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::server::Result;

/// What becomes of a put of a manifest, beside what should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is carried out, and the connection closed in place of an answer.
    Answer,
    /// It is carried out, and no answer ever comes.
    Silence,
    /// The connection is closed at once, and it is carried out some time later.
    Late,
}

const LOSSES: [Loss; 3] = [Loss::Answer, Loss::Silence, Loss::Late];

/// How much later.
const LATE: Duration = Duration::from_millis(400);

/// Longer than any client of these tests waits.
const SILENCE: Duration = Duration::from_secs(8);

/// Passes bytes on both ways, and loses what it is told to lose.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// In thousandths.
    share: AtomicU64,
    /// By [`Loss`].
    lost: [AtomicU64; 3],
    random: AtomicU64,
}

impl Shared {
    fn draw(&self) -> u64 {
        // Splitmix: every state is followed by another, whatever thread asks.
        let mut z = self
            .random
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn lot(&self) -> Option<Loss> {
        if self.draw() % 1000 >= self.share.load(Ordering::Relaxed) {
            return None;
        }
        let at = (self.draw() % 3) as usize;
        self.lost[at].fetch_add(1, Ordering::Relaxed);
        Some(LOSSES[at])
    }
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            random: AtomicU64::new(seed),
            ..Shared::default()
        });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&all);
                std::thread::spawn(move || {
                    if let Ok(upstream) = TcpStream::connect(server) {
                        serve(&client, &upstream, &shared);
                    }
                    close(&client);
                });
            }
        });
        Ok(Self { address, shared })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on such a share of the puts of manifests goes wrong.
    pub(crate) fn lose(&self, share: f64) {
        let share = (share * 1000.0) as u64;
        self.shared.share.store(share, Ordering::Relaxed);
    }

    /// How many went wrong in each way.
    pub(crate) fn lost(&self) -> [(Loss, u64); 3] {
        std::array::from_fn(|at| (LOSSES[at], self.shared.lost[at].load(Ordering::Relaxed)))
    }
}

fn close(stream: &TcpStream) {
    // It may be closed already.
    let _ = stream.shutdown(Shutdown::Both);
}

fn serve(client: &TcpStream, upstream: &TcpStream, shared: &Shared) {
    // The answer that is on its way is that to the last request: a client waits for it before its next.
    let loss = Mutex::new(None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            requests(client, upstream, shared, &loss);
            let _ = upstream.shutdown(Shutdown::Write);
        });
        let (mut from, mut to) = (upstream, client);
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n) = from.read(&mut buffer)
            && n > 0
        {
            match loss.lock().map_or(None, |loss| *loss) {
                None if to.write_all(&buffer[..n]).is_ok() => continue,
                Some(Loss::Silence) => std::thread::sleep(SILENCE),
                _ => {}
            }
            break;
        }
        close(client);
        close(upstream);
    });
}

fn requests(
    mut client: &TcpStream,
    mut upstream: &TcpStream,
    shared: &Shared,
    loss: &Mutex<Option<Loss>>,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n) = client.read(&mut buffer)
        && n > 0
    {
        let mut bytes = buffer[..n].to_vec();
        if is_put_of_manifest(&bytes) {
            let lot = shared.lot();
            if let Ok(mut loss) = loss.lock() {
                *loss = lot;
            }
            if lot == Some(Loss::Late) {
                while !is_whole(&bytes)
                    && let Ok(n) = client.read(&mut buffer)
                    && n > 0
                {
                    bytes.extend_from_slice(&buffer[..n]);
                }
                close(client);
                std::thread::sleep(LATE);
            }
        }
        if upstream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn is_put_of_manifest(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    head.starts_with("PUT ") && head.contains("/manifests/")
}

/// Whether a request has all of its body.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| {
        let length = line.strip_prefix("content-length:")?;
        length.trim().parse::<usize>().ok()
    });
    bytes.len() >= head + 4 + length.unwrap_or(0)
}

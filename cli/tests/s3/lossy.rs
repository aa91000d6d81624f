//! A way to the S3 server on which answers get lost.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::server::Result;

/// Passes bytes on both ways. When it is told to, it closes the connection of a put of a manifest once the
/// server has answered, and keeps the answer.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// In thousandths.
    lost: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let lost = Arc::new(AtomicU64::new(0));
        let chance = Arc::clone(&lost);
        std::thread::spawn(move || {
            let mut state = seed | 1;
            for client in listener.incoming().flatten() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695);
                let (chance, luck) = (Arc::clone(&chance), state >> 33);
                std::thread::spawn(move || {
                    if let Ok(upstream) = TcpStream::connect(server) {
                        serve(&client, &upstream, &chance, luck);
                    }
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(Self { address, lost })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on such a share of the answers to puts of manifests is lost.
    pub(crate) fn lose_answers(&self, share: f64) {
        self.lost.store((share * 1000.0) as u64, Ordering::Relaxed);
    }
}

fn serve(client: &TcpStream, upstream: &TcpStream, chance: &AtomicU64, mut luck: u64) {
    let swallow = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut from, mut to) = (client, upstream);
            let mut buffer = vec![0; 1 << 16];
            while let Ok(n) = from.read(&mut buffer)
                && n > 0
            {
                let head = String::from_utf8_lossy(&buffer[..n.min(4096)]);
                if head.starts_with("PUT ") && head.contains("/manifests/") {
                    luck = luck
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(99);
                    let lose = (luck >> 33) % 1000 < chance.load(Ordering::Relaxed);
                    swallow.store(lose, Ordering::Relaxed);
                }
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
            let _ = upstream.shutdown(Shutdown::Both);
        });
        let (mut from, mut to) = (upstream, client);
        let mut buffer = vec![0; 1 << 16];
        while let Ok(n) = from.read(&mut buffer)
            && n > 0
        {
            if swallow.load(Ordering::Relaxed) {
                break;
            }
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = upstream.shutdown(Shutdown::Both);
    });
}

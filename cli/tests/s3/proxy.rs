//! Between a client and the S3 server: counts what the server sends, and lets go wrong what goes wrong
//! on real networks.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::server::Result;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset before the server has seen the request.
    Reset,
    /// The server carries the request out, and the connection is reset instead of an answer.
    LostAnswer,
    /// 500
    InternalError,
    /// 503
    SlowDown,
    /// 429
    TooManyRequests,
    /// Half of the body comes, then the connection is closed.
    Truncated,
    /// Half of the body comes, and then nothing any more.
    Stall,
}

const FAULTS: [Fault; 7] = [
    Fault::Reset,
    Fault::LostAnswer,
    Fault::InternalError,
    Fault::SlowDown,
    Fault::TooManyRequests,
    Fault::Truncated,
    Fault::Stall,
];

/// A request that came by.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) fault: Option<Fault>,
    /// Of the answer, with its head.
    pub(crate) bytes: u64,
}

/// Passes on requests. It ends with the runtime of its test.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    trouble: Mutex<Option<Trouble>>,
    requests: Mutex<Vec<Request>>,
}

impl Proxy {
    /// Listens on a port of its own for connections to the server at `port`.
    pub(crate) async fn start(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server,
            trouble: Mutex::new(None),
            requests: Mutex::new(vec![]),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                tokio::spawn(async move {
                    // A connection ends as it likes: by the client, the server or a fault.
                    let _ = serve(client, &shared).await;
                });
            }
        });
        Ok(Self { port, shared })
    }

    /// The endpoint, as `AWS_ENDPOINT_URL` takes it. Signatures hold for it: they cover the name and
    /// port that the client speaks to, and the server sees those.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on this share of the requests fails, in all ways there are.
    pub(crate) fn trouble(&self, share: f64, seed: u64) {
        *self.shared.trouble.lock() = Some(Trouble {
            rng: StdRng::seed_from_u64(seed),
            share,
            faults: FAULTS.to_vec(),
            on: "",
        });
    }

    /// From now on all requests with `on` in their targets fail, in one way.
    pub(crate) fn fail(&self, fault: Fault, on: &'static str) {
        *self.shared.trouble.lock() = Some(Trouble {
            rng: StdRng::seed_from_u64(0),
            share: 1.0,
            faults: vec![fault],
            on,
        });
    }

    /// From now on nothing fails.
    pub(crate) fn peace(&self) {
        *self.shared.trouble.lock() = None;
    }

    /// The requests since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock())
    }

    /// Bytes that the server has sent since the last call, headers included.
    pub(crate) fn take(&self) -> u64 {
        self.requests().iter().map(|request| request.bytes).sum()
    }
}

impl Shared {
    fn draw(&self, target: &str) -> Option<Fault> {
        let mut trouble = self.trouble.lock();
        let trouble = trouble.as_mut()?;
        let fails = trouble.rng.random_bool(trouble.share);
        let which = trouble.rng.random_range(0..trouble.faults.len());
        (fails && target.contains(trouble.on)).then(|| trouble.faults[which])
    }
}

/// What goes wrong, and how often.
struct Trouble {
    rng: StdRng,
    share: f64,
    faults: Vec<Fault>,
    /// What is in the targets of the requests that fail.
    on: &'static str,
}

/// The head of a message, with the empty line that ends it.
struct Head {
    bytes: Vec<u8>,
    first: String,
    length: Option<u64>,
    chunked: bool,
}

async fn head(from: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<Head>> {
    let mut head = Head {
        bytes: vec![],
        first: String::new(),
        length: None,
        chunked: false,
    };
    loop {
        let mut line = vec![];
        if from.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        head.bytes.extend(&line);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            return Ok(Some(head));
        }
        if head.first.is_empty() {
            head.first.clone_from(&line);
        }
        let lower = line.to_ascii_lowercase();
        if let Some(length) = lower.strip_prefix("content-length:") {
            head.length = length.trim().parse().ok();
        }
        head.chunked |= lower.starts_with("transfer-encoding:") && lower.contains("chunked");
    }
}

/// Passes on at most `most` bytes of a body, and says how many there were.
async fn body(
    head: &Head,
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
    most: u64,
) -> std::io::Result<u64> {
    let mut passed = 0;
    if head.chunked {
        // Answers of unknown length are short; none of them is cut.
        loop {
            let mut line = vec![];
            from.read_until(b'\n', &mut line).await?;
            let size = String::from_utf8_lossy(&line).trim().to_owned();
            let size = usize::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            from.read_exact(&mut chunk).await?;
            to.write_all(&line).await?;
            to.write_all(&chunk).await?;
            passed += (line.len() + chunk.len()) as u64;
            if size == 0 {
                return Ok(passed);
            }
        }
    }
    let mut left = head.length.unwrap_or(0).min(most);
    let mut buffer = vec![0; 1 << 16];
    while left > 0 {
        let room = buffer.len().min(left as usize);
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(&buffer[..read]).await?;
        left -= read as u64;
        passed += read as u64;
    }
    Ok(passed)
}

/// The requests of one connection, one after the other.
async fn serve(client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", shared.server)).await?;
    let (from_client, mut to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut from_client = BufReader::new(from_client);
    let mut from_server = BufReader::new(from_server);
    while let Some(request) = head(&mut from_client).await? {
        let mut words = request.first.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        let fault = shared.draw(&target);
        let mut noted = Request {
            method,
            target,
            fault,
            bytes: 0,
        };
        let status = match fault {
            Some(Fault::Reset) => {
                shared.requests.lock().push(noted);
                return reset(from_client, to_client);
            }
            Some(Fault::InternalError) => Some("500 Internal Server Error"),
            Some(Fault::SlowDown) => Some("503 Slow Down"),
            Some(Fault::TooManyRequests) => Some("429 Too Many Requests"),
            _ => None,
        };
        if let Some(status) = status {
            let mut nowhere = vec![0; request.length.unwrap_or(0) as usize];
            from_client.read_exact(&mut nowhere).await?;
            let code = status.get(4..).unwrap_or_default().replace(' ', "");
            let text = format!("<Error><Code>{code}</Code><Message>Not now.</Message></Error>");
            let text = match noted.method.as_str() {
                "HEAD" => String::new(),
                _ => text,
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            to_client.write_all(answer.as_bytes()).await?;
            noted.bytes = answer.len() as u64;
            shared.requests.lock().push(noted);
            continue;
        }
        to_server.write_all(&request.bytes).await?;
        body(&request, &mut from_client, &mut to_server, u64::MAX).await?;
        let Some(answer) = head(&mut from_server).await? else {
            return Ok(());
        };
        let has_body = noted.method != "HEAD"
            && !["204", "304"]
                .iter()
                .any(|code| answer.first.contains(code));
        let length = if has_body {
            answer.length.unwrap_or(0)
        } else {
            0
        };
        if fault == Some(Fault::LostAnswer) {
            shared.requests.lock().push(noted);
            return reset(from_client, to_client);
        }
        to_client.write_all(&answer.bytes).await?;
        noted.bytes = answer.bytes.len() as u64;
        let broken = matches!(fault, Some(Fault::Truncated | Fault::Stall)) && !answer.chunked;
        let most = if broken { length / 2 } else { length };
        if has_body {
            noted.bytes += body(&answer, &mut from_server, &mut to_client, most).await?;
        }
        shared.requests.lock().push(noted);
        if broken && most < length {
            if fault == Some(Fault::Stall) {
                // Longer than any client of these tests waits.
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Closes a connection the hard way: the client meets an error, not an end.
fn reset(from: BufReader<OwnedReadHalf>, to: OwnedWriteHalf) -> std::io::Result<()> {
    let stream = from
        .into_inner()
        .reunite(to)
        .map_err(std::io::Error::other)?;
    stream.set_zero_linger()
}

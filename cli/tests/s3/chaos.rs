//! Jobs on a real S3 server while everything goes wrong: in the end exactly the right rows are there once, or
//! nothing is committed and the job can be resumed.
//!
//! `GEOFLOW_CHAOS` schedules are run, from `GEOFLOW_SEED` on; 200 take some minutes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::lossy::Proxy;
use super::server::{ACCESS_KEY, Result, SECRET_KEY, Server};
use super::testdata;

/// What goes wrong in a schedule.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Workers get SIGKILL at random moments.
    KilledWorkers,
    /// Every fragment is run by two tasks at once.
    Races,
    /// Answers to puts of manifests are lost after they were carried out.
    LostAnswers,
    /// The driver gets SIGKILL, and the job is resumed, several times.
    KilledDrivers,
}

const TROUBLES: [Trouble; 4] = [
    Trouble::KilledWorkers,
    Trouble::Races,
    Trouble::LostAnswers,
    Trouble::KilledDrivers,
];

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

#[ignore = "takes minutes: cargo test --workspace --test s3 exactly_once -- --ignored"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_once_or_not_at_all() -> Result<()> {
    let server = Server::start().await?;
    for name in ["helsinki_points", "helsinki_buildings"] {
        let file = testdata(&format!("{name}.parquet"));
        server
            .upload(&file, "layers", &format!("{name}.parquet"))
            .await?;
    }
    let seed = number("GEOFLOW_SEED", 1);
    let mut expected = vec![];
    for statement in STATEMENTS {
        expected.push(checksum(&server.endpoint(), &format!("({statement})"))?);
    }
    for case in 0..number("GEOFLOW_CHAOS", 4) {
        let trouble = TROUBLES[(case % 4) as usize];
        let context = format!("seed {}: {trouble:?}", seed + case);
        let mut rng = StdRng::seed_from_u64(seed + case);
        let which = rng.random_range(0..STATEMENTS.len());
        let proxy = Proxy::start(server.address(), seed + case)?;
        let schedule = Schedule {
            endpoint: proxy.endpoint(),
            output: format!("s3://out/{seed}-{case}/"),
            jobs: format!("s3://out/jobs-{seed}-{case}/"),
        };
        schedule
            .run(trouble, STATEMENTS[which], &proxy, &mut rng)
            .map_err(|e| format!("{context}: {e}"))?;
        let found = checksum(&server.endpoint(), &format!("'{}'", schedule.output));
        assert_eq!(
            found.map_err(|e| format!("{context}: {e}"))?,
            expected[which],
            "{context}"
        );
        // What is there beside the parts that count would be read by others.
        let parts = schedule.parts_that_count(&server).await?;
        let there = server.list("out", &format!("{seed}-{case}/")).await?;
        let there: Vec<&String> = there
            .iter()
            .filter(|name| name.ends_with(".parquet"))
            .collect();
        assert_eq!(there.len(), parts, "{context}: {there:?}");
    }
    Ok(())
}

const STATEMENTS: [&str; 2] = [
    "SELECT CAST(p.osm_id AS BIGINT) AS id, CAST(b.osm_id AS BIGINT) AS building FROM 's3://layers/helsinki_points.parquet' p \
     LEFT JOIN 's3://layers/helsinki_buildings.parquet' b ON ST_DWithin(p.geometry, b.geometry, 0.001)",
    "SELECT CAST(b.osm_id AS BIGINT) AS id, count(*) AS building FROM 's3://layers/helsinki_points.parquet' p \
     JOIN 's3://layers/helsinki_buildings.parquet' b ON ST_DWithin(p.geometry, b.geometry, 0.001) GROUP BY b.osm_id",
];

struct Schedule {
    endpoint: String,
    output: String,
    jobs: String,
}

impl Schedule {
    fn run(
        &self,
        trouble: Trouble,
        statement: &str,
        proxy: &Proxy,
        rng: &mut StdRng,
    ) -> Result<()> {
        let fragments = rng.random_range(2..7).to_string();
        let mut submit = geoflow(&self.endpoint);
        submit
            .args([
                "job",
                "submit",
                "--workers=2",
                "--threads=2",
                "--retries=50",
            ])
            .args([
                "--fragments",
                &fragments,
                "--jobs",
                &self.jobs,
                "-o",
                &self.output,
            ])
            .arg(statement);
        match trouble {
            Trouble::LostAnswers => {
                proxy.lose_answers(0.5);
                let ended = finish(submit.spawn()?);
                proxy.lose_answers(0.0);
                ended
            }
            Trouble::KilledWorkers => {
                let driver = submit.spawn()?;
                let kills = rng.random_range(1..8);
                for _ in 0..kills {
                    std::thread::sleep(Duration::from_millis(rng.random_range(20..400)));
                    let workers = children(driver.id());
                    if !workers.is_empty() {
                        kill(workers[rng.random_range(0..workers.len())]);
                    }
                }
                finish(driver)
            }
            Trouble::KilledDrivers => {
                let mut driver = submit.spawn()?;
                for _ in 0..rng.random_range(1..4) {
                    std::thread::sleep(Duration::from_millis(rng.random_range(100..1500)));
                    driver.kill()?;
                    driver.wait()?;
                    driver = match self.job() {
                        Some(job) => {
                            let mut resume = geoflow(&self.endpoint);
                            resume
                                .args([
                                    "job",
                                    "resume",
                                    "--workers=2",
                                    "--threads=2",
                                    "--retries=50",
                                ])
                                .arg(format!("{}{job}", self.jobs));
                            resume.spawn()?
                        }
                        // Killed before there was a job.
                        None => submit.spawn()?,
                    };
                }
                match finish(driver) {
                    // Killed between its record and the claim of the output, the job is there without it;
                    // that of the next submission is another.
                    Err(error) if error.to_string().contains("exists already") => Err(error),
                    other => other,
                }
            }
            Trouble::Races => {
                let driver = submit.spawn()?;
                // The other copies, as a cluster that has lost sight of a pod would start them.
                let started = Instant::now();
                let mut racers = vec![];
                while racers.len() < 6 && started.elapsed() < Duration::from_secs(5) {
                    if let Some(job) = self.job() {
                        for index in 0..6 {
                            let mut task = geoflow(&self.endpoint);
                            task.args(["task", "--plan"])
                                .arg(format!("{}{job}/plan.json", self.jobs))
                                .arg(format!("--index={index}"));
                            racers.push(task.stdout(Stdio::null()).spawn()?);
                        }
                    }
                }
                let ended = finish(driver);
                for mut racer in racers {
                    // Those of indices that are not there end with 64.
                    racer.wait()?;
                }
                ended
            }
        }
    }

    /// The id of the job, once it has a record.
    fn job(&self) -> Option<String> {
        let mut list = geoflow(&self.endpoint);
        let listed = list
            .args(["job", "list", "-o", "json", "--jobs", &self.jobs])
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let jobs: serde_json::Value = serde_json::from_slice(&listed.stdout).ok()?;
        Some(jobs.get(0)?.get("id")?.as_str()?.to_owned())
    }

    async fn parts_that_count(&self, server: &Server) -> Result<usize> {
        let key = self.output.trim_start_matches("s3://out/");
        let text = server.read("out", &format!("{key}_SUCCESS")).await?;
        let success: serde_json::Value = serde_json::from_str(&text)?;
        let parts = success.get("parts").and_then(|parts| parts.as_array());
        Ok(parts.map_or(0, Vec::len))
    }
}

fn geoflow(endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_geoflow"));
    command
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", endpoint)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn finish(child: Child) -> Result<()> {
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into()),
    }
}

/// Rows, and sums that change with any of them.
fn checksum(endpoint: &str, table: &str) -> Result<String> {
    let sql = format!(
        "SELECT count(*) AS n, sum(id) AS a, sum(coalesce(building, -1)) AS b, \
         sum((id % 9973) * (coalesce(building, 7) % 9967)) AS c FROM {table} AS t"
    );
    let mut query = geoflow(endpoint);
    let output = query.args(["query", "--format", "csv", &sql]).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

fn kill(pid: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return vec![];
    };
    let of = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        stat.rsplit_once(')')?
            .1
            .split_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| of(*pid) == Some(parent))
        .collect()
}

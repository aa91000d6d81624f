//! Jobs on a real S3 server while everything goes wrong: in the end exactly the right rows are there once, or
//! nothing is committed and the job can be resumed.
//!
//! `GEOFLOW_CHAOS` schedules are run, from `GEOFLOW_SEED` on; 200 take some minutes:
//! `GEOFLOW_CHAOS=200 scripts/test --workspace --test s3 exactly_once -- --nocapture`.

use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::lossy::{Loss, Proxy};
use super::server::{ACCESS_KEY, Result, SECRET_KEY, Server};
use super::testdata;

/// What goes wrong in a schedule. Each has one of the first four, and others by chance.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    /// Workers get SIGKILL at random moments.
    kill_workers: bool,
    /// Other tasks run the same fragments; some are stopped for a while, or killed.
    race: bool,
    /// Puts of manifests go wrong in one way or the other.
    lose: bool,
    /// The driver gets SIGKILL, and the job is resumed.
    kill_drivers: bool,
    /// Tasks are not tried again, so that the job fails, and is resumed.
    give_up: bool,
}

impl Trouble {
    fn of(case: u64, rng: &mut StdRng) -> Self {
        let mut also = || rng.random_bool(0.25);
        Self {
            kill_workers: case.is_multiple_of(4) || also(),
            race: case % 4 == 1 || also(),
            lose: case % 4 == 2 || also(),
            kill_drivers: case % 4 == 3 || also(),
            give_up: also(),
        }
    }
}

/// What went wrong in all schedules.
#[derive(Debug, Default)]
struct Tally {
    killed_workers: u64,
    racers: u64,
    /// Racers that came too late to write the manifest.
    beaten: u64,
    stopped_racers: u64,
    killed_racers: u64,
    killed_drivers: u64,
    resumed: u64,
    failed: u64,
    lost: Vec<(Loss, u64)>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} workers killed; {} tasks beside them, {} of them beaten, {} stopped for a while, {} killed; \
             {} drivers killed; {} jobs failed; {} times resumed; manifests:",
            self.killed_workers,
            self.racers,
            self.beaten,
            self.stopped_racers,
            self.killed_racers,
            self.killed_drivers,
            self.failed,
            self.resumed,
        )?;
        for (loss, times) in &self.lost {
            write!(f, " {loss:?} {times}")?;
        }
        Ok(())
    }
}

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::print_stdout,
    reason = "shown with --nocapture, or when it fails"
)]
async fn exactly_once_or_not_at_all() -> Result<()> {
    let server = Server::start().await?;
    for name in ["helsinki_points", "helsinki_buildings"] {
        let file = testdata(&format!("{name}.parquet"));
        server
            .upload(&file, "layers", &format!("{name}.parquet"))
            .await?;
    }
    // The first object makes the bucket.
    let any = testdata("README.md");
    server.upload(&any, "out", "bucket").await?;
    let (cases, seed) = (number("GEOFLOW_CHAOS", 4), number("GEOFLOW_SEED", 1));
    let mut expected = vec![];
    for statement in STATEMENTS {
        expected.push(checksum(&server.endpoint(), &format!("({statement})"))?);
    }
    let mut all = Tally::default();
    for case in seed..seed + cases {
        let mut rng = StdRng::seed_from_u64(case);
        let trouble = Trouble::of(case, &mut rng);
        let context = format!("GEOFLOW_SEED={case} GEOFLOW_CHAOS=1: {trouble:?}");
        let which = rng.random_range(0..STATEMENTS.len());
        let proxy = Proxy::start(server.address(), case)?;
        let mut schedule = Schedule {
            server: &server,
            endpoint: proxy.endpoint(),
            id: format!("j{case}"),
            fragments: rng.random_range(2..7),
            trouble,
            rng,
            tally: &mut all,
        };
        if trouble.lose {
            proxy.lose(0.5);
        }
        let ended = schedule.run(STATEMENTS[which]).await;
        proxy.lose(0.0);
        ended.map_err(|e| format!("{context}: {e}"))?;
        let output = schedule.output();
        let found = checksum(&server.endpoint(), &format!("'{output}'"));
        let found = found.map_err(|e| format!("{context}: {e}"))?;
        assert_eq!(found, expected[which], "{context}");
        schedule
            .check_files()
            .await
            .map_err(|e| format!("{context}: {e}"))?;
        for (at, lost) in proxy.lost().into_iter().enumerate() {
            match all.lost.get_mut(at) {
                Some(sum) => sum.1 += lost.1,
                None => all.lost.push(lost),
            }
        }
    }
    println!("{cases} schedules from seed {seed}: {all}");
    if cases >= 40 {
        // Nothing is shown by faults that do not happen.
        let mut counts = vec![
            all.killed_workers,
            all.beaten,
            all.stopped_racers,
            all.killed_racers,
            all.killed_drivers,
            all.resumed,
            all.failed,
        ];
        counts.extend(all.lost.iter().map(|(_, times)| times));
        assert!(counts.iter().all(|&times| times > 0), "{all}");
    }
    Ok(())
}

const STATEMENTS: [&str; 2] = [
    "SELECT CAST(p.osm_id AS BIGINT) AS id, CAST(b.osm_id AS BIGINT) AS building FROM 's3://layers/helsinki_points.parquet' p \
     LEFT JOIN 's3://layers/helsinki_buildings.parquet' b ON ST_DWithin(p.geometry, b.geometry, 0.001)",
    "SELECT CAST(b.osm_id AS BIGINT) AS id, count(*) AS building FROM 's3://layers/helsinki_points.parquet' p \
     JOIN 's3://layers/helsinki_buildings.parquet' b ON ST_DWithin(p.geometry, b.geometry, 0.001) GROUP BY b.osm_id",
];

struct Schedule<'a> {
    server: &'a Server,
    endpoint: String,
    id: String,
    fragments: usize,
    trouble: Trouble,
    rng: StdRng,
    tally: &'a mut Tally,
}

/// A task beside those of the driver.
struct Racer {
    process: Child,
    /// When it goes on, if it was stopped.
    stopped: Option<Instant>,
}

impl Schedule<'_> {
    fn output(&self) -> String {
        format!("s3://out/{}/", self.id)
    }

    fn record(&self) -> String {
        format!("s3://out/jobs/{}/", self.id)
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        let mut driver = self.submit(statement).spawn()?;
        let mut racers: Vec<Racer> = vec![];
        let mut worker_kills = self.rng.random_range(1..8);
        let mut driver_kills = self.rng.random_range(1..4);
        let mut failures = 0;
        let mut next_driver_kill = Instant::now() + self.pause(50, 1500);
        loop {
            tokio::time::sleep(self.pause(10, 150)).await;
            if let Some(status) = driver.try_wait()? {
                if status.success() {
                    break;
                }
                self.check_failure(&mut driver, status).await?;
                // A machine that is busy with other things may miss a time limit, but not every time.
                failures += 1;
                if failures > 3 {
                    return Err(format!("resumed {failures} times: {status}").into());
                }
                // Once is enough.
                self.trouble.give_up = false;
                driver = self.resume().spawn()?;
                continue;
            }
            if self.trouble.kill_workers && worker_kills > 0 && self.rng.random_bool(0.5) {
                let workers = children(driver.id());
                if !workers.is_empty() {
                    let worker = workers[self.rng.random_range(0..workers.len())];
                    if signal("KILL", worker) {
                        self.tally.killed_workers += 1;
                        worker_kills -= 1;
                    }
                }
            }
            if self.trouble.kill_drivers && driver_kills > 0 && Instant::now() > next_driver_kill {
                driver.kill()?;
                driver.wait()?;
                self.tally.killed_drivers += 1;
                driver_kills -= 1;
                next_driver_kill = Instant::now() + self.pause(50, 1500);
                driver = match self.is_there("job.json").await? {
                    true => self.resume().spawn()?,
                    // Killed before there was a job.
                    false => self.submit(statement).spawn()?,
                };
            }
            if self.trouble.race {
                if racers.len() < 8 && self.is_there("job.json").await? {
                    racers.push(self.racer()?);
                }
                self.disturb(&mut racers);
            }
        }
        self.settle(racers)?;
        // Once more, it changes nothing.
        if self.rng.random_bool(0.2) {
            let again = self.resume().output()?;
            if !again.status.success() {
                return Err(format!("resumed when done: {}", again.status).into());
            }
        }
        Ok(())
    }

    fn pause(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from..to))
    }

    fn submit(&self, statement: &str) -> Command {
        let mut submit = geoflow(&self.endpoint);
        submit
            .args(["job", "submit", "--jobs=s3://out/jobs/", "--id", &self.id])
            .args(["-o", &self.output()])
            .arg(format!("--fragments={}", self.fragments))
            .arg(statement);
        self.workers(submit)
    }

    fn resume(&mut self) -> Command {
        self.tally.resumed += 1;
        let mut resume = geoflow(&self.endpoint);
        resume.args(["job", "resume", &self.record()]);
        self.workers(resume)
    }

    fn workers(&self, mut command: Command) -> Command {
        let retries = match self.trouble.give_up {
            true => "--retries=0",
            false => "--retries=50",
        };
        command.args(["--workers=2", "--threads=2", retries]);
        command
    }

    /// Another task for a fragment, as a cluster that has lost sight of a pod would start one.
    fn racer(&mut self) -> Result<Racer> {
        let mut task = geoflow(&self.endpoint);
        // Those of indices and stages that are not there end with 64.
        task.args(["task", "--plan"])
            .arg(format!("{}plan.json", self.record()))
            .arg(format!(
                "--index={}",
                self.rng.random_range(0..self.fragments)
            ))
            .arg(format!("--stage={}", u8::from(self.rng.random_bool(0.1))));
        self.tally.racers += 1;
        Ok(Racer {
            process: task.spawn()?,
            stopped: None,
        })
    }

    fn disturb(&mut self, racers: &mut [Racer]) {
        for racer in racers {
            let pid = racer.process.id();
            match racer.stopped {
                Some(until) if Instant::now() > until => {
                    signal("CONT", pid);
                    racer.stopped = None;
                }
                Some(_) => {}
                None if !matches!(racer.process.try_wait(), Ok(None)) => {}
                None if self.rng.random_bool(0.1) && signal("KILL", pid) => {
                    self.tally.killed_racers += 1;
                }
                None if self.rng.random_bool(0.2) && signal("STOP", pid) => {
                    self.tally.stopped_racers += 1;
                    racer.stopped = Some(Instant::now() + self.pause(100, 2000));
                }
                None => {}
            }
        }
    }

    /// Waits for the tasks that are late.
    fn settle(&mut self, racers: Vec<Racer>) -> Result<()> {
        for racer in racers {
            if racer.stopped.is_some() {
                signal("CONT", racer.process.id());
            }
            let output = racer.process.wait_with_output()?;
            // Its attempt, and that of the manifest that counts.
            let said = String::from_utf8_lossy(&output.stdout);
            let attempts = |event: &str| {
                said.lines()
                    .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
                    .filter(|line| line.get("event").and_then(|e| e.as_str()) == Some(event))
                    .filter_map(|line| Some(line.get("attempt")?.as_str()?.to_owned()))
                    .rfind(|attempt| !attempt.is_empty())
            };
            if let (Some(own), Some(counts)) = (attempts("progress"), attempts("done")) {
                self.tally.beaten += u64::from(own != counts);
            }
        }
        Ok(())
    }

    /// A job that fails says why and how to go on, and nothing is committed.
    async fn check_failure(&mut self, driver: &mut Child, status: ExitStatus) -> Result<()> {
        let mut said = String::new();
        if let Some(mut stderr) = driver.stderr.take() {
            stderr.read_to_string(&mut said)?;
        }
        if status.code() != Some(3) || !said.contains("job resume") {
            return Err(format!("{status}: {said}").into());
        }
        let there = self.server.list("out", &self.id).await?;
        if there.iter().any(|name| name.ends_with("_SUCCESS")) {
            return Err(format!("failed, and committed all the same: {said}").into());
        }
        self.tally.failed += 1;
        Ok(())
    }

    async fn is_there(&self, name: &str) -> Result<bool> {
        let there = self
            .server
            .list("out", &format!("jobs/{}", self.id))
            .await?;
        Ok(there.iter().any(|found| found.ends_with(name)))
    }

    /// In the output is what counts and nothing else, for those who read it as a plain folder.
    async fn check_files(&self) -> Result<()> {
        let text = self
            .server
            .read("out", &format!("{}/_SUCCESS", self.id))
            .await?;
        let success: serde_json::Value = serde_json::from_str(&text)?;
        let parts = success.get("parts").and_then(|parts| parts.as_array());
        let mut expected: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter_map(|part| Some(format!("{}/{}", self.id, part.get("file")?.as_str()?)))
            .collect();
        expected.push(format!("{}/_SUCCESS", self.id));
        let mut there = self.server.list("out", &self.id).await?;
        expected.sort();
        there.sort();
        match there == expected {
            true => Ok(()),
            false => Err(format!("{there:?}, but {expected:?} count").into()),
        }
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
        // An answer that does not come is given up sooner than by default.
        .env("AWS_TIMEOUT", "4 seconds")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
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

/// Whether the process was still there.
fn signal(name: &str, pid: u32) -> bool {
    Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
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

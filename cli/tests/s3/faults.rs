//! A bad network between geoflow and the S3 server: the right answer, or a clear error and no output.
//!
//! `GEOFLOW_CASES` rounds are run, from `GEOFLOW_SEED` on.

#![expect(
    clippy::print_stdout,
    reason = "what the rounds have met is asked for by `--nocapture`"
)]

use std::process::{Command, Output};

use crate::joins::write_points;
use crate::proxy::{Fault, Proxy};
use crate::server::{ACCESS_KEY, Result, SECRET_KEY, Server};
use crate::{answer, query, testdata};

struct Lab {
    server: Server,
    proxy: Proxy,
    folder: tempfile::TempDir,
}

const ROWS: usize = 60_000;

impl Lab {
    async fn start() -> Result<Self> {
        let server = Server::start().await?;
        let folder = tempfile::tempdir()?;
        let points = folder.path().join("points.parquet");
        write_points(&points, ROWS)?;
        server.upload(&points, "layers", "points.parquet").await?;
        let counties = testdata("us_counties.parquet");
        for i in 0..6 {
            let key = format!("counties/part-{i}.parquet");
            server.upload(&counties, "layers", &key).await?;
        }
        Ok(Self {
            proxy: Proxy::start(server.port()).await?,
            server,
            folder,
        })
    }

    /// A statement by way of the proxy, which lives on this runtime and must not be kept waiting.
    async fn run(&self, sql: &str, retries: &str) -> Result<Output> {
        let (sql, retries, endpoint) = (sql.to_owned(), retries.to_owned(), self.proxy.endpoint());
        let output = tokio::task::spawn_blocking(move || {
            let environment = [
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("GEOFLOW_STORE_TIMEOUT", "1"),
                ("GEOFLOW_STORE_RETRIES", retries.as_str()),
            ];
            query(&sql, &environment).map_err(|e| e.to_string())
        });
        Ok(output.await??)
    }

    fn local(&self) -> String {
        self.folder
            .path()
            .join("points.parquet")
            .display()
            .to_string()
    }
}

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(default)
}

/// A failure is that of the surroundings, says so in words, and printed no half of an answer.
fn check_failure(output: &Output, context: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{context}: {message}");
    assert!(output.stdout.is_empty(), "{context}");
    for noise in ["internal error", "Generic S3", "max_retries", SECRET_KEY] {
        assert!(!message.contains(noise), "{context}: {message}");
    }
    let names = message.contains("s3://") || message.contains("http://");
    assert!(names, "{context}: {message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_has_the_right_answer_or_none() -> Result<()> {
    let lab = Lab::start().await?;
    let statements = [
        "SELECT count(*) AS n, sum(payload) AS s, sum(ST_X(geometry)) AS x FROM 's3://layers/points.parquet'",
        "SELECT count(*) AS n, sum(payload) AS s FROM 's3://layers/points.parquet' \
         WHERE ST_Intersects(geometry, ST_MakeEnvelope(20, 0, 40, 1))",
        "SELECT count(*) AS n, min(id) AS least, sum(ST_NPoints(geometry)) AS v FROM 's3://layers/counties/'",
        "SELECT count(*) AS n FROM 's3://layers/points.parquet' p \
         JOIN (SELECT ST_MakeEnvelope(7, 0, 9, 1) AS g) z ON ST_Intersects(p.geometry, z.g)",
    ];
    let mut expected = vec![];
    for sql in statements {
        expected.push(answer(&lab.run(sql, "8").await?)?);
    }
    lab.proxy.requests();
    let seed = number("GEOFLOW_SEED", 1);
    let (mut answers, mut failures, mut faults) = (0, 0, 0);
    for case in 0..number("GEOFLOW_CASES", 6) {
        // Whoever does not repeat requests meets many more failures.
        for retries in ["8", "0"] {
            let which = case as usize % statements.len();
            let context = format!(
                "seed {}, retries {retries}, {}",
                seed + case,
                statements[which]
            );
            lab.proxy.trouble(0.1, seed + case);
            let output = lab.run(statements[which], retries).await?;
            lab.proxy.peace();
            let requests = lab.proxy.requests();
            faults += requests.iter().filter(|r| r.fault.is_some()).count();
            if output.status.success() {
                answers += 1;
                assert_eq!(answer(&output)?, expected[which], "{context}");
            } else {
                failures += 1;
                check_failure(&output, &context);
            }
        }
    }
    println!("{answers} answers, {failures} failures, {faults} faults");
    assert!(faults > 0 && answers > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_complete_or_leaves_nothing() -> Result<()> {
    let lab = Lab::start().await?;
    let seed = number("GEOFLOW_SEED", 1);
    let (mut written, mut failures, mut faults) = (0, 0, 0);
    for case in 0..number("GEOFLOW_CASES", 6) {
        for retries in ["8", "0"] {
            let seed = seed + case;
            let context = format!("seed {seed}, retries {retries}");
            let (key, options) = match case % 2 {
                0 => (format!("w{seed}-{retries}/one.parquet"), String::new()),
                _ => (
                    format!("w{seed}-{retries}/many/"),
                    "PARTITIONED BY (part) OPTIONS (max_file_size '200KB')".to_owned(),
                ),
            };
            let sql = format!(
                "COPY (SELECT payload, geometry, CAST(ST_X(geometry) / 25 AS INT) AS part FROM '{}') \
                 TO 's3://out/{key}' STORED AS PARQUET {options}",
                lab.local()
            );
            lab.proxy.trouble(0.1, seed);
            let output = lab.run(&sql, retries).await?;
            lab.proxy.peace();
            let requests = lab.proxy.requests();
            faults += requests.iter().filter(|r| r.fault.is_some()).count();
            let there = lab
                .server
                .list("out", &format!("w{seed}-{retries}/"))
                .await?;
            if output.status.success() {
                written += 1;
                let sql = format!("SELECT count(*) FROM 's3://out/{key}'");
                let found = answer(&lab.run(&sql, "8").await?)?;
                assert!(found.contains(&ROWS.to_string()), "{context}: {found}");
                lab.proxy.requests();
            } else {
                failures += 1;
                check_failure(&output, &context);
                // What the same network kept from being removed is named.
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                for object in there {
                    assert!(
                        message.contains(&object),
                        "{context}: {object} is left: {message}"
                    );
                }
            }
        }
    }
    println!("{written} written, {failures} failures, {faults} faults");
    assert!(faults > 0 && written > 0);
    Ok(())
}

/// Writes an object in several parts.
fn copy_large(lab: &Lab, key: &str) -> String {
    // Random numbers do not compress: 24 MB.
    format!(
        "COPY (SELECT random() AS a, random() AS b, random() AS c, a.geometry FROM '{0}' a, generate_series(1, 14)) \
         TO 's3://out/{key}' STORED AS PARQUET",
        lab.local()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_that_fail_are_aborted() -> Result<()> {
    let lab = Lab::start().await?;
    for (fault, on, words) in [
        (Fault::InternalError, "partNumber=", "failed 2 times"),
        (Fault::SlowDown, "partNumber=", "busy"),
        (Fault::Reset, "partNumber=", "s3://out/"),
    ] {
        let key = format!("{fault:?}.parquet");
        lab.proxy.fail(fault, on);
        let output = lab.run(&copy_large(&lab, &key), "1").await?;
        lab.proxy.peace();
        check_failure(&output, &key);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(&format!("s3://out/{key}")), "{message}");
        assert!(message.contains(words), "{message}");
        let requests = lab.proxy.requests();
        let count = |method: &str, target: &str| {
            let those = requests
                .iter()
                .filter(|r| r.method == method && r.target.contains(target));
            those.filter(|r| r.fault.is_none()).count()
        };
        assert_eq!(
            count("POST", "uploads"),
            1,
            "it is an upload in parts: {requests:?}"
        );
        assert_eq!(count("DELETE", "uploadId="), 1, "{requests:?}");
        assert!(lab.server.list("out", "").await?.is_empty());
    }
    // The answer to the last request is lost, which the server has carried out: the file is there, and a
    // second request finds no upload any more.
    lab.proxy
        .fail(Fault::LostAnswer, "/out/lost.parquet?uploadId=");
    let output = lab.run(&copy_large(&lab, "lost.parquet"), "2").await?;
    lab.proxy.peace();
    let requests = lab.proxy.requests();
    answer(&output).map_err(|e| format!("{e}: {requests:?}"))?;
    assert_eq!(lab.server.list("out", "").await?, ["lost.parquet"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_has_its_words() -> Result<()> {
    let lab = Lab::start().await?;
    for (fault, words) in [
        (Fault::InternalError, "failed 3 times"),
        (Fault::SlowDown, "busy"),
        (Fault::TooManyRequests, "busy"),
        (Fault::Reset, " 3 times"),
        (Fault::Truncated, "broke"),
        (Fault::Stall, "--store-timeout"),
    ] {
        lab.proxy.fail(fault, "/layers");
        for from in ["points.parquet", "counties/"] {
            let sql = format!("SELECT sum(ST_NPoints(geometry)) FROM 's3://layers/{from}'");
            let output = lab.run(&sql, "2").await?;
            check_failure(&output, &format!("{fault:?}"));
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(message.contains(words), "{fault:?} {from}: {message}");
        }
    }
    Ok(())
}

/// `geoflow convert` is a writer, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversion_that_fails_leaves_nothing() -> Result<()> {
    let lab = Lab::start().await?;
    let (endpoint, from) = (lab.proxy.endpoint(), lab.local());
    let convert = move |to: &'static str| -> std::result::Result<Output, String> {
        let output = Command::new(env!("CARGO_BIN_EXE_geoflow"))
            .args([
                "convert",
                &from,
                to,
                "--sort=hilbert",
                "--store-timeout=1",
                "--store-retries=2",
            ])
            .args(["--s3-endpoint", &endpoint, "--s3-region=us-east-1"])
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .output();
        output.map_err(|e| e.to_string())
    };
    lab.proxy.fail(Fault::SlowDown, "/converted/points.parquet");
    let run = convert.clone();
    let output =
        tokio::task::spawn_blocking(move || run("s3://converted/points.parquet")).await??;
    check_failure(&output, "convert");
    lab.proxy.peace();
    let output =
        tokio::task::spawn_blocking(move || convert("s3://converted/points.parquet")).await??;
    answer(&output)?;
    assert_eq!(lab.server.list("converted", "").await?, ["points.parquet"]);
    Ok(())
}

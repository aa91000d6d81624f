//! `geoflow query` over `s3://`, against a real S3 server, with credentials and endpoint only from
//! `AWS_*` variables.

mod chaos;
mod clouds;
mod faults;
mod joins;
mod lossy;
mod many;
mod proxy;
mod server;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use server::{ACCESS_KEY, Result, SECRET_KEY, Server};

/// A file of `testdata/`.
fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name)
}

/// `geoflow query` in an environment that holds nothing but these variables.
fn query(sql: &str, environment: &[(&str, &str)]) -> Result<Output> {
    let output = Command::new(env!("CARGO_BIN_EXE_geoflow"))
        .args(["query", "--format", "csv", sql])
        .env_clear()
        .envs(environment.iter().copied())
        .output()?;
    Ok(output)
}

fn query_s3(sql: &str, server: &Server, key: &str, secret: &str) -> Result<Output> {
    let endpoint = server.endpoint();
    query(
        sql,
        &[
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", &endpoint),
        ],
    )
}

/// What a query printed; its standard error when it failed.
fn answer(output: &Output) -> Result<String> {
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(String::from_utf8(output.stdout.clone())?)
}

fn count(url: &str) -> String {
    format!("SELECT count(*) FROM '{url}'")
}

#[tokio::test]
async fn answers_equal_those_of_local_files() -> Result<()> {
    let server = Server::start().await?;
    for name in ["cities", "countries", "helsinki_points", "helsinki_roads"] {
        let file = testdata(&format!("{name}.parquet"));
        server
            .upload(&file, "layers", &format!("{name}.parquet"))
            .await?;
    }
    // Two files of one schema in a folder, one level down.
    let counties = testdata("us_counties.parquet");
    server
        .upload(&counties, "layers", "us/counties/part-0.parquet")
        .await?;
    server
        .upload(&counties, "layers", "us/counties/part-1.parquet")
        .await?;

    let local = |name: &str| testdata(name).display().to_string();
    let join = |cities: &str, countries: &str| {
        format!(
            "SELECT n.name, count(*) AS cities FROM '{cities}' c JOIN '{countries}' n \
             ON ST_Within(c.geometry, n.geometry) GROUP BY n.name ORDER BY n.name"
        )
    };
    let sum = |table: &str| {
        format!(
            "SELECT count(*) AS n, min(id) AS least, sum(ST_NPoints(geometry)) AS v FROM {table}"
        )
    };
    let twice = format!(
        "(SELECT * FROM '{0}' UNION ALL SELECT * FROM '{0}')",
        counties.display()
    );

    let cases = [
        // One object a table, two tables of one bucket in one statement.
        (
            join(
                "s3://layers/cities.parquet",
                "s3://layers/countries.parquet",
            ),
            join(&local("cities.parquet"), &local("countries.parquet")),
        ),
        // A table here and a table there.
        (
            join("s3://layers/cities.parquet", &local("countries.parquet")),
            join(&local("cities.parquet"), &local("countries.parquet")),
        ),
        // A folder, and a glob.
        (sum("'s3://layers/us/counties/'"), sum(&twice)),
        (sum("'s3://layers/us/counties/part-*.parquet'"), sum(&twice)),
        (
            sum("'s3://layers/us/counties/*-1.parquet'"),
            sum(&format!("'{}'", counties.display())),
        ),
    ];
    for (remote, local) in cases {
        let expected = answer(&query(&local, &[])?)?;
        assert!(expected.lines().count() > 1, "no rows: {local}");
        let found = answer(&query_s3(&remote, &server, ACCESS_KEY, SECRET_KEY)?)?;
        assert_eq!(found, expected, "{remote}");
    }

    // The same join has an answer by an engine of other authors.
    let committed = std::fs::read_to_string(testdata("expected/cities_within_countries.csv"))?;
    let sql = join(
        "s3://layers/cities.parquet",
        "s3://layers/countries.parquet",
    );
    assert_eq!(
        answer(&query_s3(&sql, &server, ACCESS_KEY, SECRET_KEY)?)?,
        committed
    );
    Ok(())
}

#[tokio::test]
async fn what_fails_is_named_and_gives_no_secret_away() -> Result<()> {
    let server = Server::start().await?;
    server
        .upload(
            &testdata("countries.parquet"),
            "layers",
            "countries.parquet",
        )
        .await?;

    let there = "s3://layers/countries.parquet";
    let cases = [
        // What is asked for, key, secret; the exit code, and what the message must hold.
        (there, ACCESS_KEY, "wrong-secret", 3, "credentials"),
        (there, "NOBODY", SECRET_KEY, 3, "credentials"),
        // A path that does not exist is the statement's mistake, as it is for a local file.
        ("s3://layers/no.parquet", ACCESS_KEY, SECRET_KEY, 1, "exist"),
        (
            "s3://layers/no/",
            ACCESS_KEY,
            SECRET_KEY,
            1,
            "s3://layers/no/",
        ),
        (
            "s3://absent/no.parquet",
            ACCESS_KEY,
            SECRET_KEY,
            3,
            "bucket",
        ),
    ];
    for (url, key, secret, code, words) in cases {
        let output = query_s3(&count(url), &server, key, secret)?;
        let message = String::from_utf8_lossy(&output.stderr);
        let case = format!("{url} as {key}: {message}");
        assert_eq!(output.status.code(), Some(code), "{case}");
        assert!(
            output.stdout.is_empty(),
            "standard output is for data; {case}"
        );
        assert!(message.contains(url) && message.contains(words), "{case}");
        assert!(!message.contains(secret), "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn results_are_written_to_urls() -> Result<()> {
    let server = Server::start().await?;
    let file = testdata("cities.parquet");
    server.upload(&file, "layers", "cities.parquet").await?;
    let endpoint = server.endpoint();
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_geoflow"))
            .args(args)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .output()
    };
    let cities = "SELECT * FROM 's3://layers/cities.parquet'";
    for out in [
        "s3://layers/out.parquet",
        "s3://layers/out.gpkg",
        "s3://layers/folder/",
    ] {
        answer(&run(&["query", cities, "-o", out, "--sort", "hilbert"])?)?;
        let rows = |url: &str| answer(&run(&["query", "--format", "csv", &count(url)])?);
        assert_eq!(rows(out)?, rows("s3://layers/cities.parquet")?, "{out}");
        let again = run(&["query", cities, "-o", out])?;
        let message = String::from_utf8_lossy(&again.stderr);
        assert_eq!(again.status.code(), Some(1), "{message}");
        assert!(message.contains("--overwrite replaces"), "{message}");
        answer(&run(&["query", cities, "-o", out, "--overwrite"])?)?;
    }
    // Formats that are made here first are sent in the end.
    for out in ["s3://layers/no.gpkg", "s3://layers/no.parquet"] {
        let environment = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", "wrong-secret"),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ];
        let copy = format!("COPY (SELECT ST_Point(1, 2) AS g) TO '{out}'");
        let failed = query(&copy, &environment)?;
        let message = String::from_utf8_lossy(&failed.stderr);
        assert_eq!(failed.status.code(), Some(3), "{message}");
        assert!(message.contains(out), "{message}");
    }
    Ok(())
}

#[test]
fn a_server_that_is_not_there_fails_at_once() -> Result<()> {
    // Taken and let go again: nothing listens on it.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let environment = [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let started = Instant::now();
    let output = query(&count("s3://layers/countries.parquet"), &environment)?;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("cannot be reached"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(30), "{message}");
    Ok(())
}

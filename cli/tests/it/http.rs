//! Files of a web server, of one that runs within the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fixture::Fixture;

/// What the addresses of signed files must end with.
const SIGNATURE: &str = "X-Sig=h1dd3n%2Fsecret&part=(1)";

/// Serves the files of a folder, and parts of them. `/forbidden/` answers 403, `/broken/` 500. Files below `/signed/` are
/// given to those who know the signature, and by GET alone; of those below `/whole/` no parts are given, and below
/// `/chunked/` not even the size is told.
struct Server {
    url: String,
    parts: Arc<AtomicUsize>,
}

impl Server {
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let parts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&parts);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, parts) = (folder.clone(), Arc::clone(&counted));
                std::thread::spawn(move || answer(stream, &folder, &parts));
            }
        });
        Self { url, parts }
    }
}

/// One request on a connection, then it is closed.
fn answer(mut stream: TcpStream, folder: &std::path::Path, parts: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(request)) = lines.next() else {
        return;
    };
    let mut range = None;
    for line in lines.by_ref().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = value.trim().strip_prefix("bytes=").map(str::to_owned);
        }
    }
    let target = request.split(' ').nth(1).unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let is_signed = path.starts_with("/signed/");
    let is_whole = path.starts_with("/whole/");
    let is_chunked = path.starts_with("/chunked/");
    let name = path.rsplit('/').next().unwrap_or_default();
    let file = match is_signed || is_whole || is_chunked {
        true => name,
        false => path.trim_start_matches('/'),
    };
    let status = match path {
        _ if is_signed && (query != SIGNATURE || request.starts_with("HEAD")) => {
            Some("403 Forbidden")
        }
        _ if request.starts_with("HEAD") => Some("501 Not Implemented"),
        path if path.starts_with("/forbidden/") => Some("403 Forbidden"),
        path if path.starts_with("/broken/") => Some("500 Internal Server Error"),
        _ => None,
    };
    let body = std::fs::read(folder.join(file));
    let (status, body) = match (status, body) {
        (Some(status), _) => (status, vec![]),
        (None, Ok(body)) => ("200 OK", body),
        (None, Err(_)) => ("404 Not Found", vec![]),
    };
    let size = body.len();
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nAccept-Ranges: bytes\r\n");
    let mut sent = body.as_slice();
    if let Some(range) = range.filter(|_| status == "200 OK" && !is_whole && !is_chunked) {
        let (from, to) = range.split_once('-').unwrap();
        let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(from), Ok(to)) => (from, (to + 1).min(size)),
            (Ok(from), Err(_)) => (from, size),
            (Err(_), last) => (size - last.unwrap().min(size), size),
        };
        parts.fetch_add(1, Ordering::Relaxed);
        sent = &body[from..to];
        head = head.replace("200 OK", "206 Partial Content");
        head += &format!("Content-Range: bytes {from}-{}/{size}\r\n", to - 1);
    }
    head += "Last-Modified: Sun, 01 Nov 2026 10:00:00 GMT\r\n";
    if !is_chunked {
        head += &format!("Content-Length: {}\r\n", sent.len());
    }
    head += "\r\n";
    // A client that has heard enough goes away.
    let _ = stream.write_all(head.as_bytes());
    if !request.starts_with("HEAD") {
        let _ = stream.write_all(sent);
    }
    let _ = stream.flush();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read(&mut [0; 64]);
}

fn run(fixture: &Fixture, args: &[&str]) -> (i32, String, String) {
    let output = fixture.run(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn files_of_a_web_server() {
    let fixture = Fixture::with_places();
    for name in [
        "places.gpkg",
        "places.geojson",
        "places.fgb",
        "places.csv",
        "places.arrow",
    ] {
        let (code, _, error) = run(&fixture, &["convert", "places.parquet", name, "--quiet"]);
        assert_eq!(code, 0, "{name}: {error}");
    }
    let server = Server::start(fixture.path(""));
    let sql = |name: &str| {
        format!(
            "SELECT count(*) AS n, max(size) AS most FROM '{}/{name}'",
            server.url
        )
    };
    let files = [
        "places.parquet",
        "places.gpkg",
        "places.geojson",
        "places.fgb",
        "places.csv",
        "places.arrow",
    ];
    let mut names: Vec<String> = files.map(str::to_owned).to_vec();
    names.push("places.gpkg/places".to_owned());
    for file in files {
        names.push(format!("signed/{file}?{SIGNATURE}"));
        names.push(format!("whole/{file}"));
        names.push(format!("whole/{file}?x=1"));
        names.push(format!("chunked/{file}"));
    }
    for name in names {
        let (code, out, error) = run(&fixture, &["query", &sql(&name), "--format", "csv"]);
        assert_eq!(
            (code, out.as_str()),
            (0, "n,most\n4,3.5\n"),
            "{name}: {error}"
        );
    }
    assert!(
        server.parts.load(Ordering::Relaxed) > 0,
        "parts of files are asked for"
    );
    let (code, out, error) = run(
        &fixture,
        &["info", &format!("{}/places.parquet", server.url)],
    );
    assert!(code == 0 && out.contains("places.parquet"), "{out}{error}");
}

#[test]
fn what_a_web_server_refuses() {
    let fixture = Fixture::with_places();
    let server = Server::start(fixture.path(""));
    for (path, code, said) in [
        ("missing.parquet", 1, "does not exist"),
        ("missing.gpkg", 1, "does not exist"),
        ("forbidden/a.parquet", 3, "no permission"),
        ("folder/", 1, "cannot be listed"),
        (
            "signed/a.parquet?signature=hidden",
            3,
            "no permission for http://",
        ),
        (
            "signed/a.parquet?signature=hidden",
            3,
            "/signed/a.parquet?...: the signature may have expired",
        ),
        (
            "signed/a.gpkg?signature=hidden",
            3,
            "/signed/a.gpkg?...: the signature may have expired",
        ),
        (
            "missing.csv?signature=hidden",
            1,
            "missing.csv?... does not exist",
        ),
    ] {
        let sql = format!("SELECT * FROM '{}/{path}'", server.url);
        let args = ["query", &sql, "--store-retries", "0"];
        let (found, out, error) = run(&fixture, &args);
        assert_eq!((found, out.as_str()), (code, ""), "{path}: {error}");
        assert!(
            error.contains(said) && !error.contains("hidden"),
            "{path}: {error}"
        );
    }
    // A server cannot be written to.
    let copy = format!("COPY (SELECT 1 AS a) TO '{}/b.parquet'", server.url);
    let (code, _, error) = run(&fixture, &["query", &copy, "--store-retries", "0"]);
    assert!(code != 0 && !error.is_empty(), "{error}");
}

/// An address with a signature is read by every command, and shown by none.
#[test]
fn signatures_are_never_shown() {
    let fixture = Fixture::with_places();
    let server = Server::start(fixture.path(""));
    let signed = format!("{}/signed/places.parquet?{SIGNATURE}", server.url);
    let sql = |text: &str| text.replace("URL", &signed);
    let gone = sql("SELECT * FROM 'URL'").replace("places.parquet", "none.parquet");
    let dead = signed.replace(&server.url, "http://127.0.0.1:9");
    for (code, args) in [
        (0, vec!["query", &sql("SELECT count(*) FROM 'URL'")]),
        (
            0,
            vec![
                "query",
                &sql("EXPLAIN VERBOSE SELECT * FROM 'URL' a WHERE a.size > 1"),
            ],
        ),
        (
            0,
            vec![
                "query",
                &sql("EXPLAIN ANALYZE SELECT * FROM read_parquet(['URL', 'URL'])"),
            ],
        ),
        (0, vec!["query", &sql("DESCRIBE 'URL'")]),
        (
            0,
            vec![
                "query",
                &sql(
                    "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'URL'; CREATE VIEW v AS SELECT * FROM 'URL'; \
                      SELECT count(*) FROM t; SELECT count(*) FROM v",
                ),
            ],
        ),
        (0, vec!["info", &signed]),
        (0, vec!["info", "--format", "json", &signed]),
        (0, vec!["validate", &signed]),
        (0, vec!["convert", &signed, "copy.parquet"]),
        (0, vec!["sjoin", &signed, &signed, "-o", "joined.parquet"]),
        (1, vec!["query", &sql("SELECT sise FROM 'URL'")]),
        (
            1,
            vec!["query", &sql("SELECT 1 FROM 'URL' WHERE size = = 2")],
        ),
        (1, vec!["query", &sql("SELECT ST_Area(name) FROM 'URL'")]),
        (1, vec!["query", &gone]),
        (1, vec!["convert", &signed, "b.parquet", "--select", "sise"]),
        (
            1,
            vec!["job", "plan", &sql("COPY (SELECT * FROM 'URL') TO 'out/'")],
        ),
        (3, vec!["info", &dead]),
        (3, vec!["convert", &dead, "b.parquet"]),
    ] {
        let mut args = args;
        args.extend(["-vvv", "--store-retries", "0"]);
        let (found, out, error) = run(&fixture, &args);
        assert_eq!(found, code, "{args:?}: {out}{error}");
        let said = format!("{out}{error}");
        for hidden in ["h1dd3n", "secret"] {
            assert!(!said.contains(hidden), "{args:?} shows {hidden}: {said}");
        }
    }
    assert!(!fixture.path("b.parquet").exists());
    // Two addresses that differ in the query alone are two tables.
    let both = format!(
        "SELECT count(*) AS n FROM '{signed}' a JOIN '{}/whole/places.parquet?x=1' b USING (size) \
         JOIN '{}/whole/places.parquet?x=2' c USING (size)",
        server.url, server.url
    );
    let (code, out, error) = run(&fixture, &["query", &both, "--format", "csv"]);
    assert_eq!((code, out.is_empty()), (0, false), "{out}{error}");
}

/// What must not be seen: in no message, plan or log, however much is logged.
#[test]
fn keys_are_never_shown() {
    const KEY: &str = "AKIAEXAMPLEEXAMPLE12";
    const SECRET: &str = "wJalrXUtnFEMI0000bPxRfiCYEXAMPLEKEYzzz11";
    const TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN000011112222";
    const AZURE: &str = "c2VjcmV0LWtleS1vZi1henVyZS1leGFtcGxlLWFjY291bnQ=";
    const SAS: &str = "sv=2024&sig=SIGNATUREOFTHEEXAMPLE";
    let fixture = Fixture::with_places();
    let server = Server::start(fixture.path(""));
    for sql in [
        "SELECT * FROM 's3://forbidden/a.parquet'",
        "SELECT * FROM 's3://broken/a.parquet'",
        "EXPLAIN VERBOSE SELECT * FROM 's3://bucket/places.parquet'",
        "EXPLAIN ANALYZE SELECT * FROM 's3://bucket/places.parquet'",
        "COPY (SELECT 1 AS a) TO 's3://forbidden/a.parquet'",
        "SELECT * FROM 'az://broken/a.parquet'",
        "SHOW ALL",
    ] {
        let mut command = fixture.run(&["-vvv", "query", sql, "--store-retries", "1"]);
        command
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", TOKEN)
            .env("AWS_ENDPOINT_URL_S3", &server.url)
            .env("AWS_REGION", "eu-north-1")
            .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
            .env("AZURE_STORAGE_ACCOUNT_KEY", AZURE)
            .env("AZURE_STORAGE_SAS_TOKEN", SAS)
            .env("AZURE_STORAGE_ENDPOINT", &server.url)
            .env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.len() > 40, "{sql}: {said}");
        for hidden in [SECRET, TOKEN, AZURE, "SIGNATUREOFTHEEXAMPLE"] {
            assert!(!said.contains(hidden), "{sql} shows {hidden}: {said}");
        }
    }
}

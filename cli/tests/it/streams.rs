//! Full disks, closed pipes, signals.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta_cmd::assert_cmd_snapshot;

use crate::fixture::Fixture;

/// Takes far longer than any test waits.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 4000000000) a \
    JOIN generate_series(1, 4000000000) b ON a.value % 7 < b.value";

/// Rows without end.
const ROWS: &str = "SELECT value, value * 2 AS twice FROM generate_series(1, 100000000000)";

#[test]
fn a_full_disk() {
    let fixture = Fixture::new();
    assert_cmd_snapshot!(fixture.run(&["query", ROWS, "-o", "/dev/full", "--format", "csv"]));
    assert_cmd_snapshot!(fixture.run(&["query", ROWS, "-o", "/dev/full", "--format", "parquet"]));
    let output = fixture
        .run(&["query", "SELECT 1 AS a"])
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("no space left")
    );
    assert!(fixture.files().is_empty());
}

#[test]
fn a_reader_that_has_enough() {
    let fixture = Fixture::new();
    for format in ["csv", "ndjson", "arrow"] {
        let mut child = fixture
            .run(&["query", ROWS, "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_until(b'1', &mut Vec::new()).unwrap();
        drop(stdout);
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}: {stderr}");
        assert_eq!(stderr, "", "{format}");
    }
}

#[test]
fn ctrl_c_leaves_no_file() {
    const POINTS: &str =
        "SELECT value, ST_Point(value, 1) AS geometry FROM generate_series(1, 100000000000)";
    let copy = |to: &str, options: &str| vec![format!("COPY ({POINTS}) TO '{to}' {options}")];
    let output = |sql: &str, to: &str| [sql, "-o", to].map(str::to_string).to_vec();
    for (signal, args, shown) in [
        ("INT", output(ENDLESS, "out.csv"), "out.csv"),
        ("TERM", output(ROWS, "out.parquet"), "out.parquet"),
        ("INT", output(ROWS, "out.ndjson"), "out.ndjson"),
        ("INT", output(POINTS, "out.gpkg"), "out.gpkg"),
        ("TERM", copy("out.gpkg", ""), "out.gpkg"),
        ("INT", copy("out.shp", ""), "out.shp"),
        ("INT", copy("out.parquet", ""), "out.parquet"),
        (
            "INT",
            copy(
                "out/",
                "STORED AS PARQUET OPTIONS (max_file_size '1KB', row_group_rows '1000')",
            ),
            "out/",
        ),
    ] {
        let fixture = Fixture::new();
        let mut child = fixture
            .run(&["query"])
            .args(&args)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The temporary file shows that the work has begun.
        wait_for(|| !all_files(&fixture.path(".")).is_empty());
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let start = Instant::now();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{signal} {args:?}");
        assert!(start.elapsed() < Duration::from_secs(10));
        let left = all_files(&fixture.path("."));
        assert!(left.is_empty(), "{args:?}: {left:?}");
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let (said, end) =
            stderr.split_at(stderr.len() - format!("{shown} has been removed\n").len());
        assert!(
            said.starts_with("interrupted: what was written of "),
            "{stderr}"
        );
        assert!(end.starts_with(shown), "{stderr}");
    }
}

/// All files below a folder, hidden ones too.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        match path.is_dir() {
            true => files.extend(all_files(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn ctrl_c_while_nobody_reads() {
    let fixture = Fixture::new();
    let mut child = fixture
        .run(&["query", ROWS])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The pipe is full and the writer blocked, when the signal comes.
    std::thread::sleep(Duration::from_millis(1500));
    Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

fn wait_for(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing happened"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

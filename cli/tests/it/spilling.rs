//! Joins that exceed `--memory-limit`: the answer is the same, and the disk is left as it was.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fixture::Fixture;

/// A join of a grid of points with itself, shifted by half of it.
fn join(rows: usize) -> String {
    let side = |shift: usize| {
        format!(
            "(SELECT value + {shift} AS id, ST_Point((value + {shift}) % 1000, (value + {shift}) / 1000) AS g \
             FROM generate_series(1, {rows}))"
        )
    };
    format!(
        "SELECT count(*) AS n, sum(a.id) AS ids FROM {} a JOIN {} b ON ST_Intersects(a.g, b.g)",
        side(0),
        side(rows / 2)
    )
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path) } else { 1 }
        })
        .sum()
}

fn is_left_empty(fixture: &Fixture) {
    let left: Vec<_> = std::fs::read_dir(fixture.path("spill")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("spill")).unwrap();
    fixture
}

#[test]
fn the_answer_is_that_of_enough_memory() {
    let fixture = fixture();
    let answer = |limit: &[&str]| {
        let sql = join(60_000);
        let mut args = vec!["query", &sql, "--format", "csv", "--temp-dir", "spill"];
        args.extend(limit);
        let output = fixture.run(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        is_left_empty(&fixture);
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(answer(&[]), "n,ids\n30000,1350015000\n");
    assert_eq!(answer(&["--memory-limit", "2MB"]), answer(&[]));
}

#[test]
fn explain_analyze_tells_what_was_spilled() {
    let fixture = fixture();
    let sql = format!("EXPLAIN ANALYZE {}", join(60_000));
    let output = fixture
        .run(&["query", &sql, "--memory-limit", "2MB"])
        .output()
        .unwrap();
    let plan = String::from_utf8(output.stdout).unwrap();
    let line = plan
        .lines()
        .find(|line| line.contains("SpatialJoinExec"))
        .unwrap();
    for metric in ["spilled_bytes=", "spilled_rows=", "spill_cells="] {
        let value = line.split(metric).nth(1).unwrap();
        assert!(
            value.starts_with(|c: char| ('1'..='9').contains(&c)),
            "{line}"
        );
    }
}

#[test]
fn too_much_on_disk_ends_the_statement() {
    let fixture = fixture();
    let sql = format!("SET geoflow.spill.max_size = '100KB'; {}", join(60_000));
    let output = fixture
        .run(&[
            "query",
            &sql,
            "--memory-limit",
            "2MB",
            "--temp-dir",
            "spill",
        ])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("geoflow.spill.max_size"), "{message}");
    is_left_empty(&fixture);
}

#[test]
fn sorts_and_aggregates_spill_beside_the_join() {
    let fixture = fixture();
    let sql = "SELECT b.id % 20000 AS k, count(*) AS n, min(a.id) AS least \
        FROM (SELECT value AS id, ST_Point(value % 300, value / 300) AS g FROM generate_series(1, 60000)) a \
        JOIN (SELECT value AS id, ST_Point(value % 300, value / 300) AS g FROM generate_series(1, 60000)) b \
        ON ST_DWithin(a.g, b.g, 1) GROUP BY k ORDER BY least DESC, k LIMIT 100000";
    let answer = |limit: &[&str]| {
        let mut args = vec!["query", sql, "--format", "csv", "--temp-dir", "spill"];
        args.extend(["--threads", "2"]);
        args.extend(limit);
        let output = fixture.run(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        is_left_empty(&fixture);
        String::from_utf8(output.stdout).unwrap()
    };
    let expected = answer(&[]);
    assert_eq!(expected.lines().count(), 20_001);
    assert!(answer(&["--memory-limit", "8MB"]) == expected);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_nothing_on_disk() {
    let fixture = fixture();
    let sql = join(4_000_000);
    let mut child = fixture
        .run(&[
            "query",
            &sql,
            "--memory-limit",
            "16MB",
            "--temp-dir",
            "spill",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while files_below(&fixture.path("spill")) == 0 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing is spilled"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    is_left_empty(&fixture);
}

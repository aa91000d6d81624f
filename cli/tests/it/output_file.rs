//! A result file appears complete or not at all.

use insta_cmd::assert_cmd_snapshot;

use crate::fixture::Fixture;

#[test]
fn existing_files_stay_unless_told_otherwise() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("out.csv"), "mine").unwrap();
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1 AS a", "-o", "out.csv"]));
    assert_eq!(fixture.read("out.csv"), "mine");
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1 AS a", "-o", "out.csv", "--overwrite"]));
    assert_eq!(fixture.read("out.csv"), "a\n1\n");
    assert_eq!(fixture.files(), ["out.csv"]);
}

#[test]
fn a_failure_leaves_what_was_there() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("out.csv"), "mine").unwrap();
    // Rows flow before the one that cannot be computed comes.
    let sql = "SELECT 10 / (50000 - value) AS a FROM generate_series(1, 60000)";
    let output = fixture
        .run(&["query", sql, "-o", "out.csv", "--overwrite"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fixture.read("out.csv"), "mine");
    assert_eq!(fixture.files(), ["out.csv"]);
}

#[test]
fn places_that_cannot_be() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("dir.csv")).unwrap();
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1", "-o", "no/such/out.csv"]));
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1", "-o", "dir.csv"]));
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1", "--temp-dir", "nowhere"]));
    assert_eq!(fixture.files(), ["dir.csv"]);
}

#[test]
fn a_hyphen_is_standard_output() {
    assert_cmd_snapshot!(Fixture::new().run(&[
        "query",
        "SELECT 1 AS a",
        "-o",
        "-",
        "--format",
        "ndjson"
    ]));
}

#[cfg(unix)]
#[test]
fn a_link_keeps_pointing_at_the_result() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("real.csv"), "old").unwrap();
    std::os::unix::fs::symlink("real.csv", fixture.path("link.csv")).unwrap();
    assert!(
        fixture
            .run(&["query", "SELECT 1 AS a", "-o", "link.csv", "--overwrite"])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(fixture.read("real.csv"), "a\n1\n");
    assert!(fixture.path("link.csv").is_symlink());
}

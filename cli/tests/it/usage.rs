//! The command line itself.

use insta_cmd::assert_cmd_snapshot;

use crate::fixture::Fixture;

#[test]
fn help_and_version() {
    let fixture = Fixture::new();
    assert_cmd_snapshot!(fixture.run(&["--help"]));
    assert_cmd_snapshot!(fixture.run(&["query", "--help"]));
    let output = fixture.run(&["--version"]).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"geoflow "));
}

#[test]
fn mistakes() {
    let fixture = Fixture::new();
    for (name, args) in [
        ("no_command", &[][..]),
        ("unknown_command", &["qury"]),
        ("unknown_flag", &["query", "SELECT 1", "--outptu", "x"]),
        ("two_sources", &["query", "SELECT 1", "-f", "x.sql"]),
        ("unknown_format", &["query", "SELECT 1", "--format", "xls"]),
        ("unknown_extension", &["query", "SELECT 1", "-o", "x.xls"]),
        ("no_extension", &["query", "SELECT 1", "-o", "x"]),
        (
            "output_url",
            &["query", "SELECT 1", "-o", "https://example.com/x.csv"],
        ),
        ("overwrite_alone", &["query", "SELECT 1", "--overwrite"]),
        (
            "memory_limit",
            &["query", "SELECT 1", "--memory-limit", "lots"],
        ),
        ("threads", &["query", "SELECT 1", "--threads", "0"]),
        ("max_rows", &["query", "SELECT 1", "--max-rows", "few"]),
        (
            "two_results_one_file",
            &["query", "SELECT 1; SELECT 2", "-o", "x.csv"],
        ),
        (
            "two_results_one_document",
            &["query", "SELECT 1; SELECT 2", "--format", "geojson"],
        ),
        (
            "no_result_for_a_file",
            &[
                "query",
                "SET datafusion.execution.batch_size = 1",
                "-o",
                "x.csv",
            ],
        ),
        ("no_statement", &["query", " ; -- nothing"]),
        ("info_of_nothing", &["info"]),
    ] {
        assert_cmd_snapshot!(format!("usage_{name}"), fixture.run(args));
        assert!(fixture.files().is_empty(), "{name}");
    }
}

#[test]
fn empty_standard_input() {
    assert_cmd_snapshot!(Fixture::new().run(&["query"]).pass_stdin(""));
}

#[test]
fn global_options_stand_before_or_after() {
    let fixture = Fixture::new();
    let after = fixture
        .run(&[
            "query",
            "SELECT 1",
            "--threads",
            "1",
            "--memory-limit",
            "64MiB",
            "-q",
        ])
        .output()
        .unwrap();
    let before = fixture
        .run(&[
            "-q",
            "--threads",
            "1",
            "--memory-limit",
            "64MiB",
            "query",
            "SELECT 1",
        ])
        .output()
        .unwrap();
    assert!(after.status.success());
    assert_eq!(before, after);
}

#[test]
fn errors_as_json() {
    let fixture = Fixture::new();
    assert_cmd_snapshot!(fixture.run(&["query", "SELECT sinus(1)", "--error-format", "json"]));
    assert_cmd_snapshot!(fixture.run(&["--error-format=json", "query", "--nonsense"]));
}

#[test]
fn colour_is_asked_for() {
    let fixture = Fixture::new();
    let plain = fixture.run(&["query", "SELEC"]).output().unwrap();
    assert!(!plain.stderr.contains(&0x1b));
    let coloured = fixture
        .run(&["query", "SELEC", "--color", "always"])
        .output()
        .unwrap();
    assert!(coloured.stderr.contains(&0x1b));
}

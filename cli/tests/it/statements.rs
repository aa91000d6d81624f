//! Where SQL comes from, and several statements in one run.

use insta_cmd::assert_cmd_snapshot;

use crate::fixture::Fixture;

#[test]
fn statements_share_a_session() {
    let fixture = Fixture::with_places();
    assert_cmd_snapshot!(fixture.run(&[
        "query",
        "-c",
        "CREATE EXTERNAL TABLE places STORED AS PARQUET LOCATION 'places.parquet'; -- a ; comment",
        "-c",
        "SET datafusion.execution.batch_size = 1",
        "-c",
        "SELECT id, ';' AS semicolon FROM places ORDER BY id LIMIT 2; SELECT count(*) AS n FROM places",
    ]));
}

#[test]
fn sql_from_standard_input() {
    let fixture = Fixture::new();
    assert_cmd_snapshot!(
        fixture
            .run(&["query"])
            .pass_stdin("SELECT 1 AS one;\nSELECT 2 AS two;\n")
    );
    assert_cmd_snapshot!(
        fixture
            .run(&["query", "-f", "-"])
            .pass_stdin("SELECT 3 AS three")
    );
}

#[test]
fn sql_from_a_file() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("q.sql"), "-- first\nSELECT 1 AS one\n").unwrap();
    assert_cmd_snapshot!(fixture.run(&["query", "-f", "q.sql"]));
    assert_cmd_snapshot!(fixture.run(&["query", "-f", "missing.sql"]));
}

#[test]
fn explain_is_text_in_a_pipe() {
    assert_cmd_snapshot!(Fixture::new().run(&["query", "EXPLAIN SELECT 1 AS a"]));
}

#[test]
fn nothing_is_run_when_a_later_statement_does_not_parse() {
    assert_cmd_snapshot!(Fixture::new().run(&["query", "SELECT 1;\n  SELEC 2"]));
}

#[test]
fn copy_reports_its_rows_beside_the_data() {
    let fixture = Fixture::with_places();
    assert_cmd_snapshot!(fixture.run(&[
        "query",
        "COPY (SELECT id FROM 'places.parquet') TO 'copy.csv' STORED AS CSV"
    ]));
    assert_eq!(fixture.read("copy.csv").lines().count(), 5);
}

#[test]
fn timing_is_a_line_on_standard_error() {
    let fixture = Fixture::new();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d{3} s", "[time] s");
    settings.bind(|| assert_cmd_snapshot!(fixture.run(&["query", "SELECT 1 AS a", "--timing"])));
}

#[test]
fn rows_are_inserted_where_the_same_query_wrote_before() {
    let fixture = Fixture::with_places();
    let query = "SELECT id, geometry FROM 'places.parquet'";
    let sql = format!(
        "COPY ({query}) TO 'out/' STORED AS PARQUET; \
         CREATE EXTERNAL TABLE o STORED AS PARQUET LOCATION 'out/'; \
         INSERT INTO o {query}; INSERT INTO 'out/' {query}; \
         SELECT count(*) AS n, count(bbox) AS boxes FROM 'out/'"
    );
    let run = |sql: &str| fixture.run(&["query", "-c", sql]).output().unwrap();
    let output = run(&sql);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.ends_with("n,boxes\n12,9\n"), "{said}");
    // What is missing is named.
    let output = run("INSERT INTO 'out/' SELECT 1");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("3 columns (id, geometry, bbox)"), "{said}");
}

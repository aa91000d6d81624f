//! The reference of the functions.

use insta_cmd::assert_cmd_snapshot;
use serde_json::Value;

use crate::fixture::Fixture;

#[test]
fn one_function_and_unknown_ones() {
    let fixture = Fixture::new();
    assert_cmd_snapshot!("functions_one", fixture.run(&["functions", "st_dwithin"]));
    assert_cmd_snapshot!(
        "functions_slip",
        fixture.run(&["functions", "st_intersect"])
    );
    assert_cmd_snapshot!("functions_unknown", fixture.run(&["functions", "upper"]));
}

#[test]
fn all_functions() {
    let fixture = Fixture::new();
    let run = |args: &[&str]| {
        let output = fixture.run(args).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run(&["functions"]);
    assert!(
        table.lines().any(|line| line.starts_with("ST_Within ")),
        "{table}"
    );
    let json: Value = serde_json::from_str(&run(&["functions", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), table.lines().count());
    let markdown = run(&["functions", "--format", "markdown"]);
    assert!(markdown.contains("\n### ST_Within\n"));
}

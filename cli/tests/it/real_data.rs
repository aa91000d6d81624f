//! The main job on real data: the answers are GeoPandas' (`testdata/expected`).

use std::path::Path;
use std::process::Command;

use insta_cmd::get_cargo_bin;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Standard output of a query that succeeds, run where `testdata` is.
fn answer(args: &[&str]) -> String {
    let mut command = Command::new(get_cargo_bin("geoflow"));
    let output = command
        .current_dir(repository())
        .arg("query")
        .args(args)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn expected(name: &str) -> String {
    std::fs::read_to_string(repository().join("testdata/expected").join(name)).unwrap()
}

const CITIES_IN_COUNTRIES: &str = "SELECT n.name, count(*) AS cities \
    FROM 'testdata/cities.parquet' c \
    JOIN 'testdata/countries.parquet' n ON ST_Within(c.geometry, n.geometry) \
    GROUP BY n.name ORDER BY n.name";

#[test]
fn cities_within_countries() {
    assert_eq!(
        answer(&[CITIES_IN_COUNTRIES]),
        expected("cities_within_countries.csv")
    );
}

#[test]
fn by_a_spatial_join() {
    let plan = answer(&[&format!("EXPLAIN {CITIES_IN_COUNTRIES}")]);
    assert!(plan.contains("SpatialJoinExec"), "{plan}");
}

//! Bad statements and bad data: a message that says where and what to do, an exit code, no file.

use insta_cmd::assert_cmd_snapshot;
use serde_json::json;

use crate::fixture::{Fixture, finnish_crs, geo, point, square};

/// Asks for a result file, so that every case shows that none is left.
fn assert_refused(name: &str, fixture: &Fixture, sql: &str) {
    let before = fixture.files();
    let mut settings = insta::Settings::clone_current();
    let directory = fixture.path("").canonicalize().unwrap();
    let directory = directory.to_string_lossy();
    let directory = directory.trim_end_matches('/');
    settings.add_filter(directory, "[dir]");
    settings.add_filter(directory.trim_start_matches('/'), "[dir]");
    settings.bind(|| assert_cmd_snapshot!(name, fixture.run(&["query", sql, "-o", "out.csv"])));
    assert_eq!(fixture.files(), before, "{name}");
}

#[test]
fn statements() {
    let fixture = Fixture::with_places();
    for (name, sql) in [
        (
            "does_not_parse",
            "SELECT id\n  FROM 'places.parquet' WHERE ORDER BY id",
        ),
        ("does_not_tokenize", "SELECT 'open"),
        (
            "unknown_function",
            "SELECT st_intersect(geometry, geometry) FROM 'places.parquet'",
        ),
        ("unknown_column", "SELECT nmae FROM 'places.parquet'"),
        (
            "unknown_column_far",
            "SELECT population FROM 'places.parquet'",
        ),
        (
            "unknown_table",
            "CREATE TABLE cities AS SELECT 1; SELECT * FROM citys",
        ),
        ("missing_path", "SELECT * FROM 'nowhere/cities.parquet'"),
        ("missing_glob", "SELECT * FROM 'nowhere/*.parquet'"),
        (
            "missing_location",
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'nope.parquet'; SELECT * FROM t",
        ),
        ("division", "SELECT 1 / 0"),
        ("cast", "SELECT 'abc'::INT"),
        ("unknown_setting", "SET geoflow.nonsense = 1; SELECT 1"),
    ] {
        assert_refused(&format!("bad_sql_{name}"), &fixture, sql);
    }
}

#[test]
fn files() {
    let fixture = Fixture::with_places();
    std::fs::write(
        fixture.path("text.parquet"),
        "this is no parquet file at all",
    )
    .unwrap();
    std::fs::write(fixture.path("empty.parquet"), "").unwrap();
    let whole = std::fs::read(fixture.path("places.parquet")).unwrap();
    std::fs::write(
        fixture.path("truncated.parquet"),
        &whole[..whole.len() - 100],
    )
    .unwrap();
    let one = [Some(point(1.0, 2.0))];
    fixture.write(
        "broken_geo.parquet",
        &one,
        Some("{\"version\": \"1.1.0\", "),
    );
    fixture.write("empty_geo.parquet", &one, Some("{}"));
    fixture.write(
        "no_column.parquet",
        &one,
        Some(&geo(json!({})).replace("\"geometry\"", "\"geom\"")),
    );
    for name in [
        "text",
        "empty",
        "truncated",
        "broken_geo",
        "empty_geo",
        "no_column",
    ] {
        assert_refused(
            &format!("bad_file_{name}"),
            &fixture,
            &format!("SELECT * FROM '{name}.parquet'"),
        );
    }
}

#[test]
fn geometries() {
    let fixture = Fixture::new();
    let good = point(1.0, 2.0);
    let mut cut = square(0.0, 0.0);
    cut.truncate(40);
    let rings = vec![1, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let vertices = vec![1, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0];
    let nested: Vec<u8> = [1u8, 7, 0, 0, 0, 1, 0, 0, 0].repeat(1000);
    for (name, wkb) in [
        ("cut_short", cut),
        ("absurd_rings", rings),
        ("absurd_vertices", vertices),
        ("nested", nested),
        ("nan", point(f64::NAN, 1.0)),
        ("infinite", point(1.0, f64::INFINITY)),
        ("no_bytes", vec![]),
        ("unknown_type", vec![1, 99, 0, 0, 0]),
    ] {
        let file = format!("{name}.parquet");
        fixture.write(
            &file,
            &[Some(good.clone()), Some(wkb)],
            Some(&geo(json!({}))),
        );
        assert_refused(
            &format!("bad_geometry_{name}"),
            &fixture,
            &format!("SELECT geometry FROM '{file}'"),
        );
        assert_refused(
            &format!("bad_geometry_{name}_predicate"),
            &fixture,
            &format!("SELECT id FROM '{file}' WHERE ST_Intersects(geometry, ST_Point(1, 2))"),
        );
        assert_refused(
            &format!("bad_geometry_{name}_join"),
            &fixture,
            &format!(
                "SELECT a.id FROM '{file}' a JOIN '{file}' b ON ST_Intersects(a.geometry, b.geometry)"
            ),
        );
    }
}

#[test]
fn two_systems() {
    let fixture = Fixture::with_places();
    let finnish = geo(json!({ "crs": finnish_crs() }));
    fixture.write(
        "finnish.parquet",
        &[Some(point(385000.0, 6672000.0))],
        Some(&finnish),
    );
    for (name, sql) in [
        (
            "join",
            "SELECT a.id FROM 'places.parquet' a \
             JOIN 'finnish.parquet' b ON ST_Intersects(a.geometry, b.geometry)",
        ),
        (
            "predicate",
            "SELECT a.id FROM 'places.parquet' a, 'finnish.parquet' b \
             WHERE NOT ST_Intersects(a.geometry, b.geometry)",
        ),
        (
            "distance",
            "SELECT ST_Distance(a.geometry, b.geometry) FROM 'places.parquet' a, 'finnish.parquet' b",
        ),
    ] {
        assert_refused(&format!("bad_crs_{name}"), &fixture, sql);
    }
}

#[test]
fn memory() {
    let fixture = Fixture::new();
    let sql = "SELECT a.value, b.value AS other FROM generate_series(1, 2000000) a \
               JOIN generate_series(1, 2000000) b ON a.value = b.value";
    let args = ["query", sql, "-o", "out.csv", "--memory-limit", "1MB"];
    let output = fixture.run(&args).output().unwrap();
    // Who asks for how much is chance.
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("error: out of memory: "), "{stderr}");
    assert!(stderr.contains("hint: raise --memory-limit"), "{stderr}");
    assert!(fixture.files().is_empty());
}

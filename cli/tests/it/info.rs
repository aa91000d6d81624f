//! `geoflow info`.

use insta_cmd::assert_cmd_snapshot;
use serde_json::{Value, json};

use crate::fixture::{Fixture, finnish_crs, geo, point};

fn filtered(fixture: &Fixture, check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    let directory = fixture.path("").canonicalize().unwrap();
    settings.add_filter(directory.to_string_lossy().trim_end_matches('/'), "[dir]");
    settings.add_filter(
        r"parquet-rs version [0-9.]+",
        "parquet-rs version [version]",
    );
    settings.add_filter(r", [0-9.]+ KiB", ", [size] KiB");
    settings.bind(check);
}

#[test]
fn text() {
    let fixture = Fixture::with_places();
    filtered(&fixture, || {
        assert_cmd_snapshot!(fixture.run(&["info", "places.parquet"]))
    });
}

#[test]
fn json_for_programs() {
    let fixture = Fixture::with_places();
    let crs =
        json!({ "crs": finnish_crs(), "bbox": [1.0, 2.0, 3.0, 4.0], "geometry_types": ["Point"] });
    fixture.write("finnish.parquet", &[Some(point(1.0, 2.0))], Some(&geo(crs)));
    fixture.write("plain.parquet", &[Some(point(1.0, 2.0))], None);
    let output = fixture
        .run(&[
            "info",
            "finnish.parquet",
            "plain.parquet",
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    let files: Value = serde_json::from_slice(&output.stdout).unwrap();
    let column = &files[0]["geoparquet"]["columns"][0];
    assert_eq!(column["crs"], "EPSG:3067");
    assert_eq!(column["bounds"], json!([1.0, 2.0, 3.0, 4.0]));
    assert_eq!(column["pruning"]["possible"], json!(false));
    assert_eq!(files[1]["geoparquet"], Value::Null);
    assert_eq!(files[1]["rows"], json!(1));
}

#[test]
fn directories_are_read_file_by_file() {
    let fixture = Fixture::with_places();
    std::fs::create_dir(fixture.path("many")).unwrap();
    fixture.write("many/b.parquet", &[Some(point(1.0, 2.0))], None);
    fixture.write(
        "many/a.parquet",
        &[Some(point(1.0, 2.0))],
        Some(&geo(json!({ "crs": null }))),
    );
    filtered(&fixture, || {
        assert_cmd_snapshot!(fixture.run(&["info", "many"]))
    });
}

#[test]
fn what_cannot_be_read() {
    let fixture = Fixture::with_places();
    std::fs::write(
        fixture.path("text.parquet"),
        "this is no parquet file at all",
    )
    .unwrap();
    std::fs::create_dir(fixture.path("empty")).unwrap();
    filtered(&fixture, || {
        assert_cmd_snapshot!(fixture.run(&["info", "missing.parquet"]));
        assert_cmd_snapshot!(fixture.run(&["info", "text.parquet"]));
        assert_cmd_snapshot!(fixture.run(&["info", "empty"]));
    });
}

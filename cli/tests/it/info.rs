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

#[test]
fn other_formats() {
    let fixture = Fixture::with_places();
    std::fs::write(
        fixture.path("a.geojson"),
        r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","properties":{"name":"x"},"geometry":{"type":"Point","coordinates":[1,2]}},
            {"type":"Feature","properties":{},"geometry":{"type":"LineString","coordinates":[[3,4,0],[5,6,0]]}}]}"#,
    )
    .unwrap();
    std::fs::write(fixture.path("a.csv"), "n,wkt\n1,POINT(1 2)\n").unwrap();
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/formats");
    let said = |path: &str| {
        let output = fixture.run(&["info", path]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (path, expected) in [
        (
            "a.geojson".to_owned(),
            vec![
                "GeoJSON, ",
                "rows        2",
                "geometry: LineString Z, Point",
                "OGC:CRS84",
                "x 1 to 5, y 2 to 6",
            ],
        ),
        (
            "a.csv".to_owned(),
            vec!["CSV, ", "rows        1", "wkt: types not listed", "unknown"],
        ),
        (
            format!("{testdata}/places.gpkg"),
            vec![
                "layer       points",
                "layer       grid",
                "rows        400",
                "EPSG:3067",
                "  index     yes",
            ],
        ),
        (
            format!("{testdata}/places.gpkg/points"),
            vec!["rows        3", "Point Z"],
        ),
        (
            format!("{testdata}/places.shp"),
            vec![
                "rows        3",
                "Polygon, MultiPolygon",
                "EPSG:3067",
                "x 0 to 39, y 0 to 10",
                "founded   Date32",
            ],
        ),
        (
            format!("{testdata}/grid.fgb"),
            vec!["rows        400", "Point", "  index     yes"],
        ),
        (
            format!("{testdata}/places.feather"),
            vec!["Feather", "rows        3", "EPSG:3067"],
        ),
    ] {
        let text = said(&path);
        for part in expected {
            assert!(text.contains(part), "{path}: {part}: {text}");
        }
    }
    let output = fixture
        .run(&["info", "a.geojson", "--format", "json"])
        .output()
        .unwrap();
    let files: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(files[0]["layers"][0]["rows"], json!(2));
    assert_eq!(
        files[0]["layers"][0]["geometry"]["bounds"],
        json!([1.0, 2.0, 5.0, 6.0])
    );
}

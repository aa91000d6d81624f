//! `geoflow convert` and `geoflow validate`.

use insta_cmd::assert_cmd_snapshot;
use serde_json::json;

use crate::fixture::{Fixture, geo, point, square};

fn filtered(fixture: &Fixture, check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    let directory = fixture.path("").canonicalize().unwrap();
    settings.add_filter(directory.to_string_lossy().trim_end_matches('/'), "[dir]");
    settings.add_filter(r"[0-9.]+ (ms|s|B|KiB|kB)\b", "[n] $1");
    settings.add_filter(r"[0-9]{13,}-[0-9a-f-]+|[0-9a-f]{8,}", "[unique]");
    settings.bind(check);
}

#[test]
fn convert_says_what_it_wrote() {
    let fixture = Fixture::with_places();
    filtered(&fixture, || {
        assert_cmd_snapshot!(fixture.run(&[
            "convert",
            "places.parquet",
            "out.parquet",
            "--sort",
            "hilbert"
        ]));
        assert_cmd_snapshot!(fixture.run(&["convert", "places.parquet", "out.parquet"]));
        assert_cmd_snapshot!(fixture.run(&[
            "convert",
            "places.parquet",
            "cells",
            "--partition",
            "kd:2",
            "--quiet"
        ]));
        assert_cmd_snapshot!(fixture.run(&[
            "convert",
            "places.parquet",
            "cells",
            "--partition",
            "kd:none"
        ]));
        assert_cmd_snapshot!(fixture.run(&[
            "convert",
            "places.parquet",
            "out.gpkg",
            "--partition",
            "h3:3"
        ]));
        assert_cmd_snapshot!(fixture.run(&[
            "convert",
            "places.parquet",
            "out.geojson",
            "--bbox=1,2,3"
        ]));
    });
    let folders: Vec<String> = std::fs::read_dir(fixture.path("cells"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    for folder in ["kd=0", "kd=1", "kd=__HIVE_DEFAULT_PARTITION__"] {
        assert!(folders.iter().any(|found| found == folder), "{folders:?}");
    }
    assert_eq!(fixture.files(), ["cells", "out.parquet", "places.parquet"]);
}

#[test]
fn validate_tells_errors_from_advice() {
    let fixture = Fixture::with_places();
    let wrong = json!({ "geometry_types": ["Point"], "bbox": [0.0, 0.0, 1.0, 1.0] });
    fixture.write(
        "wrong.parquet",
        &[Some(point(5.0, 6.0)), Some(square(0.0, 0.0))],
        Some(&geo(wrong)),
    );
    fixture.write("plain.parquet", &[Some(point(5.0, 6.0))], None);
    let written = fixture
        .run(&["convert", "places.parquet", "written.parquet", "--quiet"])
        .status();
    assert!(written.unwrap().success());
    filtered(&fixture, || {
        assert_cmd_snapshot!(fixture.run(&["validate", "written.parquet"]));
        assert_cmd_snapshot!(fixture.run(&[
            "validate",
            "places.parquet",
            "wrong.parquet",
            "plain.parquet"
        ]));
        assert_cmd_snapshot!(fixture.run(&["validate", "wrong.parquet", "--format", "json"]));
        assert_cmd_snapshot!(fixture.run(&["validate", "missing.parquet"]));
    });
}

//! The same rows in every format.

use std::io::Cursor;

use arrow::ipc::reader::{FileReader, StreamReader};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use insta_cmd::assert_cmd_snapshot;
use serde_json::Value;

use crate::fixture::{Fixture, finnish_crs, geo, point};

const ALL: &str = "SELECT * FROM 'places.parquet'";

/// One column of each kind that formats tend to stumble over.
const ODD_TYPES: &str = "SELECT [1, NULL, 3] AS list, named_struct('a', 1, 'b', 'x') AS struct, \
    arrow_cast('00ff', 'Binary') AS bytes, 1.50::DECIMAL(10, 2) AS decimal, \
    TIMESTAMP '2024-02-29T12:30:00' AS ts, DATE '2024-02-29' AS day, \
    INTERVAL '1 day 2 hours' AS span, 'NaN'::DOUBLE AS nan, true AS yes, NULL AS nothing, \
    18446744073709551615::BIGINT UNSIGNED AS big, MAP {'k': 1} AS map";

#[test]
fn table() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "table"]));
}

#[test]
fn csv_is_the_default_of_a_pipe() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL]));
}

#[test]
fn tsv() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "tsv"]));
}

#[test]
fn json() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "json"]));
}

#[test]
fn ndjson() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "ndjson"]));
}

#[test]
fn geojson_turns_rings_and_keeps_properties() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "geojson"]));
}

#[test]
fn geojsonseq() {
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", ALL, "--format", "geojsonseq"]));
}

#[test]
fn geojson_with_a_second_geometry_and_no_property() {
    let sql = "SELECT geometry, geometry AS other FROM 'places.parquet' LIMIT 1; SELECT geometry FROM 'places.parquet' LIMIT 1";
    assert_cmd_snapshot!(Fixture::with_places().run(&["query", sql, "--format", "geojsonseq"]));
}

#[test]
fn results_without_rows() {
    let fixture = Fixture::with_places();
    let none = "SELECT id, geometry FROM 'places.parquet' WHERE false";
    for format in ["table", "csv", "json", "ndjson", "geojson", "geojsonseq"] {
        assert_cmd_snapshot!(
            format!("empty_{format}"),
            fixture.run(&["query", none, "--format", format])
        );
    }
}

#[test]
fn odd_types() {
    let fixture = Fixture::new();
    for format in ["table", "csv", "ndjson"] {
        assert_cmd_snapshot!(
            format!("odd_types_{format}"),
            fixture.run(&["query", ODD_TYPES, "--format", format])
        );
    }
    for format in ["parquet", "arrow"] {
        let output = fixture
            .run(&["query", ODD_TYPES, "--format", format])
            .output()
            .unwrap();
        // Intervals have no form in parquet; that must be said, not crash.
        let code = output.status.code().unwrap();
        assert!(
            code == 0 || code == 1,
            "{format}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn json_is_json() {
    let fixture = Fixture::with_places();
    for format in ["json", "geojson"] {
        let output = fixture
            .run(&["query", ALL, "--format", format])
            .output()
            .unwrap();
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = value
            .get("features")
            .unwrap_or(&value)
            .as_array()
            .unwrap()
            .len();
        assert_eq!(rows, 4, "{format}");
    }
}

#[test]
fn arrow_is_a_file_or_a_stream() {
    let fixture = Fixture::with_places();
    assert!(
        fixture
            .run(&["query", ALL, "-o", "out.arrow"])
            .status()
            .unwrap()
            .success()
    );
    let file = std::fs::File::open(fixture.path("out.arrow")).unwrap();
    let reader = FileReader::try_new(file, None).unwrap();
    assert_eq!(
        reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        4
    );
    let output = fixture
        .run(&["query", ALL, "--format", "arrow"])
        .output()
        .unwrap();
    let reader = StreamReader::try_new(Cursor::new(output.stdout), None).unwrap();
    assert_eq!(
        reader.schema().field(3).extension_type_name(),
        Some("geoarrow.wkb")
    );
    assert_eq!(
        reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(),
        4
    );
}

#[test]
fn parquet_is_geoparquet() {
    let fixture = Fixture::with_places();
    assert!(
        fixture
            .run(&["query", ALL, "-o", "out.parquet"])
            .status()
            .unwrap()
            .success()
    );
    let file = std::fs::File::open(fixture.path("out.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let metadata = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    let geo = metadata.iter().find(|entry| entry.key == "geo").unwrap();
    let geo: Value = serde_json::from_str(geo.value.as_ref().unwrap()).unwrap();
    assert_eq!(geo["version"], "1.1.0");
    assert_eq!(geo["primary_column"], "geometry");
    assert!(geo["columns"]["geometry"]["covering"]["bbox"].is_object());
    assert_eq!(reader.metadata().file_metadata().num_rows(), 4);
}

#[test]
fn geojson_refuses_other_systems() {
    let fixture = Fixture::new();
    fixture.write(
        "finnish.parquet",
        &[Some(point(385000.0, 6672000.0))],
        Some(&geo(serde_json::json!({ "crs": finnish_crs() }))),
    );
    assert_cmd_snapshot!(fixture.run(&[
        "query",
        "SELECT geometry AS \"My Place\" FROM 'finnish.parquet'",
        "--format",
        "geojson"
    ]));
    // An unknown CRS is taken at the user's word.
    fixture.write(
        "unknown.parquet",
        &[Some(point(1.0, 2.0))],
        Some(&geo(serde_json::json!({ "crs": null }))),
    );
    assert!(
        fixture
            .run(&[
                "query",
                "SELECT * FROM 'unknown.parquet'",
                "-o",
                "x.geojson"
            ])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn geojson_needs_a_geometry() {
    assert_cmd_snapshot!(Fixture::new().run(&["query", "SELECT 1 AS a", "-o", "x.geojson"]));
}

#[test]
fn max_rows_cuts_tables_only_and_says_so() {
    let fixture = Fixture::new();
    let sql = "SELECT * FROM generate_series(1, 100)";
    assert_cmd_snapshot!(fixture.run(&["query", sql, "--format", "table", "--max-rows", "3"]));
    for (format, rows, lines) in [
        ("csv", "3", 101),
        ("table", "all", 104),
        ("table", "0", 104),
        ("table", "40", 44),
    ] {
        let output = fixture
            .run(&["query", sql, "--format", format, "--max-rows", rows])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().lines().count(),
            lines,
            "{format} {rows}"
        );
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    assert_cmd_snapshot!(Fixture::new().run(&[
        "query",
        "SELECT chr(27) || '[31mred' AS \"a\", 'é漢' AS b",
        "--format",
        "table"
    ]));
}

#[test]
fn one_name_for_two_columns() {
    let fixture = Fixture::with_places();
    let sql =
        "SELECT a.id, b.id FROM 'places.parquet' a JOIN 'places.parquet' b USING (name) LIMIT 1";
    assert_cmd_snapshot!(fixture.run(&["query", sql, "--format", "json"]));
    assert_cmd_snapshot!(fixture.run(&["query", sql, "-o", "x.parquet"]));
    assert!(
        fixture
            .run(&["query", sql, "--format", "csv"])
            .status()
            .unwrap()
            .success()
    );
}

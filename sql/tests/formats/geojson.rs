//! GeoJSON.

use crate::Desk;

const PLACES: &str = r#"{
"type": "FeatureCollection",
"name": "places",
"features": [
{"type": "Feature", "id": 7, "properties": {"name": "Pasila", "size": 1, "when": "2024-02-29T12:00:00Z", "day": "2024-02-29", "tags": {"b": [1, "x"], "a": null}}, "geometry": {"type": "Point", "coordinates": [24.9, 60.2]}},
{"type": "Feature", "properties": {"size": 2.5, "name": null, "mixed": 3}, "geometry": null},
{"type": "Feature", "geometry": {"coordinates": [[24.0, 60.0, 5.0], [25.0, 61.0]], "type": "LineString"}, "properties": null, "note": [1]},
{"type": "Feature", "properties": {"mixed": "k", "name": "\u00e4\"x"}},
{"type": "Feature", "properties": {"ok": true}, "geometry": {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]}}
]
}"#;

#[tokio::test]
async fn columns_values_and_crs() {
    let desk = Desk::new();
    desk.write("a.geojson", PLACES);
    assert_eq!(
        desk.columns("SELECT * FROM '$/a.geojson'").await,
        "id Int64, name Utf8View, size Float64, when Timestamp(µs, \"UTC\"), day Date32, tags Utf8View, \
         mixed Utf8View, ok Boolean, geometry BinaryView"
    );
    let sql = "SELECT id, name, size, \"when\", day, tags, mixed, ok, ST_AsText(geometry) \
               FROM '$/a.geojson'";
    assert_eq!(
        desk.answer(sql).await,
        [
            r#"7|Pasila|1.0|2024-02-29T12:00:00Z|2024-02-29|{"b":[1,"x"],"a":null}|||POINT(24.9 60.2)"#,
            "||2.5||||3||",
            "||||||||LINESTRING Z (24 60 5,25 61 0)",
            "|ä\"x|||||k||",
            "|||||||true|GEOMETRYCOLLECTION(POINT(1 2))",
        ]
    );
    assert_eq!(
        desk.crs("SELECT * FROM '$/a.geojson'").await.unwrap(),
        "OGC:CRS84"
    );
    // Nothing is asked of the columns.
    assert_eq!(
        desk.answer("SELECT count(*) FROM '$/a.geojson'").await,
        ["5"]
    );
    assert_eq!(
        desk.answer("SELECT size FROM '$/a.geojson' LIMIT 2").await,
        ["1.0", "2.5"]
    );
}

#[tokio::test]
async fn features_one_after_another() {
    let desk = Desk::new();
    let feature = |n: usize| {
        format!(
            r#"{{"type":"Feature","properties":{{"n":{n}}},"geometry":{{"type":"Point","coordinates":[{n},1]}}}}"#
        )
    };
    let lines: Vec<String> = (0..11).map(feature).collect();
    desk.write("a.geojsonl", lines.join("\n"));
    desk.write("b.ndjson", lines.join("\r\n") + "\n");
    desk.write("c.geojsons", format!("\u{1e}{}\n", lines.join("\n\u{1e}")));
    desk.write("one.json", feature(3));
    desk.write("shape.geojson", r#"{"type":"Point","coordinates":[1,2]}"#);
    for name in ["a.geojsonl", "b.ndjson", "c.geojsons"] {
        let sql = format!("SELECT sum(n), max(ST_X(geometry)) FROM '$/{name}'");
        assert_eq!(desk.answer(&sql).await, ["55|10.0"], "{name}");
    }
    assert_eq!(desk.answer("SELECT n FROM '$/one.json'").await, ["3"]);
    assert_eq!(
        desk.answer("SELECT ST_AsText(geometry) FROM '$/shape.geojson'")
            .await,
        ["POINT(1 2)"]
    );
    // What is no GeoJSON stays with the reader of JSON.
    desk.write("plain.json", "{\"n\": 5}\n{\"n\": 6}\n");
    assert_eq!(
        desk.answer("SELECT sum(n) FROM '$/plain.json'").await,
        ["11"]
    );
}

#[tokio::test]
async fn names_that_meet() {
    let desk = Desk::new();
    desk.write(
        "a.geojson",
        r#"{"type":"Feature","id":"x","properties":{"id":1,"geometry":"no","geometry":"twice"},"geometry":null}"#,
    );
    assert_eq!(
        desk.columns("SELECT * FROM '$/a.geojson'").await,
        "id_1 Utf8View, id Int64, geometry Utf8View, geometry_1 BinaryView"
    );
    assert_eq!(
        desk.answer("SELECT * FROM '$/a.geojson'").await,
        ["x|1|no|"]
    );
}

#[tokio::test]
async fn the_crs_of_old_files() {
    let desk = Desk::new();
    let with = |crs: &str| format!(r#"{{"type":"FeatureCollection","crs":{crs},"features":[]}}"#);
    desk.write(
        "named.geojson",
        with(r#"{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::3067"}}"#),
    );
    desk.write("none.geojson", with("null"));
    desk.write(
        "link.geojson",
        with(r#"{"type":"link","properties":{"href":"http://x"}}"#),
    );
    assert_eq!(
        desk.crs("SELECT * FROM '$/named.geojson'").await.unwrap(),
        "EPSG:3067"
    );
    assert_eq!(desk.crs("SELECT * FROM '$/none.geojson'").await, None);
    let message = desk.failure("SELECT * FROM '$/link.geojson'").await;
    assert!(
        message.contains("link.geojson: the member crs names no CRS"),
        "{message}"
    );
}

#[tokio::test]
async fn wrong_files_say_where() {
    let desk = Desk::new();
    let collection = |features: &str| {
        format!("{{\"type\":\"FeatureCollection\",\"features\":[\n{features}\n]}}")
    };
    let point = |coordinates: &str| {
        format!(
            r#"{{"type":"Feature","geometry":{{"type":"Point","coordinates":{coordinates}}},"properties":{{}}}}"#
        )
    };
    let good = point("[1,2]");
    for (content, expected) in [
        (
            " ".into(),
            "a.geojson, line 1, column 2: the file holds nothing but white space",
        ),
        (
            "<gml>".into(),
            "a.geojson, line 1, column 1: this is no GeoJSON",
        ),
        (
            collection(&good)[..90].into(),
            "the file ends too early, after 0 whole features",
        ),
        (
            collection(&format!("{good},\n{}", point("[[1,2]]"))),
            "a.geojson, feature 2, line 3, column 1: the geometry is wrong: expected a position of two \
             numbers or more at coordinates",
        ),
        (
            collection(&format!("{good},\n{}", point("[1,\"2\"]"))),
            "a.geojson, feature 2, line 3, column 65: invalid type: string \"2\", expected f64",
        ),
        (
            collection(&format!("{good},\n[1]")),
            "line 3, column 1: expected feature 2 to be an object, found [1]",
        ),
        (
            collection("{\"x\":1}"),
            "feature 1, line 2, column 7: expected a member \"type\"",
        ),
        (
            collection(r#"{"type":"Feature","properties":[],"geometry":null}"#),
            "feature 1, line 2, column 33: invalid type: sequence, expected \"properties\" to be",
        ),
        (
            collection(
                r#"{"type":"Feature","properties":{},"geometry":{"type":"Circle","coordinates":[1,2]}}"#,
            ),
            "feature 1, line 2, column 1: the geometry is wrong: expected the name of a geometry type",
        ),
    ] {
        desk.write("a.geojson", &content);
        let message = desk.failure("SELECT * FROM '$/a.geojson'").await;
        assert!(message.contains(expected), "{content}: {message}");
    }
    let message = desk.failure("SELECT * FROM '$/b.geojson'").await;
    assert!(message.contains("b.geojson does not exist"), "{message}");
}

#[tokio::test]
async fn files_by_a_pattern() {
    let desk = Desk::new();
    let point = |x: i32, property: &str| {
        format!(
            r#"{{"type":"Feature","properties":{{{property}}},"geometry":{{"type":"Point","coordinates":[{x},1]}}}}"#
        )
    };
    for i in 0..5 {
        desk.write(&format!("p{i}.geojson"), point(i, &format!("\"n\":{i}")));
    }
    assert_eq!(
        desk.answer("SELECT sum(n) FROM '$/p*.geojson'").await,
        ["10"]
    );
    desk.write("p5.geojson", point(1, "\"n\":\"five\""));
    let message = desk.failure("SELECT * FROM '$/p*.geojson'").await;
    assert!(
        message.contains("p0.geojson and GeoJSON p5.geojson cannot be one table: column \"n\" is Int64 in the one and Utf8"),
        "{message}"
    );
}

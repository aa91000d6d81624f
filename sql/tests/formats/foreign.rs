//! Files that are not what they are called, or not all there.

use std::fs::{self, File};

use arrow::ipc::writer::FileWriter;

use crate::Desk;

#[tokio::test]
async fn wrong_extensions() {
    let desk = Desk::new();
    for name in ["grid.fgb", "places.gpkg"] {
        desk.copy(name, name);
    }
    let files = [
        (
            "FlatGeobuf. read_fgb(",
            fs::read(desk.path("grid.fgb")).unwrap(),
        ),
        (
            "SQLite database. read_gpkg(",
            fs::read(desk.path("places.gpkg")).unwrap(),
        ),
        (
            "Parquet. read_parquet(",
            b"PAR1 and so on, up to PAR1".to_vec(),
        ),
        ("the bytes 01 00 00 00", vec![1, 0, 0, 0, 2, 0, 0, 0]),
    ];
    let names = [
        ("a.csv", "CSV"),
        ("a.json", "JSON"),
        ("a.geojson", "GeoJSON"),
        ("a.arrow", "Arrow IPC"),
        ("a.fgb", "FlatGeobuf"),
        ("a.gpkg", "GeoPackage"),
        ("a.shp", "Shapefile"),
        ("a.parquet", "Parquet file"),
    ];
    for (kind, content) in files {
        for (name, format) in names {
            if kind.contains(format.trim_end_matches(" file"))
                || kind.contains("_gpkg") && name == "a.gpkg"
            {
                continue;
            }
            desk.write(name, &content);
            let message = desk.failure(&format!("SELECT * FROM '$/{name}'")).await;
            let expected = format!("{name} is no {format}: it starts with");
            assert!(message.contains(&expected), "{kind}: {message}");
            assert!(message.contains(kind), "{message}");
        }
    }
    desk.write("b.csv", r#"{"type": "FeatureCollection", "features": []}"#);
    let message = desk.failure("SELECT * FROM '$/b.csv'").await;
    assert!(
        message.contains("b.csv is no CSV") && message.contains("GeoJSON"),
        "{message}"
    );
}

#[tokio::test]
async fn empty_files() {
    let desk = Desk::new();
    for extension in [
        "csv", "json", "geojson", "arrow", "fgb", "gpkg", "shp", "parquet",
    ] {
        let name = format!("a.{extension}");
        desk.write(&name, "");
        let message = desk.failure(&format!("SELECT * FROM '$/{name}'")).await;
        assert!(
            message.contains(&format!("{name} is empty (0 bytes)")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn texts_that_are_cut_short_are_named() {
    let desk = Desk::new();
    desk.write("quote.csv", "id,name\n1,a\n2,\"b and no");
    let message = desk.failure("SELECT * FROM '$/quote.csv'").await;
    assert!(
        message.contains("quote.csv: a text in quotes does not end"),
        "{message}"
    );
    // Beyond the lines that tell the types.
    let mut lines = String::from("id,name,more\n");
    for i in 0..2000 {
        lines.push_str(&format!("{i},name {i},0\n"));
    }
    lines.push_str("2000,na");
    desk.write("line.csv", lines);
    let message = desk.failure("SELECT * FROM '$/line.csv'").await;
    assert!(message.contains("line.csv: line "), "{message}");
    desk.write("latin.csv", b"id,name\n1,M\xfcnchen\n");
    let message = desk.failure("SELECT * FROM '$/latin.csv'").await;
    assert!(
        message.contains("latin.csv: it holds bytes that are no UTF-8"),
        "{message}"
    );
    desk.write("a.json", "{\"a\": 1}\n{\"a\": ");
    let message = desk.failure("SELECT * FROM '$/a.json'").await;
    assert!(message.contains("a.json: "), "{message}");
}

#[tokio::test]
async fn arrow_that_is_cut_short_is_named() {
    let desk = Desk::new();
    let batches = desk
        .batches("SELECT n, geometry FROM '$T/grid.fgb'")
        .await
        .unwrap();
    let file = File::create(desk.path("whole.arrow")).unwrap();
    let mut writer = FileWriter::try_new(file, &batches[0].schema()).unwrap();
    for batch in &batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    let whole = fs::read(desk.path("whole.arrow")).unwrap();
    for share in [3, 30, 60, 99] {
        desk.write("a.arrow", &whole[..whole.len() * share / 100]);
        let message = desk.failure("SELECT sum(n) FROM '$/a.arrow'").await;
        assert!(message.contains("a.arrow"), "{share} %: {message}");
        assert!(!message.contains("bug"), "{share} %: {message}");
    }
}

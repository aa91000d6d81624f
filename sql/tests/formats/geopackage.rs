//! GeoPackages.

use std::fs;

use crate::Desk;

#[tokio::test]
async fn layers() {
    let desk = Desk::new();
    let several = desk.failure("SELECT * FROM '$T/places.gpkg'").await;
    assert!(
        several.contains("places.gpkg has 3 layers: name one, as 'places.gpkg/places'. There are places, points, grid"),
        "{several}"
    );
    for sql in [
        "SELECT count(*) FROM '$T/places.gpkg/points'",
        "SELECT count(*) FROM read_gpkg('$T/places.gpkg', layer := 'points')",
        "SELECT count(*) FROM ST_Read('$T/places.gpkg', layer => 'points')",
        "SELECT count(*) FROM st_read(['$T/places.gpkg/points'])",
    ] {
        assert_eq!(desk.answer(sql).await, ["3"], "{sql}");
    }
    let unknown = desk
        .failure("SELECT * FROM read_gpkg('$T/places.gpkg', layer := 'x')")
        .await;
    assert!(
        unknown.contains("places.gpkg has no layer \"x\", it has places, points, grid"),
        "{unknown}"
    );
}

#[tokio::test]
async fn the_index_finds_what_a_filter_keeps() {
    let desk = Desk::new();
    for (condition, expected) in [
        (
            "ST_Intersects(geom, ST_MakeEnvelope(2, 3, 3, 4, 3067))",
            "62, 63, 82, 83",
        ),
        (
            "ST_DWithin(geom, ST_SetSRID(ST_Point(0, 0), 3067), 1)",
            "0, 1, 20",
        ),
        (
            "geom && ST_MakeEnvelope(0, 0, 3, 3, 3067) AND geom && ST_MakeEnvelope(3, 3, 9, 9, 3067)",
            "63",
        ),
        (
            "geom && ST_MakeEnvelope(-9, -9, 99, 99, 3067) AND n < 3",
            "0, 1, 2",
        ),
    ] {
        let sql = format!(
            "SELECT array_to_string(array_agg(n ORDER BY n), ', ') FROM '$T/places.gpkg/grid' WHERE {condition}"
        );
        assert_eq!(desk.answer(&sql).await, [expected], "{condition}");
        let plan = desk.plan(&sql).await;
        assert!(plan.contains("layer grid, projection=["), "{plan}");
        assert!(plan.contains("bounds=("), "{plan}");
    }
    // The rows that the scan gave, not those that it could have.
    let plan = desk
        .answer("EXPLAIN ANALYZE SELECT n FROM '$T/places.gpkg/grid' WHERE geom && ST_MakeEnvelope(2, 3, 3, 4, 3067)")
        .await
        .join("\n");
    let scan = plan
        .lines()
        .find(|line| line.contains("FeatureScanExec"))
        .unwrap();
    assert!(scan.contains("output_rows=4"), "{plan}");
}

#[tokio::test]
async fn a_join_tells_the_scan_where_it_looks() {
    let desk = Desk::new();
    desk.write(
        "area.geojson",
        r#"{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":[[[1.5,1.5],[3.5,1.5],[3.5,3.5],[1.5,3.5],[1.5,1.5]]]}}"#,
    );
    let sql = "SELECT g.n FROM '$T/places.gpkg/grid' g JOIN read_geojson('$/area.geojson', crs := 'EPSG:3067') a \
               ON ST_Intersects(g.geom, a.geometry) ORDER BY n";
    assert_eq!(desk.answer(sql).await, ["42", "43", "62", "63"]);
    let plan = desk.plan(sql).await;
    assert!(plan.contains("bounds=the build side"), "{plan}");
}

#[tokio::test]
async fn write_ahead_logs() {
    let desk = Desk::new();
    desk.copy("places.gpkg", "a.gpkg");
    let sql = "SELECT count(*) FROM '$/a.gpkg/points'";
    let db = rusqlite::Connection::open(desk.path("a.gpkg")).unwrap();
    let mode: String = db
        .query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    // What is in the log counts while another program writes.
    db.execute_batch(
        "CREATE TABLE more (a INTEGER); BEGIN IMMEDIATE; INSERT INTO more VALUES (1);",
    )
    .unwrap();
    assert_eq!(desk.answer(sql).await, ["3"]);
    db.execute_batch("ROLLBACK").unwrap();
    drop(db);
    // As from a disk that cannot be written to.
    assert_eq!(desk.answer(sql).await, ["3"]);
}

#[tokio::test]
async fn damaged_and_foreign_files() {
    let desk = Desk::new();
    desk.copy("places.gpkg", "whole.gpkg");
    let whole = fs::read(desk.path("whole.gpkg")).unwrap();
    let sql = "SELECT count(geom) FROM '$/a.gpkg/grid'";
    desk.write("a.gpkg", &whole[..whole.len() / 2]);
    let message = desk.failure(sql).await;
    assert!(message.contains("a.gpkg is damaged"), "{message}");
    desk.write(
        "a.gpkg",
        "PK\x03\x04 a ZIP archive, by its name a GeoPackage",
    );
    let message = desk.failure(sql).await;
    assert!(message.contains("a.gpkg is no GeoPackage"), "{message}");
    for at in (100..whole.len()).step_by(16_411) {
        let mut odd = whole.clone();
        let end = (at + 200).min(whole.len());
        odd[at..end].fill(0xa5);
        desk.write("a.gpkg", &odd);
        let _ = desk.batches(sql).await;
    }
}

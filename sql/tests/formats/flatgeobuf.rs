//! FlatGeobuf.

use std::fs;

use crate::Desk;

#[tokio::test]
async fn columns_values_and_crs() {
    let desk = Desk::new();
    let sql = "SELECT name, people, share, founded, open, ST_AsText(geometry) FROM '$T/places.fgb'";
    assert_eq!(
        desk.columns("SELECT * FROM '$T/places.fgb'").await,
        "name Utf8View, people Int64, share Float64, founded Timestamp(ms, \"UTC\"), open Boolean, geometry BinaryView"
    );
    assert_eq!(
        desk.answer(sql).await,
        [
            "Äänekoski|18318|0.5|1932-01-01T00:00:00Z|true|MULTIPOLYGON(((0 0,0 10,10 10,10 0,0 0),(2 2,4 2,4 4,2 4,2 2)))",
            "Oulu|214633||1605-04-08T00:00:00Z|false|MULTIPOLYGON(((20 0,20 5,25 5,25 0,20 0)),((30 0,30 9,39 9,39 0,30 0),(31 1,32 1,32 2,31 1)))",
            "||-1.25|||",
        ]
    );
    assert_eq!(
        desk.crs("SELECT * FROM '$T/places.fgb'").await.unwrap(),
        "EPSG:3067"
    );
}

#[tokio::test]
async fn every_type_of_geometry() {
    let desk = Desk::new();
    assert_eq!(
        desk.answer("SELECT ST_AsText(geometry) FROM '$T/shapes.fgb'")
            .await,
        [
            "POINT(1 2)",
            "LINESTRING(1 2,3 4)",
            "POLYGON((0 0,1 0,1 1,0 0))",
            "MULTIPOINT((1 2),(3 4))",
            "MULTILINESTRING((1 2,3 4),(5 6,7 8))",
            "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
            "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4))",
            "",
        ]
    );
    assert_eq!(
        desk.answer("SELECT ST_AsText(geometry) FROM '$T/shapes_z.fgb'")
            .await,
        [
            "MULTIPOLYGON Z (((0 0 7.5,1 0 7.5,1 1 7.5,0 0 7.5)),((5 5 7.5,6 5 7.5,6 6 7.5,5 5 7.5)))"
        ]
    );
}

#[tokio::test]
async fn the_index_finds_what_a_filter_keeps() {
    let desk = Desk::new();
    assert_eq!(
        desk.answer("SELECT count(*), sum(n) FROM '$T/grid.fgb'")
            .await,
        ["400|79800"]
    );
    for (condition, expected) in [
        (
            "ST_Intersects(geometry, ST_MakeEnvelope(2, 3, 3, 4, 3067))",
            "62, 63, 82, 83",
        ),
        ("geometry && ST_MakeEnvelope(19, 19, 99, 99, 3067)", "399"),
        (
            "ST_DWithin(geometry, ST_SetSRID(ST_Point(0, 0), 3067), 1)",
            "0, 1, 20",
        ),
        (
            "ST_Intersects(geometry, ST_MakeEnvelope(50, 50, 60, 60, 3067))",
            "",
        ),
    ] {
        let sql = format!(
            "SELECT array_to_string(array_agg(n ORDER BY n), ', ') FROM '$T/grid.fgb' WHERE {condition}"
        );
        assert_eq!(desk.answer(&sql).await, [expected], "{condition}");
        let plan = desk.plan(&sql).await;
        assert!(plan.contains("FeatureScanExec: FlatGeobuf"), "{plan}");
        assert!(plan.contains("bounds=("), "{plan}");
    }
    // What is read is what the index finds: features elsewhere may be broken.
    desk.copy("grid.fgb", "grid.fgb");
    let mut broken = fs::read(desk.path("grid.fgb")).unwrap();
    let end = broken.len();
    broken[end - 300..].fill(0xff);
    desk.write("grid.fgb", &broken);
    let all = desk.failure("SELECT sum(n) FROM '$/grid.fgb'").await;
    assert!(all.contains("grid.fgb, feature "), "{all}");
    let near = |x: u32| {
        format!(
            "SELECT count(n) FROM '$/grid.fgb' WHERE geometry && ST_MakeEnvelope({x}, 0, {x}, 0, 3067)"
        )
    };
    let mut found = 0;
    for x in 0..20 {
        found += usize::from(desk.batches(&near(x)).await.is_ok());
    }
    assert!(found > 10, "{found}");
}

#[tokio::test]
async fn broken_files() {
    let desk = Desk::new();
    desk.copy("grid.fgb", "whole.fgb");
    let whole = fs::read(desk.path("whole.fgb")).unwrap();
    for end in [0, 5, 11, 30, 400, 2000, 30_000, whole.len() - 1] {
        desk.write("a.fgb", &whole[..end]);
        let message = desk.failure("SELECT * FROM '$/a.fgb'").await;
        assert!(message.contains("a.fgb"), "{end}: {message}");
    }
    desk.write("a.fgb", "SQLite format 3");
    let message = desk.failure("SELECT * FROM '$/a.fgb'").await;
    assert!(
        message.contains("a.fgb is no FlatGeobuf: it starts with"),
        "{message}"
    );
    // Whatever byte is wrong, there is an answer or an error.
    for at in (0..whole.len()).step_by(1499) {
        let mut odd = whole.clone();
        odd[at] ^= 0xff;
        desk.write("a.fgb", &odd);
        let sql = "SELECT count(n), count(geometry) FROM '$/a.fgb' WHERE geometry && ST_MakeEnvelope(2, 3, 3, 4, 3067)";
        let _ = desk.batches(sql).await;
    }
}

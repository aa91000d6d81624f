//! Shapefiles.

use std::fs;

use crate::Desk;

#[tokio::test]
async fn columns_values_and_crs() {
    let desk = Desk::new();
    assert_eq!(
        desk.columns("SELECT * FROM '$T/places.shp'").await,
        "name Utf8View, people Int64, share Float64, founded Date32, open Boolean, geometry BinaryView"
    );
    let sql = "SELECT name, people, share, founded, open, ST_AsText(geometry) FROM '$T/places.shp'";
    assert_eq!(
        desk.answer(sql).await,
        [
            "Äänekoski|18318|0.5|1932-01-01|true|POLYGON((0 0,0 10,10 10,10 0,0 0),(2 2,4 2,4 4,2 4,2 2))",
            "Oulu|214633||1605-04-08|false|MULTIPOLYGON(((20 0,20 5,25 5,25 0,20 0)),((30 0,30 9,39 9,39 0,30 0),(31 1,32 1,32 2,31 1)))",
            "||-1.25|||",
        ]
    );
    assert_eq!(
        desk.crs("SELECT * FROM '$T/places.shp'").await.unwrap(),
        "EPSG:3067"
    );
    assert_eq!(
        desk.answer("SELECT n, ST_AsText(geometry) FROM '$T/points_z.shp' LIMIT 2")
            .await,
        ["0|POINT Z (1 4 7)", "1|POINT Z (2 5 8)"]
    );
    assert_eq!(
        desk.answer("SELECT count(*) FROM '$T/points_z.shp'").await,
        ["3"]
    );
}

#[tokio::test]
async fn rectangles_leave_shapes_out() {
    let desk = Desk::new();
    let sql = "SELECT name FROM '$T/places.shp' WHERE ST_Intersects(geometry, ST_MakeEnvelope(31, 3, 32, 4, 3067))";
    assert_eq!(desk.answer(sql).await, ["Oulu"]);
    let plan = desk.plan(sql).await;
    assert!(plan.contains("FeatureScanExec: Shapefile"), "{plan}");
    assert!(plan.contains("bounds=(31 3, 32 4)"), "{plan}");
}

#[tokio::test]
async fn files_beside_may_be_missing() {
    let desk = Desk::new();
    for extension in ["shp", "dbf"] {
        desk.copy(
            &format!("places.{extension}"),
            &format!("alone.{extension}"),
        );
    }
    // Without .cpg the driver in the header tells the encoding, without .prj nothing the CRS.
    assert_eq!(
        desk.answer("SELECT name FROM '$/alone.shp' LIMIT 1").await,
        ["Äänekoski"]
    );
    assert_eq!(desk.crs("SELECT * FROM '$/alone.shp'").await, None);
    let given =
        "SELECT * FROM read_shapefile('$/alone.shp', crs := 'EPSG:3067', encoding := '1252')";
    assert_eq!(desk.crs(given).await.unwrap(), "EPSG:3067");
    assert_eq!(
        desk.answer("SELECT count(geometry) FROM '$/alone.shp'")
            .await,
        ["2"]
    );
    fs::remove_file(desk.path("alone.dbf")).unwrap();
    let message = desk.failure("SELECT * FROM '$/alone.shp'").await;
    assert!(
        message.contains("alone.shp has no attributes: alone.dbf is missing"),
        "{message}"
    );
}

#[tokio::test]
async fn broken_files() {
    let desk = Desk::new();
    for extension in ["shp", "dbf", "shx"] {
        desk.copy(&format!("places.{extension}"), &format!("a.{extension}"));
    }
    let sql = "SELECT * FROM '$/a.shp'";
    let whole = fs::read(desk.path("a.shp")).unwrap();
    for end in [0, 50, 99, 104, 150, whole.len() - 1] {
        desk.write("a.shp", &whole[..end]);
        let message = desk.failure(sql).await;
        assert!(message.contains("a.shp"), "{end}: {message}");
    }
    let mut odd = whole.clone();
    odd[104..108].fill(0x7f);
    desk.write("a.shp", &odd);
    let message = desk.failure(sql).await;
    assert!(
        message.contains("a.shp, feature 1: the file ends before it does"),
        "{message}"
    );
    desk.write("a.shp", &whole);
    let table = fs::read(desk.path("a.dbf")).unwrap();
    for end in [0, 20, 40, 200, table.len() - 100] {
        desk.write("a.dbf", &table[..end]);
        let message = desk.failure(sql).await;
        assert!(message.contains("a.dbf"), "{end}: {message}");
    }
    desk.copy("points_z.dbf", "a.dbf");
    desk.copy("grid.fgb", "a.shx");
    let message = desk.failure(sql).await;
    assert!(message.contains("a.shx is no Shapefile"), "{message}");
}

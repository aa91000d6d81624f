//! Arrow IPC.

use std::fs::File;

use arrow::ipc::writer::{FileWriter, StreamWriter};

use crate::Desk;

#[tokio::test]
async fn files_and_streams_keep_their_geometry() {
    let desk = Desk::new();
    let batches = desk
        .batches("SELECT n, geometry FROM '$T/grid.fgb'")
        .await
        .unwrap();
    let schema = batches[0].schema();
    let mut file =
        FileWriter::try_new(File::create(desk.path("a.arrow")).unwrap(), &schema).unwrap();
    let mut stream =
        StreamWriter::try_new(File::create(desk.path("b.arrows")).unwrap(), &schema).unwrap();
    for batch in &batches {
        file.write(batch).unwrap();
        stream.write(batch).unwrap();
    }
    file.finish().unwrap();
    stream.finish().unwrap();
    for from in ["'$/a.arrow'", "'$/b.arrows'", "read_arrow('$/b.arrows')"] {
        let sql = format!("SELECT sum(n), max(ST_X(geometry)) FROM {from}");
        assert_eq!(desk.answer(&sql).await, ["79800|19.0"], "{from}");
        let crs = desk.crs(&format!("SELECT * FROM {from}")).await;
        assert_eq!(crs.unwrap(), "EPSG:3067", "{from}");
    }
}

#[tokio::test]
async fn feather_of_geopandas() {
    let desk = Desk::new();
    let sql = "SELECT name, ST_NPoints(geometry) FROM '$T/places.feather'";
    assert_eq!(desk.answer(sql).await, ["Äänekoski|10", "Oulu|14", "|"]);
    assert_eq!(
        desk.crs("SELECT * FROM '$T/places.feather'").await.unwrap(),
        "EPSG:3067"
    );
}

#[tokio::test]
async fn foreign_files() {
    let desk = Desk::new();
    desk.write("a.arrow", "this is no Arrow");
    let message = desk.failure("SELECT * FROM '$/a.arrow'").await;
    assert!(message.contains("Arrow"), "{message}");
}

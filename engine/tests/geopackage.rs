//! Layers of GeoPackages, as GDAL writes them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type};
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use geoflow_engine::ErrorKind;
use geoflow_engine::formats::{FeatureScanExec, FeatureTable, GeoPackage};
use geoflow_engine::geometry::{Bounds, GeometryArray, GeometryType};
use geoflow_engine::geoparquet::BoundsFilter;
use rusqlite::Connection;
use tempfile::TempDir;

fn point(x: f64, y: f64) -> Vec<u8> {
    [
        &b"GP\0\x01\xe6\x10\0\0"[..],
        &[1, 1, 0, 0, 0],
        &x.to_le_bytes(),
        &y.to_le_bytes(),
    ]
    .concat()
}

/// A package with two layers: `places` with rows, `empty` without.
fn package(dir: &TempDir, rows: i64) -> PathBuf {
    let path = dir.path().join("a.gpkg");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT);
         CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);
         CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);
         INSERT INTO gpkg_spatial_ref_sys VALUES (100001, 'epsg', 3067);
         INSERT INTO gpkg_contents VALUES ('places', 'features'), ('empty', 'features');
         INSERT INTO gpkg_geometry_columns VALUES ('places', 'geom', 100001), ('empty', 'shape', 0);
         CREATE TABLE places (fid INTEGER PRIMARY KEY, geom POINT, \"the \"\"name\"\"\" TEXT(20), size MEDIUMINT, day DATE, share REAL);
         CREATE TABLE empty (fid INTEGER PRIMARY KEY, shape POINT);",
    )
    .unwrap();
    for i in 0..rows {
        let place = (i % 5 != 4).then(|| point(i as f64, 60.0));
        db.execute(
            "INSERT INTO places VALUES (?1, ?2, ?3, ?4, '2024-02-29', ?5)",
            rusqlite::params![i, place, format!("päikkä {i}"), i, i as f64 / 2.0],
        )
        .unwrap();
    }
    path
}

fn context(path: &Path, layer: &str) -> SessionContext {
    let layer = GeoPackage::open(path).unwrap().layer(Some(layer)).unwrap();
    let context = SessionContext::new_with_config(SessionConfig::new().with_batch_size(100));
    context
        .register_table("t", Arc::new(FeatureTable::new(Arc::new(layer))))
        .unwrap();
    context
}

#[tokio::test]
async fn types_nulls_and_crs() {
    let dir = TempDir::new().unwrap();
    let context = context(&package(&dir, 250), "places");
    let batches = context
        .sql("SELECT * FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(
        batches.iter().map(|b| b.num_rows()).collect::<Vec<_>>(),
        [100, 100, 50]
    );
    let batch = &batches[0];
    let schema = batch.schema();
    let ty = GeometryType::from_field(schema.field(1)).unwrap().unwrap();
    assert_eq!(ty.crs.as_ref().unwrap().name(), "EPSG:3067");
    let geometry = GeometryArray::try_new(batch.column(1), &ty).unwrap();
    assert!(geometry.is_null(4));
    assert_eq!(geometry.point(3).unwrap().x, 3.0);
    assert_eq!(schema.field(2).name(), "the \"name\"");
    assert_eq!(batch.column(2).as_string_view().value(7), "päikkä 7");
    assert_eq!(batch.column(3).as_primitive::<Int32Type>().value(9), 9);
    assert_eq!(
        batch.column(4).as_primitive::<Date32Type>().value(0),
        19_782
    );
    assert_eq!(batch.column(5).as_primitive::<Float64Type>().value(3), 1.5);
}

#[tokio::test]
async fn only_what_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let path = package(&dir, 250);
    let context = context(&path, "places");
    for (sql, rows) in [
        ("SELECT size FROM t WHERE size > 200", 49),
        ("SELECT day FROM t LIMIT 7", 7),
        ("SELECT 1 FROM t", 250),
    ] {
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        assert_eq!(
            batches.iter().map(|b| b.num_rows()).sum::<usize>(),
            rows,
            "{sql}"
        );
    }
    let context = self::context(&path, "empty");
    let batches = context
        .sql("SELECT * FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let dir = TempDir::new().unwrap();
    let path = package(&dir, 3);
    let message = |layer: Option<&str>| {
        let error = GeoPackage::open(&path).and_then(|package| package.layer(layer));
        error.unwrap_err().to_string()
    };
    assert!(message(None).contains("has 2 layers") && message(None).contains("a.gpkg/places"));
    assert!(message(Some("roads")).contains("no layer \"roads\", it has places, empty"));

    let text = dir.path().join("text.gpkg");
    std::fs::write(
        &text,
        "this is no database, but long enough to be looked at as if it were one",
    )
    .unwrap();
    let error = GeoPackage::open(&text)
        .and_then(|package| package.layer(None))
        .unwrap_err();
    assert!(error.to_string().contains("is no GeoPackage"), "{error}");
    assert_eq!(error.kind(), ErrorKind::User);

    let plain = dir.path().join("plain.gpkg");
    Connection::open(&plain)
        .unwrap()
        .execute_batch("CREATE TABLE a (b)")
        .unwrap();
    let error = GeoPackage::open(&plain)
        .and_then(|package| package.layer(None))
        .unwrap_err();
    assert!(error.to_string().contains("no GeoPackage"), "{error}");

    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE places SET size = 'many' WHERE fid = 1", [])
        .unwrap();
    let context = context(&path, "places");
    let error = context
        .sql("SELECT * FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("column \"size\"") && error.contains("row 2"),
        "{error}"
    );
}

/// A large layer is read in parts at once: all rows, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_large_layer_is_read_in_parts() {
    let dir = TempDir::new().unwrap();
    let path = package(&dir, 0);
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT);
         INSERT INTO gpkg_extensions VALUES ('places', 'geom', 'gpkg_rtree_index');
         CREATE VIRTUAL TABLE rtree_places_geom USING rtree(id, minx, maxx, miny, maxy);
         WITH RECURSIVE n(i) AS (SELECT 7 UNION ALL SELECT i + 1 FROM n WHERE i < 70006)
         INSERT INTO places SELECT i, NULL, 'n', i % 100, NULL, NULL FROM n;
         INSERT INTO rtree_places_geom SELECT fid, size, size, 0, 0 FROM places WHERE fid % 10 = 0;",
    )
    .unwrap();
    let layer = GeoPackage::open(&path).unwrap().layer(Some("places"));
    let config = SessionConfig::new().with_target_partitions(3);
    let context = SessionContext::new_with_config(config);
    let table = FeatureTable::new(Arc::new(layer.unwrap()));
    context.register_table("t", Arc::new(table)).unwrap();
    let plan = context.sql("SELECT fid FROM t").await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    assert_eq!(plan.properties().partitioning.partition_count(), 3);
    let sql = "SELECT count(*), count(DISTINCT fid), min(fid), max(fid), sum(size) FROM t";
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let sum = |i: usize| batches[0].column(i).as_primitive::<Int64Type>().value(0);
    let sums: Vec<i64> = (0..5).map(sum).collect();
    assert_eq!(sums, [70_000, 70_000, 7, 70_006, 70_000 * 99 / 2]);
    // Of what the R-tree finds each part reads its own rows.
    let plan = context.sql("SELECT fid, geom FROM t").await.unwrap();
    let mut plan = plan.create_physical_plan().await.unwrap();
    while plan.downcast_ref::<FeatureScanExec>().is_none() {
        plan = Arc::clone(plan.children()[0]);
    }
    let scan = plan.downcast_ref::<FeatureScanExec>().unwrap();
    let area = BoundsFilter::constant(vec![Bounds::new(-1.0, -1.0, 49.5, 1.0)]);
    let scan = scan.with_bounds(1, &Arc::new(area)).unwrap().unwrap();
    let found = collect(Arc::new(scan), context.task_ctx()).await.unwrap();
    assert_eq!(found.iter().map(|b| b.num_rows()).sum::<usize>(), 3_500);
}

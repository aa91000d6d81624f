//! What the GeoParquet writer writes, read back.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch, StructArray,
};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{Bounds, GeometryArray, GeometryType};
use geoflow_engine::geoparquet::{
    FileInfo, GeoParquetFormatFactory, GeoParquetWriter, Pruning, WriteOptions, WriteSummary,
    read_info,
};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

fn testdata(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata")).join(name)
}

async fn query(path: &Path, sql: &str) -> Vec<RecordBatch> {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    state
        .register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)
        .unwrap();
    let context = SessionContext::new_with_state(state);
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}'",
        path.display()
    );
    context.sql(&create).await.unwrap().collect().await.unwrap();
    context.sql(sql).await.unwrap().collect().await.unwrap()
}

async fn info(path: &Path) -> FileInfo {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let location = object_store::path::Path::from_absolute_path(path.canonicalize().unwrap());
    let meta = store.head(&location.unwrap()).await.unwrap();
    read_info(store, meta).await.unwrap()
}

fn write(path: &Path, batches: &[RecordBatch], options: &WriteOptions) -> WriteSummary {
    let file = fs::File::create(path).unwrap();
    let mut writer =
        GeoParquetWriter::try_new_with_options(file, &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap()
}

fn geo_json(path: &Path) -> Value {
    let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
    let pairs = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    let geo = pairs.iter().find(|pair| pair.key == "geo").unwrap();
    serde_json::from_str(geo.value.as_ref().unwrap()).unwrap()
}

/// The bounds of every row as the covering has them, in single precision rounded outward, and as the geometry
/// gives them.
fn compare_covering(batch: &RecordBatch, geometry: &str, covering: &str) {
    let schema = batch.schema();
    let ty = GeometryType::from_field(schema.field_with_name(geometry).unwrap())
        .unwrap()
        .unwrap();
    let array = GeometryArray::try_new(batch.column_by_name(geometry).unwrap(), &ty).unwrap();
    let covering = batch.column_by_name(covering).unwrap().as_struct();
    let side = |name: &str| {
        covering
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Float32Type>()
            .clone()
    };
    let (x0, y0, x1, y1) = (side("xmin"), side("ymin"), side("xmax"), side("ymax"));
    for row in 0..batch.num_rows() {
        let bounds = array.bounds(row).unwrap();
        assert_eq!(covering.is_null(row), array.is_null(row), "row {row}");
        assert_eq!(x0.is_null(row), bounds.is_empty(), "row {row}");
        if !bounds.is_empty() {
            let stored = [&x0, &y0, &x1, &y1].map(|side| side.value(row));
            let [x0, y0, x1, y1] = stored.map(f64::from);
            assert!(Bounds::new(x0, y0, x1, y1).contains(&bounds), "row {row}");
            // And no wider than need be.
            let within = [(0, bounds.min_x), (1, bounds.min_y)]
                .into_iter()
                .all(|(side, min)| f64::from(stored[side].next_up()) > min);
            let within = within
                && [(2, bounds.max_x), (3, bounds.max_y)]
                    .into_iter()
                    .all(|(side, max)| f64::from(stored[side].next_down()) < max);
            assert!(within, "row {row}");
        }
    }
}

#[tokio::test]
async fn real_layers_round_trip() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    for name in [
        "cities",
        "helsinki_buildings",
        "helsinki_roads",
        "us_counties",
    ] {
        let source = testdata(&format!("{name}.parquet"));
        let batches = query(&source, "SELECT * FROM t").await;
        let summary = write(&path, &batches, &WriteOptions::default());
        assert_eq!(summary.bytes, fs::metadata(&path).unwrap().len());

        let (before, after) = (info(&source).await, info(&path).await);
        assert_eq!(
            (after.rows, summary.rows),
            (before.rows, before.rows),
            "{name}"
        );
        assert_eq!(after.compression, ["ZSTD"]);
        let (before, after) = (before.geo.unwrap(), after.geo.unwrap());
        let (before, after) = (&before.columns[0], &after.columns[0]);
        let sorted = |types: &[String]| types.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(
            sorted(&after.column.geometry_types),
            sorted(&before.column.geometry_types)
        );
        assert_eq!(after.column.crs, before.column.crs);
        // JSON numbers are read to the last bit but one.
        for other in [before.bounds().unwrap(), summary.bounds.unwrap()] {
            let bounds = after.bounds().unwrap();
            assert!(bounds.expand(1e-12).contains(&other), "{name}");
            assert!(other.expand(1e-12).contains(&bounds), "{name}");
        }
        assert!(matches!(
            after.pruning,
            Pruning::SingleRowGroup | Pruning::Possible { .. }
        ));

        let again = query(&path, "SELECT * FROM t").await;
        // The covering was replaced in its place, so that the columns are the same.
        assert_eq!(
            again[0].schema().fields().len(),
            batches[0].schema().fields().len(),
            "{name}"
        );
        for batch in &again {
            compare_covering(batch, "geometry", "bbox");
        }
    }
}

#[tokio::test]
async fn row_groups_are_cut_by_rows_and_by_bytes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    let batches = query(
        &testdata("helsinki_points.parquet"),
        "SELECT name, geometry FROM t",
    )
    .await;
    let options = WriteOptions {
        row_group_rows: 1000,
        ..Default::default()
    };
    write(&path, &batches, &options);
    let cut = info(&path).await;
    assert_eq!(cut.row_groups.len(), 9);
    assert!(
        cut.row_groups
            .iter()
            .all(|group| group.rows <= 1000 && group.bounds.is_some())
    );

    let options = WriteOptions {
        row_group_bytes: 20_000,
        ..Default::default()
    };
    write(&path, &batches, &options);
    let cut = info(&path).await;
    assert!(cut.row_groups.len() > 3, "{}", cut.row_groups.len());
    assert_eq!(cut.rows, 8045);
}

fn point(x: f64, y: f64) -> Vec<u8> {
    [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat()
}

fn wkb(crs: Option<Crs>, values: Vec<Option<Vec<u8>>>) -> RecordBatch {
    let field = GeometryType::wkb(crs).to_field("geom", true);
    let values: ArrayRef = Arc::new(BinaryArray::from_iter(values));
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![values]).unwrap()
}

#[tokio::test]
async fn null_and_empty_have_no_covering() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    let empty_line = vec![1, 2, 0, 0, 0, 0, 0, 0, 0];
    let batch = wkb(
        None,
        vec![
            Some(point(1.0, 2.0)),
            None,
            Some(empty_line.clone()),
            Some(point(f64::NAN, f64::NAN)),
        ],
    );
    let summary = write(&path, &[batch], &WriteOptions::default());
    assert_eq!(summary.bounds, Some(Bounds::point(1.0, 2.0)));
    let geo = geo_json(&path);
    assert_eq!(geo["columns"]["geom"]["crs"], Value::Null);
    assert_eq!(
        geo["columns"]["geom"]["geometry_types"],
        serde_json::json!(["Point", "LineString"])
    );
    let batches = query(&path, "SELECT * FROM t").await;
    compare_covering(&batches[0], "geom", "bbox");
    assert_eq!(batches[0].column(1).null_count(), 1);

    // Nothing but EMPTY: no bounds anywhere, and still a readable file.
    let summary = write(
        &path,
        &[wkb(None, vec![Some(empty_line)])],
        &WriteOptions::default(),
    );
    assert_eq!(summary.bounds, None);
    assert!(geo_json(&path)["columns"]["geom"].get("bbox").is_none());
    assert_eq!(info(&path).await.row_groups[0].bounds, Some(Bounds::EMPTY));
    // No rows at all.
    let none = wkb(None, vec![]);
    assert_eq!(write(&path, &[none], &WriteOptions::default()).rows, 0);
    assert_eq!(info(&path).await.rows, 0);
}

#[tokio::test]
async fn z_is_told_and_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    let mut z = vec![1];
    z.extend(1001_u32.to_le_bytes());
    z.extend([3.0_f64, 4.0, -7.0].iter().flat_map(|v| v.to_le_bytes()));
    write(
        &path,
        &[wkb(
            Some(Crs::lon_lat()),
            vec![Some(z.clone()), Some(point(0.0, 0.0))],
        )],
        &WriteOptions::default(),
    );
    let geo = geo_json(&path);
    let column = &geo["columns"]["geom"];
    assert_eq!(
        column["geometry_types"],
        serde_json::json!(["Point", "Point Z"])
    );
    assert_eq!(
        column["bbox"],
        serde_json::json!([0.0, 0.0, -7.0, 3.0, 4.0, -7.0])
    );
    assert_eq!(column["crs"]["id"]["code"], "CRS84");
    let batches = query(&path, "SELECT * FROM t").await;
    assert_eq!(batches[0].column(0).as_binary_view().value(0), z);
}

#[tokio::test]
async fn native_geometry_becomes_wkb() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    let fields = vec![
        Field::new("x", DataType::Float64, false),
        Field::new("y", DataType::Float64, false),
    ];
    let points = StructArray::new(
        fields.into(),
        vec![
            Arc::new(Float64Array::from(vec![1.0, 0.0, 5.0])),
            Arc::new(Float64Array::from(vec![3.0, 0.0, 6.0])),
        ],
        Some(vec![true, false, true].into()),
    );
    let field = Field::new("position", points.data_type().clone(), true).with_metadata(
        [
            (
                "ARROW:extension:name".to_owned(),
                "geoarrow.point".to_owned(),
            ),
            (
                "ARROW:extension:metadata".to_owned(),
                r#"{"crs": "EPSG:4326"}"#.to_owned(),
            ),
        ]
        .into(),
    );
    let id = Field::new("bbox", DataType::Int64, false);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![field, id])),
        vec![Arc::new(points), Arc::new(Int64Array::from(vec![1, 2, 3]))],
    )
    .unwrap();
    let summary = write(&path, &[batch], &WriteOptions::default());
    assert_eq!(summary.bounds, Some(Bounds::new(1.0, 3.0, 5.0, 6.0)));
    let batches = query(&path, "SELECT * FROM t").await;
    let names: Vec<String> = batches[0]
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["position", "bbox", "position_bbox"]);
    assert_eq!(
        batches[0].column(0).as_binary_view().value(2),
        point(5.0, 6.0)
    );
    compare_covering(&batches[0], "position", "position_bbox");
    assert_eq!(
        geo_json(&path)["columns"]["position"]["crs"]["id"]["code"],
        4326
    );
}

#[tokio::test]
async fn plain_parquet_without_geometry() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("out.parquet");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let summary = write(
        &path,
        &[RecordBatch::try_from_iter([("id", ids)]).unwrap()],
        &WriteOptions::default(),
    );
    assert_eq!((summary.rows, summary.bounds), (2, None));
    assert!(info(&path).await.geo.is_none());
}

#[test]
fn bad_geometry_is_placed() {
    for (bad, expected) in [
        (
            point(1.0, 1.0)[..15].to_vec(),
            "column \"geom\", row 4 of the result",
        ),
        (point(f64::NAN, 1.0), "must be finite"),
        (vec![1, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f], "row 4"),
        (vec![], "row 4"),
    ] {
        let schema = wkb(None, vec![]).schema();
        let mut writer = GeoParquetWriter::try_new(Vec::new(), schema).unwrap();
        let good = wkb(None, vec![Some(point(1.0, 1.0)), None]);
        let error = writer
            .write(&good)
            .and_then(|()| writer.write(&wkb(None, vec![None, Some(bad)])))
            .and_then(|()| writer.finish())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("invalid geometry") && error.contains(expected),
            "{error}"
        );
    }
}

/// A disk of some size.
struct SmallDisk(usize);

impl std::io::Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_environment() {
    let batch = wkb(None, vec![Some(point(1.0, 1.0)); 1000]);
    let error = GeoParquetWriter::try_new(SmallDisk(100), batch.schema())
        .and_then(|mut writer| {
            writer.write(&batch)?;
            writer.finish()
        })
        .unwrap_err();
    assert_eq!(error.kind(), geoflow_engine::ErrorKind::Environment);
    assert!(error.to_string().contains("disk is full"), "{error}");
}

#[tokio::test]
async fn copy_writes_geoparquet() {
    let dir = TempDir::new().unwrap();
    let source = testdata("helsinki_buildings.parquet");
    let out = dir.path().join("out.parquet");
    let copy =
        |what: &str, options: &str| format!("COPY ({what}) TO '{}' {options}", out.display());
    let done = query(&source, &copy("SELECT name, geometry FROM t", "")).await;
    assert_eq!(done[0].num_rows(), 1);
    let written = info(&out).await;
    assert_eq!(written.rows, 489);
    let geo = written.geo.unwrap();
    assert_eq!(
        geo.columns[0].column.crs.as_ref().unwrap().name(),
        "EPSG:4326"
    );
    assert!(geo.columns[0].row_group_bounds[0].is_some());
    compare_covering(&query(&out, "SELECT * FROM t").await[0], "geometry", "bbox");

    let options = "STORED AS PARQUET OPTIONS ('compression' 'snappy', 'max_row_group_size' '100', overwrite 'true')";
    query(&source, &copy("SELECT name, geometry FROM t", options)).await;
    let written = info(&out).await;
    assert_eq!(
        (written.compression.as_slice(), written.row_groups.len()),
        (["SNAPPY".to_owned()].as_slice(), 5)
    );

    // Without geometry it is what DataFusion writes.
    let plain = dir.path().join("plain.parquet");
    let sql = format!("COPY (SELECT name FROM t) TO '{}'", plain.display());
    query(&source, &sql).await;
    assert!(info(&plain).await.geo.is_none());

    let parts = dir.path().join("parts");
    let sql = format!(
        "COPY (SELECT geometry, coalesce(building, '?') AS kind FROM t) TO '{}/' STORED AS PARQUET PARTITIONED BY (kind)",
        parts.display()
    );
    query(&source, &sql).await;
    let mut rows = 0;
    for folder in fs::read_dir(&parts).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let part = info(&file.unwrap().path()).await;
            assert_eq!(part.schema.fields().len(), 2, "geometry and its covering");
            assert!(part.geo.is_some());
            rows += part.rows;
        }
    }
    assert_eq!(rows, 489);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_no_file() {
    let dir = TempDir::new().unwrap();
    let (source, out) = (
        dir.path().join("broken.parquet"),
        dir.path().join("out.parquet"),
    );
    let bad = wkb(None, vec![Some(point(1.0, 1.0)[..20].to_vec())]);
    let geo = r#"{"version": "1.1.0", "primary_column": "geom", "columns": {"geom": {"encoding": "WKB", "geometry_types": []}}}"#;
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_key_value_metadata(Some(vec![parquet::file::metadata::KeyValue::new(
            "geo".to_owned(),
            geo.to_owned(),
        )]))
        .build();
    let file = fs::File::create(&source).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, bad.schema(), Some(properties)).unwrap();
    writer.write(&bad).unwrap();
    writer.close().unwrap();

    let mut state = SessionStateBuilder::new().with_default_features().build();
    state
        .register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)
        .unwrap();
    let context = SessionContext::new_with_state(state);
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}'",
        source.display()
    );
    context.sql(&create).await.unwrap();
    let copy = context
        .sql(&format!("COPY t TO '{}'", out.display()))
        .await
        .unwrap();
    let error = copy.collect().await.unwrap_err().to_string();
    assert!(
        error.contains("column \"geom\", row 1 of the result"),
        "{error}"
    );
    assert!(!out.exists());
}

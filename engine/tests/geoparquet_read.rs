//! GeoParquet files through a DataFusion session: schemas, batches, and what bad files get.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use geoflow_engine::Error;
use geoflow_engine::geometry::{Encoding, GeometryArray, GeometryType};
use geoflow_engine::geoparquet::GeoParquetFormatFactory;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

fn testdata(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata")).join(name)
}

fn session() -> SessionContext {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    state
        .register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)
        .unwrap();
    SessionContext::new_with_state(state)
}

/// Declares the table `t` and reads all of it.
async fn read(location: &Path, options: &str) -> datafusion::error::Result<Vec<RecordBatch>> {
    let context = session();
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}' {options}",
        location.display()
    );
    context.sql(&create).await?.collect().await?;
    context.sql("SELECT * FROM t").await?.collect().await
}

async fn failure(location: &Path) -> String {
    let error = read(location, "").await.unwrap_err();
    match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(error) => error.to_string(),
            None => panic!("no error of geoflow: {inner}"),
        },
        other => panic!("no error of geoflow: {other}"),
    }
}

fn point(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
    wkb
}

fn geo(column: Value) -> String {
    json!({"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}).to_string()
}

fn write(path: &Path, batch: &RecordBatch, geo: Option<String>) {
    let properties = WriterProperties::builder()
        .set_key_value_metadata(geo.map(|text| vec![KeyValue::new("geo".into(), text)]))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn wkb_batch() -> RecordBatch {
    let points = [point(25.0, 60.2), point(24.9, 60.1)];
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        (
            "geom",
            Arc::new(BinaryArray::from_iter_values(points)) as ArrayRef,
        ),
    ])
    .unwrap()
}

fn geometry_type(schema: &SchemaRef, column: &str) -> GeometryType {
    GeometryType::from_field(schema.field_with_name(column).unwrap())
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn batches_carry_type_and_crs() {
    for name in [
        "cities",
        "countries",
        "us_counties",
        "helsinki_roads",
        "helsinki_buildings",
    ] {
        let batches = read(&testdata(&format!("{name}.parquet")), "")
            .await
            .unwrap();
        assert!(!batches.is_empty(), "{name}");
        for batch in &batches {
            let ty = geometry_type(&batch.schema(), "geometry");
            assert_eq!(ty.encoding, Encoding::Wkb);
            assert_eq!(ty.crs.as_ref().unwrap().name(), "EPSG:4326", "{name}");
            let geometry = batch.column_by_name("geometry").unwrap();
            assert_eq!(geometry.data_type(), &DataType::BinaryView);
            let array = GeometryArray::try_new(geometry, &ty).unwrap();
            assert!(!array.bounds(0).unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn nested_columns_projections_and_filters() {
    let context = session();
    let create = format!(
        "CREATE EXTERNAL TABLE cities STORED AS PARQUET LOCATION '{}'",
        testdata("cities.parquet").display()
    );
    context.sql(&create).await.unwrap().collect().await.unwrap();
    let batches = context
        .sql("SELECT geometry, bbox, bbox['xmin'] AS xmin FROM cities WHERE bbox['xmin'] > 24.9 AND bbox['xmax'] < 25.0 AND bbox['ymin'] BETWEEN 60.1 AND 60.3")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert!(rows > 0);
    for batch in &batches {
        let ty = geometry_type(&batch.schema(), "geometry");
        let array = GeometryArray::try_new(batch.column(0), &ty).unwrap();
        let xmin = batch
            .column(2)
            .as_any()
            .downcast_ref::<Float64Array>()
            .unwrap();
        for row in 0..batch.num_rows() {
            assert_eq!(array.bounds(row).unwrap().min_x, xmin.value(row));
        }
    }
}

#[tokio::test]
async fn crs_missing_null_and_without_metadata() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");

    write(
        &path,
        &wkb_batch(),
        Some(geo(json!({"encoding": "WKB", "geometry_types": []}))),
    );
    let schema = read(&path, "").await.unwrap()[0].schema();
    assert_eq!(
        geometry_type(&schema, "geom").crs.unwrap().name(),
        "OGC:CRS84"
    );

    write(
        &path,
        &wkb_batch(),
        Some(geo(json!({"encoding": "WKB", "crs": null}))),
    );
    let schema = read(&path, "").await.unwrap()[0].schema();
    assert_eq!(geometry_type(&schema, "geom").crs, None);

    write(&path, &wkb_batch(), None);
    let schema = read(&path, "").await.unwrap()[0].schema();
    assert_eq!(GeometryType::from_field(schema.field(1)).unwrap(), None);
}

fn xy_fields() -> Fields {
    Fields::from(vec![
        Field::new("x", DataType::Float64, false),
        Field::new("y", DataType::Float64, false),
    ])
}

fn coordinates(x: Vec<f64>, y: Vec<f64>, valid: Option<Vec<bool>>) -> StructArray {
    StructArray::new(
        xy_fields(),
        vec![
            Arc::new(Float64Array::from(x)),
            Arc::new(Float64Array::from(y)),
        ],
        valid.map(Into::into),
    )
}

#[tokio::test]
async fn native_points_stay_native() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("points.parquet");
    let points = coordinates(
        vec![1.0, 2.0, 0.0],
        vec![3.0, 4.0, 0.0],
        Some(vec![true, true, false]),
    );
    let schema = Schema::new(vec![Field::new("geom", points.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(points)]).unwrap();
    write(
        &path,
        &batch,
        Some(geo(
            json!({"encoding": "point", "geometry_types": ["Point"]}),
        )),
    );

    let batches = read(&path, "").await.unwrap();
    let ty = geometry_type(&batches[0].schema(), "geom");
    assert!(matches!(ty.encoding, Encoding::Native(_)));
    let array = GeometryArray::try_new(batches[0].column(0), &ty).unwrap();
    assert_eq!(array.bounds(1).unwrap().max_y, 4.0);
    assert!(array.is_null(2));
}

#[tokio::test]
async fn native_polygons_stay_native() {
    use arrow::array::ListArray;
    use arrow::buffer::OffsetBuffer;

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("polygons.parquet");
    let vertices = coordinates(vec![0.0, 4.0, 4.0, 0.0], vec![0.0, 0.0, 4.0, 0.0], None);
    // The names of list items are the writer's choice.
    let vertex = Arc::new(Field::new("element", vertices.data_type().clone(), false));
    let rings = ListArray::new(
        vertex,
        OffsetBuffer::from_lengths([4]),
        Arc::new(vertices),
        None,
    );
    let ring = Arc::new(Field::new("element", rings.data_type().clone(), false));
    let polygons = ListArray::new(ring, OffsetBuffer::from_lengths([1]), Arc::new(rings), None);
    let batch = RecordBatch::try_from_iter([("geom", Arc::new(polygons) as ArrayRef)]).unwrap();
    write(
        &path,
        &batch,
        Some(geo(
            json!({"encoding": "polygon", "geometry_types": ["Polygon"]}),
        )),
    );

    let batches = read(&path, "").await.unwrap();
    let ty = geometry_type(&batches[0].schema(), "geom");
    let array = GeometryArray::try_new(batches[0].column(0), &ty).unwrap();
    assert_eq!(array.bounds(0).unwrap().max_x, 4.0);
}

#[tokio::test]
async fn two_files_of_one_table_agree_in_crs() {
    let dir = TempDir::new().unwrap();
    let crs = |code: u32| json!({"type": "ProjectedCRS", "name": "x", "id": {"authority": "EPSG", "code": code}});
    let column = |crs: Value| geo(json!({"encoding": "WKB", "geometry_types": [], "crs": crs}));
    write(
        &dir.path().join("a.parquet"),
        &wkb_batch(),
        Some(column(crs(3067))),
    );
    write(
        &dir.path().join("b.parquet"),
        &wkb_batch(),
        Some(column(crs(3067))),
    );
    let rows: usize = read(dir.path(), "")
        .await
        .unwrap()
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    assert_eq!(rows, 4);

    write(
        &dir.path().join("b.parquet"),
        &wkb_batch(),
        Some(column(crs(3879))),
    );
    let message = failure(dir.path()).await;
    for part in [
        "\"geom\"",
        "a.parquet",
        "EPSG:3067",
        "b.parquet",
        "EPSG:3879",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn broken_files_are_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    let whole = fs::read(testdata("helsinki_buildings.parquet")).unwrap();
    let name = path.display().to_string();

    for length in [12, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let message = failure(&path).await;
        assert!(
            message.starts_with(&name) && message.contains("cut short"),
            "{length}: {message}"
        );
    }
    // The length of the footer is absurd.
    let mut damaged = whole.clone();
    let at = damaged.len() - 8;
    damaged[at..at + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    fs::write(&path, &damaged).unwrap();
    let message = failure(&path).await;
    assert!(
        message.starts_with(&name) && message.contains("damaged"),
        "{message}"
    );

    fs::write(&path, "name,lat,lon\nHelsinki,60.2,24.9\n").unwrap();
    let message = failure(&path).await;
    assert!(
        message.contains("no Parquet file") && message.contains("CSV"),
        "{message}"
    );

    fs::write(&path, "PAR1").unwrap();
    let message = failure(&path).await;
    assert!(message.starts_with(&name), "{message}");
}

#[tokio::test]
async fn broken_geo_metadata_name_the_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    let other = json!({"version": "1.0.0", "primary_column": "shape", "columns": {"shape": {"encoding": "WKB"}}});
    for (text, expected) in [
        ("{\"version\": ".to_owned(), "no valid JSON"),
        (geo(json!({"encoding": "TWKB"})), "TWKB"),
        (geo(json!({"encoding": "WKB", "crs": "nowhere"})), "nowhere"),
        (geo(json!({"encoding": "point"})), "its type is BinaryView"),
        (other.to_string(), "\"shape\" that is not in the file"),
        (
            geo(json!({"encoding": "WKB", "edges": "spherical"})),
            "OPTIONS ('edges' 'planar')",
        ),
    ] {
        write(&path, &wkb_batch(), Some(text));
        let message = failure(&path).await;
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
    assert!(read(&path, "OPTIONS ('edges' 'planar')").await.is_ok());
}

/// Damage in the footer itself: an error or a readable file, never a panic or a huge allocation.
#[tokio::test]
async fn damaged_footers_do_not_panic() {
    use geoflow_engine::geoparquet::{GeoMetadata, read_footer};
    use object_store::memory::InMemory;
    use object_store::{ObjectStore, ObjectStoreExt};

    let whole = fs::read(testdata("helsinki_buildings.parquet")).unwrap();
    let length = u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let location = object_store::path::Path::from("a.parquet");
    let mut failed = 0;
    for at in (whole.len() - 8 - length..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        store.put(&location, damaged.into()).await.unwrap();
        let object = store.head(&location).await.unwrap();
        match read_footer(&store, &object, None, None).await {
            Ok(footer) => drop(GeoMetadata::from_footer(&footer, "a.parquet")),
            Err(_) => failed += 1,
        }
    }
    assert!(failed > 0);
}

async fn info(path: &Path) -> geoflow_engine::Result<geoflow_engine::geoparquet::FileInfo> {
    use object_store::local::LocalFileSystem;
    use object_store::{ObjectStore, ObjectStoreExt};

    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let location = object_store::path::Path::from_absolute_path(path.canonicalize().unwrap());
    let meta = store.head(&location.unwrap()).await.unwrap();
    geoflow_engine::geoparquet::read_info(store, meta).await
}

#[tokio::test]
async fn info_says_what_a_file_holds() {
    use geoflow_engine::geoparquet::{ColumnEncoding, Pruning};

    let cities = info(&testdata("cities.parquet")).await.unwrap();
    assert_eq!((cities.rows, cities.row_groups.len()), (171_075, 18));
    let geo = cities.geo.unwrap();
    let column = &geo.columns[0];
    assert_eq!(
        (geo.version.as_str(), column.name.as_str()),
        ("1.1.0", "geometry")
    );
    assert_eq!(column.column.encoding, ColumnEncoding::Wkb);
    assert_eq!(column.column.geometry_types, ["Point"]);
    let all = column.bounds().unwrap();
    for group in &cities.row_groups {
        assert!(group.compressed_bytes > 0);
        assert!(all.contains(&group.bounds.unwrap()));
    }
    let Pruning::Possible { overlap } = column.pruning else {
        panic!("{:?}", column.pruning);
    };
    assert!(overlap > 0.0 && overlap <= 1.0);

    let counties = info(&testdata("us_counties.parquet")).await.unwrap();
    assert_eq!(
        counties.geo.unwrap().columns[0].pruning,
        Pruning::SingleRowGroup
    );

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("plain.parquet");
    write(&path, &wkb_batch(), None);
    let plain = info(&path).await.unwrap();
    assert!(plain.geo.is_none());
    assert_eq!(plain.rows, 2);
    fs::write(&path, "").unwrap();
    let message = info(&path).await.unwrap_err().to_string();
    assert!(message.contains("is empty"), "{message}");
}

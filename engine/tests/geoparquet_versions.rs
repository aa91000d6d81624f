//! Every version and encoding: all types of geometry there and back, and what is told about them.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{GeometryArray, GeometryType, wkt_to_wkb};
use geoflow_engine::geoparquet::{
    Edges, GeoParquetFormatFactory, GeoParquetVersion, GeoParquetWriter, GeometryEncoding, Level,
    WriteOptions, read_info, validate,
};
use object_store::local::LocalFileSystem;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

/// One geometry of each kind in one dimension, EMPTY and NULL.
fn all_kinds(ordinates: &str) -> Vec<Option<String>> {
    let kinds = [
        ("POINT", "(1 2)"),
        ("LINESTRING", "(1 2,3 4,5 1)"),
        ("POLYGON", "((0 0,10 0,10 10,0 0))"),
        ("MULTIPOINT", "((1 2),(3 4))"),
        ("MULTILINESTRING", "((1 2,3 4),(5 6,7 8))"),
        ("MULTIPOLYGON", "(((0 0,10 0,10 10,0 0)))"),
    ];
    let mut all: Vec<Option<String>> = vec![];
    for (kind, coordinates) in kinds {
        let coordinates = with_more(coordinates, ordinates);
        all.push(Some(format!("{kind}{ordinates} {coordinates}")));
        all.push(Some(format!("{kind}{ordinates} EMPTY")));
        all.push(None);
    }
    all.push(Some(format!(
        "GEOMETRYCOLLECTION{ordinates} (POINT{ordinates} {})",
        with_more("(1 2)", ordinates)
    )));
    all
}

fn with_more(coordinates: &str, ordinates: &str) -> String {
    let more = match ordinates {
        "" => "",
        " ZM" => " 7 8",
        _ => " 7",
    };
    let mut out = String::new();
    let mut after_number = false;
    for ch in coordinates.chars() {
        if matches!(ch, ',' | ')') && after_number {
            out.push_str(more);
        }
        after_number = ch.is_ascii_digit();
        out.push(ch);
    }
    out
}

fn wkb(text: &str) -> Vec<u8> {
    let mut out = vec![];
    wkt_to_wkb(text, &mut out).unwrap();
    out
}

fn batch(texts: &[Option<String>], crs: Option<Crs>) -> RecordBatch {
    let values: BinaryArray = texts
        .iter()
        .map(|text| text.as_ref().map(|text| wkb(text)))
        .collect();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        GeometryType::wkb(crs).to_field("geometry", true),
    ]);
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..texts.len() as i64));
    RecordBatch::try_new(Arc::new(schema), vec![ids, Arc::new(values)]).unwrap()
}

fn write(path: &Path, batch: &RecordBatch, version: GeoParquetVersion, encoding: GeometryEncoding) {
    let options = WriteOptions {
        version,
        encoding,
        row_group_rows: 50,
        ..WriteOptions::default()
    };
    let file = fs::File::create(path).unwrap();
    let mut writer =
        GeoParquetWriter::try_new_with_options(file, &batch.schema(), &options).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

fn context() -> SessionContext {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    state
        .register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)
        .unwrap();
    SessionContext::new_with_state(state)
}

/// The geometries of a file as WKB, and the CRS.
async fn read(path: &Path) -> (Vec<Option<Vec<u8>>>, Option<Crs>) {
    let context = context();
    let create = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}'",
        path.display()
    );
    context.sql(&create).await.unwrap();
    let frame = context
        .sql("SELECT id, geometry FROM t ORDER BY id")
        .await
        .unwrap();
    let batches = frame.collect().await.unwrap();
    let schema = batches[0].schema();
    let ty = GeometryType::from_field(schema.field(1)).unwrap().unwrap();
    let mut all = vec![];
    for batch in &batches {
        let array = GeometryArray::try_new(batch.column(1), &ty)
            .unwrap()
            .to_wkb()
            .unwrap();
        all.extend((0..array.len()).map(|row| array.wkb(row).map(<[u8]>::to_vec)));
    }
    (all, ty.crs)
}

async fn object(path: &Path) -> (Arc<dyn ObjectStore>, ObjectMeta) {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let location = object_store::path::Path::from_absolute_path(path.canonicalize().unwrap());
    let meta = store.head(&location.unwrap()).await.unwrap();
    (store, meta)
}

async fn errors(path: &Path) -> Vec<String> {
    let (store, meta) = object(path).await;
    let findings = validate(store, meta, true).await.unwrap();
    let errors = findings.into_iter().filter(|f| f.level == Level::Error);
    errors.map(|f| f.message).collect()
}

/// The file without its GeoParquet metadata: the key is changed where it stands.
fn without_metadata(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let key = [3, b'g', b'e', b'o'];
    let at = bytes.windows(4).rposition(|window| window == key).unwrap();
    bytes[at + 3] = b'x';
    fs::write(path, bytes).unwrap();
}

const CRS: [Option<&str>; 3] = [Some("OGC:CRS84"), Some("EPSG:3067"), None];

#[tokio::test]
async fn all_kinds_there_and_back() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    for version in [
        GeoParquetVersion::V1_0,
        GeoParquetVersion::V1_1,
        GeoParquetVersion::V2_0,
    ] {
        for crs in CRS {
            let crs = crs.map(|code| Crs::from_authority_code(code).unwrap());
            for ordinates in ["", " Z", " M", " ZM"] {
                let batch = batch(&all_kinds(ordinates), crs.clone());
                write(&path, &batch, version, GeometryEncoding::Wkb);
                let (values, found) = read(&path).await;
                let written = batch
                    .column(1)
                    .as_any()
                    .downcast_ref::<BinaryArray>()
                    .unwrap();
                let expected: Vec<_> = written.iter().map(|v| v.map(<[u8]>::to_vec)).collect();
                assert_eq!(values, expected, "{version:?} {crs:?} {ordinates}");
                let same = match (&crs, &found) {
                    (Some(a), Some(b)) => a.same_as(b),
                    (None, None) => true,
                    _ => false,
                };
                assert!(same, "{version:?} {crs:?} {found:?}");
                assert_eq!(errors(&path).await, Vec::<String>::new(), "{version:?}");

                if version == GeoParquetVersion::V2_0 {
                    without_metadata(&path);
                    let (values, found) = read(&path).await;
                    assert_eq!(values, expected, "native alone {crs:?} {ordinates}");
                    assert_eq!(crs.is_some(), found.is_some(), "native alone");
                }
            }
        }
    }
}

#[tokio::test]
async fn native_encodings_there_and_back() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    for ordinates in ["", " Z"] {
        // Each kind in a file of its own; not the collection.
        for texts in all_kinds(ordinates).chunks_exact(3) {
            let batch = batch(texts, Some(Crs::lon_lat()));
            write(
                &path,
                &batch,
                GeoParquetVersion::V1_1,
                GeometryEncoding::GeoArrow,
            );
            let (values, _) = read(&path).await;
            let written = batch
                .column(1)
                .as_any()
                .downcast_ref::<BinaryArray>()
                .unwrap();
            let expected: Vec<_> = written.iter().map(|v| v.map(<[u8]>::to_vec)).collect();
            assert_eq!(values, expected, "{texts:?}");
            assert_eq!(errors(&path).await, Vec::<String>::new());
        }
    }
}

#[test]
fn what_no_encoding_holds_is_refused() {
    let write = |texts: &[&str]| {
        let texts: Vec<Option<String>> = texts.iter().map(|t| Some((*t).to_owned())).collect();
        let batch = batch(&texts, None);
        let options = WriteOptions {
            encoding: GeometryEncoding::GeoArrow,
            row_group_rows: 2,
            ..WriteOptions::default()
        };
        let mut writer =
            GeoParquetWriter::try_new_with_options(Vec::new(), &batch.schema(), &options)?;
        writer.write(&batch)?;
        writer.finish()
    };
    for measured in ["POINT M (1 2 3)", "POINT ZM (1 2 3 4)"] {
        let measured = write(&[measured]).unwrap_err().to_string();
        assert!(measured.contains("geometries with m"), "{measured}");
    }
    let mixed = write(&["POINT (1 2)", "LINESTRING (1 2, 3 4)"])
        .unwrap_err()
        .to_string();
    assert!(
        mixed.contains("Point and LineString") && mixed.contains("encoding wkb"),
        "{mixed}"
    );
    let late = write(&["POINT (1 2)", "POINT (1 2)", "POINT Z (1 2 3)"])
        .unwrap_err()
        .to_string();
    assert!(late.contains("row 3") && late.contains("Point Z"), "{late}");
    assert!(
        write(&[
            "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))"
        ])
        .is_ok()
    );
}

#[tokio::test]
async fn native_statistics_bound_row_groups() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    let texts: Vec<Option<String>> = (0..200)
        .map(|i| Some(format!("POINT ({} {})", i % 50, i / 50)))
        .collect();
    let batch = batch(&texts, Some(Crs::lon_lat()));
    write(
        &path,
        &batch,
        GeoParquetVersion::V2_0,
        GeometryEncoding::Wkb,
    );
    without_metadata(&path);
    let (store, meta) = object(&path).await;
    let info = read_info(store, meta).await.unwrap();
    let geo = info.geo.unwrap();
    assert_eq!(
        (geo.version.as_str(), geo.primary_column.as_str()),
        ("", "geometry")
    );
    let column = &geo.columns[0];
    assert_eq!(column.column.geometry_types, ["Point"]);
    assert_eq!(column.column.edges, Edges::Planar);
    let bounds: Vec<_> = column
        .row_group_bounds
        .iter()
        .map(|b| b.unwrap().max_y.round())
        .collect();
    assert_eq!(bounds, [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(
        errors(&path).await.len(),
        1,
        "there are no GeoParquet metadata"
    );
}

#[tokio::test]
async fn lies_are_found() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.parquet");
    let texts: Vec<Option<String>> = (0..3).map(|i| Some(format!("POINT ({i} 1.5)"))).collect();
    write(
        &path,
        &batch(&texts, None),
        GeoParquetVersion::V1_1,
        GeometryEncoding::Wkb,
    );
    let good = fs::read(&path).unwrap();
    for (truth, lie, expected) in [
        ("\"Point\"", "\"Polyg\"", "\"Polyg\" is no geometry type"),
        ("\"bbox\",\"xmin\"", "\"bbax\",\"xmin\"", "bbax.xmin"),
        (
            "\"bbox\":[0.0,1.5,2.0,1.5]",
            "\"bbox\":[0.0,1.5,1.0,1.5]",
            "outside the bbox",
        ),
        ("\"version\":\"1.1.0\"", "\"version\":\"9.1.0\"", "9.1.0"),
        (
            "\"version\":\"1.1.0\"",
            "\"version\":\"2.1.0\"",
            "type GEOMETRY",
        ),
    ] {
        assert_eq!(truth.len(), lie.len());
        let at = good
            .windows(truth.len())
            .rposition(|w| w == truth.as_bytes());
        let at = at.unwrap_or_else(|| unreachable!("{truth} is not in the file"));
        let mut bytes = good.clone();
        bytes[at..at + lie.len()].copy_from_slice(lie.as_bytes());
        fs::write(&path, &bytes).unwrap();
        let errors = errors(&path).await;
        assert!(
            errors.iter().any(|e| e.contains(expected)),
            "{lie}: {errors:?}"
        );
    }
}

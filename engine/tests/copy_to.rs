//! `COPY ... TO` a folder: partitions, sizes, orders, and what is there before and after.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{Bounds, GeometryType};
use geoflow_engine::geoparquet::{FileInfo, GeoParquetFormatFactory, Pruning, read_info};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

fn point(x: f64, y: f64) -> Vec<u8> {
    [&[1, 1, 0, 0, 0][..], &x.to_le_bytes(), &y.to_le_bytes()].concat()
}

const ODD: [&str; 6] = ["FI", "a/b=c %", "..", "ä\n", "", "x"];

/// Points all over the world, with a country that is odd, NULL for one in seven.
fn rows(count: i64, bad: bool) -> RecordBatch {
    let ty = GeometryType::wkb(Some(Crs::lon_lat()));
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("country", DataType::Utf8, true),
        ty.to_field("geometry", true),
    ]);
    let place = |i: i64| {
        let x = (i * 7919 % 3599) as f64 / 10.0 - 179.9;
        let y = (i * 104_729 % 1799) as f64 / 10.0 - 89.9;
        let bytes = point(x, y);
        if bad && i == count - 1 {
            bytes[..9].to_vec()
        } else {
            bytes
        }
    };
    let country = |i: i64| (i % 7 != 6).then(|| ODD[(i % 7) as usize]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..count)),
        Arc::new((0..count).map(country).collect::<StringArray>()),
        Arc::new(BinaryArray::from_iter_values((0..count).map(place))),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn context(rows: &RecordBatch) -> SessionContext {
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(
            SessionConfig::new()
                .with_target_partitions(3)
                .with_batch_size(500),
        )
        .build();
    state
        .register_file_format(Arc::new(GeoParquetFormatFactory::new()), true)
        .unwrap();
    let context = SessionContext::new_with_state(state);
    let batches: Vec<RecordBatch> = (0..rows.num_rows())
        .step_by(500)
        .map(|at| rows.slice(at, 500.min(rows.num_rows() - at)))
        .collect();
    let half = batches.len() / 2;
    let parts = vec![batches[..half].to_vec(), batches[half..].to_vec()];
    let table = MemTable::try_new(rows.schema(), parts).unwrap();
    context.register_table("t", Arc::new(table)).unwrap();
    context
}

async fn copy(context: &SessionContext, to: &Path, rest: &str) -> Result<(), String> {
    let sql = format!("COPY t TO '{}/' STORED AS PARQUET {rest}", to.display());
    let frame = context.sql(&sql).await.map_err(|e| e.to_string())?;
    frame.collect().await.map_err(|e| e.to_string())?;
    Ok(())
}

/// All files below a folder, by their path from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(next) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

async fn info(path: &Path) -> FileInfo {
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
    let location = object_store::path::Path::from_absolute_path(path.canonicalize().unwrap());
    let meta = store.head(&location.unwrap()).await.unwrap();
    read_info(store, meta).await.unwrap()
}

#[tokio::test]
async fn odd_values_are_encoded_and_read_back() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(7000, false));
    copy(&context, &out, "PARTITIONED BY (country)")
        .await
        .unwrap();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for file in files(&out) {
        let folder = file
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let info = info(&file).await;
        assert!(info.schema.index_of("country").is_err());
        *counts.entry(folder.to_owned()).or_default() += info.rows;
    }
    let expected = [
        ("country=%C3%A4%0A", 1000),
        ("country=..", 1000),
        ("country=FI", 1000),
        ("country=", 1000),
        ("country=__HIVE_DEFAULT_PARTITION__", 1000),
        ("country=a%2Fb%3Dc%20%25", 1000),
        ("country=x", 1000),
    ];
    let expected: BTreeMap<String, u64> = expected
        .iter()
        .map(|(k, v)| ((*k).to_owned(), *v))
        .collect();
    assert_eq!(counts, expected);
    // Nothing lies beside the output.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    context
        .sql(&format!(
            "CREATE EXTERNAL TABLE back STORED AS PARQUET PARTITIONED BY (country) LOCATION '{}/'",
            out.display()
        ))
        .await
        .unwrap();
    let sql = "SELECT count(*) AS n FROM t JOIN back USING (id, country)";
    let found = context.sql(sql).await.unwrap().collect().await.unwrap();
    let n = found[0]
        .column(0)
        .as_any()
        .downcast_ref::<Int64Array>()
        .unwrap();
    assert_eq!(n.value(0), 6000, "all but NULL");
}

#[tokio::test]
async fn cells_and_the_curve_keep_neighbours_together() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(20_000, false));
    copy(
        &context,
        &out,
        "OPTIONS (cells 'quadkey:1', sort_by 'hilbert', row_group_rows '500')",
    )
    .await
    .unwrap();
    let files = files(&out);
    assert_eq!(files.len(), 4);
    let mut total = 0;
    for file in &files {
        let info = info(file).await;
        total += info.rows;
        assert!(info.row_groups.iter().all(|group| group.rows <= 500));
        let Pruning::Possible { overlap } = info.geo.unwrap().columns[0].pruning else {
            unreachable!("no statistics");
        };
        assert!(overlap < 0.4, "{overlap}");
    }
    assert_eq!(total, 20_000);
}

#[tokio::test]
async fn cells_of_equal_size() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(20_000, false));
    copy(&context, &out, "OPTIONS (cells 'kd:8', sort_by 'hilbert')")
        .await
        .unwrap();
    let files = files(&out);
    assert_eq!(files.len(), 8);
    let mut bounds: Vec<Bounds> = vec![];
    for file in &files {
        let folder = file.parent().unwrap().file_name().unwrap();
        assert_eq!(folder.to_str().unwrap(), format!("kd={}", bounds.len()));
        let info = info(file).await;
        assert!((2_300..2_700).contains(&info.rows), "{}", info.rows);
        bounds.push(info.row_groups[0].bounds.unwrap());
    }
    let apart = |a: &Bounds, b: &Bounds| !a.intersects(b) || a == b;
    assert!(
        bounds.iter().all(|a| bounds.iter().all(|b| apart(a, b))),
        "{bounds:?}"
    );
    let message = copy(&context, &out, "OPTIONS (cells 'kd:0')")
        .await
        .unwrap_err();
    assert!(message.to_string().contains("'kd:1' to"), "{message}");
}

#[tokio::test]
async fn files_end_at_a_size() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(20_000, false));
    let options =
        "OPTIONS (max_file_size '100KB', row_group_rows '500', compression 'uncompressed')";
    copy(&context, &out, options).await.unwrap();
    let files = files(&out);
    assert!((5..30).contains(&files.len()), "{}", files.len());
    for file in &files[..files.len() - 1] {
        let size = fs::metadata(file).unwrap().len();
        assert!((100_000..400_000).contains(&size), "{size}");
    }
}

#[tokio::test]
async fn what_is_there_is_kept_unless_told_otherwise() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(1000, false));
    copy(&context, &out, "").await.unwrap();
    let first = files(&out);
    assert_eq!(first.len(), 1);
    let error = copy(&context, &out, "").await.unwrap_err();
    assert!(
        error.contains("has files already") && error.contains("if_exists"),
        "{error}"
    );
    assert_eq!(files(&out), first);
    copy(&context, &out, "OPTIONS (if_exists 'append')")
        .await
        .unwrap();
    assert_eq!(files(&out).len(), 2);
    copy(&context, &out, "OPTIONS (if_exists 'overwrite')")
        .await
        .unwrap();
    let last = files(&out);
    assert!(last.len() == 1 && last != first);

    let single = dir.path().join("one.parquet");
    let sql = format!("COPY t TO '{}'", single.display());
    for expected in [true, false] {
        let done = context.sql(&sql).await.unwrap().collect().await;
        assert_eq!(done.is_ok(), expected);
    }
    let sql = format!("COPY t TO '{}' PARTITIONED BY (country)", single.display());
    let error = context
        .sql(&sql)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is one file"), "{error}");
}

#[tokio::test]
async fn a_write_that_fails_leaves_what_was_there() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let good = context(&rows(1000, false));
    copy(&good, &out, "").await.unwrap();
    let before = files(&out);
    let bad = context(&rows(70_001, true));
    let error = copy(
        &bad,
        &out,
        "OPTIONS (if_exists 'overwrite', max_file_size '10KB', row_group_rows '1000')",
    )
    .await
    .unwrap_err();
    assert!(error.contains("row 70001 of the result"), "{error}");
    assert!(error.contains("have been removed again"), "{error}");
    assert_eq!(files(&out), before);
}

#[tokio::test]
async fn mistakes_are_found_before_anything_runs() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let context = context(&rows(10, false));
    for (rest, expected) in [
        ("PARTITIONED BY (nothing)", "nothing"),
        ("OPTIONS (sort_by 'size')", "must be 'hilbert'"),
        (
            "OPTIONS (geoparquet_version '1.0', encoding 'geoarrow')",
            "version 1.1",
        ),
        ("OPTIONS (cells 's2')", "no grid of cells"),
        ("OPTIONS (row_groups '5')", "row_groups"),
    ] {
        let error = copy(&context, &out, rest).await.unwrap_err();
        assert!(error.contains(expected), "{rest}: {error}");
        assert!(!out.exists());
    }
}

#[tokio::test]
async fn no_rows_are_a_file_with_columns() {
    let dir = TempDir::new().unwrap();
    let context = context(&rows(10, false));
    for encoding in ["wkb", "geoarrow"] {
        let out = dir.path().join(encoding);
        let sql = format!(
            "COPY (SELECT * FROM t WHERE id < 0) TO '{}/' STORED AS PARQUET OPTIONS (encoding '{encoding}')",
            out.display()
        );
        context.sql(&sql).await.unwrap().collect().await.unwrap();
        let files = files(&out);
        assert_eq!(files.len(), 1);
        let info = info(&files[0]).await;
        assert!(info.rows == 0 && info.geo.is_some());
    }
}

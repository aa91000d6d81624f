//! Within a row group, pages are left out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde_json::json;

use super::{Lab, batch, everything, explain, point, square};

const ROWS: usize = 20_000;

fn x(row: usize) -> f64 {
    row as f64 * 100.0 / ROWS as f64
}

/// The table `points` of one row group with pages of 500 rows.
async fn lab() -> Lab {
    let lab = Lab::empty();
    let rows = batch((0..ROWS).map(|row| Some(point(x(row), 1.0))).collect());
    let xs: ArrayRef = Arc::new(Float64Array::from_iter_values((0..ROWS).map(x)));
    let ys: ArrayRef = Arc::new(Float64Array::from_iter_values((0..ROWS).map(|_| 1.0)));
    let sides = ["xmin", "ymin", "xmax", "ymax"];
    let fields: Fields = sides
        .iter()
        .map(|side| Field::new(*side, DataType::Float64, false))
        .collect();
    let boxes = StructArray::new(fields, vec![xs.clone(), ys.clone(), xs, ys], None);
    let file_rows = RecordBatch::try_from_iter([
        ("id", Arc::clone(rows.column(0))),
        ("payload", Arc::clone(rows.column(1))),
        ("geometry", Arc::clone(rows.column(2))),
        ("bbox", Arc::new(boxes) as ArrayRef),
    ])
    .unwrap();
    let [xmin, ymin, xmax, ymax] = sides.map(|side| json!(["bbox", side]));
    let geo = json!({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {
        "encoding": "WKB", "geometry_types": ["Point"], "crs": null,
        "covering": {"bbox": {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}},
    }}});
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(vec![KeyValue::new("geo".into(), geo.to_string())]))
        .set_data_page_row_count_limit(500)
        .set_write_batch_size(100)
        .set_dictionary_enabled(false)
        .build();
    let mut file = vec![];
    let mut writer = ArrowWriter::try_new(&mut file, file_rows.schema(), Some(properties)).unwrap();
    writer.write(&file_rows).unwrap();
    writer.close().unwrap();
    let path = Path::from("points.parquet");
    lab.store.put(&path, file.into()).await.unwrap();
    lab.run("CREATE EXTERNAL TABLE points STORED AS PARQUET LOCATION 's3://lab/points.parquet'")
        .await;
    lab.session
        .context()
        .register_batch("points_mem", rows)
        .unwrap();
    let squares = vec![Some(square(10.0, 0.0, 1.5)), Some(square(80.25, 0.0, 2.0))];
    lab.squares("squares", squares).await;
    lab
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_left_out() {
    let lab = lab().await;
    let all = everything(&lab).await;
    let sql = "SELECT p.id, p.payload FROM points p JOIN squares s \
               ON ST_Intersects(p.geometry, s.geometry)";
    let (lines, bytes) = lab.check(sql, &["points", "squares"]).await;
    assert!(lines > 600, "{lines}");
    assert!(bytes < all / 10, "{bytes} of {all}");
    let plan = explain(&lab, &format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(
        plan.contains("pages_pruned_bounds=40 total → 2 matched"),
        "{plan}"
    );
}

/// `ORDER BY ... LIMIT` narrows the scan while it runs, on top of the bounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_rows_of_what_is_left() {
    let lab = lab().await;
    for condition in [
        "ST_DWithin(geometry, ST_Point(33, 1), 4)",
        "ST_DWithin(geometry, ST_Point(33, 1), 4) OR ST_Within(geometry, ST_MakeEnvelope(90, 0, 95, 2))",
    ] {
        for order in ["id", "id DESC", "payload"] {
            let sql = format!("SELECT id FROM points WHERE {condition} ORDER BY {order} LIMIT 7");
            let (lines, _) = lab.check(&sql, &["points"]).await;
            assert_eq!(lines, 4 + 7);
        }
        let sql = format!(
            "SELECT count(*) AS n, min(id) AS a, max(id) AS b FROM points WHERE {condition}"
        );
        lab.check(&sql, &["points"]).await;
    }
    // Any seven will do.
    let sql = "SELECT id FROM points WHERE ST_DWithin(geometry, ST_Point(33, 1), 4) LIMIT 7";
    let (lines, _) = lab.ask(sql).await;
    assert_eq!(lines.len(), 4 + 7);
}

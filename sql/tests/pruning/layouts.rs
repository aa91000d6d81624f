//! Files as other writers lay them out, and odd ones, at random: answers must be those of the same
//! rows in memory.
#![expect(clippy::print_stdout, reason = "a test that says its seeds")]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Float32Array, Float64Array, Int64Array, RecordBatch,
    StructArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields};
use geoflow_engine::geometry::{Bounds, GeometryArray, GeometryType};
use geoflow_engine::geoparquet::GeoParquetWriter;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{Lab, batch, point, square};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// As geoflow writes it.
    Own,
    /// Boxes of `f32`, rounded to the nearest; short pages.
    Single,
    /// Native points.
    Native,
    /// Boxes that cross the antimeridian have xmin > xmax.
    Wrapped,
    /// WKB alone.
    Bare,
}

const LAYOUTS: [Layout; 5] = [
    Layout::Own,
    Layout::Single,
    Layout::Native,
    Layout::Wrapped,
    Layout::Bare,
];

const EMPTY: [u8; 9] = [1, 3, 0, 0, 0, 0, 0, 0, 0];

fn geometry(rng: &mut StdRng, layout: Layout, x: f64) -> Option<Vec<u8>> {
    let y = rng.random_range(-5..=5) as f64 / 2.0;
    match rng.random_range(0..20) {
        0 => None,
        1 if layout != Layout::Native => Some(EMPTY.to_vec()),
        2..9 if layout != Layout::Native => Some(square(x, y, rng.random_range(0.0..1.5))),
        _ => Some(point(x, y)),
    }
}

/// Rows in the order of x, or in none.
fn rows(rng: &mut StdRng, layout: Layout, n: usize) -> RecordBatch {
    let range = match layout {
        Layout::Wrapped => -180.0..180.0,
        _ => 0.0..60.0,
    };
    let mut x: Vec<f64> = (0..n)
        .map(|_| (rng.random_range(range.clone()) * 8.0_f64).round() / 8.0 + 0.1)
        .collect();
    if rng.random_bool(0.8) {
        x.sort_by(f64::total_cmp);
    }
    batch(x.into_iter().map(|x| geometry(rng, layout, x)).collect())
}

fn bounds(batch: &RecordBatch) -> Vec<Bounds> {
    let view = GeometryArray::try_new(batch.column(2), &GeometryType::wkb(None)).unwrap();
    (0..batch.num_rows())
        .map(|row| view.bounds(row).unwrap())
        .collect()
}

/// One file of these rows.
fn file(rng: &mut StdRng, layout: Layout, batch: &RecordBatch) -> Vec<u8> {
    let mut out = vec![];
    if layout == Layout::Own {
        let options = geoflow_engine::geoparquet::WriteOptions {
            row_group_rows: rng.random_range(3..50),
            ..Default::default()
        };
        let mut writer =
            GeoParquetWriter::try_new_with_options(&mut out, &batch.schema(), &options).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        return out;
    }
    let boxes = bounds(batch);
    let whole = boxes.iter().fold(Bounds::EMPTY, |all, b| all.union(b));
    let mut names = vec!["id", "payload", "geometry"];
    let mut columns = batch.columns().to_vec();
    let mut meta = json!({"encoding": "WKB", "geometry_types": [], "crs": null});
    if layout == Layout::Native && rng.random_bool(0.3) {
        // Of another file, whose metadata were copied; statistics tell better.
        meta["bbox"] = json!([-3.0, -3.0, -2.0, -2.0]);
    } else if !whole.is_empty() && rng.random_bool(0.7) {
        meta["bbox"] = json!([whole.min_x, whole.min_y, whole.max_x, whole.max_y]);
    }
    match layout {
        Layout::Single | Layout::Wrapped => {
            names.push("bbox");
            columns.push(covering(&boxes, layout));
            let path = |side: &str| json!(["bbox", side]);
            meta["covering"] = json!({"bbox": {"xmin": path("xmin"), "ymin": path("ymin"),
                "xmax": path("xmax"), "ymax": path("ymax")}});
        }
        Layout::Native => {
            columns[2] = native(batch.column(2));
            meta["encoding"] = json!("point");
        }
        _ => {}
    }
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap();
    let geo =
        json!({"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": meta}});
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(vec![KeyValue::new("geo".into(), geo.to_string())]))
        .set_max_row_group_row_count(Some(rng.random_range(5..120)))
        .set_data_page_row_count_limit(rng.random_range(3..20))
        .set_write_batch_size(rng.random_range(1..8))
        .set_dictionary_enabled(rng.random_bool(0.5))
        .build();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

/// The boxes, NULL for those of no geometry. A square at 179 degrees goes on at -180 when wrapped.
fn covering(boxes: &[Bounds], layout: Layout) -> ArrayRef {
    let side = |of: fn(&Bounds) -> f64| -> ArrayRef {
        let values = boxes.iter().map(|b| (!b.is_empty()).then(|| of(b)));
        match layout {
            Layout::Single => {
                Arc::new(Float32Array::from_iter(values.map(|v| v.map(|v| v as f32))))
            }
            _ => Arc::new(Float64Array::from_iter(values)),
        }
    };
    let wrap: fn(&Bounds) -> f64 = |b| {
        if b.max_x > 180.0 {
            b.max_x - 360.0
        } else {
            b.max_x
        }
    };
    let sides = [
        ("xmin", side(|b| b.min_x)),
        ("ymin", side(|b| b.min_y)),
        (
            "xmax",
            if layout == Layout::Wrapped {
                side(wrap)
            } else {
                side(|b| b.max_x)
            },
        ),
        ("ymax", side(|b| b.max_y)),
    ];
    let fields: Fields = sides
        .iter()
        .map(|(name, values)| Field::new(*name, values.data_type().clone(), true))
        .collect();
    let columns = sides.into_iter().map(|(_, values)| values).collect();
    Arc::new(StructArray::new(fields, columns, None))
}

fn native(wkb: &ArrayRef) -> ArrayRef {
    let wkb: &BinaryArray = wkb.as_binary();
    let ordinate = |at: usize| -> ArrayRef {
        let values = wkb.iter().map(|value| {
            value.map_or(0.0, |v| {
                f64::from_le_bytes(v[at..at + 8].try_into().unwrap())
            })
        });
        Arc::new(Float64Array::from_iter_values(values))
    };
    let fields: Fields = ["x", "y"]
        .iter()
        .map(|name| Field::new(*name, DataType::Float64, false))
        .collect();
    Arc::new(StructArray::new(
        fields,
        vec![ordinate(5), ordinate(13)],
        wkb.nulls().cloned(),
    ))
}

impl Lab {
    /// The table `wild` of a few files, and `wild_mem`.
    async fn wild(&self, rng: &mut StdRng, layout: Layout) {
        let mut batches: Vec<RecordBatch> = vec![];
        for i in 0..rng.random_range(1..=3) {
            let n = rng.random_range(0..400);
            let first: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let rows = rows(rng, layout, n);
            let ids = Int64Array::from_iter_values((first as i64..).take(n));
            let mut columns = rows.columns().to_vec();
            columns[0] = Arc::new(ids);
            let rows = RecordBatch::try_new(rows.schema(), columns).unwrap();
            let path = Path::from(format!("wild/{i}.parquet"));
            let file = file(rng, layout, &rows);
            self.store.put(&path, file.into()).await.unwrap();
            batches.push(rows);
        }
        self.run("CREATE EXTERNAL TABLE wild STORED AS PARQUET LOCATION 's3://lab/wild/'")
            .await;
        let all = concat_batches(&batches[0].schema(), &batches).unwrap();
        self.session
            .context()
            .register_batch("wild_mem", all)
            .unwrap();
    }
}

async fn try_layout(seed: u64) -> (u64, u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let layout = *LAYOUTS.choose(&mut rng).unwrap();
    println!("seed {seed}: {layout:?}");
    let lab = Lab::empty();
    for setting in [
        "SET datafusion.optimizer.repartition_file_min_size = 0",
        "SET datafusion.optimizer.repartition_file_scans = true",
    ] {
        lab.run(setting).await;
    }
    lab.wild(&mut rng, layout).await;
    let mut squares = vec![];
    for _ in 0..rng.random_range(0..4) {
        let x = match layout {
            Layout::Wrapped => *[-179.9, 179.5, 180.2, 30.0].choose(&mut rng).unwrap(),
            _ => rng.random_range(-5.0..65.0),
        };
        squares.push(geometry(
            &mut rng,
            Layout::Own,
            (x * 8.0_f64).round() / 8.0 + 0.1,
        ));
    }
    lab.squares("squares", squares).await;
    let (_, all) = lab.ask("SELECT id, geometry FROM wild").await;
    let (mut asked, mut of) = (0, 0);
    for _ in 0..12 {
        let join = *[
            "INNER",
            "LEFT",
            "RIGHT",
            "FULL",
            "LEFT SEMI",
            "RIGHT SEMI",
            "LEFT ANTI",
            "RIGHT ANTI",
        ]
        .choose(&mut rng)
        .unwrap();
        let output = match join {
            "LEFT SEMI" | "LEFT ANTI" => "w.id",
            "RIGHT SEMI" | "RIGHT ANTI" => "s.id",
            _ => "w.id, s.id",
        };
        let condition = *[
            "ST_Intersects(w.geometry, s.geometry)",
            "ST_Covers(s.geometry, w.geometry)",
            "ST_Equals(w.geometry, s.geometry)",
            "ST_Touches(w.geometry, s.geometry)",
            "ST_DWithin(w.geometry, s.geometry, 1.3)",
            "ST_DWithin(w.geometry, s.geometry, w.id * 0.01)",
            "ST_DWithin(w.geometry, s.geometry, s.id * 0.7)",
        ]
        .choose(&mut rng)
        .unwrap();
        let sql = format!("SELECT {output} FROM wild w {join} JOIN squares s ON {condition}");
        let (_, bytes) = lab.check(&sql, &["wild", "squares"]).await;
        if matches!(join, "INNER" | "RIGHT" | "LEFT SEMI" | "RIGHT SEMI") {
            asked += bytes;
            of += all;
        }
    }
    let sql = "SELECT id FROM wild WHERE ST_Intersects(geometry, ST_MakeEnvelope(20.1, 0, 22, 2))";
    lab.check(&sql.replace("wild", "wild "), &["wild"]).await;
    (asked, of)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_the_same_rows_in_memory() {
    let from_env = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seeds = match from_env("GEOFLOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = u64::from(rand::random::<u32>());
            first..first + from_env("GEOFLOW_CASES").unwrap_or(10)
        }
    };
    let (mut asked, mut of) = (0, 0);
    for seed in seeds {
        let (bytes, all) = try_layout(seed).await;
        (asked, of) = (asked + bytes, of + all);
    }
    println!("{asked} bytes of {of}");
    assert!(asked < of);
}

//! Statistics as they are found in the wild.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float32Array, Float64Array, RecordBatch, StructArray};
use arrow::datatypes::{Field, Fields};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::SchemaDescPtr;
use serde_json::json;

use super::*;
use crate::geoparquet::GeoMetadata;

const ROWS: i64 = 100;

fn column(extra: serde_json::Value) -> GeoColumn {
    let mut column = json!({"encoding": "WKB", "covering": {"bbox": {
        "xmin": ["b", "xmin"], "ymin": ["b", "ymin"], "xmax": ["b", "xmax"], "ymax": ["b", "ymax"],
    }}});
    let entries = extra.as_object().unwrap().clone();
    column.as_object_mut().unwrap().extend(entries);
    let text = json!({"version": "1.1.0", "primary_column": "g", "columns": {"g": column}});
    let mut metadata = GeoMetadata::parse(&text.to_string(), "").unwrap();
    metadata.columns.remove("g").unwrap()
}

fn schema(message: &str) -> SchemaDescPtr {
    let ty = parse_message_type(message).unwrap();
    Arc::new(SchemaDescriptor::new(Arc::new(ty)))
}

fn boxes(number: &str) -> SchemaDescPtr {
    schema(&format!(
        "message m {{ optional binary g; optional group b {{
            optional {number} xmin; optional {number} ymin; optional {number} xmax; optional {number} ymax;
        }} }}"
    ))
}

/// A row group of these statistics, column by column.
fn group(schema: &SchemaDescPtr, statistics: Vec<Option<Statistics>>) -> RowGroupMetaData {
    let columns = schema.columns().iter().zip(statistics);
    let columns = columns.map(|(leaf, statistics)| {
        let column = ColumnChunkMetaData::builder(Arc::clone(leaf));
        match statistics {
            Some(statistics) => column.set_statistics(statistics),
            None => column,
        }
        .build()
        .unwrap()
    });
    RowGroupMetaData::builder(Arc::clone(schema))
        .set_num_rows(ROWS)
        .set_column_metadata(columns.collect())
        .build()
        .unwrap()
}

fn double(min: f64, max: f64, nulls: Option<u64>) -> Option<Statistics> {
    Some(Statistics::double(Some(min), Some(max), None, nulls, false))
}

/// The bounds told by four columns of `(min, max)`: xmin, ymin, xmax, ymax.
fn told(spans: [(f64, f64); 4]) -> Option<Bounds> {
    told_with(None, spans.map(|(min, max)| double(min, max, Some(0))))
}

fn told_with(geometry: Option<u64>, spans: [Option<Statistics>; 4]) -> Option<Bounds> {
    let schema = boxes("double");
    let geometry = Statistics::byte_array(None, None, None, geometry, false);
    let statistics = std::iter::once(Some(geometry)).chain(spans).collect();
    let found = BoundsStatistics::find(&schema, "g", &column(json!({}))).unwrap();
    found.row_group(&group(&schema, statistics))
}

const PLAIN: [(f64, f64); 4] = [(1.0, 3.0), (10.0, 30.0), (2.0, 4.0), (20.0, 40.0)];

#[test]
fn boxes_bound_a_row_group() {
    assert_eq!(told(PLAIN), Some(Bounds::new(1.0, 10.0, 4.0, 40.0)));
}

#[test]
fn statistics_that_say_nothing_exclude_nothing() {
    let plain = || PLAIN.map(|(min, max)| double(min, max, Some(0)));
    for side in 0..4 {
        for damaged in [
            None,
            double(f64::NAN, 2.0, Some(0)),
            double(1.0, f64::NAN, Some(0)),
            double(5.0, 1.0, Some(0)),
            double(1.0, 2.0, None),
            Some(Statistics::double(None, None, None, Some(0), false)),
            Some(Statistics::double(Some(1.0), None, None, Some(0), false)),
            Some(Statistics::int32(Some(1), Some(2), None, Some(0), false)),
        ] {
            let mut spans = plain();
            spans[side] = damaged.clone();
            assert_eq!(told_with(None, spans), None, "{side} {damaged:?}");
        }
    }
    // Greatest y below the least.
    assert_eq!(
        told([(1.0, 3.0), (50.0, 60.0), (2.0, 4.0), (20.0, 40.0)]),
        None
    );
}

#[test]
fn a_null_box_is_that_of_a_null() {
    let nulls = |nulls: [u64; 4]| {
        let mut at = 0;
        PLAIN.map(|(min, max)| {
            at += 1;
            double(min, max, Some(nulls[at - 1]))
        })
    };
    let bounds = Some(Bounds::new(1.0, 10.0, 4.0, 40.0));
    assert_eq!(told_with(Some(5), nulls([5; 4])), bounds);
    assert_eq!(told_with(Some(9), nulls([5; 4])), bounds);
    // The writer keeps no count for the geometry.
    assert_eq!(told_with(None, nulls([5; 4])), bounds);
    // Some geometries have no box.
    assert_eq!(told_with(Some(4), nulls([5; 4])), None);
    assert_eq!(told_with(Some(9), nulls([5, 5, 6, 5])), None);
    // All are NULL.
    let all = ROWS as u64;
    let none = || [0; 4].map(|_| Some(Statistics::double(None, None, None, Some(all), false)));
    assert_eq!(told_with(Some(all), none()), Some(Bounds::EMPTY));
    assert_eq!(told_with(Some(0), none()), None);
}

#[test]
fn boxes_across_the_antimeridian_bound_y_alone() {
    let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
    let y = [(10.0, 30.0), (20.0, 40.0)];
    for (xmin, xmax) in [
        // One box, from 170 to -170.
        ((170.0, 170.0), (-170.0, -170.0)),
        // Beside one of 160 to 165, and beside one of -160 to -150.
        ((160.0, 170.0), (-170.0, 165.0)),
        ((-160.0, 170.0), (-170.0, -150.0)),
        // Hidden between one near either end.
        ((-175.0, 170.0), (-170.0, 175.0)),
    ] {
        let bounds = told([xmin, y[0], xmax, y[1]]).unwrap();
        assert_eq!(
            (bounds.min_x, bounds.max_x),
            everywhere,
            "{xmin:?} {xmax:?}"
        );
        assert_eq!((bounds.min_y, bounds.max_y), (10.0, 40.0));
    }
    // Metres: nothing wraps, however wide.
    let bounds = told([(1000.0, 9000.0), y[0], (2000.0, 9500.0), y[1]]).unwrap();
    assert_eq!((bounds.min_x, bounds.max_x), (1000.0, 9500.0));
}

#[test]
fn single_precision_is_widened() {
    let schema = boxes("float");
    let float = |v: f32| Some(Statistics::float(Some(v), Some(v), None, Some(0), false));
    let found = BoundsStatistics::find(&schema, "g", &column(json!({}))).unwrap();
    let group = group(
        &schema,
        vec![None, float(0.1), float(0.2), float(0.1), float(0.2)],
    );
    let bounds = found.row_group(&group).unwrap();
    assert!(bounds.contains(&Bounds::point(0.1, 0.2)), "{bounds:?}");
    assert!(bounds.max_x - bounds.min_x < 1e-7);
}

#[test]
fn native_coordinates_bound_themselves() {
    let points = schema("message m { optional group g { optional double x; optional double y; } }");
    let native = column(json!({"encoding": "point", "covering": {}}));
    let found = BoundsStatistics::find(&points, "g", &native).unwrap();
    // NULL and EMPTY are no reason to look; and a point crosses no meridian.
    let spans = vec![double(-179.0, 179.0, Some(7)), double(1.0, 2.0, Some(9))];
    assert_eq!(
        found.row_group(&group(&points, spans)),
        Some(Bounds::new(-179.0, 1.0, 179.0, 2.0))
    );
    let none = column(json!({"covering": {}}));
    assert!(
        BoundsStatistics::find(&points, "g", &none).is_none(),
        "WKB without a covering"
    );
}

#[test]
fn the_box_of_a_file() {
    let of = |bbox: serde_json::Value| file_bounds(&column(json!({ "bbox": bbox })));
    let meets = |bbox: serde_json::Value, x: f64, y: f64| {
        let boxes = of(bbox).unwrap();
        boxes.iter().any(|b| b.intersects(&Bounds::point(x, y)))
    };
    let plain = || json!([1.0, 2.0, 3.0, 4.0]);
    assert!(meets(plain(), 1.0, 2.0) && meets(plain(), 3.0, 4.0) && !meets(plain(), 3.001, 2.0));
    let high = || json!([1.0, 2.0, -5.0, 3.0, 4.0, 5.0]);
    assert!(meets(high(), 3.0, 4.0) && !meets(high(), 1.0, 4.5));
    let wrapped = || json!([170.0, 2.0, -170.0, 4.0]);
    assert!(
        meets(wrapped(), 1e9, 2.0) && meets(wrapped(), -175.0, 4.0) && meets(wrapped(), 170.0, 3.0)
    );
    assert!(!meets(wrapped(), 175.0, 5.0) && !meets(wrapped(), 0.0, 3.0));
    assert_eq!(of(json!([1.0, 4.0, 3.0, 2.0])), None);
    assert_eq!(file_bounds(&column(json!({}))), None);
}

fn footer_of_pages(boxes: Vec<ArrayRef>, rows: usize) -> ParquetMetaData {
    let fields: Fields = ["xmin", "ymin", "xmax", "ymax"]
        .iter()
        .zip(&boxes)
        .map(|(name, values)| Field::new(*name, values.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_from_iter([
        (
            "g",
            Arc::new(BinaryArray::from_iter_values(vec![[0u8; 30]; rows])) as ArrayRef,
        ),
        (
            "b",
            Arc::new(StructArray::new(fields, boxes, None)) as ArrayRef,
        ),
    ])
    .unwrap();
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(10)
        .set_write_batch_size(1)
        .set_dictionary_enabled(false)
        .build();
    let mut file = vec![];
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&Bytes::from(file))
        .unwrap()
}

#[test]
fn pages_have_bounds_of_their_own() {
    let x: ArrayRef = Arc::new(Float64Array::from_iter((0..40).map(|i| match i {
        10..20 => None,
        25 => Some(f64::NAN),
        i => Some(f64::from(i)),
    })));
    let y: ArrayRef = Arc::new(Float32Array::from_iter_values((0..40).map(|_| 0.5)));
    let footer = footer_of_pages(vec![x.clone(), y.clone(), x, y], 40);
    let schema = footer.file_metadata().schema_descr();
    assert_eq!(schema.column(2).physical_type().to_string(), "FLOAT");
    let found = BoundsStatistics::find(schema, "g", &column(json!({}))).unwrap();
    let pages = found.pages(&footer, 0).unwrap();
    let starts: Vec<usize> = pages.iter().map(|(row, _)| *row).collect();
    assert_eq!(starts, [0, 10, 20, 30]);
    let x: Vec<Option<(f64, f64)>> = pages
        .iter()
        .map(|(_, bounds)| bounds.map(|b| (b.min_x, b.max_x)))
        .collect();
    // A page of NULLs says nothing, one with a NaN leaves it out of account.
    assert_eq!(
        x,
        [
            Some((0.0, 9.0)),
            None,
            Some((20.0, 29.0)),
            Some((30.0, 39.0))
        ]
    );
    assert_eq!(found.pages(&footer, 1), None);
}

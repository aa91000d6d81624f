//! Scans of spatially sorted GeoParquet read what overlaps, and answers stay what they are.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod counting;
mod layouts;
mod pages;
mod rows;
mod slices;
mod splitting;

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use counting::Counting;
use datafusion::arrow::util::pretty::pretty_format_batches;
use geoflow_engine::geometry::{Bounds, GeometryType};
use geoflow_engine::geoparquet::{GeoParquetWriter, WriteOptions, read_info};
use geoflow_sql::{Session, SessionBuilder};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

const ROWS: usize = 20_000;
const ROW_GROUP: usize = 500;

struct Lab {
    session: Session,
    store: Arc<Counting>,
}

fn point(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
    wkb
}

fn square(x: f64, y: f64, side: f64) -> Vec<u8> {
    let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
    for (dx, dy) in [
        (0.0, 0.0),
        (side, 0.0),
        (side, side),
        (0.0, side),
        (0.0, 0.0),
    ] {
        wkb.extend((x + dx).to_le_bytes());
        wkb.extend((y + dy).to_le_bytes());
    }
    wkb
}

/// Rows of a number, a payload that takes room, and a geometry.
fn batch(geometries: Vec<Option<Vec<u8>>>) -> RecordBatch {
    let n = geometries.len();
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("payload", DataType::Float64, false),
        GeometryType::wkb(None).to_field("geometry", true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..n as i64)),
        Arc::new(Float64Array::from_iter_values(
            (0..n).map(|i| (i as f64).sin()),
        )),
        Arc::new(BinaryArray::from_iter(geometries)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Points from x = 0 to 100 in this order, y wild between 0 and 10; here and there NULL.
fn points() -> RecordBatch {
    let geometries = (0..ROWS).map(|i| {
        let x = i as f64 * 100.0 / ROWS as f64;
        let y = (i as f64 * 7.31).sin().abs() * 10.0;
        (i % 97 != 5).then(|| point(x, y))
    });
    batch(geometries.collect())
}

impl Lab {
    fn empty() -> Self {
        let builder = SessionBuilder::new().threads(2).batch_size(512);
        let session = builder.build().unwrap();
        let store = Arc::new(Counting::default());
        let url = Url::parse("s3://lab").unwrap();
        let shared: Arc<dyn ObjectStore> = store.clone();
        session.context().register_object_store(&url, shared);
        Self { session, store }
    }

    /// With the table `points`.
    async fn new() -> Self {
        let lab = Self::empty();
        lab.table("points", &points(), ROW_GROUP).await;
        lab
    }

    /// A table `name` of one file, and `name_mem` with the same rows in memory.
    async fn table(&self, name: &str, batch: &RecordBatch, row_group: usize) {
        let mut file = vec![];
        let options = WriteOptions {
            row_group_rows: row_group,
            ..WriteOptions::default()
        };
        let mut writer =
            GeoParquetWriter::try_new_with_options(&mut file, &batch.schema(), &options).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        let path = Path::from(format!("{name}.parquet"));
        self.store.put(&path, file.into()).await.unwrap();
        self.run(&format!(
            "CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION 's3://lab/{name}.parquet'"
        ))
        .await;
        let memory = format!("{name}_mem");
        self.session
            .context()
            .register_batch(&memory, batch.clone())
            .unwrap();
    }

    async fn squares(&self, name: &str, squares: Vec<Option<Vec<u8>>>) {
        self.table(name, &batch(squares), 1_000).await;
    }

    async fn run(&self, sql: &str) -> Vec<RecordBatch> {
        let frame = self.session.sql(sql).await;
        let frame = frame.unwrap_or_else(|e| panic!("{sql}: {e}"));
        frame
            .collect()
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// The answer as sorted lines, and the bytes that were asked for.
    async fn ask(&self, sql: &str) -> (Vec<String>, u64) {
        self.store.take();
        let batches = self.run(sql).await;
        let bytes = self.store.take();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        (lines, bytes)
    }

    /// Asks of the files and of the same rows in memory; gives the bytes.
    async fn check(&self, sql: &str, tables: &[&str]) -> (usize, u64) {
        let (got, bytes) = self.ask(sql).await;
        let in_memory = tables.iter().fold(sql.to_owned(), |sql, table| {
            sql.replace(&format!(" {table} "), &format!(" {table}_mem "))
        });
        assert_ne!(sql, in_memory);
        let (want, none) = self.ask(&in_memory).await;
        assert_eq!(none, 0, "{in_memory}");
        assert_eq!(got, want, "{sql}");
        (got.len(), bytes)
    }
}

/// What a scan of all points reads.
async fn everything(lab: &Lab) -> u64 {
    let (_, bytes) = lab.ask("SELECT id, payload, geometry FROM points").await;
    assert!(bytes > 100_000, "{bytes}");
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_join_type_answers_as_without_pruning() {
    let lab = Lab::new().await;
    // Two corners far apart, a NULL, and one that meets no point.
    lab.squares(
        "squares",
        vec![
            Some(square(10.0, 2.0, 1.5)),
            None,
            Some(square(80.25, 5.0, 0.5)),
            Some(square(10.0, 200.0, 1.0)),
        ],
    )
    .await;
    let all = everything(&lab).await;
    let few = all / 5;
    let columns = |side: &str| match side {
        "both" => "p.id, p.payload, s.id",
        "p" => "p.id, p.payload",
        _ => "s.id",
    };
    for (join, output, pruned) in [
        ("INNER", "both", true),
        ("LEFT", "both", false),
        ("RIGHT", "both", true),
        ("FULL", "both", false),
        ("LEFT SEMI", "p", true),
        ("RIGHT SEMI", "s", true),
        ("LEFT ANTI", "p", false),
        ("RIGHT ANTI", "s", true),
    ] {
        for condition in [
            "ST_Intersects(p.geometry, s.geometry)",
            "ST_Within(p.geometry, s.geometry)",
            "ST_DWithin(p.geometry, s.geometry, 0.75)",
            "ST_DWithin(p.geometry, s.geometry, s.id * 0.5)",
            "ST_Intersects(p.geometry, s.geometry) AND p.id > s.id + 2000",
        ] {
            let sql = format!(
                "SELECT {} FROM points p {join} JOIN squares s ON {condition}",
                columns(output)
            );
            let (lines, bytes) = lab.check(&sql, &["points", "squares"]).await;
            assert!(lines > 4, "{sql}");
            if pruned {
                assert!(bytes < few, "{sql}: {bytes} of {all}");
            } else {
                // Not the payload of those that only show that they exist.
                assert!(bytes > all / 2, "{sql}: {bytes} of {all}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constants_prune_too() {
    let lab = Lab::new().await;
    let all = everything(&lab).await;
    let area = "ST_MakeEnvelope(30.0, 1.0, 31.0, 4.0)";
    let here = "ST_Point(55.0, 3.0)";
    for (condition, share) in [
        (format!("ST_Intersects(geometry, {area})"), 10),
        (format!("ST_Intersects({area}, geometry)"), 10),
        (format!("ST_Within(geometry, {area})"), 10),
        (format!("ST_Contains({area}, geometry)"), 10),
        (format!("ST_CoveredBy(geometry, {area}) AND id % 2 = 0"), 10),
        (format!("ST_DWithin(geometry, {here}, 0.5)"), 10),
        (format!("ST_DWithin({here}, geometry, 1)"), 10),
        (format!("ST_Distance(geometry, {here}) < 0.5"), 10),
        (format!("0.5 >= ST_Distance(geometry, {here})"), 10),
        (format!("geometry && {area}"), 10),
        (format!("{area} ~ geometry AND id > 0"), 10),
        (
            format!("ST_Within(geometry, {area}) OR ST_DWithin(geometry, {here}, 0.5)"),
            5,
        ),
        // These leave nothing out.
        (format!("NOT ST_Intersects(geometry, {area})"), 1),
        (format!("ST_Within(geometry, {area}) OR id = 5"), 1),
        (format!("ST_Distance(geometry, {here}) > 50"), 1),
    ] {
        let sql = format!("SELECT id, payload, geometry FROM points WHERE {condition}");
        let (lines, bytes) = lab
            .check(&sql.replace("points", "points "), &["points"])
            .await;
        assert!(lines > 4, "{sql}");
        assert!(bytes < all / share + all / 100, "{sql}: {bytes} of {all}");
        if share == 1 {
            assert!(bytes > all / 2, "{sql}: {bytes} of {all}");
        }
    }
}

/// The measure of a reader: what it asks for, by what the row groups that overlap hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_read_than_the_row_groups_that_overlap() {
    let lab = Lab::new().await;
    let store: Arc<dyn ObjectStore> = lab.store.clone();
    let meta = store.head(&Path::from("points.parquet")).await.unwrap();
    let file = read_info(store, meta).await.unwrap();
    let area = Bounds::new(30.0, 1.0, 38.0, 4.0);
    let overlapping = file
        .row_groups
        .iter()
        .filter(|group| group.bounds.unwrap().intersects(&area));
    let of: u64 = overlapping.map(|group| group.compressed_bytes).sum();
    for sql in [
        "SELECT * FROM points WHERE ST_Intersects(geometry, ST_MakeEnvelope(30, 1, 38, 4))",
        "SELECT * FROM points WHERE bbox.xmax >= 30 AND bbox.xmin <= 38",
    ] {
        let (lines, asked) = lab.ask(sql).await;
        assert!(lines.len() > 200, "{sql}");
        assert!(of * 3 < file.size && asked <= of, "{sql}: {asked}, {of}");
    }
}

/// `bbox` as a person writes it, without a spatial function.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_on_the_covering_prune() {
    let lab = Lab::new().await;
    let all = everything(&lab).await;
    for (condition, geometry, share) in [
        (
            "bbox.xmin < 31 AND bbox.xmax > 30",
            "ST_X(geometry) < 31 AND ST_X(geometry) > 30",
            10,
        ),
        (
            "30 <= bbox.xmin AND 31 >= bbox.xmax",
            "ST_X(geometry) >= 30 AND ST_X(geometry) <= 31",
            10,
        ),
        ("bbox.xmin = 30.5", "ST_X(geometry) = 30.5", 10),
        ("bbox['xmax'] <= 1.5", "ST_X(geometry) <= 1.5", 10),
        // NaN would be greater.
        ("bbox.xmin > 99", "ST_X(geometry) > 99", 1),
        (
            "bbox.xmin < 31 OR bbox.xmax > 30",
            "ST_X(geometry) < 31 OR ST_X(geometry) > 30",
            1,
        ),
        ("bbox.xmin <> 31", "ST_X(geometry) <> 31", 1),
    ] {
        // DataFusion takes the field of a NULL struct for whatever lies in its place.
        let select = "SELECT id, payload, geometry FROM";
        let (want, _) = lab
            .ask(&format!("{select} points_mem WHERE {geometry}"))
            .await;
        let (got, bytes) = lab
            .ask(&format!(
                "{select} points WHERE ({condition}) AND geometry IS NOT NULL"
            ))
            .await;
        assert_eq!(got, want, "{condition}");
        assert!(got.len() > 4, "{condition}");
        if share > 1 {
            assert!(bytes < all / share, "{condition}: {bytes} of {all}");
        } else {
            assert!(bytes > all / 2, "{condition}: {bytes} of {all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_for_nothing() {
    let lab = Lab::new().await;
    lab.squares("far", vec![Some(square(500.0, 500.0, 1.0))])
        .await;
    lab.squares("nulls", vec![None, None]).await;
    for table in ["far", "nulls"] {
        for join in ["INNER", "RIGHT", "LEFT SEMI"] {
            let (_, alone) = lab.ask(&format!("SELECT * FROM {table}")).await;
            let sql = format!(
                "SELECT count(*) FROM points p {join} JOIN {table} s ON ST_Intersects(p.geometry, s.geometry)"
            );
            let (_, bytes) = lab.check(&sql, &["points", table]).await;
            assert!(bytes <= alone, "{sql}: {bytes}, {table} alone {alone}");
        }
    }
}

/// Two EMPTY geometries are equal, wherever their neighbours in the file are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_geometry_has_no_place() {
    let lab = Lab::empty();
    let empty = vec![1, 3, 0, 0, 0, 0, 0, 0, 0];
    let rows = (0..1000).map(|i| match i % 100 {
        7 => Some(empty.clone()),
        _ => Some(point(f64::from(i), 0.0)),
    });
    lab.table("rows", &batch(rows.collect()), 50).await;
    lab.squares(
        "squares",
        vec![Some(empty.clone()), Some(point(210.0, 0.0))],
    )
    .await;
    let sql = "SELECT r.id, s.id FROM rows r JOIN squares s ON ST_Equals(r.geometry, s.geometry)";
    let (lines, _) = lab.check(sql, &["rows", "squares"]).await;
    assert_eq!(lines, 4 + 11);
    let sql = "SELECT id FROM rows WHERE ST_Equals(geometry, ST_GeomFromText('POLYGON EMPTY'))";
    let (lines, _) = lab.check(sql, &["rows"]).await;
    assert_eq!(lines, 4 + 10);
}

/// A plan as `EXPLAIN` shows it.
async fn explain(lab: &Lab, sql: &str) -> String {
    let batches = lab.run(sql).await;
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_shows_the_filter_and_what_it_left_out() {
    let lab = Lab::new().await;
    lab.squares("squares", vec![Some(square(10.0, 2.0, 1.5))])
        .await;
    let sql = "SELECT p.id FROM points p JOIN squares s ON ST_Intersects(p.geometry, s.geometry)";
    let plan = explain(&lab, &format!("EXPLAIN {sql}")).await;
    assert!(
        plan.contains("bounds_filter=[geometry overlaps the build side]"),
        "{plan}"
    );
    let plan = explain(&lab, &format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(plan.contains("files_pruned_bounds="), "{plan}");
    assert!(
        plan.contains("row_groups_pruned_bounds=40 total → 1 matched"),
        "{plan}"
    );
    // Of the file, of its 40 row groups one; of its pages and bytes as many.
    assert!(
        plan.contains("files_pruned_bounds=1 total → 1 matched"),
        "{plan}"
    );
    assert!(
        plan.contains("pages_pruned_bounds=1 total → 1 matched"),
        "{plan}"
    );
    let bytes = plan.split("bytes_pruned_bounds=").nth(1).unwrap();
    let (total, rest) = bytes.split_once(" K total → ").unwrap();
    let (matched, _) = rest.split_once(" K matched").unwrap();
    let (total, matched): (f64, f64) = (total.parse().unwrap(), matched.parse().unwrap());
    assert!(matched > 0.0 && matched * 30.0 < total, "{plan}");
    for (sql, shown) in [
        (
            "SELECT p.id FROM points p JOIN points q ON p.id = q.id JOIN squares s
             ON ST_Intersects(p.geometry, s.geometry)",
            true,
        ),
        (
            "SELECT p.id FROM points p JOIN squares s ON ST_KNN(p.geometry, s.geometry, 1)",
            false,
        ),
        (
            "SELECT p.id FROM points p LEFT JOIN squares s ON ST_Intersects(p.geometry, s.geometry)",
            false,
        ),
        (
            // The first hundred rows are not to become others.
            "SELECT p.id FROM (SELECT * FROM points LIMIT 100) p JOIN squares s
             ON ST_Intersects(p.geometry, s.geometry)",
            false,
        ),
        (
            "SELECT p.id FROM (SELECT id, geometry AS g FROM points WHERE id > 7) p JOIN squares s
             ON ST_Intersects(p.g, s.geometry)",
            true,
        ),
        (
            "SELECT p.id FROM (SELECT id, ST_Centroid(geometry) AS g FROM points) p JOIN squares s
             ON ST_Intersects(p.g, s.geometry)",
            false,
        ),
    ] {
        let plan = explain(&lab, &format!("EXPLAIN {sql}")).await;
        assert_eq!(plan.contains("bounds_filter"), shown, "{sql}\n{plan}");
    }
}

//! Large row groups are read a slice at a time.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::rows::rings;
use super::*;

const MB: u64 = 1 << 20;

/// A table of a file on this machine, which is read through the store that counts.
async fn rings_here(lab: &Lab, path: &std::path::Path, bytes: Bytes) {
    std::fs::write(path, &bytes).unwrap();
    let key = Path::from_absolute_path(path).unwrap();
    lab.store.put(&key, bytes.into()).await.unwrap();
    let shared: Arc<dyn ObjectStore> = lab.store.clone();
    let here = Url::parse("file:///").unwrap();
    lab.session.context().register_object_store(&here, shared);
    lab.run(&format!(
        "CREATE EXTERNAL TABLE rings STORED AS PARQUET LOCATION '{}'",
        path.display()
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_row_group_is_never_held_whole() {
    let rows = 30_000;
    let lab = Lab::empty();
    lab.table("rings_far", &rings(rows, 100), rows).await;
    // The same file on this machine, where slices are small, though read through the store that counts.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rings.parquet");
    let far = lab.store.get(&Path::from("rings_far.parquet")).await;
    rings_here(&lab, &path, far.unwrap().bytes().await.unwrap()).await;
    lab.run("CREATE VIEW rings_mem AS SELECT * FROM rings_far_mem")
        .await;
    lab.store.take_largest();

    // All rows, in their order.
    lab.run("SET datafusion.execution.target_partitions = 1")
        .await;
    let batches = lab.run("SELECT id, geometry FROM rings").await;
    let ids = batches.iter().flat_map(|batch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        ids.values().to_vec()
    });
    let ids: Vec<i64> = ids.collect();
    let moved = ids.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!((ids.len(), moved), (rows, None));
    let (all, largest) = (lab.store.take(), lab.store.take_largest());
    assert!(all > 30 * MB && largest < 12 * MB, "{largest} of {all}");

    lab.run("SET datafusion.execution.target_partitions = 2")
        .await;
    for sql in [
        "SELECT count(*) AS n, sum(id) AS ids, sum(ST_NPoints(geometry)) AS points FROM rings WHERE id >= 0",
        "SELECT id, payload, ST_XMin(geometry) AS x FROM rings WHERE ST_Intersects(geometry, ST_MakeEnvelope(10, 2, 40, 22))",
        "SELECT round(sum(ST_Area(geometry)), 6) AS area FROM rings WHERE id BETWEEN 14000 AND 15000",
    ] {
        lab.check(sql, &["rings"]).await;
        let largest = lab.store.take_largest();
        assert!(largest < 12 * MB, "{sql}: {largest}");
    }
    lab.check("SELECT r.id, s.id FROM rings r JOIN rings s ON r.id = s.id + 1 WHERE ST_XMax(r.geometry) < -170", &["rings"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_one_of_a_file_without_an_index_of_pages() {
    let rows = 30_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rings.parquet");
    let batch = rings(rows, 100);
    let properties = WriterProperties::builder()
        .set_offset_index_disabled(true)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(rows))
        .build();
    let schema = batch.schema();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let lab = Lab::empty();
    rings_here(&lab, &path, bytes).await;
    for partitions in [1, 2] {
        lab.run(&format!(
            "SET datafusion.execution.target_partitions = {partitions}"
        ))
        .await;
        lab.store.take();
        lab.store.take_largest();
        let batches = lab.run("SELECT id, geometry FROM rings").await;
        let ids = batches.iter().flat_map(|batch| {
            let ids = batch.column(0).as_primitive::<Int64Type>();
            ids.values().to_vec()
        });
        let mut ids: Vec<i64> = ids.collect();
        if partitions > 1 {
            ids.sort_unstable();
        }
        let moved = ids.windows(2).find(|pair| pair[1] != pair[0] + 1);
        assert_eq!((ids.len(), moved), (rows, None));
        let (all, largest) = (lab.store.take(), lab.store.take_largest());
        assert!(all > 30 * MB && largest < 12 * MB, "{largest} of {all}");
    }
}

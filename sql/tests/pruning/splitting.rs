//! Partitions that share a file read as many row groups each.

use datafusion::physical_plan::displayable;
use futures::StreamExt;

use super::{Lab, batch, point};

/// Rows that each partition of the scan of `sql` reads.
async fn rows_by_partition(lab: &Lab, sql: &str) -> Vec<usize> {
    let context = lab.session.context();
    let plan = lab.session.sql(sql).await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown.contains("file_type=parquet"), "{shown}");
    let mut rows = vec![];
    for partition in 0..plan.properties().partitioning.partition_count() {
        let stream = plan.execute(partition, context.task_ctx()).unwrap();
        let counts = stream.map(|batch| batch.unwrap().num_rows());
        rows.push(counts.collect::<Vec<_>>().await.into_iter().sum());
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_groups_are_shared_out_evenly() {
    let lab = Lab::empty();
    // A partition that is run before its siblings would read what is theirs.
    lab.run("SET datafusion.execution.enable_file_stream_work_stealing = false")
        .await;
    lab.run("SET datafusion.optimizer.repartition_file_min_size = 1")
        .await;
    // The footer takes so much of these files that their middle is not that of their rows.
    for (rows, expected) in [
        (2000, vec![1000, 1000]),
        (3000, vec![1500, 1500]),
        (2500, vec![1000, 1500]),
    ] {
        let name = format!("points_{rows}");
        let points = (0..rows).map(|i| Some(point(f64::from(i), 1.0)));
        lab.table(&name, &batch(points.collect()), 500).await;
        let mut found = rows_by_partition(&lab, &format!("SELECT id FROM {name}")).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{rows}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_footer_is_read_once() {
    let lab = Lab::new().await;
    let (_, first) = lab.ask("EXPLAIN SELECT id FROM points").await;
    let (_, again) = lab.ask("EXPLAIN SELECT payload FROM points").await;
    assert_eq!((first, again), (0, 0));
}

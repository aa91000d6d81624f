//! `SpatialJoinExec` under memory limits that its build side exceeds: the answers are those of a
//! nested loop and of the join without a limit, and nothing stays on disk.
//!
//! A failure names its seed: `GEOFLOW_SEED=<seed> cargo test -p geoflow-engine --test
//! spatial_join_spilling` repeats it. `GEOFLOW_CASES` sets how many data sets are drawn.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that says its seeds"
)]

mod nasty;
mod oracle;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BinaryViewArray, Int32Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{JoinSide, JoinType};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{ExecutionPlan, collect, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use geoflow_engine::geometry::{GeometryArray, GeometryType, wkt_to_wkb};
use geoflow_engine::join::{JoinDistance, JoinPredicate, SpatialJoinExec, SpatialOn};
use geoflow_engine::options::{ByteLimit, GeoflowOptions};
use geoflow_engine::predicate::{PreparedSet, ProbeBatch, SpatialPredicate};
use nasty::Nasty;
use oracle::{
    Condition, JOIN_TYPES, Record, Side, class_filter, column, conditions, expected, geometry,
    rows_of, seeds,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A session with so many bytes of memory, which spills to `dir`.
fn context(pool: Arc<dyn MemoryPool>, dir: &Path, config: SessionConfig) -> Arc<TaskContext> {
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![dir.to_path_buf()]));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_disk_manager_builder(disk)
        .build_arc()
        .unwrap();
    SessionContext::new_with_config_rt(config, runtime).task_ctx()
}

fn files_below(dir: &Path) -> usize {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path) } else { 1 }
        })
        .sum()
}

fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let metrics = plan.metrics().unwrap();
    metrics
        .sum_by_name(name)
        .map_or(0, |value| value.as_usize())
}

#[derive(Default)]
struct Tally {
    joins: usize,
    spilled: usize,
    passes: usize,
    cells: usize,
}

impl Tally {
    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        self.joins += 1;
        self.spilled += usize::from(metric(plan, "spill_cells") > 0);
        self.cells += metric(plan, "spill_cells");
        self.passes += metric(plan, "spill_passes");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} joins, {} spilled, into {} cells, in {} passes",
            self.joins, self.spilled, self.cells, self.passes
        )
    }
}

async fn check(seed: u64, tally: &mut Tally) {
    let mut rng = StdRng::seed_from_u64(seed);
    let nasty = Nasty::random(&mut rng);
    let left = Side::random(&mut rng, &nasty, "l", 6);
    let right = Side::random(&mut rng, &nasty, "r", 6);
    let dir = tempfile::tempdir().unwrap();
    let limit = 1 << rng.random_range(12..16);
    let config = SessionConfig::new().with_batch_size(rng.random_range(1..=9));
    for any in conditions(&mut rng) {
        let mut on = any.iter().map(Condition::on);
        let on = on.next().unwrap().or(on);
        let filter = rng.random_bool(0.4).then(class_filter);
        let holds: Vec<Vec<bool>> = left
            .rows
            .iter()
            .map(|l| {
                let pair = |r: &Record| {
                    any.iter().any(|condition| condition.holds(l, r))
                        && (filter.is_none() || l.class <= r.class)
                };
                right.rows.iter().map(pair).collect()
            })
            .collect();
        for join_type in JOIN_TYPES {
            let want = expected(&left, &right, join_type, |i, j| holds[i][j]);
            for build_side in [JoinSide::Left, JoinSide::Right] {
                let context = context(
                    Arc::new(FairSpillPool::new(limit)),
                    dir.path(),
                    config.clone(),
                );
                let join: Arc<dyn ExecutionPlan> = Arc::new(
                    SpatialJoinExec::try_new(
                        left.plan(),
                        right.plan(),
                        on.clone(),
                        filter.clone(),
                        join_type,
                        build_side,
                        None,
                    )
                    .unwrap(),
                );
                let what = format!(
                    "seed {seed}: {join_type} join on {on}, filter {}, building {build_side:?}, \
                     with {limit} bytes",
                    filter.is_some(),
                );
                let batches = collect(Arc::clone(&join), Arc::clone(&context)).await;
                let got = rows_of(&batches.map_err(|e| format!("{what}: {e}")).unwrap());
                assert!(
                    got == want,
                    "{what}\ngot  {got:?}\nwant {want:?}\nleft:\n{}right:\n{}",
                    left.text,
                    right.text
                );
                assert_eq!(context.memory_pool().reserved(), 0, "{what}");
                assert_eq!(files_below(dir.path()), 0, "{what}");
                tally.add(&join);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_join_type_and_predicate_equals_a_nested_loop() {
    let mut tally = Tally::default();
    for seed in seeds(5) {
        check(seed, &mut tally).await;
    }
    println!("{tally}");
    assert!(tally.spilled > 0, "{tally}");
}

fn geometries(side: &Side) -> GeometryArray {
    let batches: Vec<RecordBatch> = side.partitions.iter().flatten().cloned().collect();
    let all = concat_batches(&side.schema, &batches).unwrap();
    GeometryArray::try_new(all.column(3), &GeometryType::wkb(None)).unwrap()
}

async fn check_nearest(seed: u64, tally: &mut Tally) {
    let mut rng = StdRng::seed_from_u64(seed);
    let nasty = Nasty::random(&mut rng);
    let left = Side::random(&mut rng, &nasty, "l", 6);
    let right = Side::random(&mut rng, &nasty, "r", 8);
    let dir = tempfile::tempdir().unwrap();
    let k = rng.random_range(0..6);
    let on = SpatialOn::new(JoinPredicate::Nearest { k }, geometry(0), geometry(0));
    let set = PreparedSet::new(geometries(&right));
    let probe = ProbeBatch::try_new(geometries(&left)).unwrap();
    let mut nearest = vec![vec![false; right.rows.len()]; left.rows.len()];
    for (i, nearest) in nearest.iter_mut().enumerate() {
        let distance = |j: usize| {
            let (i, j) = (i as u32, j as u32);
            set.distance(j, &probe, i, f64::INFINITY).unwrap()
        };
        let mut all: Vec<(f64, usize)> = (0..right.rows.len())
            .map(|j| (distance(j), j))
            .filter(|(distance, _)| distance.is_finite())
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, j) in all.into_iter().take(k) {
            nearest[j] = true;
        }
    }
    let join_types = [
        JoinType::Inner,
        JoinType::Left,
        JoinType::LeftSemi,
        JoinType::LeftAnti,
        JoinType::LeftMark,
    ];
    for join_type in join_types {
        for filter in [None, Some(class_filter())] {
            let filtered = filter.is_some();
            let want = expected(&left, &right, join_type, |i, j| {
                nearest[i][j] && (!filtered || left.rows[i].class <= right.rows[j].class)
            });
            for limit in [usize::MAX, 1 << rng.random_range(13..17)] {
                let config = SessionConfig::new().with_batch_size(rng.random_range(1..=9));
                let context = context(Arc::new(GreedyMemoryPool::new(limit)), dir.path(), config);
                let join: Arc<dyn ExecutionPlan> = Arc::new(
                    SpatialJoinExec::try_new(
                        left.plan(),
                        right.plan(),
                        on.clone(),
                        filter.clone(),
                        join_type,
                        JoinSide::Right,
                        None,
                    )
                    .unwrap(),
                );
                let what = format!(
                    "seed {seed}: {join_type} join on {on}, filter {filtered}, with {limit} bytes"
                );
                let batches = collect(Arc::clone(&join), Arc::clone(&context)).await;
                let got = rows_of(&batches.map_err(|e| format!("{what}: {e}")).unwrap());
                assert!(
                    got == want,
                    "{what}\ngot  {got:?}\nwant {want:?}\nleft:\n{}right:\n{}",
                    left.text,
                    right.text
                );
                assert_eq!(files_below(dir.path()), 0, "{what}");
                tally.add(&join);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nearest_rows_are_those_of_a_full_sort() {
    let mut tally = Tally::default();
    for seed in seeds(25) {
        check_nearest(seed, &mut tally).await;
    }
    println!("{tally}");
    assert!(tally.spilled > 0, "{tally}");
}

/// Rows in three partitions, with views of WKB as a scan yields them.
fn plan(label: &str, geometries: &[String]) -> Arc<dyn ExecutionPlan> {
    let schema = Arc::new(Schema::new(vec![
        Field::new(format!("{label}_id"), DataType::Int32, false),
        GeometryType::wkb(None)
            .to_field("geometry", true)
            .with_data_type(DataType::BinaryView),
    ]));
    let mut first = 0;
    let batches: Vec<RecordBatch> = geometries
        .chunks(500)
        .map(|chunk| {
            let ids = Int32Array::from_iter_values(first..first + chunk.len() as i32);
            first += chunk.len() as i32;
            let wkb = chunk.iter().map(|text| {
                let mut bytes = vec![];
                wkt_to_wkb(text, &mut bytes).unwrap();
                bytes
            });
            let wkb: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(wkb));
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(ids), wkb]).unwrap()
        })
        .collect();
    let third = batches.len().div_ceil(3).max(1);
    let partitions: Vec<Vec<RecordBatch>> = batches.chunks(third).map(<[_]>::to_vec).collect();
    MemorySourceConfig::try_new_exec(&partitions, schema, None).unwrap()
}

fn rectangle(x: f64, y: f64, w: f64, h: f64) -> String {
    let (r, t) = (x + w, y + h);
    format!("POLYGON (({x} {y}, {r} {y}, {r} {t}, {x} {t}, {x} {y}))")
}

fn join(
    left: &Arc<dyn ExecutionPlan>,
    right: &Arc<dyn ExecutionPlan>,
    predicate: JoinPredicate,
    join_type: JoinType,
    build_side: JoinSide,
) -> Arc<dyn ExecutionPlan> {
    let on = SpatialOn::new(predicate, column("geometry", 1), column("geometry", 1));
    let (left, right) = (Arc::clone(left), Arc::clone(right));
    Arc::new(SpatialJoinExec::try_new(left, right, on, None, join_type, build_side, None).unwrap())
}

/// Points and rectangles of very different sizes, evenly spread or all in one place.
fn crowd(skewed: bool) -> (Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>) {
    let mut rng = StdRng::seed_from_u64(7);
    let size = if skewed { 1e-9 } else { 100.0 };
    let points: Vec<String> = (0..if skewed { 300 } else { 2500 })
        .map(|_| {
            let (x, y) = (rng.random_range(0.0..size), rng.random_range(0.0..size));
            format!("POINT ({x} {y})")
        })
        .collect();
    let rectangles: Vec<String> = (0..if skewed { 2500 } else { 5000 })
        .map(|i| {
            let (x, y) = (rng.random_range(0.0..size), rng.random_range(0.0..size));
            let side = if i % 100 == 0 {
                size / 4.0
            } else {
                size / 100.0
            };
            rectangle(x, y, side, side)
        })
        .collect();
    (plan("l", &points), plan("r", &rectangles))
}

async fn equals_the_join_in_memory(skewed: bool) {
    let (left, right) = crowd(skewed);
    let dir = tempfile::tempdir().unwrap();
    let config = SessionConfig::new().with_batch_size(512);
    let predicates = [
        JoinPredicate::Relation(SpatialPredicate::Intersects),
        JoinPredicate::DWithin(JoinDistance::Constant(Some(0.3))),
        JoinPredicate::Nearest { k: 3 },
    ];
    for predicate in predicates {
        let nearest = matches!(predicate, JoinPredicate::Nearest { .. });
        if skewed && matches!(predicate, JoinPredicate::DWithin(_)) {
            continue;
        }
        for join_type in JOIN_TYPES {
            if nearest && !matches!(join_type, JoinType::Inner | JoinType::Left) {
                continue;
            }
            for build_side in [JoinSide::Right, JoinSide::Left] {
                if nearest && build_side == JoinSide::Left {
                    continue;
                }
                let plan = join(&left, &right, predicate.clone(), join_type, build_side);
                let unlimited = SessionContext::new_with_config(config.clone()).task_ctx();
                let want = rows_of(&collect(Arc::clone(&plan), unlimited).await.unwrap());
                assert_eq!(plan.metrics().unwrap().spill_count(), Some(0));

                let pool = Arc::new(FairSpillPool::new(256 << 10));
                let limited = context(pool, dir.path(), config.clone());
                let plan = join(&left, &right, predicate.clone(), join_type, build_side);
                let got = rows_of(&collect(Arc::clone(&plan), limited).await.unwrap());
                let what = format!("{join_type} join building {build_side:?}, skewed: {skewed}");
                assert!(got == want, "{what}: {} of {} rows", got.len(), want.len());
                assert!(
                    !want.is_empty() || join_type == JoinType::LeftAnti,
                    "{what}"
                );
                if build_side == JoinSide::Right {
                    assert!(
                        metric(&plan, "spill_cells") > 1,
                        "{what}: {:?}",
                        plan.metrics()
                    );
                    assert!(plan.metrics().unwrap().spilled_bytes() > Some(0), "{what}");
                }
                assert_eq!(files_below(dir.path()), 0, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_in_many_cells_equal_the_join_in_memory() {
    equals_the_join_in_memory(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_in_one_place_equals_the_join_in_memory() {
    equals_the_join_in_memory(true).await;
}

/// Waits until tasks that were told to stop have let go of their files.
async fn assert_no_files(dir: &Path) {
    for _ in 0..200 {
        if files_below(dir) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(files_below(dir), 0);
}

fn intersects() -> JoinPredicate {
    JoinPredicate::Relation(SpatialPredicate::Intersects)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_with_the_stream_and_with_an_error() {
    let (left, right) = crowd(false);
    let dir = tempfile::tempdir().unwrap();
    let config = SessionConfig::new().with_batch_size(64);
    let limited = || {
        let pool = Arc::new(FairSpillPool::new(256 << 10));
        context(pool, dir.path(), config.clone())
    };

    // A stream that is dropped between two batches.
    let plan = join(
        &left,
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    let context = limited();
    let mut rows = execute_stream(Arc::clone(&plan), Arc::clone(&context)).unwrap();
    rows.next().await.unwrap().unwrap();
    assert!(files_below(dir.path()) > 0, "the join spills");
    drop(rows);
    assert_no_files(dir.path()).await;
    assert_eq!(context.memory_pool().reserved(), 0);

    // The same plan runs again, whole.
    let got = rows_of(&collect(Arc::clone(&plan), context).await.unwrap());
    let unlimited = SessionContext::new().task_ctx();
    let plan = join(
        &left,
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    assert!(got == rows_of(&collect(plan, unlimited).await.unwrap()));

    // A stream that is dropped while inputs are being cut.
    let plan = join(
        &left,
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    let rows = execute_stream(plan, limited()).unwrap();
    let cut_short = tokio::time::timeout(Duration::from_millis(3), rows.collect::<Vec<_>>());
    drop(cut_short.await);
    assert_no_files(dir.path()).await;

    // Bad input on the probe side, after the build side is cut.
    let nan = wkb_of_a_point(f64::NAN, 1.0);
    let schema = left.schema();
    let row = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int32Array::from(vec![1])),
            Arc::new(BinaryViewArray::from_iter_values([nan])),
        ],
    )
    .unwrap();
    let bad = MemorySourceConfig::try_new_exec(&[vec![row]], schema, None).unwrap();
    let plan = join(
        &(bad as _),
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    let context = limited();
    let error = collect(plan, Arc::clone(&context)).await.unwrap_err();
    assert!(error.to_string().contains("\"geometry\""), "{error}");
    assert_no_files(dir.path()).await;
    assert_eq!(context.memory_pool().reserved(), 0);
}

fn wkb_of_a_point(x: f64, y: f64) -> Vec<u8> {
    let mut bytes = vec![1, 1, 0, 0, 0];
    bytes.extend(x.to_le_bytes());
    bytes.extend(y.to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_much_on_disk_is_an_error_that_names_the_setting() -> Result<()> {
    let (left, right) = crowd(false);
    let dir = tempfile::tempdir().unwrap();
    let mut options = GeoflowOptions::default();
    options.spill.max_size = ByteLimit::new(100_000);
    let config = SessionConfig::new().with_option_extension(options);
    let pool = Arc::new(FairSpillPool::new(256 << 10));
    let context = context(pool, dir.path(), config);
    let plan = join(
        &left,
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    let error = collect(plan, Arc::clone(&context)).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("100000 bytes on disk") && message.contains("geoflow.spill.max_size"),
        "{message}"
    );
    assert_no_files(dir.path()).await;
    assert_eq!(context.memory_pool().reserved(), 0);
    Ok(())
}

#[tokio::test]
async fn a_row_larger_than_memory_is_named() {
    let corners: Vec<String> = (0..20_000).map(|i| format!("{i} {}", i % 7)).collect();
    let line = format!("LINESTRING ({})", corners.join(", "));
    let right = plan("r", &[line.clone(), line]);
    let left = plan("l", &["POINT (1 1)".to_string()]);
    let dir = tempfile::tempdir().unwrap();
    let pool = Arc::new(FairSpillPool::new(100 << 10));
    let context = context(pool, dir.path(), SessionConfig::new());
    let plan = join(
        &left,
        &right,
        intersects(),
        JoinType::Inner,
        JoinSide::Right,
    );
    let error = collect(plan, context).await.unwrap_err().to_string();
    assert!(
        error.contains("1 of its rows need") && error.contains("--memory-limit"),
        "{error}"
    );
    assert_no_files(dir.path()).await;
}

//! Every join type and every predicate of `SpatialJoinExec`, alone and joined by OR, and nearest
//! neighbours, against a nested loop over the plain definitions, on random and nasty geometries,
//! with polygons approximated always, never and when it pays.
//!
//! A failure names its seed: `GEOFLOW_SEED=<seed> cargo test -p geoflow-engine --test spatial_join`
//! repeats it. `GEOFLOW_CASES` sets how many data sets are drawn.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that says its seeds"
)]

mod nasty;
mod oracle;

use std::sync::Arc;

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::common::{JoinSide, JoinType};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::join::{JoinPredicate, SharedBuilds, SpatialJoinExec, SpatialOn};
use geoflow_engine::options::{Approximation, GeoflowOptions};
use geoflow_engine::predicate::{SpatialPredicate, distance};
use nasty::Nasty;
use oracle::{
    Condition, JOIN_TYPES, Record, Side, class_filter, conditions, expected, geometry, rows_of,
    seeds,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A context of its own for every way to approximate polygons; some share every batch out.
fn contexts(rng: &mut StdRng) -> [Arc<TaskContext>; 3] {
    let batch_size = rng.random_range(1..=9);
    [Approximation::Auto, Approximation::On, Approximation::Off].map(|approximation| {
        let mut options = GeoflowOptions::default();
        options.join.approximation = approximation;
        if rng.random_bool(0.5) {
            options.join.share_batches_after = 0;
        }
        let config = SessionConfig::new()
            .with_batch_size(batch_size)
            .with_target_partitions(3)
            .with_option_extension(options);
        SessionContext::new_with_config(config).task_ctx()
    })
}

async fn check(seed: u64) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let nasty = Nasty::random(&mut rng);
    let left = Side::random(&mut rng, &nasty, "l", 3);
    let right = Side::random(&mut rng, &nasty, "r", 3);
    let contexts = contexts(&mut rng);
    let mut joined = 0;
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
                let join = SpatialJoinExec::try_new(
                    left.plan(),
                    right.plan(),
                    on.clone(),
                    filter.clone(),
                    join_type,
                    build_side,
                    None,
                )
                .unwrap();
                let context = &contexts[rng.random_range(0..contexts.len())];
                let builds = SharedBuilds::default();
                let share = |_| join.with_shared_build(&builds, "key".into(), 0).unwrap();
                let runs = match rng.random_bool(0.2) {
                    true => (0..3).map(share).collect(),
                    false => vec![join],
                };
                for join in runs {
                    let batches = collect(Arc::new(join), Arc::clone(context)).await.unwrap();
                    let got = rows_of(&batches);
                    assert!(
                        got == want,
                        "seed {seed}: {join_type} join on {on}, filter {}, building {build_side:?}, \
                         {} shared\ngot  {got:?}\nwant {want:?}\nleft:\n{}right:\n{}",
                        filter.is_some(),
                        builds.len(),
                        left.text,
                        right.text
                    );
                    joined += 1;
                }
            }
        }
    }
    joined + check_nearest(seed, &mut rng, &left, &right, &contexts).await
}

/// Nearest neighbours, ties in the order of the right rows, against a full sort.
async fn check_nearest(
    seed: u64,
    rng: &mut StdRng,
    left: &Side,
    right: &Side,
    contexts: &[Arc<TaskContext>],
) -> usize {
    let mut joined = 0;
    for k in [0, 1, 2, rng.random_range(3..40)] {
        let filter = rng.random_bool(0.4).then(class_filter);
        let (l, r) = (rng.random_range(0..2), rng.random_range(0..2));
        let near = |row: &Record| -> Vec<usize> {
            let Some(a) = &row.geometries[l] else {
                return vec![];
            };
            let mut all: Vec<(f64, usize)> = right
                .rows
                .iter()
                .enumerate()
                .filter_map(|(j, other)| Some((distance(a, other.geometries[r].as_ref()?)?, j)))
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            all.into_iter().take(k).map(|(_, j)| j).collect()
        };
        let nearest: Vec<Vec<usize>> = left.rows.iter().map(near).collect();
        for join_type in [JoinType::Inner, JoinType::Left] {
            let want = expected(left, right, join_type, |i, j| {
                nearest[i].contains(&j)
                    && (filter.is_none() || left.rows[i].class <= right.rows[j].class)
            });
            let join = SpatialJoinExec::try_new(
                left.plan(),
                right.plan(),
                SpatialOn::new(JoinPredicate::Nearest { k }, geometry(l), geometry(r)),
                filter.clone(),
                join_type,
                JoinSide::Right,
                None,
            )
            .unwrap();
            let context = &contexts[rng.random_range(0..contexts.len())];
            let batches = collect(Arc::new(join), Arc::clone(context)).await.unwrap();
            let got = rows_of(&batches);
            assert!(
                got == want,
                "seed {seed}: {join_type} join of the {k} nearest, filter {}\n\
                 got  {got:?}\nwant {want:?}\nleft:\n{}right:\n{}",
                filter.is_some(),
                left.text,
                right.text
            );
            joined += 1;
        }
    }
    joined
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_join_type_and_predicate_equals_a_nested_loop() {
    let mut joined = 0;
    for seed in seeds(25) {
        joined += check(seed).await;
    }
    println!("{joined} joins compared");
    assert!(joined > 0);
}

/// Squares around the origin, each in the next.
fn squares(count: i32) -> Arc<dyn ExecutionPlan> {
    let square = |i: i32| {
        let (low, high) = (f64::from(-i), 9.0_f64);
        let corners = [
            (low, -9.0),
            (high, -9.0),
            (high, 9.0),
            (low, 9.0),
            (low, -9.0),
        ];
        let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
        wkb.extend(
            corners
                .iter()
                .flat_map(|(x, y): &(f64, f64)| [x.to_le_bytes(), y.to_le_bytes()].concat()),
        );
        wkb
    };
    geometries((0..count).map(square).collect())
}

/// Points in all of the squares.
fn points(count: i32) -> Arc<dyn ExecutionPlan> {
    let point = |i: i32| {
        let (x, y) = (f64::from(i % 7), f64::from(i % 8));
        [&[1, 1, 0, 0, 0], &x.to_le_bytes()[..], &y.to_le_bytes()].concat()
    };
    geometries((0..count).map(point).collect())
}

fn geometries(values: Vec<Vec<u8>>) -> Arc<dyn ExecutionPlan> {
    let field = GeometryType::wkb(None).to_field("geometry", true);
    let schema = Arc::new(Schema::new(vec![field]));
    let column = Arc::new(BinaryArray::from_iter_values(values));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None).unwrap()
}

/// What a run leaves for the next keeps its memory reserved, until somebody else asks for it while no run uses it.
#[tokio::test]
async fn a_build_side_that_is_kept_makes_room() {
    const LIMIT: usize = 1 << 20;
    let builds = SharedBuilds::default();
    let pool = builds.guard(Arc::new(GreedyMemoryPool::new(LIMIT)));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool));
    let config = SessionConfig::new().with_option_extension(GeoflowOptions::default());
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    let joined = |squares: Arc<dyn ExecutionPlan>| {
        let on = SpatialOn::new(
            JoinPredicate::Relation(SpatialPredicate::Intersects),
            Arc::new(Column::new("geometry", 0)),
            Arc::new(Column::new("geometry", 0)),
        );
        let points = points(400);
        let join = SpatialJoinExec::try_new(
            squares,
            points,
            on,
            None,
            JoinType::Left,
            JoinSide::Left,
            None,
        );
        let join = join
            .unwrap()
            .with_shared_build(&builds, "squares".into(), 0);
        Arc::new(join.unwrap())
    };
    let run = async |squares: Arc<dyn ExecutionPlan>| {
        let batches = collect(joined(squares), context.task_ctx()).await;
        let batches = batches.unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>()
    };
    assert_eq!(run(squares(300)).await, 300 * 400);
    let kept = pool.reserved();
    assert!(kept > 0);
    // It is not read again, whatever it would be now.
    assert_eq!(run(squares(1)).await, 300 * 400);
    assert_eq!((builds.len(), pool.reserved()), (1, kept));

    let other = MemoryConsumer::new("other").register(&pool);
    let mut rows = joined(squares(1)).execute(0, context.task_ctx()).unwrap();
    rows.next().await.unwrap().unwrap();
    other.try_grow(LIMIT).unwrap_err();
    assert_eq!(builds.len(), 1, "to let go of it would have made no room");
    drop(rows);
    other.try_grow(LIMIT).unwrap();
    assert_eq!((builds.len(), pool.reserved()), (0, LIMIT));
    other.free();
    assert_eq!(run(squares(1)).await, 400);
    builds.keep(&["circles".into()]);
    assert_eq!((builds.len(), pool.reserved()), (0, 0));
}

/// Of runs at the same time one collects what all of them probe.
#[tokio::test]
async fn a_build_side_is_collected_once_by_runs_at_once() {
    let builds = SharedBuilds::default();
    let config = SessionConfig::new().with_option_extension(GeoflowOptions::default());
    let context = SessionContext::new_with_config(config).task_ctx();
    let run = |count| {
        let on = SpatialOn::new(
            JoinPredicate::Relation(SpatialPredicate::Intersects),
            Arc::new(Column::new("geometry", 0)),
            Arc::new(Column::new("geometry", 0)),
        );
        let (left, right) = (squares(count), points(40));
        let join =
            SpatialJoinExec::try_new(left, right, on, None, JoinType::Left, JoinSide::Left, None);
        let join = join.unwrap();
        let join = join
            .with_shared_build(&builds, "squares".into(), 0)
            .unwrap();
        collect(Arc::new(join), Arc::clone(&context))
    };
    // Each would have squares of its own: those of the first that asks are everybody's.
    let runs = futures::future::join_all([7, 8, 9].map(run)).await;
    let rows = runs.into_iter().map(|batches| {
        let batches = batches.unwrap();
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>()
    });
    assert_eq!(rows.collect::<Vec<_>>(), [7 * 40; 3]);
    assert_eq!(builds.len(), 1);
}

/// One batch of points, all of them in all of many squares: helpers take most of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dense_batch_is_shared_out() {
    let mut options = GeoflowOptions::default();
    options.join.share_batches_after = 0;
    let config = SessionConfig::new()
        .with_target_partitions(4)
        .with_option_extension(options);
    let context = SessionContext::new_with_config(config).task_ctx();
    let (squares, points) = (squares(300), points(400));
    for join_type in [JoinType::Inner, JoinType::Left, JoinType::RightAnti] {
        let on = SpatialOn::new(
            JoinPredicate::Relation(SpatialPredicate::Intersects),
            Arc::new(Column::new("geometry", 0)),
            Arc::new(Column::new("geometry", 0)),
        );
        let (left, right) = (Arc::clone(&squares), Arc::clone(&points));
        let join = SpatialJoinExec::try_new(left, right, on, None, join_type, JoinSide::Left, None);
        let join = Arc::new(join.unwrap());
        let batches = collect(Arc::clone(&join) as _, Arc::clone(&context))
            .await
            .unwrap();
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        let expected = if join_type == JoinType::RightAnti {
            0
        } else {
            300 * 400
        };
        assert_eq!(rows, expected, "{join_type}");
        let metrics = join.metrics().unwrap();
        let counted = |name: &str| metrics.sum_by_name(name).unwrap().as_usize();
        assert_eq!(counted("input_rows"), 400);
        assert_eq!(counted("shared_batches"), 1, "{join_type}");
    }
}

/// A large geometry with many partners: a copy for each makes batches of few rows, from either side.
#[tokio::test]
async fn a_batch_has_few_of_large_geometries() {
    const POINTS: i32 = 2000;
    let corners = (0..=20_000).map(|i| f64::from(i % 20_000) / 20_000.0 * std::f64::consts::TAU);
    let mut circle = vec![1, 3, 0, 0, 0, 1, 0, 0, 0];
    circle.extend(20_001_u32.to_le_bytes());
    circle.extend(corners.flat_map(|angle| {
        let (sin, cos) = angle.sin_cos();
        [(50.0 * cos).to_le_bytes(), (50.0 * sin).to_le_bytes()].concat()
    }));
    let large = circle.len();
    let config = SessionConfig::new().with_option_extension(GeoflowOptions::default());
    let context = SessionContext::new_with_config(config).task_ctx();
    for build_side in [JoinSide::Left, JoinSide::Right] {
        let on = SpatialOn::new(
            JoinPredicate::Relation(SpatialPredicate::Contains),
            Arc::new(Column::new("geometry", 0)),
            Arc::new(Column::new("geometry", 0)),
        );
        let (left, right) = (geometries(vec![circle.clone()]), points(POINTS));
        let join =
            SpatialJoinExec::try_new(left, right, on, None, JoinType::Inner, build_side, None);
        let batches = collect(Arc::new(join.unwrap()), Arc::clone(&context)).await;
        let batches = batches.unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 2000, "{build_side}");
        for batch in &batches {
            assert!(batch.num_rows() * large <= 4 << 20, "{build_side}");
            let circles = batch.column(0).as_binary::<i32>();
            assert!(circles.iter().all(|c| c == Some(&circle)));
        }
    }
}

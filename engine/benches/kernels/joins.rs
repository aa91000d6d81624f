//! The operator: the index built, probed by points, and searched for nearest rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use criterion::{BenchmarkId, Criterion, Throughput};
use datafusion::common::{JoinSide, JoinType};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ExecutionPlan, collect};
use geo::{BoundingRect, Contains, Distance, Euclidean, Point, Polygon};
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::join::{JoinPredicate, SpatialJoinExec, SpatialOn};
use geoflow_engine::predicate::SpatialPredicate;
use tokio::runtime::Runtime;

use crate::shapes::{point_column, points, polygon_column, star};

const BATCH: usize = 8_192;

fn table(column: &ArrayRef) -> Arc<dyn ExecutionPlan> {
    let schema = Arc::new(Schema::new(vec![
        GeometryType::wkb(None).to_field("geometry", true),
    ]));
    let whole = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let rows = whole.num_rows();
    let batches = (0..rows).step_by(BATCH);
    let batches = batches.map(|from| whole.slice(from, BATCH.min(rows - from)));
    MemorySourceConfig::try_new_exec(&[batches.collect()], schema, None).unwrap()
}

/// Pairs that a join of two columns yields, the right one collected.
fn join(runtime: &Runtime, left: &ArrayRef, right: &ArrayRef, predicate: JoinPredicate) -> usize {
    let geometry = || Arc::new(Column::new("geometry", 0));
    let join = SpatialJoinExec::try_new(
        table(left),
        table(right),
        SpatialOn::new(predicate, geometry(), geometry()),
        None,
        JoinType::Inner,
        JoinSide::Right,
        Some(vec![]),
    )
    .unwrap();
    let batches = runtime
        .block_on(collect(Arc::new(join), Arc::new(TaskContext::default())))
        .unwrap();
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// Stars of 50 corners on a square grid of `side` rows and columns, that overlap their neighbours.
fn stars(side: usize) -> Vec<Polygon<f64>> {
    let at = |i: usize| ((i % side) as f64 * 1.5, (i / side) as f64 * 1.5);
    (0..side * side)
        .map(|i| star(50, at(i), i as u64))
        .collect()
}

/// Points over that grid.
fn spread(n: usize, side: usize, seed: u64) -> Vec<Point<f64>> {
    let scale = side as f64 * 0.75;
    let points = points(n, (1.0, 1.0), seed);
    points.into_iter().map(|p| p * scale).collect()
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let contains = || JoinPredicate::Relation(SpatialPredicate::Within);

    let mut group = criterion.benchmark_group("join");
    for side in [10, 100] {
        let polygons = stars(side);
        let column = polygon_column(&polygons);
        let nobody = point_column(&[Point::new(-9.0, -9.0)]);
        group.throughput(Throughput::Elements(polygons.len() as u64));
        group.bench_function(BenchmarkId::new("geoflow build", polygons.len()), |b| {
            b.iter(|| assert_eq!(join(&runtime, &nobody, &column, contains()), 0));
        });

        let count = if side == 10 { 20_000 } else { 2_000 };
        let probe = spread(count, side, 3);
        let probe_column = point_column(&probe);
        // What a loop with geo would do: rectangles first.
        let boxes: Vec<_> = polygons
            .iter()
            .map(|p| p.bounding_rect().unwrap())
            .collect();
        let by_geo = || -> usize {
            let hits = |point: &Point<f64>| {
                let pairs = boxes.iter().zip(&polygons);
                pairs
                    .filter(|(rect, polygon)| rect.contains(point) && polygon.contains(point))
                    .count()
            };
            probe.iter().map(hits).sum()
        };
        let found = join(&runtime, &probe_column, &column, contains());
        assert_eq!(found, by_geo());
        assert!(found > count / 4);
        group.throughput(Throughput::Elements(count as u64));
        let id = |name: &str| {
            BenchmarkId::new(name, format!("{count} points, {} polygons", polygons.len()))
        };
        group.bench_function(id("geoflow build and probe"), |b| {
            b.iter(|| join(&runtime, &probe_column, &column, contains()));
        });
        group.bench_function(id("geo, a loop"), |b| b.iter(by_geo));
    }
    group.finish();

    let mut group = criterion.benchmark_group("nearest");
    let (from, to) = (spread(500, 20, 4), spread(5_000, 20, 5));
    let (left, right) = (point_column(&from), point_column(&to));
    let nearest = || join(&runtime, &left, &right, JoinPredicate::Nearest { k: 5 });
    let by_geo = || -> usize {
        let of = |point: &Point<f64>| {
            let mut all: Vec<f64> = to.iter().map(|t| Euclidean.distance(point, t)).collect();
            all.select_nth_unstable_by(4, f64::total_cmp);
            5
        };
        from.iter().map(of).sum()
    };
    assert_eq!(nearest(), by_geo());
    group.throughput(Throughput::Elements(from.len() as u64));
    group.bench_function("geoflow 5 of 5000", |b| b.iter(nearest));
    group.bench_function("geo, a loop", |b| b.iter(by_geo));
    group.finish();
}

//! Distances, computed and merely compared with a limit.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use geo::{Distance, Euclidean, Geometry, Polygon};
use geoflow_engine::predicate::{
    Distances, PreparedSet, ProbeBatch, SpatialPredicate, distance_arrays,
};

use crate::shapes::{point_column, points, polygon_column, star, view};

const PAIRS: usize = 256;
const REACH: f64 = 0.25;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("distance");
    group.throughput(Throughput::Elements(PAIRS as u64));
    for vertices in [10, 100, 1_000] {
        let polygons: Vec<Polygon<f64>> = (0..PAIRS)
            .map(|i| star(vertices, (0.0, 0.0), i as u64))
            .collect();
        let points = points(PAIRS, (1.0, 1.0), 7);
        let (left, right) = (polygon_column(&polygons), point_column(&points));
        let (left, right) = (view(&left), view(&right));
        let ours = || distance_arrays(&left, &right).unwrap();
        let theirs = || -> Vec<f64> {
            let pairs = polygons.iter().zip(&points);
            pairs
                .map(|(polygon, point)| Euclidean.distance(polygon, point))
                .collect()
        };
        for (ours, theirs) in ours().iter().zip(theirs()) {
            assert!(
                (ours.unwrap() - theirs).abs() <= 1e-12,
                "{ours:?} and {theirs}"
            );
        }
        group.bench_function(
            BenchmarkId::new("geoflow polygon to point", vertices),
            |b| {
                b.iter(|| black_box(ours()));
            },
        );
        group.bench_function(BenchmarkId::new("geo polygon to point", vertices), |b| {
            b.iter(|| black_box(theirs()));
        });

        let others: Vec<Polygon<f64>> = (0..PAIRS)
            .map(|i| star(vertices, (1.5, (i % 16) as f64 * 0.15), 1_000 + i as u64))
            .collect();
        let set = PreparedSet::new(left.clone());
        let column = polygon_column(&others);
        let rows: Vec<u32> = (0..PAIRS as u32).collect();
        let within = || {
            let probe = ProbeBatch::try_new(view(&column)).unwrap();
            let mut hits = vec![];
            let reach = Distances::Constant(REACH);
            set.refine(
                SpatialPredicate::DWithin,
                &probe,
                &rows,
                &rows,
                reach,
                &mut hits,
            )
            .unwrap();
            hits
        };
        let geometries = |all: &[Polygon<f64>]| -> Vec<Geometry> {
            all.iter().cloned().map(Geometry::from).collect()
        };
        let (a, b) = (geometries(&polygons), geometries(&others));
        let by_geo = || -> Vec<u32> {
            let pairs = a.iter().zip(&b).zip(0..);
            pairs
                .filter(|((a, b), _)| Euclidean.distance(*a, *b) <= REACH)
                .map(|(_, i)| i)
                .collect()
        };
        assert_eq!(within(), by_geo());
        group.bench_function(BenchmarkId::new("geoflow polygons within", vertices), |b| {
            b.iter(|| black_box(within()));
        });
        group.bench_function(BenchmarkId::new("geo polygons within", vertices), |b| {
            b.iter(|| black_box(by_geo()));
        });
    }
    group.finish();
}

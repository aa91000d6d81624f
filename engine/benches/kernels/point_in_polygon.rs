//! Points in one polygon, by its number of vertices.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use geo::Contains;
use geoflow_engine::predicate::{Distances, PreparedSet, ProbeBatch, SpatialPredicate};

use crate::shapes::{point_column, points, polygon_column, star, view};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("point_in_polygon");
    for vertices in [10, 100, 1_000, 10_000, 100_000] {
        let polygon = star(vertices, (0.0, 0.0), 1);
        // geo looks at every edge for every point: so many that it ends.
        let count = (2_000_000 / vertices).clamp(64, 4_096);
        let points = points(count, (0.0, 0.0), 2);
        let polygons = polygon_column(std::slice::from_ref(&polygon));
        let probe = ProbeBatch::try_new(view(&point_column(&points))).unwrap();
        let (set_rows, probe_rows) = (vec![0; count], (0..count as u32).collect::<Vec<_>>());
        let refine = |set: &PreparedSet| {
            let mut hits = vec![];
            set.refine(
                SpatialPredicate::Contains,
                &probe,
                &set_rows,
                &probe_rows,
                Distances::None,
                &mut hits,
            )
            .unwrap();
            hits
        };
        let by_geo = || -> Vec<u32> {
            let all = (0..).zip(&points);
            all.filter(|(_, point)| polygon.contains(*point))
                .map(|(i, _)| i)
                .collect()
        };
        let prepared = PreparedSet::new(view(&polygons));
        assert_eq!(refine(&prepared), by_geo());

        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("geoflow, prepared", vertices), |b| {
            b.iter(|| refine(black_box(&prepared)));
        });
        group.bench_function(BenchmarkId::new("geoflow, decoded first", vertices), |b| {
            b.iter(|| refine(&PreparedSet::new(view(black_box(&polygons)))));
        });
        group.bench_function(BenchmarkId::new("geo", vertices), |b| {
            b.iter(|| black_box(by_geo()));
        });
    }
    group.finish();
}

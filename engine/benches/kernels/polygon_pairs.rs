//! Pairs of polygons with about as many vertices: near and far, crossing, one within the other.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use geo::{Intersects, MapCoords, Polygon, Relate};
use geoflow_engine::predicate::{Distances, PreparedSet, ProbeBatch, SpatialPredicate, relate};

use crate::shapes::{polygon_column, star, view};

/// One polygon, and others around it.
fn polygons(vertices: usize) -> (Polygon<f64>, Vec<Polygon<f64>>) {
    let others = (0..32).map(|i| {
        let shift = f64::from(i % 8) * 0.35;
        let scale = if i % 4 == 0 { 0.2 } else { 1.0 };
        let turned = star(vertices, (0.0, 0.0), 10 + i as u64);
        turned.map_coords(|c| geo::Coord {
            x: c.x * scale + shift,
            y: c.y * scale + shift / 2.0,
        })
    });
    (star(vertices, (0.0, 0.0), 1), others.collect())
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("polygon_pairs");
    for vertices in [10, 100, 1_000, 10_000] {
        let (polygon, others) = polygons(vertices);
        let set = PreparedSet::new(view(&polygon_column(std::slice::from_ref(&polygon))));
        let column = polygon_column(&others);
        let (set_rows, rows) = (
            vec![0; others.len()],
            (0..others.len() as u32).collect::<Vec<_>>(),
        );
        let refine = |predicate: SpatialPredicate| {
            let probe = ProbeBatch::try_new(view(&column)).unwrap();
            let mut hits = vec![];
            set.refine(
                predicate,
                &probe,
                &set_rows,
                &rows,
                Distances::None,
                &mut hits,
            )
            .unwrap();
            hits
        };
        let by_geo = |holds: &dyn Fn(&Polygon<f64>) -> bool| -> Vec<u32> {
            let all = (0..).zip(&others);
            all.filter(|(_, other)| holds(other))
                .map(|(i, _)| i)
                .collect()
        };
        let intersects = |other: &Polygon<f64>| polygon.intersects(other);
        let contains = |other: &Polygon<f64>| polygon.relate(other).is_contains();
        assert_eq!(refine(SpatialPredicate::Intersects), by_geo(&intersects));
        assert_eq!(refine(SpatialPredicate::Contains), by_geo(&contains));

        group.throughput(Throughput::Elements(others.len() as u64));
        for (name, predicate, holds) in [
            (
                "intersects",
                SpatialPredicate::Intersects,
                &intersects as &dyn Fn(&Polygon<f64>) -> bool,
            ),
            ("contains", SpatialPredicate::Contains, &contains),
        ] {
            group.bench_function(BenchmarkId::new(format!("geoflow {name}"), vertices), |b| {
                b.iter(|| black_box(refine(predicate)));
            });
            group.bench_function(BenchmarkId::new(format!("geo {name}"), vertices), |b| {
                b.iter(|| black_box(by_geo(holds)));
            });
        }
        if vertices <= 1_000 {
            matrices(&mut group, vertices, polygon, others);
        }
    }
    group.finish();
}

/// The whole DE-9IM matrix, nothing prepared.
fn matrices(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    vertices: usize,
    polygon: Polygon<f64>,
    others: Vec<Polygon<f64>>,
) {
    for other in &others {
        let matrix = polygon.relate(other);
        let ours = relate(&polygon.clone().into(), &other.clone().into()).to_string();
        assert!(matrix.matches(&ours).unwrap(), "{matrix:?} and {ours}");
    }
    let polygon = geo::Geometry::from(polygon);
    let others: Vec<geo::Geometry> = others.into_iter().map(Into::into).collect();
    group.bench_function(BenchmarkId::new("geoflow matrix", vertices), |b| {
        b.iter(|| -> Vec<_> { others.iter().map(|other| relate(&polygon, other)).collect() });
    });
    group.bench_function(BenchmarkId::new("geo matrix", vertices), |b| {
        b.iter(|| -> Vec<_> { others.iter().map(|other| polygon.relate(other)).collect() });
    });
}

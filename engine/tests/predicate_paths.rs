//! Every way to a predicate gives the answer of [`SpatialPredicate::evaluate`]: with and without raster and
//! stripes, from WKB and point slices, from either side, and in little memory. Nothing panics, whatever
//! the geometries.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::geometry::{GeometryArray, GeometryType};
use geoflow_engine::predicate::{
    Build, Distances, PrepareOptions, PreparedSet, ProbeBatch, SpatialPredicate, distance,
    distance_arrays, distance_constant, evaluate_arrays, evaluate_constant, relate,
};
use proptest::prelude::*;

fn array<'a>(geometries: impl IntoIterator<Item = Option<&'a Geometry<f64>>>) -> GeometryArray {
    let values: Vec<Option<Vec<u8>>> = geometries
        .into_iter()
        .map(|g| {
            g.map(|g| {
                let mut bytes = vec![];
                write_geometry(g, &mut bytes);
                bytes
            })
        })
        .collect();
    let array: ArrayRef = Arc::new(BinaryArray::from_iter(values));
    GeometryArray::try_new(&array, &GeometryType::wkb(None)).unwrap()
}

/// Mostly a small grid, where nearly everything touches; sometimes the ends of the range.
fn ordinate() -> BoxedStrategy<f64> {
    prop_oneof![
        40 => (0i32..6).prop_map(f64::from),
        4 => (0i32..12).prop_map(|v| f64::from(v) * 0.1),
        1 => prop_oneof![
            Just(-0.0), Just(1e-320), Just(1e-200), Just(1e200), Just(-f64::MAX), Just(f64::MAX),
            Just(0.1 + 0.2), Just(1.0 + f64::EPSILON), Just(1e17),
        ],
    ]
    .boxed()
}

fn coord() -> BoxedStrategy<Coord<f64>> {
    (ordinate(), ordinate())
        .prop_map(|(x, y)| Coord { x, y })
        .boxed()
}

fn line(least: usize, most: usize) -> BoxedStrategy<LineString<f64>> {
    prop::collection::vec(coord(), least..most)
        .prop_map(LineString)
        .boxed()
}

/// Rectangles, and whatever comes: crossing itself, flat, repeated.
fn polygon() -> BoxedStrategy<Polygon<f64>> {
    let rectangle = (coord(), 1i32..4, 1i32..4).prop_map(|(c, w, h)| {
        let (x, y) = (c.x + f64::from(w), c.y + f64::from(h));
        LineString::from(vec![(c.x, c.y), (x, c.y), (x, y), (c.x, y), (c.x, c.y)])
    });
    let ring = prop_oneof![3 => rectangle, 2 => line(3, 8), 1 => line(0, 3)].boxed();
    let big = LineString::from(vec![(0., 0.), (7., 0.), (7., 7.), (0., 7.), (0., 0.)]);
    let finite = |p: &Polygon<f64>| {
        let fine = |l: &LineString<f64>| l.0.iter().all(|c| c.x.is_finite() && c.y.is_finite());
        fine(p.exterior()) && p.interiors().iter().all(fine)
    };
    prop_oneof![
        3 => ring.clone().prop_map(|r| Polygon::new(r, vec![])),
        1 => prop::collection::vec(ring.clone(), 1..3)
            .prop_map(move |holes| Polygon::new(big.clone(), holes)),
        1 => (ring.clone(), ring).prop_map(|(r, hole)| Polygon::new(r, vec![hole])),
    ]
    .prop_filter("finite", finite)
    .boxed()
}

fn geometry() -> BoxedStrategy<Geometry<f64>> {
    let simple = prop_oneof![
        2 => coord().prop_map(|c| Geometry::Point(Point(c))),
        4 => line(0, 6).prop_map(Geometry::LineString),
        6 => polygon().prop_map(Geometry::Polygon),
        1 => prop::collection::vec(coord(), 0..4)
            .prop_map(|all| Geometry::MultiPoint(MultiPoint(all.into_iter().map(Point).collect()))),
        2 => prop::collection::vec(line(0, 5), 0..4)
            .prop_map(|all| Geometry::MultiLineString(MultiLineString(all))),
        2 => prop::collection::vec(polygon(), 0..3)
            .prop_map(|all| Geometry::MultiPolygon(MultiPolygon(all))),
    ];
    simple
        .prop_recursive(3, 6, 3, |inner| {
            prop::collection::vec(inner, 0..4)
                .prop_map(|all| Geometry::GeometryCollection(GeometryCollection(all)))
        })
        .boxed()
}

const OPTIONS: [(Build, Build, usize); 5] = [
    (Build::Auto, Build::Auto, usize::MAX),
    (Build::Always, Build::Always, usize::MAX),
    (Build::Never, Build::Always, usize::MAX),
    (Build::Never, Build::Never, usize::MAX),
    (Build::Always, Build::Always, 0),
];

/// All pairs of two batches by all ways, for one predicate.
fn check(
    predicate: SpatialPredicate,
    set: &[Geometry<f64>],
    others: &[Geometry<f64>],
    d: f64,
) -> Result<(), TestCaseError> {
    let mut set_rows = vec![];
    let mut other_rows = vec![];
    let mut expected = vec![];
    for (i, a) in set.iter().enumerate() {
        for (j, b) in others.iter().enumerate() {
            if predicate.evaluate(a, b, d) {
                expected.push(set_rows.len() as u32);
            }
            set_rows.push(i as u32);
            other_rows.push(j as u32);
        }
    }
    let set_array = array(set.iter().map(Some));
    let batch = ProbeBatch::try_new(array(others.iter().map(Some))).unwrap();
    for (raster, stripes, max_bytes) in OPTIONS {
        let prepared = PreparedSet::with_options(
            set_array.clone(),
            PrepareOptions {
                raster,
                stripes,
                max_bytes,
            },
        );
        // The second time everything is prepared.
        for round in 0..2 {
            let mut hits = vec![];
            prepared
                .refine(
                    predicate,
                    &batch,
                    &set_rows,
                    &other_rows,
                    Distances::Constant(d),
                    &mut hits,
                )
                .unwrap();
            prop_assert_eq!(
                &hits,
                &expected,
                "{} raster {:?} stripes {:?} bytes {} round {}",
                predicate,
                raster,
                stripes,
                max_bytes,
                round
            );
        }
    }
    for (i, a) in set.iter().enumerate() {
        let others = array(others.iter().map(Some));
        for left in [true, false] {
            let oriented = if left { predicate } else { predicate.flip() };
            let all =
                evaluate_constant(oriented, a, left, &others, Distances::Constant(d)).unwrap();
            for j in 0..others.len() {
                let pair = (i * others.len() + j) as u32;
                prop_assert_eq!(all.value(j), expected.binary_search(&pair).is_ok());
            }
        }
    }
    Ok(())
}

/// The distances of all pairs of two batches by all ways: of a prepared set, under limits too, and of
/// columns in which values come again and share their bytes.
fn check_distances(set: &[Geometry<f64>], others: &[Geometry<f64>]) -> Result<(), TestCaseError> {
    let set_array = array(set.iter().map(Some));
    let batch = ProbeBatch::try_new(array(others.iter().map(Some))).unwrap();
    for (raster, stripes, max_bytes) in OPTIONS {
        let options = PrepareOptions {
            raster,
            stripes,
            max_bytes,
        };
        let prepared = PreparedSet::with_options(set_array.clone(), options);
        for ((i, a), (j, b)) in pairs(set, others) {
            let expected = distance(a, b).unwrap_or(f64::INFINITY);
            let found = |limit: f64| {
                prepared
                    .distance(i as u32, &batch, j as u32, limit)
                    .unwrap()
            };
            prop_assert_eq!(found(f64::INFINITY), expected, "{:?}", options);
            prop_assert_eq!(found(expected), expected, "{:?}", options);
            if expected > 0.0 && expected.is_finite() {
                let below = expected / 2.0;
                prop_assert!(found(below) > below, "{:?}", options);
            }
        }
    }
    let (a, b): (Vec<_>, Vec<_>) = pairs(set, others)
        .map(|((i, _), (j, _))| (i as u32, j as u32))
        .chain([(0, 0), (0, 0)])
        .unzip();
    let all = distance_arrays(&rows(set, &a), &rows(others, &b)).unwrap();
    for ((i, j), found) in a.iter().zip(&b).zip(&all) {
        prop_assert_eq!(found, distance(&set[*i as usize], &others[*j as usize]));
    }
    Ok(())
}

/// All pairs, with their places.
fn pairs<'a, T>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = ((usize, &'a T), (usize, &'a T))> {
    let b = b.iter().enumerate();
    a.iter()
        .enumerate()
        .flat_map(move |a| b.clone().map(move |b| (a, b)))
}

/// A column of these rows, taken as a join takes them.
fn rows(geometries: &[Geometry<f64>], rows: &[u32]) -> GeometryArray {
    let values: ArrayRef = Arc::new(arrow::array::BinaryViewArray::from_iter_values(
        geometries.iter().map(|g| {
            let mut bytes = vec![];
            write_geometry(g, &mut bytes);
            bytes
        }),
    ));
    let rows = arrow::array::UInt32Array::from(rows.to_vec());
    let taken = arrow::compute::take(&values, &rows, None).unwrap();
    GeometryArray::try_new(&taken, &GeometryType::wkb(None)).unwrap()
}

/// A polygon of many vertices that does not cross itself.
fn star() -> BoxedStrategy<Polygon<f64>> {
    let place = prop_oneof![
        Just((0.0, 0.0, 1.0)),
        Just((-111.7, 34.9, 0.5)),
        Just((4e6, 7e6, 1e-2))
    ];
    (
        place,
        -1.0..1.0,
        prop::collection::vec(0.3..1.0, 5..700),
        prop::bool::ANY,
    )
        .prop_map(|((x, y, size), shift, radii, hole)| {
            let ring = |part: f64| {
                let turn = std::f64::consts::TAU / radii.len() as f64;
                LineString::from_iter(radii.iter().enumerate().map(|(i, r)| {
                    let (sin, cos) = (i as f64 * turn).sin_cos();
                    let r = r * part * size;
                    Coord {
                        x: x + shift * size + r * cos,
                        y: y + r * sin,
                    }
                }))
            };
            let holes = if hole { vec![ring(0.5)] } else { vec![] };
            Polygon::new(ring(1.0), holes)
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn large_polygons_and_points(
        polygon in star(),
        random in prop::collection::vec((0.0..1.0, 0.0..1.0), 100),
    ) {
        use geo::BoundingRect;
        let rect = polygon.bounding_rect().unwrap();
        let vertices = polygon.exterior().0.iter().take(50);
        let middles = polygon.exterior().lines().take(50).map(|l| (l.start + l.end) / 2.0);
        // Points at the heights of vertices, and in the bounds.
        let level = vertices.clone().map(|c| Coord { x: rect.center().x, y: c.y });
        let scattered = random.iter().map(|(u, v)| {
            rect.min() + Coord { x: u * rect.width(), y: v * rect.height() }
        });
        let points: Vec<_> = vertices.copied().chain(middles).chain(level).chain(scattered)
            .map(|c| Geometry::Point(Point(c)))
            .collect();
        let set = [Geometry::Polygon(polygon)];
        for predicate in [SpatialPredicate::Intersects, SpatialPredicate::Contains, SpatialPredicate::Touches] {
            check(predicate, &set, &points, 0.0)?;
        }
        for d in [0.0, 1e-3, 0.2] {
            check(SpatialPredicate::DWithin, &set, &points, d)?;
        }
        check_distances(&set, &points)?;
    }

    /// The `geo` crate is no judge of contacts, but of polygons at random it is.
    #[test]
    fn large_polygons_as_geo_has_them(a in star(), b in star()) {
        use geo::{Distance, Euclidean, Relate};
        let matrix = a.relate(&b);
        let (x, y) = (Geometry::Polygon(a.clone()), Geometry::Polygon(b.clone()));
        let holds = |p: SpatialPredicate| p.evaluate(&x, &y, 0.0);
        prop_assert_eq!(holds(SpatialPredicate::Intersects), matrix.is_intersects());
        prop_assert_eq!(holds(SpatialPredicate::Contains), matrix.is_contains());
        prop_assert_eq!(holds(SpatialPredicate::CoveredBy), matrix.is_coveredby());
        prop_assert_eq!(holds(SpatialPredicate::Overlaps), matrix.is_overlaps());
        prop_assert_eq!(holds(SpatialPredicate::Touches), matrix.is_touches());
        let (ours, theirs) = (distance(&x, &y).unwrap(), Euclidean.distance(&a, &b));
        prop_assert!((ours - theirs).abs() <= 1e-9 * theirs, "{} {}", ours, theirs);
        check(SpatialPredicate::Overlaps, &[x], &[y], 0.0)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_way_gives_the_same(
        set in prop::collection::vec(geometry(), 1..4),
        others in prop::collection::vec(geometry(), 1..4),
        d in prop_oneof![Just(0.0), Just(1.0), Just(f64::INFINITY), Just(-1.0), Just(f64::NAN), 0.0..5.0],
    ) {
        for predicate in SpatialPredicate::ALL {
            check(predicate, &set, &others, d)?;
        }
        check_distances(&set, &others)?;
    }

    #[test]
    fn point_batches_give_the_same(
        set in prop::collection::vec(geometry(), 1..4),
        points in prop::collection::vec(coord(), 1..12),
        d in 0.0..5.0,
    ) {
        let points: Vec<_> = points.into_iter().map(|c| Geometry::Point(Point(c))).collect();
        for predicate in SpatialPredicate::ALL {
            check(predicate, &set, &points, d)?;
            check(predicate, &points, &set, d)?;
        }
        check_distances(&set, &points)?;
        check_distances(&points, &set)?;
    }

    #[test]
    fn the_predicates_fit_together(a in geometry(), b in geometry(), d in 0.0..5.0) {
        let holds = |p: SpatialPredicate| p.evaluate(&a, &b, d);
        for predicate in SpatialPredicate::ALL {
            prop_assert_eq!(
                holds(predicate), predicate.flip().evaluate(&b, &a, d), "{} flipped", predicate
            );
        }
        use SpatialPredicate as P;
        prop_assert!(!holds(P::Contains) || holds(P::Covers));
        prop_assert!(!holds(P::Within) || holds(P::CoveredBy));
        for implied in [P::Covers, P::CoveredBy, P::Touches, P::Crosses, P::Overlaps] {
            prop_assert!(!holds(implied) || holds(P::Intersects), "{}", implied);
        }
        prop_assert!(!(holds(P::Touches) && (holds(P::Overlaps) || holds(P::Crosses))));
        prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        if let Some(apart) = distance(&a, &b) {
            prop_assert_eq!(apart == 0.0, holds(P::Intersects));
            prop_assert_eq!(apart <= d, holds(P::DWithin));
        }
        prop_assert_eq!(relate(&a, &b).to_string().len(), 9);
    }

    #[test]
    fn a_geometry_equals_itself(a in geometry()) {
        prop_assert!(SpatialPredicate::Equals.evaluate(&a, &a, 0.0));
    }

    #[test]
    fn columns_of_distances(a in geometry(), b in geometry()) {
        let columns = |x: &Geometry<f64>, y: &Geometry<f64>| {
            let (x, y) = (array([Some(x)]), array([Some(y)]));
            distance_arrays(&x, &y).unwrap().iter().next().flatten()
        };
        prop_assert_eq!(columns(&a, &b), distance(&a, &b));
        let constant = distance_constant(&a, &array([Some(&b)])).unwrap();
        prop_assert_eq!(constant.iter().next().flatten(), distance(&a, &b));
        let all = evaluate_arrays(
            SpatialPredicate::DWithin, &array([Some(&a)]), &array([Some(&b)]), Distances::Constant(1.0),
        );
        prop_assert_eq!(all.unwrap().value(0), SpatialPredicate::DWithin.evaluate(&a, &b, 1.0));
    }

    /// Bytes changed, cut or added: an error or an answer.
    #[test]
    fn spoilt_wkb_is_survived(
        a in geometry(),
        b in geometry(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in 0usize..8,
    ) {
        let mut bytes = vec![];
        write_geometry(&a, &mut bytes);
        let i = at.index(bytes.len());
        bytes[i] = byte;
        bytes.truncate(bytes.len() - (cut / 4) * (cut % 4));
        let spoilt: ArrayRef = Arc::new(BinaryArray::from_vec(vec![&bytes]));
        let spoilt = GeometryArray::try_new(&spoilt, &GeometryType::wkb(None)).unwrap();
        let bounds = spoilt.bounds(0);
        let decoded = spoilt.geometry(0);
        prop_assert_eq!(bounds.is_ok(), decoded.is_ok());
        for predicate in SpatialPredicate::ALL {
            let all = evaluate_arrays(predicate, &spoilt, &array([Some(&b)]), Distances::Constant(1.0));
            prop_assert_eq!(all.is_ok(), decoded.is_ok());
            if let (Ok(all), Ok(Some(a))) = (all, &decoded) {
                prop_assert_eq!(all.value(0), predicate.evaluate(a, &b, 1.0));
            }
        }
    }

    #[test]
    fn columns_pass_null(a in geometry(), b in geometry()) {
        let (left, right) = (
            array([Some(&a), None, Some(&a), None]),
            array([Some(&b), Some(&b), None, None]),
        );
        for predicate in SpatialPredicate::ALL {
            let all = evaluate_arrays(predicate, &left, &right, Distances::Constant(1.0)).unwrap();
            let nulls: Vec<bool> = (0..4).map(|i| arrow::array::Array::is_null(&all, i)).collect();
            prop_assert_eq!(nulls, vec![false, true, true, true]);
            prop_assert_eq!(all.value(0), predicate.evaluate(&a, &b, 1.0));
        }
    }
}

//! What the fuzz targets assert of any input. It stands apart from the targets so that the test suite of
//! the engine runs it too, on bytes that it makes itself, without a fuzzer.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use geo::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::geometry::{
    GeometryArray, GeometryType, RingOrder, geojson_to_wkb, wkb_to_geojson, wkb_to_iso, wkb_to_wkt,
    wkt_to_wkb,
};
use geoflow_engine::overlay::invalid;
use geoflow_engine::predicate::{
    Build, Distances, MatrixPattern, PrepareOptions, PreparedSet, ProbeBatch, SpatialPredicate,
    distance, relate,
};

fn view(values: &[&[u8]]) -> GeometryArray {
    let array: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
    GeometryArray::try_new(&array, &GeometryType::wkb(None)).expect("binary is WKB")
}

/// Any bytes as WKB: decoded or refused, the same by every reader, and with an answer by every
/// predicate.
pub fn wkb(data: &[u8]) {
    let array = view(&[data]);
    let bounds = array.bounds(0);
    let decoded = array.geometry(0);
    // Rejected by all or by none.
    assert_eq!(bounds.is_ok(), decoded.is_ok(), "{bounds:?} {decoded:?}");
    // These need not refuse the same, but must end.
    let _ = wkb_to_wkt(data, &mut String::new());
    let _ = wkb_to_geojson(data, RingOrder::AsStored, &mut String::new());
    let _ = wkb_to_iso(data, &mut vec![]);
    let points = array.points(&mut vec![], &mut vec![]);
    let Ok(Some(geometry)) = decoded else {
        assert!(!matches!(points, Ok(true)), "points of what is no geometry");
        return;
    };
    let mut square = vec![];
    wkt_to_wkb("POLYGON((-1 -1,1 -1,1 1,-1 1,-1 -1))", &mut square).expect("a polygon");
    let other = view(&[&square])
        .geometry(0)
        .expect("valid")
        .expect("not NULL");
    for other in [&other, &geometry] {
        let _ = relate(&geometry, other);
        let _ = distance(&geometry, other);
        for predicate in SpatialPredicate::ALL {
            let _ = predicate.evaluate(&geometry, other, 0.5);
        }
    }
    let set = PreparedSet::new(view(&[data]));
    let probe = ProbeBatch::try_new(view(&[data, &square])).expect("both are geometries");
    for predicate in SpatialPredicate::ALL {
        let reach = Distances::Constant(0.5);
        let mut hits = vec![];
        set.refine(predicate, &probe, &[0, 0], &[0, 1], reach, &mut hits)
            .expect("what was decoded is refined");
    }
}

/// Any text as WKT: read or refused, and what is read is written as text that reads back the same.
pub fn wkt(text: &str) {
    let mut wkb = vec![];
    let mut written = String::new();
    if wkt_to_wkb(text, &mut wkb).is_err() || wkb_to_wkt(&wkb, &mut written).is_err() {
        return;
    }
    let mut again = vec![];
    wkt_to_wkb(&written, &mut again).expect("what was written is read");
    let mut rewritten = String::new();
    wkb_to_wkt(&again, &mut rewritten).expect("what was read is written");
    assert_eq!(written, rewritten);
}

/// Any text as GeoJSON, likewise.
pub fn geojson(text: &str) {
    let mut wkb = vec![];
    let mut written = String::new();
    if geojson_to_wkb(text, &mut wkb).is_err()
        || wkb_to_geojson(&wkb, RingOrder::AsStored, &mut written).is_err()
    {
        return;
    }
    let mut again = vec![];
    geojson_to_wkb(&written, &mut again).expect("what was written is read");
    let mut rewritten = String::new();
    wkb_to_geojson(&again, RingOrder::AsStored, &mut rewritten).expect("what was read is written");
    assert_eq!(written, rewritten);
}

/// Two geometries on a small grid, where touching, sharing edges and lying on each other are common: the
/// fast paths answer as the plain definition does, and the matrix, its transposition, the
/// predicates and the distance do not contradict each other.
pub fn pairs(data: &[u8]) {
    let mut bytes = data.iter().copied();
    let reach = f64::from(bytes.next().unwrap_or(0) % 16) / 4.0;
    let (a, b) = (shape(&mut bytes), shape(&mut bytes));
    // As every reader sees them.
    let of = |geometry: &Geometry<f64>| {
        let mut wkb = vec![];
        write_geometry(geometry, &mut wkb);
        view(&[&wkb])
    };
    let (a_view, b_view) = (of(&a), of(&b));
    let (Ok(Some(a)), Ok(Some(b))) = (a_view.geometry(0), b_view.geometry(0)) else {
        return;
    };
    fast_and_slow(&a, &b, (&a_view, &b_view), reach);
    // Not by `geo`, to which a ring without area may be valid.
    if invalid(&a).is_none() && invalid(&b).is_none() {
        consistent(&a, &b, reach);
    }
}

type Bytes<'a> = std::iter::Copied<std::slice::Iter<'a, u8>>;

fn shape(bytes: &mut Bytes<'_>) -> Geometry<f64> {
    match bytes.next().unwrap_or(0) % 8 {
        0 => Point(corner(bytes)).into(),
        1 => MultiPoint(several(bytes, |bytes| Point(corner(bytes)))).into(),
        2 => line(bytes).into(),
        3 => MultiLineString(several(bytes, line)).into(),
        4 => {
            let (a, b) = (corner(bytes), corner(bytes));
            let ring = vec![(a.x, a.y), (b.x, a.y), (b.x, b.y), (a.x, b.y)];
            Polygon::new(LineString::from(ring), vec![]).into()
        }
        5 => area(bytes).into(),
        6 => MultiPolygon(several(bytes, area)).into(),
        _ => {
            let points = MultiPoint(several(bytes, |bytes| Point(corner(bytes))));
            let all = vec![points.into(), line(bytes).into(), area(bytes).into()];
            Geometry::GeometryCollection(GeometryCollection(all))
        }
    }
}

/// Halves from -4 to 3.5.
fn corner(bytes: &mut Bytes<'_>) -> Coord<f64> {
    let byte = bytes.next().unwrap_or(0);
    let half = |n: u8| (f64::from(n) - 8.0) / 2.0;
    Coord {
        x: half(byte & 15),
        y: half(byte >> 4),
    }
}

fn several<T>(bytes: &mut Bytes<'_>, mut one: impl FnMut(&mut Bytes<'_>) -> T) -> Vec<T> {
    let n = bytes.next().unwrap_or(0) % 4;
    (0..n).map(|_| one(bytes)).collect()
}

fn line(bytes: &mut Bytes<'_>) -> LineString<f64> {
    let n = 2 + bytes.next().unwrap_or(0) % 6;
    LineString((0..n).map(|_| corner(bytes)).collect())
}

fn area(bytes: &mut Bytes<'_>) -> Polygon<f64> {
    let ring = |bytes: &mut Bytes<'_>| {
        let n = 3 + bytes.next().unwrap_or(0) % 6;
        LineString((0..n).map(|_| corner(bytes)).collect())
    };
    let outer = ring(bytes);
    let holes = match bytes.next().unwrap_or(0) % 3 {
        0 => vec![ring(bytes)],
        _ => vec![],
    };
    Polygon::new(outer, holes)
}

/// Prepared in every way, the answers are those of the plain definition.
fn fast_and_slow(
    a: &Geometry<f64>,
    b: &Geometry<f64>,
    (a_view, b_view): (&GeometryArray, &GeometryArray),
    reach: f64,
) {
    let probe = ProbeBatch::try_new(b_view.clone()).expect("finite");
    for (raster, stripes) in [
        (Build::Never, Build::Never),
        (Build::Always, Build::Never),
        (Build::Never, Build::Always),
        (Build::Always, Build::Always),
    ] {
        let options = PrepareOptions {
            raster,
            stripes,
            ..PrepareOptions::default()
        };
        let set = PreparedSet::with_options(a_view.clone(), options);
        for predicate in SpatialPredicate::ALL {
            let distance = Distances::Constant(reach);
            let mut hits = vec![];
            set.refine(predicate, &probe, &[0], &[0], distance, &mut hits)
                .expect("finite");
            assert_eq!(
                !hits.is_empty(),
                predicate.evaluate(a, b, reach),
                "{predicate}, raster {raster:?}, stripes {stripes:?}, reach {reach}\n{a:?}\n{b:?}"
            );
        }
    }
}

/// What the standard says of valid geometries.
fn consistent(a: &Geometry<f64>, b: &Geometry<f64>, reach: f64) {
    let (matrix, flipped) = (relate(a, b), relate(b, a));
    let text = matrix.to_string();
    let transposed: String = [0, 3, 6, 1, 4, 7, 2, 5, 8]
        .iter()
        .map(|&i| char::from(text.as_bytes()[i]))
        .collect();
    assert_eq!(transposed, flipped.to_string(), "{text}\n{a:?}\n{b:?}");

    let fits = |pattern: &str| {
        pattern
            .parse::<MatrixPattern>()
            .expect(pattern)
            .matches(&matrix)
    };
    let holds = |predicate: SpatialPredicate| predicate.evaluate(a, b, reach);
    let meets = !fits("FF*FF****");
    for (predicate, by_matrix) in [
        (SpatialPredicate::Intersects, meets),
        (SpatialPredicate::Contains, fits("T*****FF*")),
        (SpatialPredicate::Within, fits("T*F**F***")),
        (SpatialPredicate::Covers, meets && fits("******FF*")),
        (SpatialPredicate::CoveredBy, meets && fits("**F**F***")),
        (SpatialPredicate::Touches, meets && fits("F********")),
    ] {
        assert_eq!(
            holds(predicate),
            by_matrix,
            "{predicate}: {text}\n{a:?}\n{b:?}"
        );
    }
    for predicate in SpatialPredicate::ALL {
        let other_way = predicate.flip().evaluate(b, a, reach);
        assert_eq!(
            holds(predicate),
            other_way,
            "{predicate} and its converse: {text}\n{a:?}\n{b:?}"
        );
    }
    match distance(a, b) {
        None => assert!(!meets && !holds(SpatialPredicate::DWithin)),
        Some(distance) => {
            assert_eq!(distance == 0.0, meets, "{distance}: {text}\n{a:?}\n{b:?}");
            // Computed distances are rounded; the limit is not.
            let margin = (distance - reach).abs();
            assert!(margin < 1e-12 || holds(SpatialPredicate::DWithin) == (distance <= reach));
        }
    }
}

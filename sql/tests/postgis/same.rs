//! Whether two geometries are the same set of points, up to rounding.

use geo::{Area, CoordsIter, Euclidean, Geometry, Length};
use geoflow_engine::geometry::{wkb, wkt_to_wkb};
use geoflow_engine::predicate::distance;

/// Part of the extent by which geometries may be apart.
const TOLERANCE: f64 = 1e-9;

/// Whether two areas differ by a hundredth at most.
pub(crate) fn near_points(ours: &str, theirs: &str) -> bool {
    let (Some(a), Some(b)) = (decode(ours), decode(theirs)) else {
        return false;
    };
    let most = area(&a).max(area(&b));
    (area(&a) - area(&b)).abs() <= 0.01 * most && covers(&a, &b, 0.02) && covers(&b, &a, 0.02)
}

/// Whether both have the same dimensions and the same points. The texts are WKT.
pub(crate) fn same_points(ours: &str, theirs: &str) -> bool {
    let (Some(a), Some(b)) = (decode(ours), decode(theirs)) else {
        return false;
    };
    let empty = |g: &Geometry<f64>| g.coords_count() == 0;
    if empty(&a) || empty(&b) {
        // EMPTY has a type, which is to be the same.
        let tag = |text: &str| text.split([' ', '(']).next().map(str::to_owned);
        return empty(&a) && empty(&b) && tag(ours) == tag(theirs);
    }
    let extent = a
        .coords_iter()
        .chain(b.coords_iter())
        .fold(1.0f64, |m, c| m.max(c.x.abs()).max(c.y.abs()));
    let near = TOLERANCE * extent;
    let measures = (area(&a) - area(&b)).abs() <= near * extent
        && (length(&a) - length(&b)).abs() <= near * 100.0;
    measures && kinds(&a) == kinds(&b) && covers(&a, &b, near) && covers(&b, &a, near)
}

fn decode(text: &str) -> Option<Geometry<f64>> {
    let mut bytes = vec![];
    wkt_to_wkb(text, &mut bytes).ok()?;
    wkb::decode(&bytes).ok()
}

/// Whether every vertex of `b` lies near `a`.
fn covers(a: &Geometry<f64>, b: &Geometry<f64>, near: f64) -> bool {
    let coords: Vec<_> = b.coords_iter().collect();
    coords.iter().all(|c| {
        let point = Geometry::Point((*c).into());
        distance(a, &point).is_some_and(|d| d <= near)
    })
}

/// Dimensions that there are, of points, lines and areas.
fn kinds(g: &Geometry<f64>) -> [bool; 3] {
    match g {
        Geometry::Point(_) => [true, false, false],
        Geometry::MultiPoint(all) => [!all.0.is_empty(), false, false],
        Geometry::LineString(_) | Geometry::Line(_) | Geometry::MultiLineString(_) => {
            [false, g.coords_count() > 0, false]
        }
        Geometry::GeometryCollection(parts) => {
            parts.iter().map(kinds).fold([false; 3], |all, one| {
                [all[0] || one[0], all[1] || one[1], all[2] || one[2]]
            })
        }
        _ => [false, false, g.coords_count() > 0],
    }
}

fn area(g: &Geometry<f64>) -> f64 {
    g.unsigned_area()
}

/// Lines and rings together.
fn length(g: &Geometry<f64>) -> f64 {
    let polygon = |p: &geo::Polygon<f64>| {
        let rings = p.interiors().iter().chain([p.exterior()]);
        rings.map(|ring| Euclidean.length(ring)).sum::<f64>()
    };
    match g {
        Geometry::LineString(line) => Euclidean.length(line),
        Geometry::MultiLineString(lines) => Euclidean.length(lines),
        Geometry::Polygon(p) => polygon(p),
        Geometry::MultiPolygon(all) => all.iter().map(polygon).sum(),
        Geometry::GeometryCollection(parts) => parts.iter().map(length).sum(),
        _ => 0.0,
    }
}

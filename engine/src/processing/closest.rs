//! Where two geometries are closest to each other.

use geo_types::{Coord, Geometry, Line, LineString};

use crate::predicate::SpatialPredicate;
use crate::predicate::chunks::{Chunks, MANY_PAIRS};

/// A point of each geometry such that no two are closer; the same one twice where they meet. `None`
/// beside EMPTY.
pub fn closest_points(a: &Geometry<f64>, b: &Geometry<f64>) -> Option<(Coord<f64>, Coord<f64>)> {
    // Inside a polygon it is a vertex of the other that lies in it.
    let inside = |area: &Geometry<f64>, other: &Geometry<f64>| {
        let mut found = None;
        let mut look = |line: Line<f64>| {
            let point = Geometry::Point(line.start.into());
            let holds = || SpatialPredicate::Intersects.evaluate(&point, area, 0.0);
            if found.is_none() && holds() {
                found = Some(line.start);
            }
        };
        each_segment(other, &mut look);
        found
    };
    let mut best: Option<(f64, Coord<f64>, Coord<f64>)> = None;
    let mut offer = |p: Coord<f64>, q: Coord<f64>| {
        let d = (p.x - q.x).hypot(p.y - q.y);
        if best.is_none_or(|(least, ..)| d < least) {
            best = Some((d, p, q));
        }
        d
    };
    let mut offer_edges = |s: &Line<f64>, t: &Line<f64>| {
        let crossing = cross(s, t).map_or(f64::INFINITY, |p| offer(p, p));
        crossing
            .min(offer(s.start, foot(t, s.start)))
            .min(offer(s.end, foot(t, s.end)))
            .min(offer(foot(s, t.start), t.start))
            .min(offer(foot(s, t.end), t.end))
    };
    let (mut lines, mut others) = (vec![], vec![]);
    each_segment(a, &mut |line| lines.push(line));
    each_segment(b, &mut |line| others.push(line));
    if lines.len().saturating_mul(others.len()) > MANY_PAIRS {
        let chunks = |lines: &[Line<f64>]| {
            Chunks::new(lines.iter().map(|line| [line.start, line.end]).collect())
        };
        let mut least = f64::INFINITY;
        chunks(&lines).nearest_runs(&chunks(&others), |run, other| {
            for (s, t) in run.iter().flat_map(|s| other.iter().map(move |t| (s, t))) {
                least = least.min(offer_edges(&Line::new(s[0], s[1]), &Line::new(t[0], t[1])));
            }
            least
        });
    } else {
        for s in &lines {
            for t in &others {
                offer_edges(s, t);
            }
        }
    }
    let (least, p, q) = best?;
    if least > 0.0 && SpatialPredicate::Intersects.evaluate(a, b, 0.0) {
        return inside(a, b).or_else(|| inside(b, a)).map(|p| (p, p));
    }
    Some((p, q))
}

/// The points, lines and rings of a geometry, to measure from many places.
#[derive(Debug)]
pub struct Linework {
    edges: Chunks,
}

impl Linework {
    /// That of a geometry.
    pub fn new(geometry: &Geometry<f64>) -> Self {
        let mut edges = vec![];
        each_segment(geometry, &mut |line| edges.push([line.start, line.end]));
        Self {
            edges: Chunks::new(edges),
        }
    }

    /// The least distance of a place; anything at most `enough` in place of a smaller one. Infinite for EMPTY.
    pub fn distance(&mut self, p: Coord<f64>, enough: f64) -> f64 {
        self.edges.distance(p, enough)
    }
}

/// The point of a segment that is closest to `p`.
fn foot(line: &Line<f64>, p: Coord<f64>) -> Coord<f64> {
    let way = line.end - line.start;
    let square = way.x * way.x + way.y * way.y;
    if square == 0.0 {
        return line.start;
    }
    let t = ((p.x - line.start.x) * way.x + (p.y - line.start.y) * way.y) / square;
    match t {
        t if t <= 0.0 => line.start,
        t if t >= 1.0 => line.end,
        t => line.start + way * t,
    }
}

/// Where two segments cross inside both.
fn cross(s: &Line<f64>, t: &Line<f64>) -> Option<Coord<f64>> {
    let (u, v, w) = (s.end - s.start, t.end - t.start, t.start - s.start);
    let det = u.x * v.y - u.y * v.x;
    let along = (w.x * v.y - w.y * v.x) / det;
    let other = (w.x * u.y - w.y * u.x) / det;
    let within = |t: f64| (0.0..=1.0).contains(&t);
    (within(along) && within(other)).then(|| s.start + u * along)
}

/// Visits the edges of lines and rings; points as edges without length.
pub(crate) fn each_segment(geometry: &Geometry<f64>, visit: &mut impl FnMut(Line<f64>)) {
    fn along(line: &LineString<f64>, visit: &mut impl FnMut(Line<f64>)) {
        line.lines().for_each(visit);
    }
    match geometry {
        Geometry::Point(p) => visit(Line::new(p.0, p.0)),
        Geometry::MultiPoint(points) => points.iter().for_each(|p| visit(Line::new(p.0, p.0))),
        Geometry::Line(line) => visit(*line),
        Geometry::LineString(line) => along(line, visit),
        Geometry::MultiLineString(lines) => lines.iter().for_each(|line| along(line, visit)),
        Geometry::Polygon(polygon) => {
            along(polygon.exterior(), visit);
            polygon
                .interiors()
                .iter()
                .for_each(|ring| along(ring, visit));
        }
        Geometry::MultiPolygon(all) => {
            for polygon in all {
                along(polygon.exterior(), visit);
                polygon
                    .interiors()
                    .iter()
                    .for_each(|ring| along(ring, visit));
            }
        }
        Geometry::Rect(rect) => along(rect.to_polygon().exterior(), visit),
        Geometry::Triangle(triangle) => along(triangle.to_polygon().exterior(), visit),
        Geometry::GeometryCollection(parts) => {
            parts.iter().for_each(|part| each_segment(part, visit));
        }
    }
}

//! What goes into an arrangement: edges of polygons and lines.

use geo_types::{Coord, Geometry, LineString, Polygon};

use crate::predicate::orient::{compare, orient};

/// A directed segment from its lower end to its higher one (by x, then y), with what it bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// The lower end.
    pub(crate) low: Coord<f64>,
    /// The higher end.
    pub(crate) high: Coord<f64>,
    /// By how much the winding number on the left exceeds that on the right, for both inputs.
    pub(crate) turns: [i32; 2],
    /// Whether it is part of a line of either input.
    pub(crate) line: [bool; 2],
    /// Whether the line runs from the higher end to the lower.
    pub(crate) backward: bool,
    /// Whether it has yet to be compared with the other edges.
    pub(crate) fresh: bool,
}

impl Edge {
    /// An edge of a ring that has the inside of input `side` on its left; `None` without length.
    pub(crate) fn ring(from: Coord<f64>, to: Coord<f64>, side: usize) -> Option<Self> {
        let mut edge = Self::between(from, to)?;
        edge.turns[side] = if edge.backward { -1 } else { 1 };
        edge.backward = false;
        Some(edge)
    }

    /// An edge of a line of input `side`; `None` without length.
    pub(crate) fn line(from: Coord<f64>, to: Coord<f64>, side: usize) -> Option<Self> {
        let mut edge = Self::between(from, to)?;
        edge.line[side] = true;
        Some(edge)
    }

    fn between(from: Coord<f64>, to: Coord<f64>) -> Option<Self> {
        let order = compare(from, to);
        let (low, high) = match order.is_le() {
            true => (from, to),
            false => (to, from),
        };
        order.is_ne().then_some(Edge {
            low,
            high,
            turns: [0; 2],
            line: [false; 2],
            backward: order.is_gt(),
            fresh: true,
        })
    }

    /// Whether it bounds nothing and is part of no line.
    pub(crate) fn is_idle(&self) -> bool {
        self.turns == [0; 2] && self.line == [false; 2]
    }
}

/// Both inputs of an operation, by dimension.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) edges: Vec<Edge>,
    /// Where lines end: results are cut there.
    pub(super) line_ends: Vec<Coord<f64>>,
    pub(super) points: [Vec<Coord<f64>>; 2],
}

impl Input {
    /// Adds a geometry to input `side`.
    pub(super) fn add(&mut self, geometry: &Geometry<f64>, side: usize) {
        match geometry {
            Geometry::Point(point) => self.points[side].push(point.0),
            Geometry::MultiPoint(points) => self.points[side].extend(points.iter().map(|p| p.0)),
            Geometry::Line(line) => self.add_line(&LineString(vec![line.start, line.end]), side),
            Geometry::LineString(line) => self.add_line(line, side),
            Geometry::MultiLineString(lines) => {
                lines.iter().for_each(|line| self.add_line(line, side));
            }
            Geometry::Polygon(polygon) => self.add_polygon(polygon, side),
            Geometry::MultiPolygon(polygons) => {
                polygons.iter().for_each(|p| self.add_polygon(p, side));
            }
            Geometry::Rect(rect) => self.add_polygon(&rect.to_polygon(), side),
            Geometry::Triangle(triangle) => self.add_polygon(&triangle.to_polygon(), side),
            Geometry::GeometryCollection(parts) => {
                parts.iter().for_each(|part| self.add(part, side));
            }
        }
    }

    fn add_polygon(&mut self, polygon: &Polygon<f64>, side: usize) {
        add_ring(&mut self.edges, polygon.exterior(), true, side);
        for hole in polygon.interiors() {
            add_ring(&mut self.edges, hole, false, side);
        }
    }

    fn add_line(&mut self, line: &LineString<f64>, side: usize) {
        let before = self.edges.len();
        let edges = line
            .0
            .windows(2)
            .filter_map(|w| Edge::line(w[0], w[1], side));
        self.edges.extend(edges);
        // A line without length is nothing, as in PostGIS.
        if self.edges.len() > before {
            self.line_ends
                .extend(line.0.first().into_iter().chain(line.0.last()));
        }
    }
}

/// Adds a ring, counterclockwise for a shell, clockwise for a hole.
fn add_ring(edges: &mut Vec<Edge>, ring: &LineString<f64>, shell: bool, side: usize) {
    let forward = is_counterclockwise(&ring.0) == shell;
    let edge = |w: &[Coord<f64>]| match forward {
        true => Edge::ring(w[0], w[1], side),
        false => Edge::ring(w[1], w[0], side),
    };
    edges.extend(ring.0.windows(2).filter_map(edge));
    // A ring that nobody closed.
    if let (Some(first), Some(last)) = (ring.0.first(), ring.0.last()) {
        edges.extend(edge(&[*last, *first]));
    }
}

/// Whether a ring turns counterclockwise: by the sign of its area if that is far from rounding,
/// else by the turn at its lowest vertex, which is exact for a ring that does not cross itself.
pub fn is_counterclockwise(ring: &[Coord<f64>]) -> bool {
    let Some(origin) = ring.first() else {
        return true;
    };
    let (mut twice, mut magnitude) = (0.0, 0.0f64);
    for w in ring.windows(2) {
        let (ax, ay) = (w[0].x - origin.x, w[0].y - origin.y);
        let (bx, by) = (w[1].x - origin.x, w[1].y - origin.y);
        twice += ax * by - ay * bx;
        magnitude += (ax * by).abs() + (ay * bx).abs();
    }
    if twice.abs() > 1e-12 * magnitude {
        return twice > 0.0;
    }
    let n = match ring.first() == ring.last() {
        true => ring.len() - 1,
        false => ring.len(),
    };
    let Some(lowest) = (0..n).min_by(|i, j| compare(ring[*i], ring[*j])) else {
        return true;
    };
    let at = ring[lowest];
    let before = (1..n)
        .map(|k| ring[(lowest + n - k) % n])
        .find(|c| *c != at);
    let after = (1..n).map(|k| ring[(lowest + k) % n]).find(|c| *c != at);
    match (before, after) {
        (Some(before), Some(after)) => orient(before, at, after) > 0.0,
        _ => true,
    }
}

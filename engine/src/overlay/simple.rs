//! Whether lines meet themselves or each other elsewhere than at their ends.

use geo_types::{Coord, Geometry, LineString};

use super::input::Edge;
use super::pairs::for_each_pair;
use crate::predicate::orient::{Meet, compare, meet};

/// Whether a geometry is simple, as the standard has it: no point of a multipoint is there twice; lines
/// meet themselves and each other at their ends alone, and none of these is closed; rings do not
/// meet themselves. A collection is simple if all its parts are.
pub fn is_simple(geometry: &Geometry<f64>) -> bool {
    match geometry {
        Geometry::MultiPoint(points) => {
            let mut all: Vec<Coord<f64>> = points.iter().map(|p| p.0).collect();
            all.sort_unstable_by(|a, b| compare(*a, *b));
            all.windows(2).all(|w| w[0] != w[1])
        }
        Geometry::LineString(line) => lines_are_simple(std::slice::from_ref(line)),
        Geometry::MultiLineString(lines) => lines_are_simple(&lines.0),
        Geometry::Polygon(polygon) => rings_are_simple(polygon),
        Geometry::MultiPolygon(all) => all.iter().all(rings_are_simple),
        Geometry::GeometryCollection(parts) => parts.iter().all(is_simple),
        _ => true,
    }
}

fn rings_are_simple(polygon: &geo_types::Polygon<f64>) -> bool {
    let mut rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    rings.all(|ring| lines_are_simple(std::slice::from_ref(ring)))
}

/// A segment with its place.
struct Segment {
    edge: Edge,
    line: usize,
    /// Its number in the line, without segments that have no length.
    number: usize,
}

fn lines_are_simple(lines: &[LineString<f64>]) -> bool {
    let mut segments: Vec<Segment> = vec![];
    let mut counts = vec![];
    for (line, coords) in lines.iter().enumerate() {
        let edges = coords
            .0
            .windows(2)
            .filter_map(|w| Edge::line(w[0], w[1], 0));
        let before = segments.len();
        segments.extend(
            edges
                .enumerate()
                .map(|(number, edge)| Segment { edge, line, number }),
        );
        counts.push(segments.len() - before);
    }
    segments.sort_by(|s, t| {
        compare(s.edge.low, t.edge.low).then_with(|| compare(s.edge.high, t.edge.high))
    });
    let closed = |line: usize| lines[line].0.first() == lines[line].0.last();
    // Whether a point of a segment is an end of its line.
    let is_end = |s: &Segment, p: Coord<f64>| {
        let ends = [lines[s.line].0.first(), lines[s.line].0.last()];
        let outer = s.number == 0 || s.number + 1 == counts[s.line];
        outer && ends.contains(&Some(&p))
    };
    let edges: Vec<Edge> = segments.iter().map(|s| s.edge).collect();
    let mut simple = true;
    for_each_pair(&edges, |i, j| {
        let (s, t) = (&segments[i], &segments[j]);
        if !simple {
            return;
        }
        simple = match meet(s.edge.low, s.edge.high, t.edge.low, t.edge.high) {
            Meet::None => true,
            Meet::Proper | Meet::Along(..) => false,
            Meet::At(p) => {
                let at_ends = |e: &Edge| p == e.low || p == e.high;
                let same = s.line == t.line;
                match at_ends(&s.edge) && at_ends(&t.edge) {
                    false => false,
                    true if same && s.number.abs_diff(t.number) == 1 => true,
                    true if same => is_end(s, p) && is_end(t, p),
                    true => is_end(s, p) && is_end(t, p) && !closed(s.line) && !closed(t.line),
                }
            }
        };
    });
    simple
}

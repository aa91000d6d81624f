//! What lines bound: faces, areas, and the pieces into which lines cut geometries.

use std::collections::HashMap;

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};

use super::input::{Edge, Input};
use super::operation::{assemble, union_all};
use super::polygons::trace_faces;
use super::{Arrangement, trace_lines};
use crate::predicate::orient::{compare, orient};
use crate::processing::each_segment;

/// The faces that the lines and rings of geometries bound, cut where they cross first. Lines that
/// bound no face, or have the same one on both sides, do not count.
pub fn polygonize<'a>(
    geometries: impl IntoIterator<Item = &'a Geometry<f64>>,
) -> Vec<Polygon<f64>> {
    let mut edges = vec![];
    for geometry in geometries {
        add_lines(geometry, 0, &mut edges);
    }
    let arrangement = Arrangement::new(edges);
    let faces = trace_faces(&arrangement, &bounding(&arrangement));
    faces.into_iter().map(|(face, _)| face).collect()
}

/// The area that lines and rings bound: a face that just fills a hole of another is left out, one
/// that fills a hole of such a face is area again. `None` where they bound nothing.
pub fn build_area(geometry: &Geometry<f64>) -> Option<Geometry<f64>> {
    let faces = polygonize([geometry]);
    let by_shell: HashMap<Vec<[u64; 2]>, usize> = faces
        .iter()
        .enumerate()
        .map(|(i, face)| (same_for_all_starts(face.exterior()), i))
        .collect();
    let mut parent: Vec<Option<usize>> = vec![None; faces.len()];
    for (i, face) in faces.iter().enumerate() {
        for hole in face.interiors() {
            if let Some(child) = by_shell.get(&same_for_all_starts(hole)) {
                parent[*child] = Some(i);
            }
        }
    }
    let depth = |mut face: usize| {
        let mut depth = 0;
        while let Some(outer) = parent[face] {
            (face, depth) = (outer, depth + 1);
        }
        depth
    };
    let area: Vec<Polygon<f64>> = faces
        .iter()
        .enumerate()
        .filter(|(i, _)| depth(*i) % 2 == 0)
        .map(|(_, face)| face.clone())
        .collect();
    match area.is_empty() {
        true => None,
        false => union_all([&Geometry::MultiPolygon(MultiPolygon(area))]),
    }
}

/// The coordinates of a ring in one order, wherever it starts and however it turns.
fn same_for_all_starts(ring: &LineString<f64>) -> Vec<[u64; 2]> {
    let open = &ring.0[..ring.0.len().saturating_sub(1)];
    let n = open.len();
    let Some(lowest) = (0..n).min_by(|i, j| compare(open[*i], open[*j])) else {
        return vec![];
    };
    let at = |i: usize| open[i % n];
    let forward = compare(at(lowest + 1), at(lowest + n - 1)).is_le();
    (0..n)
        .map(|i| match forward {
            true => at(lowest + i),
            false => at(lowest + n - i),
        })
        .map(|c| [(c.x + 0.0).to_bits(), (c.y + 0.0).to_bits()])
        .collect()
}

/// The lines and rings of a geometry cut where they meet, each piece once.
pub fn node_lines(geometry: &Geometry<f64>) -> Vec<LineString<f64>> {
    let mut edges = vec![];
    add_lines(geometry, 0, &mut edges);
    let arrangement = Arrangement::new(edges);
    let all = vec![true; arrangement.edges.len()];
    trace_lines(&arrangement, &all, &ends(geometry))
}

/// Why a geometry cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitError {
    /// A geometry of this type is not split by one of that type.
    Types,
    /// A line runs along the line that is to cut it.
    Along,
}

/// The pieces of a line or polygon: lines are cut at points, lines and the rings of polygons, polygons
/// along lines. The parts of a collection are split one by one.
pub fn split(
    input: &Geometry<f64>,
    blade: &Geometry<f64>,
) -> Result<Vec<Geometry<f64>>, SplitError> {
    match input {
        Geometry::LineString(line) => split_line(line, blade),
        Geometry::MultiLineString(lines) => each(lines.iter(), |line| split_line(line, blade)),
        Geometry::Polygon(polygon) => split_polygon(polygon, blade),
        Geometry::MultiPolygon(all) => each(all.iter(), |polygon| split_polygon(polygon, blade)),
        Geometry::GeometryCollection(parts) => each(parts.iter(), |part| split(part, blade)),
        _ => Err(SplitError::Types),
    }
}

fn each<'a, T: 'a>(
    parts: impl Iterator<Item = &'a T>,
    split: impl Fn(&T) -> Result<Vec<Geometry<f64>>, SplitError>,
) -> Result<Vec<Geometry<f64>>, SplitError> {
    let mut all = vec![];
    for part in parts {
        all.extend(split(part)?);
    }
    Ok(all)
}

fn split_line(
    line: &LineString<f64>,
    blade: &Geometry<f64>,
) -> Result<Vec<Geometry<f64>>, SplitError> {
    match blade {
        Geometry::Point(p) => Ok(split_at(line, &[p.0])),
        Geometry::MultiPoint(points) => {
            let points: Vec<Coord<f64>> = points.iter().map(|p| p.0).collect();
            Ok(split_at(line, &points))
        }
        Geometry::GeometryCollection(_) => Err(SplitError::Types),
        _ => {
            let mut input = Input::default();
            input.add(&Geometry::LineString(line.clone()), 0);
            add_lines(blade, 1, &mut input.edges);
            let arrangement = Arrangement::new(input.edges);
            if arrangement.edges.iter().any(|edge| edge.line == [true; 2]) {
                return Err(SplitError::Along);
            }
            let ours: Vec<bool> = arrangement.edges.iter().map(|edge| edge.line[0]).collect();
            let mut pieces = trace_lines(&arrangement, &ours, &input.line_ends);
            if pieces.is_empty() {
                return Ok(vec![Geometry::LineString(line.clone())]);
            }
            in_order_along(line, &mut pieces);
            Ok(pieces.into_iter().map(Geometry::LineString).collect())
        }
    }
}

/// Sorts the pieces of a line as they follow each other along it.
fn in_order_along(line: &LineString<f64>, pieces: &mut [LineString<f64>]) {
    let place = |piece: &LineString<f64>| {
        let (a, b) = (piece.0[0], piece.0[1]);
        let on = |w: &[Coord<f64>]| {
            let run = w[1] - w[0];
            let square = run.x * run.x + run.y * run.y;
            let t = |c: Coord<f64>| ((c.x - w[0].x) * run.x + (c.y - w[0].y) * run.y) / square;
            let off = |c: Coord<f64>, t: f64| {
                let t = t.clamp(0.0, 1.0);
                (c.x - w[0].x - t * run.x).hypot(c.y - w[0].y - t * run.y)
            };
            let (from, to) = (t(a), t(b));
            // Pieces have the direction of their line.
            match from < to {
                true => (off(a, from) + off(b, to), from),
                false => (f64::INFINITY, from),
            }
        };
        let best = line.0.windows(2).enumerate().map(|(i, w)| (i, on(w)));
        best.min_by(|(_, (x, _)), (_, (y, _))| x.total_cmp(y))
            .map_or((0, 0.0), |(i, (_, t))| (i, t))
    };
    pieces.sort_by(|a, b| {
        let ((i, s), (j, t)) = (place(a), place(b));
        i.cmp(&j).then(s.total_cmp(&t))
    });
}

/// Cuts a line at points, where it passes one first. Points that do not lie on it, and its ends, cut
/// nothing.
fn split_at(line: &LineString<f64>, points: &[Coord<f64>]) -> Vec<Geometry<f64>> {
    let mut pieces = vec![line.0.clone()];
    for p in points {
        let cut = pieces.iter().enumerate().find_map(|(i, piece)| {
            let n = piece.len();
            if n < 2 || piece[0] == *p || piece[n - 1] == *p {
                return None;
            }
            let on = |w: &[Coord<f64>]| {
                let between = |a: f64, b: f64, v: f64| a.min(b) <= v && v <= a.max(b);
                between(w[0].x, w[1].x, p.x)
                    && between(w[0].y, w[1].y, p.y)
                    && orient(w[0], w[1], *p) == 0.0
            };
            piece.windows(2).position(on).map(|segment| (i, segment))
        });
        if let Some((i, segment)) = cut {
            let mut rest = pieces[i].split_off(segment + 1);
            if rest.first() != Some(p) {
                rest.insert(0, *p);
            }
            pieces[i].push(*p);
            pieces.insert(i + 1, rest);
        }
    }
    let line = |piece| Geometry::LineString(LineString(piece));
    pieces.into_iter().map(line).collect()
}

fn split_polygon(
    polygon: &Polygon<f64>,
    blade: &Geometry<f64>,
) -> Result<Vec<Geometry<f64>>, SplitError> {
    if !matches!(
        blade,
        Geometry::LineString(_) | Geometry::MultiLineString(_) | Geometry::Line(_)
    ) {
        return Err(SplitError::Types);
    }
    let mut input = Input::default();
    input.add(&Geometry::Polygon(polygon.clone()), 0);
    add_lines(blade, 1, &mut input.edges);
    let arrangement = Arrangement::new(input.edges);
    let faces = trace_faces(&arrangement, &bounding(&arrangement));
    Ok(faces
        .into_iter()
        .filter(|(_, half)| arrangement.left(*half)[0] != 0)
        .map(|(face, _)| Geometry::Polygon(face))
        .collect())
}

/// Adds the segments of lines and rings as lines.
fn add_lines(geometry: &Geometry<f64>, side: usize, edges: &mut Vec<Edge>) {
    each_segment(geometry, &mut |line| {
        edges.extend(Edge::line(line.start, line.end, side));
    });
}

/// Where the lines of a geometry end; where its rings start.
fn ends(geometry: &Geometry<f64>) -> Vec<Coord<f64>> {
    let mut input = Input::default();
    input.add(geometry, 0);
    input.line_ends
}

/// Which edges bound a face: not those that end somewhere, nor those with one face on both sides.
fn bounding(arrangement: &Arrangement) -> Vec<bool> {
    let mut live = vec![true; arrangement.edges.len()];
    let mut degree: Vec<usize> = (0..arrangement.nodes.len())
        .map(|node| arrangement.leaving(node).len())
        .collect();
    let mut ends: Vec<usize> = (0..degree.len())
        .filter(|node| degree[*node] == 1)
        .collect();
    while let Some(node) = ends.pop() {
        let half = arrangement.leaving(node).iter();
        if let Some(half) = half.copied().find(|h| live[*h as usize / 2]) {
            live[half as usize / 2] = false;
            let to = arrangement.to(half);
            (degree[node], degree[to]) = (0, degree[to] - 1);
            if degree[to] == 1 {
                ends.push(to);
            }
        }
    }
    // Both sides of a bridge belong to one walk.
    let count = arrangement.edges.len() as u32 * 2;
    let mut walk = vec![u32::MAX; count as usize];
    for start in 0..count {
        if !live[start as usize / 2] || walk[start as usize] != u32::MAX {
            continue;
        }
        let mut half = start;
        while walk[half as usize] == u32::MAX {
            walk[half as usize] = start;
            half = arrangement.next(half);
            while !live[half as usize / 2] {
                half = arrangement.clockwise(half);
            }
        }
    }
    for (edge, live) in live.iter_mut().enumerate() {
        *live &= walk[2 * edge] != walk[2 * edge + 1];
    }
    live
}

/// The parts of a geometry that is to be one piece of each dimension.
pub fn collect_lines(lines: Vec<LineString<f64>>) -> Geometry<f64> {
    assemble(vec![], lines, vec![], 1)
}

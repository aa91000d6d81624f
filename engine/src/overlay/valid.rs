//! Whether a geometry is valid, why not, and what to make of it.

use std::fmt;

use geo_types::{Coord, Geometry, LineString, Polygon};

use super::crossing::crossing;
use super::input::{Edge, is_counterclockwise};
use super::operation::assemble;
use super::pairs::for_each_pair;
use super::{Arrangement, trace_lines, trace_polygons};
use crate::predicate::orient::{Meet, compare, meet};

/// Why a geometry is not valid, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Invalid {
    /// In the words of PostGIS.
    pub reason: &'static str,
    /// A place where it is so.
    pub at: Coord<f64>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{} {}]", self.reason, self.at.x, self.at.y)
    }
}

const FEW: &str = "Too few points in geometry component";
const CROSSES: &str = "Self-intersection";
const TOUCHES_ITSELF: &str = "Ring Self-intersection";

/// What makes a geometry invalid, the first that is found; `None` for a valid one.
pub fn invalid(geometry: &Geometry<f64>) -> Option<Invalid> {
    match geometry {
        Geometry::LineString(line) => invalid_line(line),
        Geometry::MultiLineString(lines) => lines.iter().find_map(invalid_line),
        Geometry::Polygon(polygon) => invalid_polygons(std::slice::from_ref(polygon)),
        Geometry::MultiPolygon(all) => invalid_polygons(&all.0),
        Geometry::GeometryCollection(parts) => parts.iter().find_map(invalid),
        _ => None,
    }
}

fn invalid_line(line: &LineString<f64>) -> Option<Invalid> {
    let first = *line.0.first()?;
    let same = line.0.iter().all(|c| *c == first);
    same.then_some(Invalid {
        reason: FEW,
        at: first,
    })
}

/// An edge of a ring, with the ring's number among all and the polygon's.
struct Side {
    edge: Edge,
    ring: usize,
    polygon: usize,
}

fn invalid_polygons(polygons: &[Polygon<f64>]) -> Option<Invalid> {
    let mut sides: Vec<Side> = vec![];
    let mut ring_number = 0;
    for (polygon, shape) in polygons.iter().enumerate() {
        for (i, ring) in std::iter::once(shape.exterior())
            .chain(shape.interiors())
            .enumerate()
        {
            let Some(at) = ring.0.first().copied() else {
                continue;
            };
            let mut distinct = ring.0.clone();
            distinct.dedup();
            if distinct.len() < 4 {
                return Some(Invalid { reason: FEW, at });
            }
            let forward = is_counterclockwise(&ring.0) == (i == 0);
            for w in distinct.windows(2) {
                let edge = match forward {
                    true => Edge::ring(w[0], w[1], 0),
                    false => Edge::ring(w[1], w[0], 0),
                };
                sides.extend(edge.map(|edge| Side {
                    edge,
                    ring: ring_number,
                    polygon,
                }));
            }
            ring_number += 1;
        }
    }
    sides.sort_by(|s, t| compare(s.edge.low, t.edge.low).then(compare(s.edge.high, t.edge.high)));
    let edges: Vec<Edge> = sides.iter().map(|side| side.edge).collect();
    // How often a vertex of a ring stands at an end of its edges: twice, unless the ring comes back.
    let mut found: Option<Invalid> = None;
    let mut report = |reason: &'static str, at: Coord<f64>| {
        // Crossings say more than touches.
        let better = found.is_none_or(|known| known.reason == TOUCHES_ITSELF && reason == CROSSES);
        if better {
            found = Some(Invalid { reason, at });
        }
    };
    for_each_pair(&edges, |i, j| {
        let (s, t) = (&sides[i], &sides[j]);
        let (e, f) = (&s.edge, &t.edge);
        match meet(e.low, e.high, f.low, f.high) {
            Meet::None => {}
            Meet::Proper => report(CROSSES, crossing(e.low, e.high, f.low, f.high)),
            Meet::Along(p, q) => {
                // A spike: there and back.
                let shares_end = [e.low, e.high].iter().any(|c| *c == f.low || *c == f.high);
                let spike = s.ring == t.ring && shares_end;
                report(
                    if spike { TOUCHES_ITSELF } else { CROSSES },
                    if spike { q } else { p },
                );
            }
            Meet::At(p) => {
                let ends = |e: &Edge| p == e.low || p == e.high;
                if s.ring == t.ring && !(ends(e) && ends(f)) {
                    report(TOUCHES_ITSELF, p);
                }
            }
        }
    });
    // Rings that pass a vertex twice.
    let mut ends: Vec<(usize, Coord<f64>)> = sides
        .iter()
        .flat_map(|s| [(s.ring, s.edge.low), (s.ring, s.edge.high)])
        .collect();
    ends.sort_by(|a, b| a.0.cmp(&b.0).then(compare(a.1, b.1)));
    if let Some(run) = ends.chunk_by(|a, b| a == b).find(|run| run.len() > 2) {
        let better = found.is_none();
        if better {
            found = Some(Invalid {
                reason: TOUCHES_ITSELF,
                at: run[0].1,
            });
        }
    }
    if found.is_some() {
        return found;
    }
    // What is left shows in the winding numbers, of each polygon by itself and of all together.
    for (number, shape) in polygons.iter().enumerate() {
        let own = sides
            .iter()
            .filter(|s| s.polygon == number)
            .map(|s| s.edge)
            .collect();
        let arrangement = Arrangement::new(own);
        if let Some((half, winding)) = odd_face(&arrangement) {
            let at = arrangement.nodes[arrangement.from(half)];
            let outside = winding < 0
                && shape.interiors().iter().any(|hole| {
                    hole.0.contains(&at) && !super::polygons::holds(&shape.exterior().0, at)
                });
            let reason = if outside {
                "Hole lies outside shell"
            } else {
                "Holes are nested"
            };
            return Some(Invalid { reason, at });
        }
        let pieces = trace_polygons(&arrangement, |winding| winding[0] > 0);
        if pieces.len() > 1 {
            let at = pieces
                .first()
                .and_then(|p| p.exterior().0.first().copied())?;
            return Some(Invalid {
                reason: "Interior is disconnected",
                at,
            });
        }
    }
    if polygons.len() > 1 {
        let arrangement = Arrangement::new(edges);
        if let Some((half, _)) = odd_face(&arrangement) {
            let at = arrangement.nodes[arrangement.from(half)];
            return Some(Invalid {
                reason: "Nested shells",
                at,
            });
        }
    }
    None
}

/// A half-edge beside a face that rings wind around otherwise than once or not at all.
fn odd_face(arrangement: &Arrangement) -> Option<(u32, i32)> {
    (0..arrangement.edges.len() as u32 * 2)
        .map(|half| (half, arrangement.left(half)[0]))
        .find(|(_, winding)| !(0..=1).contains(winding))
}

/// A valid geometry of the same points: what an odd number of rings hold is area, edges that bound
/// no area become lines, lines without length points.
pub fn make_valid(geometry: &Geometry<f64>) -> Geometry<f64> {
    match geometry {
        Geometry::GeometryCollection(parts) => {
            Geometry::GeometryCollection(parts.iter().map(make_valid).collect::<Vec<_>>().into())
        }
        _ if invalid(geometry).is_none() => geometry.clone(),
        Geometry::LineString(line) => fallen(std::slice::from_ref(line)),
        Geometry::MultiLineString(lines) => fallen(&lines.0),
        Geometry::Polygon(polygon) => odd_area(std::slice::from_ref(polygon)),
        Geometry::MultiPolygon(all) => odd_area(&all.0),
        other => other.clone(),
    }
}

fn fallen(lines: &[LineString<f64>]) -> Geometry<f64> {
    let (short, long): (Vec<_>, Vec<_>) = lines
        .iter()
        .cloned()
        .partition(|line| invalid_line(line).is_some());
    let mut points: Vec<Coord<f64>> = short
        .iter()
        .filter_map(|line| line.0.first().copied())
        .collect();
    super::points::sort(&mut points);
    assemble(vec![], long, points, 1)
}

fn odd_area(polygons: &[Polygon<f64>]) -> Geometry<f64> {
    let mut edges = vec![];
    let mut lone = vec![];
    for shape in polygons {
        for ring in std::iter::once(shape.exterior()).chain(shape.interiors()) {
            let before = edges.len();
            let closing = ring
                .0
                .last()
                .into_iter()
                .chain(ring.0.first())
                .copied()
                .collect::<Vec<_>>();
            for w in ring.0.windows(2).chain(closing.windows(2)) {
                if let Some(mut edge) = Edge::ring(w[0], w[1], 0) {
                    // Edges that cancel each other stay as lines.
                    edge.line[1] = true;
                    edges.push(edge);
                }
            }
            if edges.len() == before {
                lone.extend(ring.0.first().copied());
            }
        }
    }
    let arrangement = Arrangement::new(edges);
    let odd = |winding: [i32; 2]| winding[0] % 2 != 0;
    let polygons = trace_polygons(&arrangement, odd);
    let bare: Vec<bool> = (0..arrangement.edges.len() as u32)
        .map(|e| !odd(arrangement.left(2 * e)) && !odd(arrangement.left(2 * e + 1)))
        .collect();
    let lines = trace_lines(&arrangement, &bare, &[]);
    super::points::sort(&mut lone);
    assemble(polygons, lines, lone, 2)
}

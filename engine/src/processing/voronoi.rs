//! Voronoi diagrams: the places that are closer to one point than to all others.

use std::collections::HashMap;

use geo_types::{Coord, Geometry, LineString, Polygon};

use super::triangulation::{NONE, Triangulation, centre, vertices};
use crate::Result;
use crate::geometry::Bounds;
use crate::predicate::orient::compare;

/// Centres closer than this part of the extent are one: of four points on a circle, two triangles
/// have the same.
const SAME: f64 = 1e-13;

/// A Voronoi diagram within a rectangle.
#[derive(Debug, Default)]
pub struct Voronoi {
    /// The cells, convex polygons, clockwise.
    pub cells: Vec<Polygon<f64>>,
    /// What separates two cells, each once.
    pub borders: Vec<[Coord<f64>; 2]>,
}

/// The Voronoi diagram of the vertices of a geometry, in their bounding box grown by its longer side
/// in every direction, as in PostGIS, and by what else `extend` says. Fewer than two places have none.
///
/// # Errors
/// As [`Triangulation::new`].
pub fn voronoi(geometry: &Geometry<f64>, extend: Option<Bounds>) -> Result<Voronoi> {
    let mut sites = vertices(geometry);
    sites.sort_unstable_by(|a, b| compare(*a, *b));
    sites.dedup();
    if sites.len() < 2 {
        return Ok(Voronoi::default());
    }
    let mut frame = Frame::around(&sites);
    if let Some(extend) = extend.filter(|extend| !extend.is_empty()) {
        frame.low = Coord {
            x: frame.low.x.min(extend.min_x),
            y: frame.low.y.min(extend.min_y),
        };
        frame.high = Coord {
            x: frame.high.x.max(extend.max_x),
            y: frame.high.y.max(extend.max_y),
        };
    }
    let triangulation = Triangulation::new(geometry)?;
    let rings = match triangulation.triangles.is_empty() {
        true => slabs(&sites, &frame),
        false => rings(&triangulation, &frame),
    };
    let mut cells = vec![];
    for ring in &rings {
        let ring = frame.clip(ring);
        if ring.len() > 2 {
            let mut ring: Vec<Coord<f64>> = ring.into_iter().rev().collect();
            ring.push(ring[0]);
            cells.push(Polygon::new(LineString(ring), vec![]));
        }
    }
    let borders = borders(&cells, &frame);
    Ok(Voronoi { cells, borders })
}

/// The rectangle that a diagram is cut to.
struct Frame {
    low: Coord<f64>,
    high: Coord<f64>,
}

impl Frame {
    fn around(sites: &[Coord<f64>]) -> Self {
        let all = Bounds::around(sites);
        let corner = |x, y| Coord { x, y };
        let (low, high) = (corner(all.min_x, all.min_y), corner(all.max_x, all.max_y));
        let margin = (high.x - low.x).max(high.y - low.y);
        let margin = Coord {
            x: margin,
            y: margin,
        };
        Self {
            low: low - margin,
            high: high + margin,
        }
    }

    fn extent(&self) -> f64 {
        (self.high.x - self.low.x).max(self.high.y - self.low.y)
    }

    /// The part of a convex ring (its first corner not repeated) that lies in the rectangle.
    fn clip(&self, ring: &[Coord<f64>]) -> Vec<Coord<f64>> {
        let mut ring = ring.to_vec();
        for (axis, at, sign) in [
            (0, self.low.x, 1.0),
            (0, self.high.x, -1.0),
            (1, self.low.y, 1.0),
            (1, self.high.y, -1.0),
        ] {
            let inside = |c: &Coord<f64>| sign * (if axis == 0 { c.x } else { c.y } - at) >= 0.0;
            let n = ring.len();
            let mut clipped = Vec::with_capacity(n + 2);
            for i in 0..n {
                let (a, b) = (ring[i], ring[(i + 1) % n]);
                if inside(&a) {
                    clipped.push(a);
                }
                if inside(&a) != inside(&b) {
                    clipped.push(crossing(a, b, axis, at));
                }
            }
            ring = clipped;
            ring.dedup();
            while ring.len() > 1 && ring.first() == ring.last() {
                ring.pop();
            }
        }
        ring
    }

    fn is_on_border(&self, a: Coord<f64>, b: Coord<f64>) -> bool {
        let both = |x: f64, y: f64, v: f64| x == v && y == v;
        both(a.x, b.x, self.low.x)
            || both(a.x, b.x, self.high.x)
            || both(a.y, b.y, self.low.y)
            || both(a.y, b.y, self.high.y)
    }
}

/// Where a segment crosses a line of the frame, the same for both directions of the segment. One of its ends
/// may be very far away, so the other one counts.
fn crossing(a: Coord<f64>, b: Coord<f64>, axis: usize, at: f64) -> Coord<f64> {
    let off = |c: Coord<f64>| (at - if axis == 0 { c.x } else { c.y }).abs();
    let (a, b) = match off(a).total_cmp(&off(b)).then(compare(a, b)).is_le() {
        true => (a, b),
        false => (b, a),
    };
    match axis {
        0 => Coord {
            x: at,
            y: a.y + (at - a.x) * ((b.y - a.y) / (b.x - a.x)),
        },
        _ => Coord {
            x: a.x + (at - a.y) * ((b.x - a.x) / (b.y - a.y)),
            y: at,
        },
    }
}

/// Cells of places on one line: between the lines half way, counterclockwise.
fn slabs(sites: &[Coord<f64>], frame: &Frame) -> Vec<Vec<Coord<f64>>> {
    let far = 4.0 * frame.extent();
    let run = sites[sites.len() - 1] - sites[0];
    let length = run.x.hypot(run.y);
    let along = Coord {
        x: run.x / length,
        y: run.y / length,
    };
    let across = Coord {
        x: -along.y,
        y: along.x,
    };
    // Where slab `i` begins; beyond the frame for the first and the last.
    let place = |i: usize| match i {
        0 => sites[0] - along * far,
        i if i == sites.len() => sites[i - 1] + along * far,
        i => (sites[i - 1] + sites[i]) * 0.5,
    };
    (0..sites.len())
        .map(|i| {
            let (from, to) = (place(i), place(i + 1));
            vec![
                from - across * far,
                to - across * far,
                to + across * far,
                from + across * far,
            ]
        })
        .collect()
}

/// The corners of every cell, counterclockwise, far outside the frame where it has no end.
fn rings(triangulation: &Triangulation, frame: &Frame) -> Vec<Vec<Coord<f64>>> {
    let centres = centres(triangulation, frame);
    // A triangle at each vertex, the last before the outside if it has one.
    let mut start = vec![(NONE, 0usize); triangulation.points.len()];
    for (t, corners) in triangulation.triangles.iter().enumerate() {
        for (corner, vertex) in corners.iter().enumerate() {
            // Seen from the vertex, across the side that leaves it, counterclockwise comes last.
            let first = triangulation.neighbours[t][corner] == NONE;
            let slot = &mut start[*vertex as usize];
            if slot.0 == NONE || first {
                *slot = (t as u32, corner);
            }
        }
    }
    start
        .iter()
        .filter(|(t, _)| *t != NONE)
        .map(|(first, corner)| {
            let first = *first as usize;
            let vertex = triangulation.triangles[first][*corner];
            let mut ring = vec![];
            let (mut t, mut corner) = (first, *corner);
            if triangulation.neighbours[t][corner] == NONE {
                ring.push(beyond(triangulation.side(t, corner), centres[t], frame));
            }
            loop {
                ring.push(centres[t]);
                // Counterclockwise around the vertex: across the side that arrives at it.
                let side = (corner + 2) % 3;
                let next = triangulation.neighbours[t][side];
                if next == NONE {
                    ring.push(beyond(triangulation.side(t, side), centres[t], frame));
                    // The corner between two directions that differ by up to half a turn.
                    let (from, to) = (ring[ring.len() - 1], ring[0]);
                    ring.push(around(
                        from,
                        to,
                        triangulation.points[vertex as usize],
                        frame,
                    ));
                    break;
                }
                let place = triangulation.triangles[next as usize]
                    .iter()
                    .position(|v| *v == vertex);
                let Some(place) = place else { break };
                (t, corner) = (next as usize, place);
                if t == first {
                    break;
                }
            }
            ring.dedup();
            ring
        })
        .collect()
}

/// The centres of the circles around the triangles; those in the same place are the same.
fn centres(triangulation: &Triangulation, frame: &Frame) -> Vec<Coord<f64>> {
    let extent = frame.extent();
    let mut centres: Vec<Coord<f64>> = triangulation
        .triangles()
        .map(|[a, b, c]| {
            let at = centre(a, b, c);
            match at.x.is_finite() && at.y.is_finite() {
                true => at,
                false => endless(a, b, c, extent),
            }
        })
        .collect();
    for t in 0..centres.len() {
        for other in triangulation.neighbours[t] {
            // Neighbours before this one have their final place.
            if other != NONE && (other as usize) < t {
                let off = centres[t] - centres[other as usize];
                if off.x.abs().max(off.y.abs()) <= SAME * extent {
                    centres[t] = centres[other as usize];
                    break;
                }
            }
        }
    }
    centres
}

/// A stand-in for the centre of a circle that is a line, as far as doubles can tell.
fn endless(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>, extent: f64) -> Coord<f64> {
    // The longest side has the centre on its other side than the third corner.
    let sides = [(a, b), (b, c), (c, a)];
    let length = |(p, q): &(Coord<f64>, Coord<f64>)| (q.x - p.x).hypot(q.y - p.y);
    let longest = |s: &&(_, _), t: &&(_, _)| length(s).total_cmp(&length(t));
    let (p, q) = sides.iter().max_by(longest).copied().unwrap_or((a, b));
    outward(p, q, 1e12 * extent)
}

/// The place at a distance from the middle of a side, straight away from what is on its left.
fn outward(p: Coord<f64>, q: Coord<f64>, distance: f64) -> Coord<f64> {
    let (run, half) = (q - p, (p + q) * 0.5);
    let scale = distance / run.x.hypot(run.y);
    Coord {
        x: half.x + run.y * scale,
        y: half.y - run.x * scale,
    }
}

/// A place beyond the frame on the ray that separates the ends of an outer side, and starts in the
/// centre of its triangle.
fn beyond([p, q]: [Coord<f64>; 2], from: Coord<f64>, frame: &Frame) -> Coord<f64> {
    let (run, off) = (q - p, from - (p + q) * 0.5);
    let ahead = (off.x * run.y - off.y * run.x) / run.x.hypot(run.y);
    outward(p, q, ahead.max(0.0) + 4.0 * frame.extent())
}

/// A place that lies beyond the frame between two that do, seen from a site.
fn around(from: Coord<f64>, to: Coord<f64>, site: Coord<f64>, frame: &Frame) -> Coord<f64> {
    let far = |c: Coord<f64>| (c - site).x.hypot((c - site).y);
    let unit = |c: Coord<f64>| {
        let (off, length) = (c - site, far(c));
        Coord {
            x: off.x / length,
            y: off.y / length,
        }
    };
    let (u, v) = (unit(from), unit(to));
    let mut between = u + v;
    // From the first to the second it is a turn to the left, of half a turn at the tip of a needle.
    let turn = u.x * v.y - u.y * v.x;
    if between.x.hypot(between.y) < 1e-3 {
        between = Coord { x: -u.y, y: u.x };
    } else if turn < 0.0 {
        between = Coord {
            x: -between.x,
            y: -between.y,
        };
    }
    let distance = 2.0 * far(from).max(far(to)).max(4.0 * frame.extent());
    site + between * (distance / between.x.hypot(between.y))
}

/// The sides of cells that are not those of the frame, each once.
fn borders(cells: &[Polygon<f64>], frame: &Frame) -> Vec<[Coord<f64>; 2]> {
    let mut seen: HashMap<[u64; 4], ()> = HashMap::new();
    let mut all = vec![];
    for cell in cells {
        for w in cell.exterior().0.windows(2) {
            let (a, b) = match compare(w[0], w[1]).is_le() {
                true => (w[0], w[1]),
                false => (w[1], w[0]),
            };
            let key = [a.x, a.y, b.x, b.y].map(|v| (v + 0.0).to_bits());
            if !frame.is_on_border(a, b) && seen.insert(key, ()).is_none() {
                all.push([a, b]);
            }
        }
    }
    all
}

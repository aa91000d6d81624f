//! All points within a distance.
//!
//! Every ring is moved outward: a segment to its right, an arc, a mitre or a bevel around each corner that
//! turns left, and around one that turns right the way over the corner itself. Such a curve winds a
//! positive number of times around just the points that lie within the distance (as in Clipper's
//! offsetting); an [`Arrangement`] of it finds them. A line is a ring there and back. Vertices of arcs
//! stand where PostGIS puts them.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};

use crate::overlay::{Arrangement, Edge, assemble, is_counterclockwise, trace_polygons, union_all};
use crate::predicate::point_segment;

/// The shape of a buffer where lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// Half a circle.
    Round,
    /// Straight at the end.
    Flat,
    /// Straight, one distance beyond the end.
    Square,
}

/// The shape of a buffer where edges turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// An arc.
    Round,
    /// The edges prolonged to a point, up to a limit.
    Mitre,
    /// Straight across.
    Bevel,
}

/// How a buffer is drawn.
#[derive(Debug, Clone, Copy)]
pub struct BufferStyle {
    /// Segments in a quarter of a circle, at least one.
    pub quad_segs: u32,
    /// Where lines end.
    pub cap: Cap,
    /// Where edges turn.
    pub join: Join,
    /// How far a mitre may reach, in distances.
    pub mitre_limit: f64,
}

impl Default for BufferStyle {
    fn default() -> Self {
        Self {
            quad_segs: 8,
            cap: Cap::Round,
            join: Join::Round,
            mitre_limit: 5.0,
        }
    }
}

/// All points within `distance` of a geometry: a polygon, a multipolygon, or POLYGON EMPTY. A negative
/// distance takes from polygons all points within it of their boundary, and leaves nothing of the rest.
pub fn buffer(geometry: &Geometry<f64>, distance: f64, style: &BufferStyle) -> Geometry<f64> {
    let mut parts: Vec<Polygon<f64>> = vec![];
    let mut n = 0;
    each_part(geometry, &mut |part| {
        n += 1;
        let curves = Curves {
            distance,
            style,
            edges: vec![],
        };
        match part {
            Part::Point(p) if distance > 0.0 => parts.extend(circle(p, distance, style)),
            Part::Line(line) if distance > 0.0 => parts.extend(curves.line(line)),
            Part::Polygon(polygon) => parts.extend(curves.polygon(polygon)),
            _ => {}
        }
    });
    let all = match n {
        0 | 1 => parts,
        _ => {
            let all = Geometry::MultiPolygon(MultiPolygon(parts));
            match union_all([&all]) {
                Some(Geometry::Polygon(polygon)) if !polygon.exterior().0.is_empty() => {
                    vec![polygon]
                }
                Some(Geometry::MultiPolygon(polygons)) => polygons.0,
                _ => vec![],
            }
        }
    };
    assemble(all, vec![], vec![], 2)
}

enum Part<'a> {
    Point(Coord<f64>),
    Line(&'a LineString<f64>),
    Polygon(&'a Polygon<f64>),
}

fn each_part<'a>(geometry: &'a Geometry<f64>, visit: &mut impl FnMut(Part<'a>)) {
    match geometry {
        Geometry::Point(p) => visit(Part::Point(p.0)),
        Geometry::MultiPoint(points) => points.iter().for_each(|p| visit(Part::Point(p.0))),
        Geometry::LineString(line) => visit(Part::Line(line)),
        Geometry::MultiLineString(lines) => lines.iter().for_each(|line| visit(Part::Line(line))),
        Geometry::Polygon(polygon) => visit(Part::Polygon(polygon)),
        Geometry::MultiPolygon(all) => all.iter().for_each(|p| visit(Part::Polygon(p))),
        Geometry::GeometryCollection(all) => all.iter().for_each(|part| each_part(part, visit)),
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) => {}
    }
}

fn circle(p: Coord<f64>, distance: f64, style: &BufferStyle) -> Option<Polygon<f64>> {
    let ring: Vec<Coord<f64>> = match style.cap {
        Cap::Flat => return None,
        Cap::Square => [
            (1.0, 1.0),
            (1.0, -1.0),
            (-1.0, -1.0),
            (-1.0, 1.0),
            (1.0, 1.0),
        ]
        .iter()
        .map(|(x, y)| Coord {
            x: p.x + distance * x,
            y: p.y + distance * y,
        })
        .collect(),
        Cap::Round => {
            let n = 4 * style.quad_segs.max(1);
            // The last is the first.
            let angle = |i: u32| -f64::from(i % n) * (TAU / f64::from(n));
            (0..=n)
                .map(|i| Coord {
                    x: p.x + distance * angle(i).cos(),
                    y: p.y + distance * angle(i).sin(),
                })
                .collect()
        }
    };
    Some(Polygon::new(LineString(ring), vec![]))
}

/// Vertices of a path from which dents are left out.
const LONG: usize = 1000;

/// How deep a dent is at most that is left out, as a part of the distance.
const DENT: f64 = 0.01;

/// How many of the vertices are looked at that have been left out before.
const SAMPLES: usize = 10;

struct Curves<'a> {
    distance: f64,
    style: &'a BufferStyle,
    edges: Vec<Edge>,
}

impl Curves<'_> {
    fn polygon(mut self, polygon: &Polygon<f64>) -> Vec<Polygon<f64>> {
        for (i, ring) in std::iter::once(polygon.exterior())
            .chain(polygon.interiors())
            .enumerate()
        {
            let mut path = without_repeats(ring);
            if path.first() == path.last() {
                path.pop();
            }
            if path.len() < 3 {
                continue;
            }
            // The inside is to the left: shells counterclockwise, holes clockwise.
            let closed: Vec<Coord<f64>> = path.iter().chain(&path[..1]).copied().collect();
            if is_counterclockwise(&closed) != (i == 0) {
                path.reverse();
            }
            self.ring(&self.without_dents(path), None);
        }
        self.resolve()
    }

    fn line(mut self, line: &LineString<f64>) -> Vec<Polygon<f64>> {
        let path = without_repeats(line);
        match path.len() {
            0 => return vec![],
            1 => {
                return circle(path[0], self.distance, self.style)
                    .into_iter()
                    .collect();
            }
            _ => {}
        }
        if path.len() > 3 && path.first() == path.last() {
            // A closed line has no ends: once around on either side.
            let there = path[..path.len() - 1].to_vec();
            let back: Vec<Coord<f64>> = there.iter().rev().copied().collect();
            self.ring(&self.without_dents(there), None);
            self.ring(&self.without_dents(back), None);
            return self.resolve();
        }
        let back: Vec<Coord<f64>> = path.iter().rev().copied().collect();
        let (mut path, back) = (self.without_dents(path), self.without_dents(back));
        let n = path.len();
        path.extend_from_slice(&back[1..back.len() - 1]);
        self.ring(&path, Some((0, n - 1)));
        self.resolve()
    }

    /// A long path without the vertices of dents that are no deeper than a hundredth of the distance, which the buffer
    /// fills: it reaches at most so much farther there. PostGIS leaves them out of all paths.
    fn without_dents(&self, mut path: Vec<Coord<f64>>) -> Vec<Coord<f64>> {
        if path.len() < LONG {
            return path;
        }
        let deep = DENT * self.distance.abs();
        let all = path.clone();
        // The places of what is left in the whole path.
        let mut left: Vec<usize> = (0..all.len()).collect();
        let is_dent = |i: usize, j: usize, k: usize| {
            let (a, b, c) = (all[i], all[j], all[k]);
            let turn = (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x);
            // Moved to the right, a path is drawn over itself where it turns right.
            let inward = if self.distance > 0.0 {
                turn < 0.0
            } else {
                turn > 0.0
            };
            let step = ((k - i) / SAMPLES).max(1);
            inward
                && point_segment(b, a, c) < deep
                && (i..k)
                    .step_by(step)
                    .all(|i| point_segment(all[i], a, c) < deep)
        };
        loop {
            let before = left.len();
            // The ends stay, and so do the edges at them.
            let mut kept = left[..2.min(before)].to_vec();
            let mut at = 2;
            while at + 1 < before {
                let from = kept.last().copied().unwrap_or(0);
                if is_dent(from, left[at], left[at + 1]) {
                    // Its neighbours have their turn the next time.
                    kept.push(left[at + 1]);
                    at += 2;
                } else {
                    kept.push(left[at]);
                    at += 1;
                }
            }
            kept.extend_from_slice(&left[at.min(before)..]);
            left = kept;
            if left.len() == before {
                break;
            }
        }
        path.clear();
        path.extend(left.iter().map(|i| all[*i]));
        path
    }

    /// The curve to the right of a closed path. `ends` are where a line there and back turns around.
    fn ring(&mut self, path: &[Coord<f64>], ends: Option<(usize, usize)>) {
        let n = path.len();
        let mut curve: Vec<Coord<f64>> = vec![];
        for i in 0..n {
            let (before, at, after) = (path[(i + n - 1) % n], path[i], path[(i + 1) % n]);
            let (u, v) = (direction(before, at), direction(at, after));
            if ends.is_some_and(|(a, b)| i == a || i == b) {
                self.cap(at, u, &mut curve);
            } else {
                self.corner(at, u, v, &mut curve);
            }
        }
        let closing = curve.first().copied();
        curve.extend(closing);
        self.edges
            .extend(curve.windows(2).filter_map(|w| Edge::ring(w[0], w[1], 0)));
    }

    /// A point moved to the right of a direction.
    fn beside(&self, p: Coord<f64>, way: Coord<f64>) -> Coord<f64> {
        Coord {
            x: p.x + self.distance * way.y,
            y: p.y - self.distance * way.x,
        }
    }

    fn corner(&self, at: Coord<f64>, u: Coord<f64>, v: Coord<f64>, curve: &mut Vec<Coord<f64>>) {
        let (from, to) = (self.beside(at, u), self.beside(at, v));
        let turn = u.x * v.y - u.y * v.x;
        let ahead = u.x * v.x + u.y * v.y;
        let left = turn > 0.0 || (turn == 0.0 && ahead < 0.0);
        // Straight on, or so nearly that the two points are one.
        let apart = (from.x - to.x).hypot(from.y - to.y);
        if apart < self.distance.abs() * 1e-3 && ahead > 0.0 {
            curve.push(from);
            if turn < 0.0 || apart > 0.0 {
                curve.push(to);
            }
            return;
        }
        if left != (self.distance > 0.0) {
            curve.extend([from, at, to]);
            return;
        }
        curve.push(from);
        match self.style.join {
            Join::Bevel => {}
            Join::Round => self.arc(at, from, to, curve),
            Join::Mitre => {
                // The corner of the two prolonged edges, along their bisector.
                let reach = 2.0 / (1.0 + ahead);
                if reach.is_finite() && reach.sqrt() <= self.style.mitre_limit {
                    let half = Coord {
                        x: (from.x + to.x) / 2.0 - at.x,
                        y: (from.y + to.y) / 2.0 - at.y,
                    };
                    curve.push(Coord {
                        x: at.x + half.x * reach,
                        y: at.y + half.y * reach,
                    });
                } else {
                    let limit = self.style.mitre_limit * self.distance.abs();
                    let bisector = Coord {
                        x: u.x - v.x,
                        y: u.y - v.y,
                    };
                    let length = bisector.x.hypot(bisector.y);
                    if length > 0.0 {
                        let tip = |way: Coord<f64>, p: Coord<f64>, sign: f64| {
                            // Where the prolonged edge meets the limit.
                            let along = (bisector.x * way.x + bisector.y * way.y) / length * sign;
                            let gone =
                                ((p.x - at.x) * bisector.x + (p.y - at.y) * bisector.y) / length;
                            let step = (limit - gone) / along.abs().max(1e-12);
                            Coord {
                                x: p.x + way.x * step * sign,
                                y: p.y + way.y * step * sign,
                            }
                        };
                        curve.push(tip(u, from, 1.0));
                        curve.push(tip(v, to, -1.0));
                    }
                }
            }
        }
        curve.push(to);
    }

    fn cap(&self, at: Coord<f64>, u: Coord<f64>, curve: &mut Vec<Coord<f64>>) {
        let back = Coord { x: -u.x, y: -u.y };
        let (from, to) = (self.beside(at, u), self.beside(at, back));
        match self.style.cap {
            Cap::Flat => curve.extend([from, to]),
            Cap::Square => {
                let on = |p: Coord<f64>| Coord {
                    x: p.x + self.distance * u.x,
                    y: p.y + self.distance * u.y,
                };
                curve.extend([from, on(from), on(to), to]);
            }
            Cap::Round => {
                curve.push(from);
                let start = (-u.x).atan2(u.y);
                self.steps(at, start, PI, curve);
                curve.push(to);
            }
        }
    }

    /// The vertices of an arc around `at`, without its ends.
    fn arc(&self, at: Coord<f64>, from: Coord<f64>, to: Coord<f64>, curve: &mut Vec<Coord<f64>>) {
        let angle = |p: Coord<f64>| (p.y - at.y).atan2(p.x - at.x);
        let (start, end) = (angle(from), angle(to));
        let sweep = match self.distance > 0.0 {
            true => (end - start).rem_euclid(TAU),
            false => -(start - end).rem_euclid(TAU),
        };
        self.steps(at, start, sweep, curve);
    }

    fn steps(&self, at: Coord<f64>, start: f64, sweep: f64, curve: &mut Vec<Coord<f64>>) {
        let quantum = FRAC_PI_2 / f64::from(self.style.quad_segs.max(1));
        let n = (sweep.abs() / quantum + 0.5) as u32;
        let radius = self.distance.abs();
        for i in 1..n {
            let angle = start + sweep * f64::from(i) / f64::from(n);
            curve.push(Coord {
                x: at.x + radius * angle.cos(),
                y: at.y + radius * angle.sin(),
            });
        }
    }

    fn resolve(self) -> Vec<Polygon<f64>> {
        let arrangement = Arrangement::new(self.edges);
        trace_polygons(&arrangement, |winding| winding[0] > 0)
    }
}

/// The unit vector from one place to another.
fn direction(a: Coord<f64>, b: Coord<f64>) -> Coord<f64> {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx.hypot(dy);
    Coord {
        x: dx / length,
        y: dy / length,
    }
}

fn without_repeats(line: &LineString<f64>) -> Vec<Coord<f64>> {
    let mut path = line.0.clone();
    path.dedup();
    path
}

#[cfg(test)]
mod tests {
    use geo::Area;
    use geo_types::{Geometry, line_string, point, polygon};

    use super::*;

    fn area(g: &Geometry<f64>, d: f64) -> f64 {
        buffer(g, d, &BufferStyle::default()).unsigned_area()
    }

    #[test]
    fn areas_are_known() {
        let close = |a: f64, b: f64| (a - b).abs() < 0.01 * b.max(0.1);
        assert!(close(
            area(&point! { x: 1.0, y: 2.0 }.into(), 2.0),
            4.0 * PI
        ));
        let line = line_string![(x: 0.0, y: 0.0), (x: 10.0, y: 0.0)].into();
        assert!(close(area(&line, 1.0), 20.0 + PI));
        let angle = line_string![(x: 0.0, y: 0.0), (x: 10.0, y: 0.0), (x: 10.0, y: 10.0)].into();
        assert!(close(area(&angle, 1.0), 40.0 + PI - 1.0 + PI / 4.0));
        let square: Geometry<f64> =
            polygon![(x: 0.0, y: 0.0), (x: 4.0, y: 0.0), (x: 4.0, y: 4.0), (x: 0.0, y: 4.0)].into();
        assert!(close(area(&square, 1.0), 16.0 + 16.0 + PI));
        assert!(close(area(&square, -1.0), 4.0));
        assert_eq!(area(&square, -2.5), 0.0);
        let frame: Geometry<f64> = polygon![
            exterior: [(x: 0.0, y: 0.0), (x: 9.0, y: 0.0), (x: 9.0, y: 9.0), (x: 0.0, y: 9.0)],
            interiors: [[(x: 3.0, y: 3.0), (x: 6.0, y: 3.0), (x: 6.0, y: 6.0), (x: 3.0, y: 6.0)]],
        ]
        .into();
        assert!(close(area(&frame, 1.0), 81.0 + 36.0 + PI - 1.0));
        // The hole is gone.
        assert!(close(area(&frame, 2.0), 81.0 + 72.0 + 4.0 * PI));
        let ring = line_string![(x: 0.0, y: 0.0), (x: 9.0, y: 0.0), (x: 9.0, y: 9.0), (x: 0.0, y: 9.0), (x: 0.0, y: 0.0)].into();
        assert!(close(area(&ring, 1.0), 68.0 + PI));
    }
}

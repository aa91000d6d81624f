//! Concave hulls, by eroding a Delaunay triangulation from outside.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Point, Polygon};

use super::hull_geometry;
use super::triangulation::{NONE, Triangulation, vertices};
use crate::Result;
use crate::overlay::union_all;

/// A polygon around all vertices of a geometry whose sides are shorter than those of the convex hull
/// where that is possible.
///
/// Triangles of the Delaunay triangulation are taken away from outside, those with the longest sides
/// first, as long as a side is no shorter than `ratio` of the way from the shortest to the longest of all
/// and the rest stays one polygon that holds all vertices (Duckham et al. 2008, as GEOS has it): 1 is
/// the convex hull, 0 the most concave. With `holes` it has holes too, where triangles are large.
///
/// A line or point where there is no area; POLYGON EMPTY of nothing.
///
/// # Errors
/// As [`Triangulation::new`].
pub fn concave_hull(geometry: &Geometry<f64>, ratio: f64, holes: bool) -> Result<Geometry<f64>> {
    let mut points = vertices(geometry);
    if points.is_empty() {
        let none = Polygon::new(LineString(vec![]), vec![]);
        return Ok(Geometry::Polygon(none));
    }
    let triangulation = Triangulation::new(geometry)?;
    if triangulation.triangles.is_empty() {
        return Ok(match hull_geometry(&mut points) {
            // Points that are on one line but for rounding.
            Geometry::GeometryCollection(_) => Geometry::Point(Point(points[0])),
            flat => flat,
        });
    }
    let mut erosion = Erosion::new(triangulation, ratio);
    erosion.erode_outside();
    if holes {
        erosion.holes();
    }
    Ok(erosion.rest())
}

/// A triangle in order of the length of its sides that nothing borders on.
struct Candidate {
    length: f64,
    triangle: usize,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // The length first, as all comparisons of floats here; then one order for all runs.
        let by_length = self.length.total_cmp(&other.length);
        by_length.then_with(|| other.triangle.cmp(&self.triangle))
    }
}

struct Erosion {
    of: Triangulation,
    gone: Vec<bool>,
    /// Sides shorter than this stay.
    least: f64,
}

impl Erosion {
    fn new(of: Triangulation, ratio: f64) -> Self {
        let (mut shortest, mut longest) = (f64::INFINITY, 0.0f64);
        for [a, b] in of.edges() {
            let length = (b.x - a.x).hypot(b.y - a.y);
            (shortest, longest) = (shortest.min(length), longest.max(length));
        }
        let least = match ratio {
            r if r <= 0.0 => 0.0,
            r if r >= 1.0 => f64::INFINITY,
            r => r * (longest - shortest) + shortest,
        };
        Self {
            gone: vec![false; of.triangles.len()],
            of,
            least,
        }
    }

    fn neighbour(&self, triangle: usize, side: usize) -> Option<usize> {
        let other = self.of.neighbours[triangle][side];
        (other != NONE && !self.gone[other as usize]).then_some(other as usize)
    }

    fn neighbours(&self, triangle: usize) -> usize {
        (0..3)
            .filter(|side| self.neighbour(triangle, *side).is_some())
            .count()
    }

    /// The length of the sides that nothing borders on.
    fn border(&self, triangle: usize) -> f64 {
        (0..3)
            .filter(|side| self.neighbour(triangle, *side).is_none())
            .map(|side| {
                let [a, b] = self.of.side(triangle, side);
                (b.x - a.x).hypot(b.y - a.y)
            })
            .sum()
    }

    /// With two neighbours it can be taken away; with one a vertex would be lost.
    fn candidate(&self, triangle: usize) -> Option<Candidate> {
        (!self.gone[triangle] && self.neighbours(triangle) == 2).then(|| Candidate {
            length: self.border(triangle),
            triangle,
        })
    }

    /// Takes a triangle away, and offers those that bordered on it.
    fn remove(&mut self, triangle: usize, queue: &mut BinaryHeap<Candidate>) {
        let around: Vec<usize> = (0..3)
            .filter_map(|side| self.neighbour(triangle, side))
            .collect();
        self.gone[triangle] = true;
        queue.extend(around.into_iter().filter_map(|t| self.candidate(t)));
    }

    /// Whether triangles surround a corner on all sides.
    fn is_inside(&self, triangle: usize, corner: usize) -> bool {
        let vertex = self.of.triangles[triangle][corner];
        let (mut at, mut corner) = (triangle, corner);
        loop {
            // Across the side that leaves the corner.
            let Some(next) = self.neighbour(at, corner) else {
                return false;
            };
            let place = self.of.triangles[next].iter().position(|v| *v == vertex);
            let Some(place) = place else {
                return false;
            };
            (at, corner) = (next, place);
            if at == triangle {
                return true;
            }
        }
    }

    fn erode_outside(&mut self) {
        let all = 0..self.of.triangles.len();
        let mut queue: BinaryHeap<Candidate> = all.filter_map(|t| self.candidate(t)).collect();
        while let Some(Candidate { triangle, length }) = queue.pop() {
            if length < self.least {
                break;
            }
            if self.candidate(triangle).is_none() {
                continue;
            }
            // The corner across from the free side must not be what holds two parts together.
            let free = (0..3).find(|side| self.neighbour(triangle, *side).is_none());
            if free.is_some_and(|free| self.is_inside(triangle, (free + 2) % 3)) {
                self.remove(triangle, &mut queue);
            }
        }
    }

    /// Whether a corner lies on the border while the sides beside it do not.
    fn touches_border(&self, triangle: usize) -> bool {
        (0..3).any(|corner| {
            let beside = [corner, (corner + 2) % 3];
            beside
                .iter()
                .all(|side| self.neighbour(triangle, *side).is_some())
                && !self.is_inside(triangle, corner)
        })
    }

    fn longest(&self, triangle: usize) -> f64 {
        (0..3)
            .map(|side| {
                let [a, b] = self.of.side(triangle, side);
                (b.x - a.x).hypot(b.y - a.y)
            })
            .fold(0.0, f64::max)
    }

    fn holes(&mut self) {
        let apart = |this: &Self, t: usize| {
            !this.gone[t] && this.neighbours(t) == 3 && !this.touches_border(t)
        };
        let mut starts: Vec<Candidate> = (0..self.of.triangles.len())
            .filter(|t| apart(self, *t))
            .map(|triangle| Candidate {
                length: self.longest(triangle),
                triangle,
            })
            .filter(|candidate| candidate.length >= self.least)
            .collect();
        starts.sort_by(|a, b| b.cmp(a));
        for Candidate {
            triangle: start, ..
        } in starts
        {
            if !apart(self, start) {
                continue;
            }
            let mut queue = BinaryHeap::new();
            self.remove(start, &mut queue);
            while let Some(Candidate { triangle, length }) = queue.pop() {
                if length < self.least {
                    break;
                }
                if self.candidate(triangle).is_some() && !self.touches_border(triangle) {
                    self.remove(triangle, &mut queue);
                }
            }
        }
    }

    /// What is left, as one polygon.
    fn rest(&self) -> Geometry<f64> {
        let left: Vec<Polygon<f64>> = self
            .of
            .triangles()
            .zip(&self.gone)
            .filter(|(_, gone)| !**gone)
            .map(|([a, b, c], _): ([Coord<f64>; 3], _)| {
                Polygon::new(LineString(vec![a, b, c, a]), vec![])
            })
            .collect();
        let left = Geometry::MultiPolygon(MultiPolygon(left));
        union_all([&left]).unwrap_or(left)
    }
}

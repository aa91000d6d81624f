//! Concave hulls of polygons, which hold the polygons whole.
//!
//! ```text
//!  ┌───────────────┐   what lies between a wide frame and the shells is triangulated, shells being constraints;
//!  │ \ ┌──┐ / ┌──┐ │   triangles at a corner of the frame go, then those with a side that has become free and is
//!  │ / └──┘ \ └──┘ │   longer than the limit; the others fill the gaps between the polygons
//!  └───────────────┘
//! ```
//!
//! The method of JTS' `ConcaveHullOfPolygons`, which PostGIS uses.

use std::collections::{HashMap, VecDeque};

use geo_types::{Coord, Geometry, LineString, MultiPolygon, Polygon};
use spade::{ConstrainedDelaunayTriangulation, HasPosition, Point2, Triangulation as _};

use super::triangulation::NONE;
use crate::geometry::Bounds;
use crate::overlay::union_all;
use crate::{Error, Result};

/// How much wider than the polygons' diagonal the frame is on every side.
const FRAME: f64 = 4.0;

/// A polygon, or several, around polygons, without the gaps between them and the bays that have no free side longer than
/// `ratio` of the way from the shortest to the longest side of all triangles between them. With 0 the polygons
/// themselves.
///
/// # Errors
/// Polygons whose shells cross, and coordinates that cannot be triangulated.
pub fn concave_hull_of_polygons(polygons: &MultiPolygon<f64>, ratio: f64) -> Result<Geometry<f64>> {
    let shells: Vec<&LineString<f64>> = polygons
        .iter()
        .map(Polygon::exterior)
        .filter(|shell| shell.0.len() > 3)
        .collect();
    if shells.is_empty() {
        let none = Polygon::new(LineString(vec![]), vec![]);
        return Ok(Geometry::Polygon(none));
    }
    let mut gaps = Gaps::between(&shells)?;
    gaps.limit(ratio);
    gaps.remove_frame();
    gaps.remove_free();
    let filled = Geometry::MultiPolygon(MultiPolygon(gaps.rest()));
    let polygons = Geometry::MultiPolygon(polygons.clone());
    Ok(union_all([&polygons, &filled]).unwrap_or(polygons))
}

/// A vertex, and whether it is a corner of the frame.
struct Vertex {
    at: Coord<f64>,
    frame: bool,
}

impl HasPosition for Vertex {
    type Scalar = f64;

    fn position(&self) -> Point2<f64> {
        Point2::new(self.at.x + 0.0, self.at.y + 0.0)
    }
}

/// A triangle outside of the shells.
struct Gap {
    corners: [Coord<f64>; 3],
    /// Across the side from corner `i` to the next; none across a shell or the frame.
    neighbours: [u32; 3],
    at_frame: bool,
    gone: bool,
    /// The side that has become free last.
    free: Option<usize>,
}

impl Gap {
    fn length(&self, side: usize) -> f64 {
        let [a, b] = [self.corners[side], self.corners[(side + 1) % 3]];
        (b.x - a.x).hypot(b.y - a.y)
    }
}

struct Gaps {
    all: Vec<Gap>,
    /// Sides that are longer do not stay free.
    longest: f64,
    /// Triangles with a side that has become free.
    queue: VecDeque<usize>,
}

impl Gaps {
    fn between(shells: &[&LineString<f64>]) -> Result<Self> {
        let coords = shells.iter().flat_map(|shell| &shell.0);
        let all = Bounds::around(coords);
        let margin = FRAME * (all.max_x - all.min_x).hypot(all.max_y - all.min_y);
        let corner = |x, y| Vertex {
            at: Coord { x, y },
            frame: true,
        };
        let (west, east) = (all.min_x - margin, all.max_x + margin);
        let (south, north) = (all.min_y - margin, all.max_y + margin);
        let mut vertices = vec![
            corner(west, south),
            corner(east, south),
            corner(east, north),
            corner(west, north),
        ];
        let mut sides = vec![];
        // Those of two shells that touch are one vertex.
        let mut places: HashMap<[u64; 2], usize> = HashMap::new();
        for shell in shells {
            let mut ring: Vec<usize> = vec![];
            for c in &shell.0 {
                let key = [(c.x + 0.0).to_bits(), (c.y + 0.0).to_bits()];
                let vertex = *places.entry(key).or_insert_with(|| {
                    vertices.push(Vertex {
                        at: *c,
                        frame: false,
                    });
                    vertices.len() - 1
                });
                ring.push(vertex);
            }
            ring.dedup();
            sides.extend(ring.windows(2).map(|w| [w[0], w[1]]));
        }
        let mut crossed = false;
        let cdt =
            ConstrainedDelaunayTriangulation::<Vertex>::try_bulk_load_cdt(vertices, sides, |_| {
                crossed = true
            })
            .map_err(|e| Error::Data(format!("the coordinates cannot be triangulated: {e}")))?;
        if crossed {
            return Err(Error::Data(
                "the polygons cross themselves or each other: ST_MakeValid, or ST_UnaryUnion, mends that".into(),
            ));
        }
        // From a corner of the frame to all that can be reached without crossing a shell.
        let mut number = vec![NONE; cdt.num_all_faces()];
        let mut faces = vec![];
        for face in cdt.inner_faces() {
            if face.vertices().iter().any(|vertex| vertex.data().frame) {
                number[face.fix().index()] = faces.len() as u32;
                faces.push(face);
            }
        }
        let mut next = 0;
        while let Some(face) = faces.get(next).copied() {
            next += 1;
            for edge in face.adjacent_edges() {
                let Some(other) = edge.rev().face().as_inner() else {
                    continue;
                };
                if !edge.is_constraint_edge() && number[other.fix().index()] == NONE {
                    number[other.fix().index()] = faces.len() as u32;
                    faces.push(other);
                }
            }
        }
        let all = faces.iter().map(|face| {
            let edges = face.adjacent_edges();
            Gap {
                corners: edges.map(|edge| edge.from().data().at),
                neighbours: edges.map(|edge| match edge.is_constraint_edge() {
                    true => NONE,
                    false => number[edge.rev().face().fix().index()],
                }),
                at_frame: edges.iter().any(|edge| edge.from().data().frame),
                gone: false,
                free: None,
            }
        });
        Ok(Self {
            all: all.collect(),
            longest: 0.0,
            queue: VecDeque::new(),
        })
    }

    /// The limit of free sides: shells do not count, nor what reaches the frame.
    fn limit(&mut self, ratio: f64) {
        if ratio <= 0.0 {
            return;
        }
        let (mut shortest, mut longest) = (f64::INFINITY, 0.0f64);
        for gap in self.all.iter().filter(|gap| !gap.at_frame) {
            for side in (0..3).filter(|side| gap.neighbours[*side] != NONE) {
                shortest = shortest.min(gap.length(side));
                longest = longest.max(gap.length(side));
            }
        }
        self.longest = match () {
            () if shortest > longest => 0.0,
            () if ratio >= 1.0 => 2.0 * longest,
            () => ratio * (longest - shortest) + shortest,
        };
    }

    fn neighbour(&self, gap: usize, side: usize) -> Option<usize> {
        let other = self.all[gap].neighbours[side] as usize;
        (other < self.all.len() && !self.all[other].gone).then_some(other)
    }

    /// The side of a triangle across which another lies.
    fn side_to(&self, gap: usize, other: usize) -> Option<usize> {
        (0..3).find(|side| self.all[gap].neighbours[*side] as usize == other)
    }

    /// Takes a triangle away; the sides of its neighbours are free then.
    fn remove(&mut self, gap: usize) {
        for side in 0..3 {
            if let Some(other) = self.neighbour(gap, side) {
                self.all[other].free = self.side_to(other, gap);
                self.queue.push_back(other);
            }
        }
        self.all[gap].gone = true;
    }

    fn remove_frame(&mut self) {
        for gap in 0..self.all.len() {
            if self.all[gap].at_frame {
                self.remove(gap);
            }
        }
    }

    fn remove_free(&mut self) {
        while let Some(gap) = self.queue.pop_front() {
            let at = &self.all[gap];
            let long = at.free.is_some_and(|side| at.length(side) > self.longest);
            if !at.gone && long {
                self.remove(gap);
            }
        }
    }

    fn rest(&self) -> Vec<Polygon<f64>> {
        let triangle = |gap: &Gap| {
            let [a, b, c] = gap.corners;
            Polygon::new(LineString(vec![a, b, c, a]), vec![])
        };
        let left = self.all.iter().filter(|gap| !gap.gone);
        left.map(triangle).collect()
    }
}

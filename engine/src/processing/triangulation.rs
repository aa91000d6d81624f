//! Delaunay triangulations, and what is made of them. The crate `spade` triangulates, with exact
//! predicates.

use geo_types::{Coord, Geometry};
use spade::{DelaunayTriangulation, HasPosition, Point2, Triangulation as _};

use super::each_segment;
use crate::predicate::orient::compare;
use crate::{Error, Result};

/// No neighbour.
pub(super) const NONE: u32 = u32::MAX;

/// Triangles between points such that no circle through the corners of one holds another point.
#[derive(Debug, Default)]
pub struct Triangulation {
    /// Each once.
    pub(super) points: Vec<Coord<f64>>,
    /// Corners, counterclockwise.
    pub(super) triangles: Vec<[u32; 3]>,
    /// Across the side from corner `i` to the next, or [`NONE`].
    pub(super) neighbours: Vec<[u32; 3]>,
}

struct Site(Coord<f64>);

impl HasPosition for Site {
    type Scalar = f64;

    fn position(&self) -> Point2<f64> {
        Point2::new(self.0.x, self.0.y)
    }
}

impl Triangulation {
    /// Triangulates the vertices of a geometry; points on one line leave no triangle.
    ///
    /// # Errors
    /// Coordinates beyond 1e60, or so small that squares of them vanish.
    pub fn new(geometry: &Geometry<f64>) -> Result<Self> {
        let mut points = vertices(geometry);
        points.sort_unstable_by(|a, b| compare(*a, *b));
        points.dedup();
        Self::of_points(points)
    }

    fn of_points(points: Vec<Coord<f64>>) -> Result<Self> {
        let sites = points
            .iter()
            .map(|c| {
                Site(Coord {
                    x: c.x + 0.0,
                    y: c.y + 0.0,
                })
            })
            .collect();
        let built = DelaunayTriangulation::<Site>::bulk_load(sites)
            .map_err(|e| Error::Data(format!("the coordinates cannot be triangulated: {e}")))?;
        let points = built.vertices().map(|v| v.data().0).collect();
        // Faces are numbered with the one outside, which is the first.
        let mut number = vec![NONE; built.num_all_faces()];
        for (i, face) in built.inner_faces().enumerate() {
            number[face.fix().index()] = i as u32;
        }
        let mut this = Self {
            points,
            ..Self::default()
        };
        for face in built.inner_faces() {
            let edges = face.adjacent_edges();
            this.triangles
                .push(edges.map(|edge| edge.from().fix().index() as u32));
            let across = edges.map(|edge| edge.rev().face().fix().index());
            this.neighbours.push(across.map(|face| number[face]));
        }
        Ok(this)
    }

    /// The corners of every triangle, counterclockwise.
    pub fn triangles(&self) -> impl Iterator<Item = [Coord<f64>; 3]> + '_ {
        self.triangles
            .iter()
            .map(|corners| corners.map(|i| self.points[i as usize]))
    }

    /// Every side of a triangle, once; of points on one line those between neighbours.
    pub fn edges(&self) -> Vec<[Coord<f64>; 2]> {
        if self.triangles.is_empty() {
            let mut points = self.points.clone();
            points.sort_unstable_by(|a, b| compare(*a, *b));
            return points.windows(2).map(|w| [w[0], w[1]]).collect();
        }
        let mut edges = vec![];
        for (t, neighbours) in self.neighbours.iter().enumerate() {
            for (side, other) in neighbours.iter().enumerate() {
                if *other == NONE || *other as usize > t {
                    edges.push(self.side(t, side));
                }
            }
        }
        edges
    }

    /// The ends of a side.
    pub(super) fn side(&self, triangle: usize, side: usize) -> [Coord<f64>; 2] {
        let corners = self.triangles[triangle];
        [corners[side], corners[(side + 1) % 3]].map(|i| self.points[i as usize])
    }
}

/// The coordinates of a geometry; those that close rings are there twice.
pub(super) fn vertices(geometry: &Geometry<f64>) -> Vec<Coord<f64>> {
    let mut points = vec![];
    each_segment(geometry, &mut |line| points.extend([line.start, line.end]));
    // A line of one point.
    if let Geometry::LineString(line) = geometry {
        points.extend(line.0.first());
    }
    points
}

/// The centre of the circle through three points; not finite for points on one line.
pub(super) fn centre(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> Coord<f64> {
    let (u, v) = (b - a, c - a);
    let det = 2.0 * (u.x * v.y - u.y * v.x);
    let (uu, vv) = (u.x * u.x + u.y * u.y, v.x * v.x + v.y * v.y);
    Coord {
        x: a.x + (v.y * uu - u.y * vv) / det,
        y: a.y + (u.x * vv - v.x * uu) / det,
    }
}

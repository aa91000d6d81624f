//! Polygons of few edges, copied next to each other, to be measured from many points.

use std::ops::Range;

use geo_types::Coord;

use super::distance::{BLUR, each_edge_nearest, edge_square, is_usual};
use super::matrix::Location;
use super::shape::{FEW_EDGES, locate_in_ring};
use crate::geometry::Bounds;

/// Edges are measured by so many at once; what is missing is filled up with the last edge.
const LANES: usize = 4;

/// Edges of rings that are measured without a loop, at most.
const TWICE: usize = 2 * LANES;

/// Room for the edges of one ring.
const ROOM: usize = FEW_EDGES.next_multiple_of(LANES);

/// Rings of few edges, with what a first look at their distance from a point needs.
///
/// That look measures all edges to within a rounding error and without a branch; only the few that may be the nearest
/// are then measured exactly as [`PreparedSet::distance`](super::PreparedSet::distance) does.
#[derive(Debug, Default)]
pub struct Rings {
    vertices: Vec<Coord<f64>>,
    ax: Vec<f64>,
    ay: Vec<f64>,
    dx: Vec<f64>,
    dy: Vec<f64>,
    /// The inverse of the square of the length.
    inverse: Vec<f64>,
}

/// A ring among [`Rings`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Ring {
    vertices: u32,
    edges: u32,
    count: u32,
    /// The square of the longest edge.
    longest: f64,
}

impl Ring {
    /// Whether there is no ring: nothing has been copied.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn vertices(&self) -> Range<usize> {
        let from = self.vertices as usize;
        from..from + self.count as usize + 1
    }
}

impl Rings {
    /// Drops all rings.
    pub fn clear(&mut self) {
        self.vertices.clear();
        for column in [
            &mut self.ax,
            &mut self.ay,
            &mut self.dx,
            &mut self.dy,
            &mut self.inverse,
        ] {
            column.clear();
        }
    }

    /// Copies a closed ring. It is empty if it has too many edges, or edges whose squares leave the range in which they
    /// stand for lengths.
    pub fn push(&mut self, ring: &[Coord<f64>]) -> Ring {
        let count = ring.len().saturating_sub(1);
        let (vertices, edges) = (self.vertices.len(), self.ax.len());
        let (Ok(vertices), Ok(first)) = (u32::try_from(vertices), u32::try_from(edges)) else {
            return Ring::default();
        };
        if !(1..=FEW_EDGES).contains(&count) || ring.first() != ring.last() {
            return Ring::default();
        }
        let edge = |i: usize| {
            let (a, b) = (ring[i.min(count - 1)], ring[i.min(count - 1) + 1]);
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            (a, dx, dy, dx * dx + dy * dy)
        };
        let squares = (0..count).map(|i| edge(i).3);
        if !squares.clone().all(is_usual) {
            return Ring::default();
        }
        for (a, dx, dy, square) in (0..count.next_multiple_of(LANES)).map(edge) {
            self.ax.push(a.x);
            self.ay.push(a.y);
            self.dx.push(dx);
            self.dy.push(dy);
            self.inverse.push(1.0 / square);
        }
        self.vertices.extend_from_slice(ring);
        Ring {
            vertices,
            edges: first,
            count: count as u32,
            longest: squares.fold(0.0, f64::max),
        }
    }

    /// The distance of `p` from the area within a ring, whose rectangle is `bounds`: to the last bit that of
    /// [`PreparedSet::distance`](super::PreparedSet::distance).
    #[inline]
    pub fn distance(&self, ring: &Ring, bounds: &Bounds, p: Coord<f64>) -> f64 {
        let vertices = self.vertices.get(ring.vertices()).unwrap_or_default();
        if bounds.contains(&Bounds::point(p.x, p.y))
            && locate_in_ring(p, vertices) != Location::Exterior
        {
            return 0.0;
        }
        match self.square(ring, vertices, p) {
            Some(square) => square.sqrt(),
            None => each_edge_nearest(p, vertices.windows(2).map(|edge| (edge[0], edge[1]))),
        }
    }

    /// The square of the distance from the nearest edge; `None` where squares leave their range.
    #[inline]
    fn square(&self, ring: &Ring, vertices: &[Coord<f64>], p: Coord<f64>) -> Option<f64> {
        // Of a known number, edges stay in registers: nearly all rings have so few.
        match (ring.count as usize).div_ceil(LANES) {
            ..=1 => self.square_of::<LANES>(ring, vertices, p),
            2 => self.square_of::<TWICE>(ring, vertices, p),
            _ => self.square_of::<ROOM>(ring, vertices, p),
        }
    }

    /// As [`Rings::square`], of a ring that has `N` edges once it is filled up; with `ROOM`, of any.
    #[inline]
    fn square_of<const N: usize>(
        &self,
        ring: &Ring,
        vertices: &[Coord<f64>],
        p: Coord<f64>,
    ) -> Option<f64> {
        let from = ring.edges as usize;
        let count = match N {
            ROOM => (ring.count as usize).next_multiple_of(LANES),
            _ => N,
        };
        let edges = from..from + count;
        let columns = (self.ax.get(edges.clone())?.iter())
            .zip(self.ay.get(edges.clone())?)
            .zip(self.dx.get(edges.clone())?)
            .zip(self.dy.get(edges.clone())?)
            .zip(self.inverse.get(edges)?);
        let (mut apart, mut from_a) = ([0.0; N], [0.0; N]);
        let outputs = apart.iter_mut().zip(&mut from_a);
        for (((((ax, ay), dx), dy), inverse), (apart, from_a)) in columns.zip(outputs) {
            let (x, y) = (p.x - ax, p.y - ay);
            let along = (x * dx + y * dy) * inverse;
            // Not `clamp`, which would keep NaN: a square that is no number is found out below.
            let along = if along > 0.0 { along } else { 0.0 };
            let along = if along < 1.0 { along } else { 1.0 };
            let (ex, ey) = (x - along * dx, y - along * dy);
            *apart = ex * ex + ey * ey;
            *from_a = x * x + y * y;
        }
        // What is filled up is the last edge once more, which changes no minimum.
        let (mut least, mut closest, mut farthest) = (f64::INFINITY, f64::INFINITY, 0.0f64);
        for (apart, from_a) in apart.iter().zip(&from_a).take(count) {
            // Numbers all, so that `min` need not look for NaN.
            least = if *from_a < least { *from_a } else { least };
            farthest = if *from_a > farthest {
                *from_a
            } else {
                farthest
            };
            closest = if *apart < closest { *apart } else { closest };
        }
        if !(is_usual(least) && is_usual(farthest)) {
            return None;
        }
        let reach = closest + 2.0 * BLUR * (farthest + ring.longest);
        let near = apart.iter().zip(vertices.windows(2));
        let near = near.filter(|(apart, _)| **apart <= reach);
        let found = near.fold(f64::INFINITY, |least, (_, edge)| {
            least.min(edge_square(p, edge[0], edge[1]))
        });
        is_usual(found).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::distance::point_nearest;
    use super::super::shape::{Kind, Shape};
    use super::*;

    fn ordinate() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-8i32..8).prop_map(f64::from),
            4 => -8.0..8.0f64,
            1 => prop_oneof![Just(1e17), Just(1e-170), Just(-1e170), Just(1e9), Just(3e-9)],
        ]
    }

    fn coord() -> impl Strategy<Value = Coord<f64>> {
        (ordinate(), ordinate()).prop_map(|(x, y)| Coord { x, y })
    }

    proptest! {
        #[test]
        fn a_copy_is_as_far_as_the_polygon(
            rings in prop::collection::vec(prop::collection::vec(coord(), 3..9), 1..4),
            points in prop::collection::vec(coord(), 1..9),
        ) {
            let mut copies = Rings::default();
            let closed = rings.into_iter().map(|mut ring| {
                ring.dedup();
                if ring.first() != ring.last() {
                    ring.push(ring[0]);
                }
                ring
            });
            let closed: Vec<_> = closed.filter(|ring| ring.len() > 3).collect();
            let copied: Vec<Ring> = closed.iter().map(|ring| copies.push(ring)).collect();
            for (ring, copy) in closed.iter().zip(&copied) {
                let starts = vec![0, ring.len() as u32];
                let shape = Shape::chains(Kind::Area, ring.clone(), starts);
                let corners = ring.iter().copied();
                let middles = ring.windows(2).map(|edge| Coord {
                    x: edge[0].x / 2.0 + edge[1].x / 2.0,
                    y: edge[0].y / 2.0 + edge[1].y / 2.0,
                });
                for p in points.iter().copied().chain(corners).chain(middles) {
                    if copy.is_empty() {
                        continue;
                    }
                    let expected = point_nearest(p, &shape, f64::INFINITY, 0.0);
                    prop_assert_eq!(copies.distance(copy, &shape.bounds, p), expected);
                }
            }
        }
    }
}

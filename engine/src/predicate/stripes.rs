//! An edge index: horizontal stripes, each with the edges that touch it (as in tg, by Josh Baker).
//!
//! ```text
//!  stripe 2 ──────────── /\ ─────   offsets  0   2     6
//!  stripe 1 ──── /\ ─── /  \ ────   edges    a b c d e f ...
//!  stripe 0 ─── /  \── /    \ ───
//! ```
//!
//! A height maps to its stripe by a monotone function, so that an edge is found at every height
//! that it reaches, whatever rounding does.

use std::ops::ControlFlow;

use super::shape::Shape;

/// Average number of edges that a stripe should start.
const EDGES_PER_STRIPE: usize = 2;
/// References that edges take on average at most; fewer stripes are used for steep edges.
const REFERENCES_PER_EDGE: usize = 6;

#[derive(Debug)]
pub(crate) struct Stripes {
    min_y: f64,
    per_unit: f64,
    /// Where the edges of a stripe start; one more than there are stripes.
    offsets: Vec<u32>,
    edges: Numbers,
}

/// Edges by number. Most shapes have so few that half the memory does.
#[derive(Debug)]
enum Numbers {
    Short(Vec<u16>),
    Long(Vec<u32>),
}

impl Stripes {
    pub(crate) fn new(shape: &Shape) -> Self {
        let height = shape.bounds.max_y - shape.bounds.min_y;
        let edges = shape.edge_count();
        // An edge is referred to once, and once more for each stripe's height that it spans.
        let spanned: f64 = shape.segments().map(|(a, b)| (a.y - b.y).abs()).sum();
        let most = (REFERENCES_PER_EDGE - 1) as f64 * edges as f64 * height / spanned;
        let count = (edges / EDGES_PER_STRIPE)
            .min(most as usize)
            .clamp(1, 1 << 20);
        let per_unit = count as f64 / height;
        let (count, per_unit) = match per_unit.is_normal() {
            true => (count, per_unit),
            false => (1, 0.0),
        };
        let mut stripes = Self {
            min_y: shape.bounds.min_y,
            per_unit,
            offsets: vec![0; count + 1],
            edges: Numbers::Short(vec![]),
        };
        stripes.fill(shape);
        stripes
    }

    /// Sorts the edges into stripes: counts, sums, and places.
    fn fill(&mut self, shape: &Shape) {
        for (a, b) in shape.segments() {
            let (first, last) = self.reach(a.y, b.y);
            for count in &mut self.offsets[first..=last] {
                *count += 1;
            }
        }
        let mut sum = 0;
        for offset in &mut self.offsets {
            sum += std::mem::replace(offset, sum);
        }
        self.edges = match u16::try_from(shape.coords.len()) {
            Ok(_) => Numbers::Short(self.placed(shape, sum, |edge| edge as u16)),
            Err(_) => Numbers::Long(self.placed(shape, sum, |edge| edge as u32)),
        };
        let stripes = self.len();
        self.offsets.copy_within(0..stripes, 1);
        self.offsets[0] = 0;
    }

    /// The numbers of the edges, stripe by stripe, `sum` of them.
    fn placed<T: Copy + Default>(
        &mut self,
        shape: &Shape,
        sum: u32,
        number: impl Fn(usize) -> T,
    ) -> Vec<T> {
        let mut edges = vec![T::default(); sum as usize];
        // Each offset runs to the next one's while its stripe is filled, and is set back after.
        for (edge, (a, b)) in shape.edges().zip(shape.segments()) {
            let (first, last) = self.reach(a.y, b.y);
            for slot in &mut self.offsets[first..=last] {
                edges[*slot as usize] = number(edge);
                *slot += 1;
            }
        }
        edges
    }

    /// First and last stripe of an edge between two heights.
    #[inline]
    fn reach(&self, a: f64, b: f64) -> (usize, usize) {
        (self.index(a.min(b)), self.index(a.max(b)))
    }

    /// Number of stripes.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The stripe of a height; heights beyond the shape map to the first or the last.
    #[inline]
    pub(crate) fn index(&self, y: f64) -> usize {
        // `as` saturates: negative and NaN become zero.
        (((y - self.min_y) * self.per_unit) as usize).min(self.offsets.len() - 2)
    }

    /// Visits the edges of a stripe, until the visitor breaks.
    #[inline]
    pub(crate) fn visit(
        &self,
        stripe: usize,
        mut visit: impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let of = self.offsets[stripe] as usize..self.offsets[stripe + 1] as usize;
        match &self.edges {
            Numbers::Short(edges) => edges[of].iter().try_for_each(|&edge| visit(edge.into())),
            Numbers::Long(edges) => edges[of].iter().try_for_each(|&edge| visit(edge as usize)),
        }
    }

    /// Visits all edges at a height, with some others, until the visitor breaks.
    #[inline]
    pub(crate) fn visit_at(
        &self,
        y: f64,
        visit: impl FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.visit(self.index(y), visit)
    }

    /// A lower bound of the distance from height `y` down to the top of a stripe below it.
    pub(crate) fn gap_below(&self, stripe: usize, y: f64) -> f64 {
        self.shrink(y - (self.min_y + (stripe + 1) as f64 / self.per_unit))
    }

    /// A lower bound of the distance from height `y` up to the foot of a stripe above it.
    pub(crate) fn gap_above(&self, stripe: usize, y: f64) -> f64 {
        self.shrink(self.min_y + stripe as f64 / self.per_unit - y)
    }

    /// Takes off more than rounding can have added.
    fn shrink(&self, gap: f64) -> f64 {
        let height = self.len() as f64 / self.per_unit;
        let shrunk = gap - 1e-9 * (height + self.min_y.abs());
        if shrunk.is_nan() { 0.0 } else { shrunk }
    }

    pub(crate) fn bytes(&self) -> usize {
        let edges = match &self.edges {
            Numbers::Short(edges) => edges.capacity() * size_of::<u16>(),
            Numbers::Long(edges) => edges.capacity() * size_of::<u32>(),
        };
        size_of::<Self>() + self.offsets.capacity() * size_of::<u32>() + edges
    }
}

#[cfg(test)]
mod tests {
    use geo_types::Coord;

    use super::super::shape::Kind;
    use super::*;

    /// A ring of so many edges around the origin, not quite round.
    fn ring(edges: u32) -> Shape {
        let at = |i: u32| {
            let angle = f64::from(i % edges) / f64::from(edges) * std::f64::consts::TAU;
            let far = 10.0 + (angle * 7.0).sin();
            Coord {
                x: angle.cos() * far,
                y: angle.sin() * far,
            }
        };
        Shape::chains(
            Kind::Area,
            (0..=edges).map(at).collect(),
            vec![0, edges + 1],
        )
    }

    #[test]
    fn every_edge_at_a_height_is_visited_however_many_there_are() {
        for edges in [40, 65_533, 65_534, 65_535, 65_536, 80_000] {
            let shape = ring(edges);
            let stripes = Stripes::new(&shape);
            for i in 0..=100 {
                let y = f64::from(i) / 100.0 * 22.0 - 11.0;
                let mut visited = vec![];
                let _ = stripes.visit_at(y, |edge| {
                    visited.push(edge);
                    ControlFlow::Continue(())
                });
                let mut there = shape.edges().filter(|&edge| {
                    let (a, b) = shape.edge(edge);
                    a.y.min(b.y) <= y && y <= a.y.max(b.y)
                });
                assert!(there.all(|edge| visited.contains(&edge)), "{edges} at {y}");
            }
        }
    }
}

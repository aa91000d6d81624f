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

use super::shape::Shape;

/// Average number of edges that a stripe should start.
const EDGES_PER_STRIPE: usize = 2;
/// References an edge may take on average before fewer stripes are used.
const REFERENCES_PER_EDGE: usize = 6;

#[derive(Debug)]
pub(crate) struct Stripes {
    min_y: f64,
    per_unit: f64,
    /// Where the edges of a stripe start; one more than there are stripes.
    offsets: Vec<u32>,
    edges: Vec<u32>,
}

impl Stripes {
    pub(crate) fn new(shape: &Shape) -> Self {
        let height = shape.bounds.max_y - shape.bounds.min_y;
        let mut count = (shape.edge_count() / EDGES_PER_STRIPE).clamp(1, 1 << 20);
        loop {
            let per_unit = count as f64 / height;
            let per_unit = if per_unit.is_finite() { per_unit } else { 0.0 };
            let mut stripes = Self {
                min_y: shape.bounds.min_y,
                per_unit,
                offsets: vec![0; count + 1],
                edges: vec![],
            };
            let total = stripes.measure(shape);
            if count > 1 && total > (shape.edge_count() * REFERENCES_PER_EDGE) as u64 {
                count = (count / 2).max(1);
                continue;
            }
            stripes.fill(shape, total as usize);
            return stripes;
        }
    }

    /// Number of references; leaves in `offsets[i + 1]` the number of those of stripe `i`.
    fn measure(&mut self, shape: &Shape) -> u64 {
        let mut total = 0;
        for edge in shape.edges() {
            let (first, last) = self.reach(shape, edge);
            total += (last - first + 1) as u64;
            for stripe in first..=last {
                self.offsets[stripe + 1] += 1;
            }
            // Far too many already: the caller tries again with fewer stripes.
            if total > u64::from(u32::MAX) / 2 {
                break;
            }
        }
        total
    }

    fn fill(&mut self, shape: &Shape, total: usize) {
        let mut sum = 0;
        for offset in &mut self.offsets {
            sum += *offset;
            *offset = sum;
        }
        self.edges = vec![0; total];
        let mut next = self.offsets.clone();
        for edge in shape.edges() {
            let (first, last) = self.reach(shape, edge);
            for slot in &mut next[first..=last] {
                self.edges[*slot as usize] = edge as u32;
                *slot += 1;
            }
        }
    }

    /// First and last stripe of an edge.
    fn reach(&self, shape: &Shape, edge: usize) -> (usize, usize) {
        let (a, b) = shape.edge(edge);
        (self.index(a.y.min(b.y)), self.index(a.y.max(b.y)))
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

    /// The edges of a stripe.
    #[inline]
    pub(crate) fn stripe(&self, index: usize) -> &[u32] {
        &self.edges[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// All edges at a height, with some others.
    #[inline]
    pub(crate) fn at(&self, y: f64) -> &[u32] {
        self.stripe(self.index(y))
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
        size_of::<Self>() + (self.offsets.capacity() + self.edges.capacity()) * size_of::<u32>()
    }
}

//! The edge straight below a point.

use geo_types::Coord;

use super::Edge;
use crate::predicate::orient::orient;

/// Edges by columns of the plane, for questions about what lies below.
#[derive(Debug)]
pub(super) struct EdgesBelow {
    west: f64,
    columns_per_unit: f64,
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl EdgesBelow {
    /// An index over edges.
    pub(super) fn new(edges: &[Edge]) -> Self {
        let west = edges.iter().fold(f64::INFINITY, |m, e| m.min(e.low.x));
        let east = edges.iter().fold(f64::NEG_INFINITY, |m, e| m.max(e.high.x));
        // As many columns as keep the entries of long edges within a few times the edges.
        let reach: f64 = edges.iter().map(|e| e.high.x - e.low.x).sum();
        let mean = reach / edges.len() as f64;
        let columns = ((2.0 * (east - west) / mean) as usize).clamp(1, edges.len().max(1));
        let scale = columns as f64 / (east - west);
        let mut this = Self {
            west,
            columns_per_unit: if scale.is_finite() { scale } else { 0.0 },
            starts: vec![0; columns + 1],
            members: vec![],
        };
        let mut sum = 0;
        for edge in edges {
            let (from, to) = (this.column(edge.low.x), this.column(edge.high.x));
            this.starts[from..=to].iter_mut().for_each(|n| *n += 1);
            sum += to - from + 1;
        }
        let mut start = 0;
        for slot in &mut this.starts {
            start += std::mem::replace(slot, start);
        }
        this.members = vec![0; sum];
        let mut next = this.starts.clone();
        for (i, edge) in edges.iter().enumerate() {
            let (from, to) = (this.column(edge.low.x), this.column(edge.high.x));
            for slot in &mut next[from..=to] {
                this.members[*slot as usize] = i as u32;
                *slot += 1;
            }
        }
        this
    }

    fn column(&self, x: f64) -> usize {
        (((x - self.west) * self.columns_per_unit) as usize).min(self.starts.len() - 2)
    }

    /// The highest edge below `p` that reaches to its left, or starts there, and to its right.
    pub(super) fn find(&self, edges: &[Edge], p: Coord<f64>) -> Option<usize> {
        let column = self.column(p.x);
        let members = &self.members[self.starts[column] as usize..self.starts[column + 1] as usize];
        let mut best: Option<usize> = None;
        for &i in members {
            let edge = &edges[i as usize];
            let below = edge.low.x <= p.x
                && edge.high.x > p.x
                && edge.low.y.min(edge.high.y) <= p.y
                && orient(edge.low, edge.high, p) > 0.0;
            if below && best.is_none_or(|best| is_above(&edges[best], edge)) {
                best = Some(i as usize);
            }
        }
        best
    }
}

/// Whether `f` lies above `e`, both crossing a common vertical line and not each other.
fn is_above(e: &Edge, f: &Edge) -> bool {
    // An end of one in the range of the other decides; where it lies on it, the other end does.
    let sign = |v: f64| match v {
        v if v > 0.0 => 1,
        v if v < 0.0 => -1,
        _ => 0,
    };
    let (first, second) = match f.low.x >= e.low.x {
        true => (
            sign(orient(e.low, e.high, f.low)),
            sign(orient(e.low, e.high, f.high)),
        ),
        false => (
            -sign(orient(f.low, f.high, e.low)),
            -sign(orient(f.low, f.high, e.high)),
        ),
    };
    match first {
        0 => second > 0,
        first => first > 0,
    }
}

//! A plane cut by edges: its nodes, its half-edges, and where they lie in the inputs.

use std::cmp::Ordering;

use geo_types::Coord;

use super::Edge;
use super::noding::node;
use super::shoot::EdgesBelow;
use crate::predicate::orient::{compare, orient};

/// Edges that meet at their ends alone, and the windings of both inputs around their sides.
///
/// Half-edge `2 * e` runs from the lower end of edge `e` to the higher, `2 * e + 1` back.
#[derive(Debug)]
pub(crate) struct Arrangement {
    pub(crate) edges: Vec<Edge>,
    /// In order of x, then y.
    pub(crate) nodes: Vec<Coord<f64>>,
    /// Where the half-edges that leave a node start in `leaving`.
    starts: Vec<u32>,
    /// Half-edges by the node that they leave, counterclockwise from the west (exclusive).
    leaving: Vec<u32>,
    /// The node that a half-edge leaves.
    from: Vec<u32>,
    /// Where a half-edge stands in `leaving`.
    place: Vec<u32>,
    /// Windings of both inputs to the left of a half-edge.
    left: Vec<[i32; 2]>,
}

impl Arrangement {
    /// Cuts edges where they meet, and finds out what lies to their sides.
    pub(crate) fn new(edges: Vec<Edge>) -> Self {
        Self::of_noded(node(edges))
    }

    /// The same of edges that meet at their ends alone already.
    pub(super) fn of_noded(edges: Vec<Edge>) -> Self {
        let mut this = Self::connect(edges);
        this.wind();
        this
    }

    fn connect(edges: Vec<Edge>) -> Self {
        let mut ends: Vec<(Coord<f64>, u32)> = Vec::with_capacity(edges.len() * 2);
        for (e, edge) in edges.iter().enumerate() {
            ends.push((edge.low, 2 * e as u32));
            ends.push((edge.high, 2 * e as u32 + 1));
        }
        ends.sort_unstable_by(|(p, h), (q, k)| compare(*p, *q).then(h.cmp(k)));
        let mut nodes: Vec<Coord<f64>> = vec![];
        let mut starts = vec![];
        let mut from = vec![0; ends.len()];
        for (i, (p, h)) in ends.iter().enumerate() {
            if nodes.last() != Some(p) {
                nodes.push(*p);
                starts.push(i as u32);
            }
            from[*h as usize] = nodes.len() as u32 - 1;
        }
        starts.push(ends.len() as u32);
        let mut leaving: Vec<u32> = ends.into_iter().map(|(_, h)| h).collect();
        let target = |h: u32| match h % 2 {
            0 => edges[h as usize / 2].high,
            _ => edges[h as usize / 2].low,
        };
        for (n, p) in nodes.iter().enumerate() {
            leaving[starts[n] as usize..starts[n + 1] as usize]
                .sort_unstable_by(|h, k| by_angle(*p, target(*h), target(*k)));
        }
        let mut place = vec![0; leaving.len()];
        for (i, h) in leaving.iter().enumerate() {
            place[*h as usize] = i as u32;
        }
        let left = vec![[0; 2]; leaving.len()];
        Self {
            edges,
            nodes,
            starts,
            leaving,
            from,
            place,
            left,
        }
    }

    /// Half-edges that leave a node, counterclockwise.
    pub(crate) fn leaving(&self, node: usize) -> &[u32] {
        &self.leaving[self.starts[node] as usize..self.starts[node + 1] as usize]
    }

    /// The node that a half-edge leaves.
    pub(crate) fn from(&self, half: u32) -> usize {
        self.from[half as usize] as usize
    }

    /// The node that a half-edge leads to.
    pub(crate) fn to(&self, half: u32) -> usize {
        self.from(half ^ 1)
    }

    /// Windings of both inputs to the left of a half-edge; to its right they are those to the
    /// left of its twin.
    pub(crate) fn left(&self, half: u32) -> [i32; 2] {
        self.left[half as usize]
    }

    /// The half-edge that leaves the same node next to this one, clockwise.
    pub(crate) fn clockwise(&self, half: u32) -> u32 {
        let node = self.from(half);
        let (start, end) = (self.starts[node], self.starts[node + 1]);
        let place = self.place[half as usize];
        self.leaving[if place == start { end } else { place } as usize - 1]
    }

    /// Where the face to the left continues at the end of a half-edge.
    pub(crate) fn next(&self, half: u32) -> u32 {
        self.clockwise(half ^ 1)
    }

    /// Finds the windings, component by component from the left: what lies below the leftmost
    /// node of a component is known by then, and inside a component they follow edge by edge.
    fn wind(&mut self) {
        let mut below: Option<EdgesBelow> = None;
        let mut known = vec![false; self.leaving.len()];
        let mut stack = vec![];
        for node in 0..self.nodes.len() {
            let Some(&outer) = self.leaving(node).last() else {
                continue;
            };
            if known[outer as usize] {
                continue;
            }
            // The last half-edge by angle has the west on its left.
            let outside = match node {
                0 => [0; 2],
                _ => below
                    .get_or_insert_with(|| EdgesBelow::new(&self.edges))
                    .find(&self.edges, self.nodes[node])
                    .map_or([0; 2], |edge| self.left(2 * edge as u32)),
            };
            stack.push((outer, outside));
            while let Some((start, winding)) = stack.pop() {
                if known[start as usize] {
                    continue;
                }
                let mut half = start;
                loop {
                    known[half as usize] = true;
                    self.left[half as usize] = winding;
                    let twin = half ^ 1;
                    if !known[twin as usize] {
                        let turns = self.edges[half as usize / 2].turns;
                        let sign = if half % 2 == 0 { -1 } else { 1 };
                        let right = [winding[0] + sign * turns[0], winding[1] + sign * turns[1]];
                        stack.push((twin, right));
                    }
                    half = self.next(half);
                    if half == start {
                        break;
                    }
                }
            }
        }
    }
}

/// Order of the directions from `p` to `a` and `b`, counterclockwise from the west (exclusive).
fn by_angle(p: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> Ordering {
    // Below, or straight to the east, before above and straight to the west.
    let upper = |c: Coord<f64>| c.y > p.y || (c.y == p.y && c.x < p.x);
    upper(a).cmp(&upper(b)).then_with(|| {
        0.0f64
            .partial_cmp(&orient(p, a, b))
            .unwrap_or(Ordering::Equal)
    })
}

//! Where a shape's chains meet another shape, and what the pieces between do.

use geo_types::Coord;

use super::matrix::Location;
use super::orient::{compare, side};
use super::shape::{Kind, Shape};

/// A point on an edge of a chain. A vertex counts as the start of the edge that leaves it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    edge: usize,
    at: Coord<f64>,
}

/// Part of an edge that runs along the other shape, in the direction of the edge.
#[derive(Debug, Clone, Copy)]
struct Shared {
    edge: usize,
    from: Coord<f64>,
    to: Coord<f64>,
}

/// The nodes of one shape.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    shared: Vec<Shared>,
}

impl Nodes {
    /// `shape` meets the other at `p` on `edge`.
    pub(super) fn at(&mut self, shape: &Shape, edge: usize, p: Coord<f64>) {
        let mut node = Node { edge, at: p };
        if p == shape.coords[edge + 1] {
            let chain = shape.chain(shape.chain_of(edge));
            if edge + 2 < chain.end {
                node.edge = edge + 1;
            } else if shape.kind == Kind::Area {
                node.edge = chain.start;
            }
        }
        self.nodes.push(node);
    }

    /// `edge` runs along the other shape between `p` and `q`.
    pub(super) fn along(&mut self, shape: &Shape, edge: usize, p: Coord<f64>, q: Coord<f64>) {
        self.at(shape, edge, p);
        self.at(shape, edge, q);
        let (a, b) = shape.edge(edge);
        let (from, to) = if compare(a, b) == compare(p, q) {
            (p, q)
        } else {
            (q, p)
        };
        self.shared.push(Shared { edge, from, to });
    }

    fn sort(&mut self, shape: &Shape) {
        self.nodes.sort_unstable_by(|m, n| {
            m.edge
                .cmp(&n.edge)
                .then_with(|| along_edge(shape, m.edge, m.at, n.at))
        });
        self.nodes.dedup();
        self.sort_shared(shape);
    }

    fn sort_shared(&mut self, shape: &Shape) {
        self.shared.sort_unstable_by(|m, n| {
            m.edge
                .cmp(&n.edge)
                .then_with(|| along_edge(shape, m.edge, m.from, n.from))
        });
    }

    /// Whether every point of every edge is shared.
    pub(super) fn cover_all_edges(&mut self, shape: &Shape) -> bool {
        if self.shared.is_empty() {
            return false;
        }
        self.sort_shared(shape);
        let mut covered = 0;
        for run in self.shared.chunk_by(|m, n| m.edge == n.edge) {
            let (mut reached, end) = shape.edge(run[0].edge);
            for part in run {
                let gap = along_edge(shape, part.edge, reached, part.from).is_lt();
                if gap {
                    return false;
                }
                if along_edge(shape, part.edge, reached, part.to).is_lt() {
                    reached = part.to;
                }
            }
            if reached != end {
                return false;
            }
            covered += 1;
        }
        covered == shape.edge_count()
    }

    /// Calls `visit` with the location, in `other`, of every piece of `shape` between nodes;
    /// pieces along the boundary of `other` are left out. No edges may cross properly.
    pub(super) fn for_each_piece(
        &mut self,
        shape: &Shape,
        other: &Shape,
        mut visit: impl FnMut(Location),
    ) {
        self.sort(shape);
        let mut rest = &self.nodes[..];
        for chain in 0..shape.chain_count() {
            let range = shape.chain(chain);
            let here = rest.partition_point(|node| node.edge < range.end);
            let (nodes, after) = rest.split_at(here);
            rest = after;
            // Up to the first node: for a ring, the last node's piece ends there.
            let start = shape.coords[range.start];
            match nodes.first() {
                None => visit(other.locate(start)),
                Some(first) if shape.kind == Kind::Line && first.at != start => {
                    visit(other.locate(start));
                }
                _ => {}
            }
            for node in nodes {
                let towards = shape.coords[node.edge + 1];
                if towards != node.at && !self.is_shared(shape, *node) {
                    visit(direction(other, node.at, towards));
                }
            }
        }
    }

    /// Whether the piece that starts at a node is shared.
    fn is_shared(&self, shape: &Shape, node: Node) -> bool {
        let first = self.shared.partition_point(|s| s.edge < node.edge);
        self.shared[first..]
            .iter()
            .take_while(|s| s.edge == node.edge)
            .any(|s| {
                along_edge(shape, s.edge, s.from, node.at).is_le()
                    && along_edge(shape, s.edge, node.at, s.to).is_lt()
            })
    }
}

/// Order of two points on an edge, in its direction.
fn along_edge(shape: &Shape, edge: usize, p: Coord<f64>, q: Coord<f64>) -> std::cmp::Ordering {
    let (a, b) = shape.edge(edge);
    if compare(a, b).is_lt() {
        compare(p, q)
    } else {
        compare(q, p)
    }
}

/// Where one gets, leaving `p`, which is no point inside `area`, towards `q` along no edge.
fn direction(area: &Shape, p: Coord<f64>, q: Coord<f64>) -> Location {
    let mut through = false;
    let mut inside = false;
    area.edges_through(p, |edge| {
        through = true;
        let (u, v) = area.edge(edge);
        if p == v {
            // The edge that leaves this vertex speaks for both.
        } else if p == u {
            let chain = area.chain(area.chain_of(edge));
            let before = if edge == chain.start {
                area.coords[chain.end - 2]
            } else {
                area.coords[edge - 1]
            };
            inside |= in_corner(before, p, v, q);
        } else {
            inside |= side(u, v, q).is_gt();
        }
    });
    if !through {
        return area.locate(p);
    }
    match inside {
        true => Location::Interior,
        false => Location::Exterior,
    }
}

/// Whether `q` is seen from `p` strictly left of the path `before -> p -> after`.
fn in_corner(before: Coord<f64>, p: Coord<f64>, after: Coord<f64>, q: Coord<f64>) -> bool {
    let left_of_in = side(before, p, q).is_gt();
    let left_of_out = side(p, after, q).is_gt();
    match side(before, p, after) {
        std::cmp::Ordering::Greater => left_of_in && left_of_out,
        std::cmp::Ordering::Less => left_of_in || left_of_out,
        std::cmp::Ordering::Equal => left_of_out,
    }
}

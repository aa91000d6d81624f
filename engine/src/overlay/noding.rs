//! Cutting edges until they meet at their ends alone.

use std::cmp::Ordering;

use geo_types::Coord;

use super::Edge;
use super::crossing::crossing;
use super::pairs::for_each_pair;
use crate::predicate::orient::{Meet, compare, meet};

/// After so many rounds coordinates are rounded, a bit more in every further one.
const PATIENCE: usize = 12;
/// Bits that a coordinate keeps in the first round of rounding.
const BITS: i32 = 44;
/// Far more than a grid has ever needed.
const MOST_ROUNDS: usize = 200;

/// Cuts edges where they meet. Edges of the same place become one; those that bound nothing and
/// are part of no line are dropped.
pub(super) fn node(mut edges: Vec<Edge>) -> Vec<Edge> {
    merge(&mut edges);
    let mut cuts: Vec<(usize, Coord<f64>)> = vec![];
    for round in 0.. {
        cuts.clear();
        for_each_pair(&edges, |i, j| meeting(&edges, i, j, &mut cuts));
        edges.iter_mut().for_each(|edge| edge.fresh = false);
        if cuts.is_empty() {
            break;
        }
        cut(&mut edges, &mut cuts);
        // Rounding a crossing can move a piece across a vertex that is next to it. The piece is
        // cut again; where that does not end, coordinates come closer than doubles can separate.
        if round >= PATIENCE {
            let bits = BITS - (round - PATIENCE) as i32 * 2;
            round_to(&mut edges, bits);
        }
        merge(&mut edges);
    }
    edges
}

/// The same with all coordinates, those of crossings too, on a grid: `snap` finds the place on it.
/// `None` where that does not come to an end.
pub(super) fn node_on_grid(
    mut edges: Vec<Edge>,
    snap: impl Fn(Coord<f64>) -> Coord<f64>,
) -> Option<Vec<Edge>> {
    move_ends(&mut edges, &snap);
    merge(&mut edges);
    let mut cuts: Vec<(usize, Coord<f64>)> = vec![];
    for _ in 0..MOST_ROUNDS {
        cuts.clear();
        for_each_pair(&edges, |i, j| {
            let from = cuts.len();
            meeting(&edges, i, j, &mut cuts);
            // A crossing may come to lie at the end of an edge, which needs no cut then.
            let mut at = from;
            while at < cuts.len() {
                let (k, p) = cuts[at];
                cuts[at].1 = snap(p);
                match [edges[k].low, edges[k].high].contains(&cuts[at].1) {
                    true => _ = cuts.swap_remove(at),
                    false => at += 1,
                }
            }
        });
        edges.iter_mut().for_each(|edge| edge.fresh = false);
        if cuts.is_empty() {
            return Some(edges);
        }
        cut(&mut edges, &mut cuts);
        merge(&mut edges);
    }
    None
}

/// Where two edges are to be cut.
fn meeting(edges: &[Edge], i: usize, j: usize, cuts: &mut Vec<(usize, Coord<f64>)>) {
    let (e, f) = (&edges[i], &edges[j]);
    let mut add = |p: Coord<f64>| {
        for (k, edge) in [(i, e), (j, f)] {
            if p != edge.low && p != edge.high {
                cuts.push((k, p));
            }
        }
    };
    match meet(e.low, e.high, f.low, f.high) {
        Meet::None => {}
        Meet::At(p) => add(p),
        Meet::Along(p, q) => {
            add(p);
            add(q);
        }
        Meet::Proper => add(crossing(e.low, e.high, f.low, f.high)),
    }
}

/// Replaces edges by their pieces, which are fresh.
fn cut(edges: &mut Vec<Edge>, cuts: &mut [(usize, Coord<f64>)]) {
    cuts.sort_unstable_by(|(i, p), (j, q)| i.cmp(j).then_with(|| compare(*p, *q)));
    for run in cuts.chunk_by(|(i, _), (j, _)| i == j) {
        let whole = edges[run[0].0];
        let mut from = whole.low;
        let ends = run.iter().map(|(_, p)| *p).chain([whole.high]);
        let mut first = true;
        for to in ends {
            if to == from {
                continue;
            }
            // A crossing is rounded within the rectangle of its edge, and by x first: the order
            // of the pieces holds, but a piece may turn back in y at the same x.
            let (low, high, flipped) = match compare(from, to) {
                Ordering::Greater => (to, from, true),
                _ => (from, to, false),
            };
            let sign = if flipped { -1 } else { 1 };
            let piece = Edge {
                low,
                high,
                turns: whole.turns.map(|turns| turns * sign),
                backward: whole.backward != flipped,
                fresh: true,
                ..whole
            };
            from = to;
            match first {
                true => edges[run[0].0] = piece,
                false => edges.push(piece),
            }
            first = false;
        }
    }
}

/// Sorts edges, and makes one of those in the same place.
fn merge(edges: &mut Vec<Edge>) {
    edges.sort_unstable_by(|e, f| compare(e.low, f.low).then_with(|| compare(e.high, f.high)));
    edges.dedup_by(|e, kept| {
        let same = e.low == kept.low && e.high == kept.high;
        if same {
            for side in 0..2 {
                kept.turns[side] += e.turns[side];
                // The first line that runs here says in which direction.
                if e.line[side] && kept.line == [false; 2] {
                    kept.backward = e.backward;
                }
                kept.line[side] |= e.line[side];
            }
            // One that has been compared with all others speaks for both.
            kept.fresh &= e.fresh;
        }
        same
    });
    edges.retain(|edge| !edge.is_idle());
}

/// Rounds coordinates to so many bits of the greatest.
fn round_to(edges: &mut Vec<Edge>, bits: i32) {
    let greatest = edges
        .iter()
        .flat_map(|e| [e.low.x, e.low.y, e.high.x, e.high.y])
        .fold(0.0f64, |m, v| m.max(v.abs()));
    let grid = (2.0f64).powi(greatest.log2().ceil() as i32 - bits.max(4));
    if !grid.is_normal() {
        return;
    }
    move_ends(edges, &|c: Coord<f64>| Coord {
        x: (c.x / grid).round() * grid,
        y: (c.y / grid).round() * grid,
    });
}

/// Moves the ends of all edges; those without length then are dropped.
fn move_ends(edges: &mut Vec<Edge>, place: &impl Fn(Coord<f64>) -> Coord<f64>) {
    for edge in edges.iter_mut() {
        let (low, high) = (place(edge.low), place(edge.high));
        edge.fresh = true;
        (edge.low, edge.high) = (low, high);
        if compare(low, high).is_gt() {
            (edge.low, edge.high) = (high, low);
            edge.turns = edge.turns.map(|turns| -turns);
            edge.backward = !edge.backward;
        }
    }
    edges.retain(|edge| edge.low != edge.high);
}

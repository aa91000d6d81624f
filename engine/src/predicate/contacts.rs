//! Finds where the edges of two shapes meet.

use std::ops::ControlFlow;

use super::orient::{Meet, compare, meet};
use super::shape::Shape;
use super::stripes::Stripes;
use crate::geometry::Bounds;

/// Products of edge counts up to which comparing all pairs does not call for an index.
const BRUTE_FORCE: usize = 4096;

/// Visits every pair of edges that meet, as (edge of `a`, edge of `b`, how), each pair once,
/// until the visitor breaks.
pub(crate) fn for_each_meet(
    a: &Shape,
    b: &Shape,
    mut visit: impl FnMut(usize, usize, Meet) -> ControlFlow<()>,
) {
    let (ea, eb) = (a.edge_count(), b.edge_count());
    let (few, many, few_edges) = if ea <= eb { (a, b, ea) } else { (b, a, eb) };
    // An index that is there is used; whether one is made depends on what else has come.
    let small = ea.saturating_mul(eb) <= BRUTE_FORCE;
    let Some(stripes) = many.index_for(if small { 0 } else { few_edges }) else {
        return brute_force(a, b, &mut visit);
    };
    if ea <= eb {
        by_stripes(few, many, stripes, &mut visit);
    } else {
        by_stripes(few, many, stripes, &mut |eb, ea, how| match how {
            // The direction of a shared segment is that of the first.
            Meet::Along(p, q) => {
                let ((a1, a2), (b1, b2)) = (a.edge(ea), b.edge(eb));
                let same = compare(a1, a2) == compare(b1, b2);
                let (p, q) = if same { (p, q) } else { (q, p) };
                visit(ea, eb, Meet::Along(p, q))
            }
            _ => visit(ea, eb, how),
        });
    }
}

fn brute_force(
    a: &Shape,
    b: &Shape,
    visit: &mut impl FnMut(usize, usize, Meet) -> ControlFlow<()>,
) {
    for ea in a.edges() {
        let (a1, a2) = a.edge(ea);
        if !edge_bounds(a, ea).intersects(&b.bounds) {
            continue;
        }
        for eb in b.edges() {
            let (b1, b2) = b.edge(eb);
            let how = meet(a1, a2, b1, b2);
            if how != Meet::None && visit(ea, eb, how).is_break() {
                return;
            }
        }
    }
}

fn by_stripes(
    few: &Shape,
    many: &Shape,
    stripes: &Stripes,
    visit: &mut impl FnMut(usize, usize, Meet) -> ControlFlow<()>,
) {
    for ef in few.edges() {
        let bounds = edge_bounds(few, ef);
        if !bounds.intersects(&many.bounds) {
            continue;
        }
        let (f1, f2) = few.edge(ef);
        let first = stripes.index(bounds.min_y);
        for stripe in first..=stripes.index(bounds.max_y) {
            let visited = stripes.visit(stripe, |em| {
                let (m1, m2) = many.edge(em);
                let how = meet(f1, f2, m1, m2);
                // Edges that share several stripes are seen in the first of them.
                match how != Meet::None && stripe == first.max(stripes.index(m1.y.min(m2.y))) {
                    true => visit(ef, em, how),
                    false => ControlFlow::Continue(()),
                }
            });
            if visited.is_break() {
                return;
            }
        }
    }
}

fn edge_bounds(shape: &Shape, edge: usize) -> Bounds {
    let (a, b) = shape.edge(edge);
    Bounds::new(a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y))
}

//! Pairs of edges whose rectangles meet.

use super::Edge;

/// Below this many edges every pair is looked at.
const FEW: usize = 24;

/// Calls `visit` for every pair of edges whose rectangles meet and of which one is fresh.
///
/// The plane is cut into horizontal strips, and each is swept by x. A pair that shares several
/// strips is visited in the lowest one.
pub(super) fn for_each_pair(edges: &[Edge], mut visit: impl FnMut(usize, usize)) {
    let meet_in_y = |e: &Edge, f: &Edge| {
        e.low.y.min(e.high.y) <= f.low.y.max(f.high.y)
            && f.low.y.min(f.high.y) <= e.low.y.max(e.high.y)
    };
    if edges.len() < FEW {
        for (i, e) in edges.iter().enumerate() {
            for (j, f) in edges.iter().enumerate().skip(i + 1) {
                // Edges are sorted by their lower ends.
                if f.low.x > e.high.x {
                    break;
                }
                if (e.fresh || f.fresh) && meet_in_y(e, f) {
                    visit(i, j);
                }
            }
        }
        return;
    }
    let (mut bottom, mut top) = (f64::INFINITY, f64::NEG_INFINITY);
    for edge in edges {
        bottom = bottom.min(edge.low.y.min(edge.high.y));
        top = top.max(edge.low.y.max(edge.high.y));
    }
    let strips = ((edges.len() as f64).sqrt() as usize).clamp(1, 4096);
    let scale = strips as f64 / (top - bottom);
    let scale = if scale.is_finite() { scale } else { 0.0 };
    let strip = |y: f64| (((y - bottom) * scale) as usize).min(strips - 1);
    let span = |edge: &Edge| {
        (
            strip(edge.low.y.min(edge.high.y)),
            strip(edge.low.y.max(edge.high.y)),
        )
    };
    // Members of every strip one after another, in the order of the edges: by x.
    let mut starts = vec![0usize; strips + 1];
    for edge in edges {
        let (from, to) = span(edge);
        starts[from..=to].iter_mut().for_each(|n| *n += 1);
    }
    let mut sum = 0;
    for start in &mut starts {
        let n = *start;
        *start = sum;
        sum += n;
    }
    let mut members = vec![0u32; sum];
    let mut next = starts.clone();
    for (i, edge) in edges.iter().enumerate() {
        let (from, to) = span(edge);
        for slot in &mut next[from..=to] {
            members[*slot] = i as u32;
            *slot += 1;
        }
    }
    for s in 0..strips {
        let members = &members[starts[s]..starts[s + 1]];
        for (k, &i) in members.iter().enumerate() {
            let e = &edges[i as usize];
            let e_from = span(e).0;
            for &j in &members[k + 1..] {
                let f = &edges[j as usize];
                if f.low.x > e.high.x {
                    break;
                }
                if (e.fresh || f.fresh) && meet_in_y(e, f) && e_from.max(span(f).0) == s {
                    visit(i as usize, j as usize);
                }
            }
        }
    }
}

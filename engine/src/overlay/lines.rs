//! Lines from the edges that are kept.

use geo_types::{Coord, LineString};

use super::Arrangement;
use crate::predicate::orient::compare;

/// The lines of all edges in `kept`, each as long as can be without passing a node where other
/// edges meet it, or one of `ends`.
pub(crate) fn trace_lines(
    arrangement: &Arrangement,
    kept: &[bool],
    ends: &[Coord<f64>],
) -> Vec<LineString<f64>> {
    if !kept.contains(&true) {
        return vec![];
    }
    let mut stops: Vec<Coord<f64>> = ends.to_vec();
    stops.sort_unstable_by(|a, b| compare(*a, *b));
    let passes = |node: usize| {
        arrangement.leaving(node).len() == 2
            && stops
                .binary_search_by(|c| compare(*c, arrangement.nodes[node]))
                .is_err()
    };
    let direction = |edge: usize| 2 * edge as u32 + u32::from(arrangement.edges[edge].backward);
    // The half-edge that continues the line at the end of one, if there is just one.
    let next = |half: u32| {
        let to = arrangement.to(half);
        let other = |h: &&u32| **h != half ^ 1;
        passes(to)
            .then(|| arrangement.leaving(to).iter().find(other).copied())
            .flatten()
            .filter(|h| kept[*h as usize / 2])
    };
    let mut seen = vec![false; kept.len()];
    let mut lines = vec![];
    for edge in 0..kept.len() {
        if !kept[edge] || seen[edge] {
            continue;
        }
        // Back to where the line starts, or all the way around a ring.
        let mut first = direction(edge);
        while let Some(before) = next(first ^ 1).map(|h| h ^ 1) {
            first = before;
            if first == direction(edge) {
                break;
            }
        }
        let mut line = vec![arrangement.nodes[arrangement.from(first)]];
        let mut half = Some(first);
        while let Some(h) = half.filter(|h| !seen[*h as usize / 2]) {
            seen[h as usize / 2] = true;
            line.push(arrangement.nodes[arrangement.to(h)]);
            half = next(h);
        }
        lines.push(LineString(line));
    }
    lines
}

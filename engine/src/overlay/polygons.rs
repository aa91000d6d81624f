//! Polygons from the faces that are kept.

use geo_types::{Coord, LineString, Polygon};

use super::Arrangement;
use crate::predicate::orient::{compare, orient};

/// A hole that no shell of its own walk holds, and its lowest vertex.
struct Loose {
    ring: LineString<f64>,
    at: Coord<f64>,
}

/// The polygons of all faces whose windings `keep` wants: shells clockwise, holes
/// counterclockwise, as PostGIS returns them. Rings are simple; polygons are valid.
pub(crate) fn trace_polygons(
    arrangement: &Arrangement,
    keep: impl Fn([i32; 2]) -> bool,
) -> Vec<Polygon<f64>> {
    let count = arrangement.edges.len() as u32 * 2;
    let kept: Vec<bool> = (0..count).map(|h| keep(arrangement.left(h))).collect();
    let border = |h: u32| kept[h as usize] && !kept[h as usize ^ 1];

    let mut seen = vec![false; count as usize];
    let mut shells: Vec<Polygon<f64>> = vec![];
    let mut loose: Vec<Loose> = vec![];
    let mut place = vec![u32::MAX; arrangement.nodes.len()];
    let mut path: Vec<u32> = vec![];
    for start in 0..count {
        if seen[start as usize] || !border(start) {
            continue;
        }
        // One walk around a face, with the face on the left. Where it comes back to a node, the
        // loop is a ring of its own.
        let mut shell: Option<LineString<f64>> = None;
        let mut holes: Vec<Loose> = vec![];
        let mut half = start;
        loop {
            seen[half as usize] = true;
            place[arrangement.from(half)] = path.len() as u32;
            path.push(half);
            let to = arrangement.to(half);
            if place[to] != u32::MAX {
                let ring_start = place[to] as usize;
                for h in &path[ring_start..] {
                    place[arrangement.from(*h)] = u32::MAX;
                }
                let ring = &path[ring_start..];
                match close(arrangement, ring) {
                    (ring, _, true) if shell.is_none() => shell = Some(ring),
                    // Only rounding at the limit of doubles could make a second shell.
                    (ring, _, true) => shells.push(Polygon::new(ring, vec![])),
                    (ring, at, false) => holes.push(Loose { ring, at }),
                }
                path.truncate(ring_start);
            }
            let mut next = arrangement.next(half);
            while !border(next) {
                next = arrangement.clockwise(next);
            }
            half = next;
            if half == start {
                break;
            }
        }
        path.clear();
        match shell {
            Some(shell) => {
                shells.push(Polygon::new(
                    shell,
                    holes.into_iter().map(|h| h.ring).collect(),
                ));
            }
            None => loose.extend(holes),
        }
    }
    place_holes(&mut shells, loose);
    shells
}

/// The ring of a closed path of half-edges turned around, one of its vertices, and whether the
/// path was counterclockwise: a shell.
fn close(arrangement: &Arrangement, path: &[u32]) -> (LineString<f64>, Coord<f64>, bool) {
    let node = |i: usize| arrangement.nodes[arrangement.from(path[i % path.len()])];
    let n = path.len();
    let lowest = (0..n)
        .min_by_key(|i| arrangement.from(path[*i]))
        .unwrap_or_default();
    let shell = orient(node(lowest + n - 1), node(lowest), node(lowest + 1)) > 0.0;
    let ring = (0..=n).map(|i| node(lowest + n - i)).collect();
    (LineString(ring), node(lowest), shell)
}

/// Puts every hole into the smallest shell that holds it.
fn place_holes(shells: &mut [Polygon<f64>], holes: Vec<Loose>) {
    if holes.is_empty() {
        return;
    }
    if let [only] = shells {
        for hole in holes {
            only.interiors_push(hole.ring);
        }
        return;
    }
    struct Extent {
        low: Coord<f64>,
        high: Coord<f64>,
        shell: usize,
    }
    let mut extents: Vec<Extent> = shells
        .iter()
        .enumerate()
        .map(|(shell, polygon)| {
            let (mut low, mut high) = (polygon.exterior().0[0], polygon.exterior().0[0]);
            for c in &polygon.exterior().0 {
                low = Coord {
                    x: low.x.min(c.x),
                    y: low.y.min(c.y),
                };
                high = Coord {
                    x: high.x.max(c.x),
                    y: high.y.max(c.y),
                };
            }
            Extent { low, high, shell }
        })
        .collect();
    // Smaller rectangles first: of nested shells the innermost is found first.
    extents.sort_by(|a, b| {
        let size = |e: &Extent| (e.high.x - e.low.x) * (e.high.y - e.low.y);
        size(a).total_cmp(&size(b))
    });
    for hole in holes {
        let p = hole.at;
        let found = extents.iter().find(|e| {
            e.low.x <= p.x
                && p.x <= e.high.x
                && e.low.y <= p.y
                && p.y <= e.high.y
                && holds(&shells[e.shell].exterior().0, p)
        });
        if let Some(extent) = found {
            shells[extent.shell].interiors_push(hole.ring);
        }
    }
}

/// Whether a ring holds a point that does not lie on it.
pub(crate) fn holds(ring: &[Coord<f64>], p: Coord<f64>) -> bool {
    let mut inside = false;
    for w in ring.windows(2) {
        let (a, b) = match compare(w[0], w[1]).is_le() {
            true => (w[0], w[1]),
            false => (w[1], w[0]),
        };
        if a.x <= p.x && p.x < b.x && orient(a, b, p) > 0.0 {
            inside = !inside;
        }
    }
    inside
}

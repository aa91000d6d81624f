//! Polygons from the faces that are kept.

use geo_types::{Coord, LineString, Polygon};

use super::Arrangement;
use crate::geometry::Bounds;
use crate::predicate::orient::{compare, orient};

/// A ring with a place: a hole that no shell of its own walk holds.
struct Loose {
    ring: LineString<f64>,
    /// Its lowest vertex.
    at: Coord<f64>,
    /// A half-edge of its walk.
    half: u32,
}

/// Polygons from walks around their borders.
#[derive(Default)]
struct Walks {
    shells: Vec<Polygon<f64>>,
    /// A half-edge of the walk around each.
    halves: Vec<u32>,
    holes: Vec<Loose>,
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
    let mut walks = walk(arrangement, border);
    match walks.shells.as_mut_slice() {
        [only] => walks
            .holes
            .into_iter()
            .for_each(|hole| only.interiors_push(hole.ring)),
        shells => place_holes(shells, walks.holes, |_, _| true),
    }
    walks.shells
}

/// The faces themselves that the edges in `live` bound, each a polygon, with a half-edge that has it
/// on its left. No live edge may have the same face on both sides.
pub(super) fn trace_faces(arrangement: &Arrangement, live: &[bool]) -> Vec<(Polygon<f64>, u32)> {
    let mut walks = walk(arrangement, |h| live[h as usize / 2]);
    let component = components(arrangement, live);
    // Within a component the walks know which hole is whose; the outer border of a component is a
    // hole of what lies around it.
    let of = |half: u32| component[arrangement.from(half)];
    let halves = &walks.halves;
    place_holes(&mut walks.shells, walks.holes, |shell, hole| {
        of(halves[shell]) != of(hole)
    });
    walks.shells.into_iter().zip(walks.halves).collect()
}

/// A number for each node, the same for nodes that live edges connect.
fn components(arrangement: &Arrangement, live: &[bool]) -> Vec<usize> {
    let mut component = vec![usize::MAX; arrangement.nodes.len()];
    let mut stack = vec![];
    for start in 0..component.len() {
        if component[start] != usize::MAX {
            continue;
        }
        component[start] = start;
        stack.push(start);
        while let Some(node) = stack.pop() {
            for half in arrangement.leaving(node) {
                let to = arrangement.to(*half);
                if live[*half as usize / 2] && component[to] == usize::MAX {
                    component[to] = start;
                    stack.push(to);
                }
            }
        }
    }
    component
}

/// Walks around what half-edges that are a `border` have on their left. Where a walk comes back to a node,
/// the loop is a ring of its own.
fn walk(arrangement: &Arrangement, border: impl Fn(u32) -> bool) -> Walks {
    let count = arrangement.edges.len() as u32 * 2;
    let mut seen = vec![false; count as usize];
    let mut walks = Walks::default();
    let mut place = vec![u32::MAX; arrangement.nodes.len()];
    let mut path: Vec<u32> = vec![];
    for start in 0..count {
        if seen[start as usize] || !border(start) {
            continue;
        }
        let mut shell: Option<Loose> = None;
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
                    (ring, true) if shell.is_none() => shell = Some(ring),
                    // Only rounding at the limit of doubles could make a second shell.
                    (ring, true) => {
                        walks.halves.push(ring.half);
                        walks.shells.push(Polygon::new(ring.ring, vec![]));
                    }
                    (ring, false) => holes.push(ring),
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
                walks.halves.push(shell.half);
                walks.shells.push(Polygon::new(
                    shell.ring,
                    holes.into_iter().map(|h| h.ring).collect(),
                ));
            }
            None => walks.holes.extend(holes),
        }
    }
    walks
}

/// The ring of a closed path of half-edges turned around, and whether the path was
/// counterclockwise: a shell.
fn close(arrangement: &Arrangement, path: &[u32]) -> (Loose, bool) {
    let node = |i: usize| arrangement.nodes[arrangement.from(path[i % path.len()])];
    let n = path.len();
    let lowest = (0..n)
        .min_by_key(|i| arrangement.from(path[*i]))
        .unwrap_or_default();
    let shell = orient(node(lowest + n - 1), node(lowest), node(lowest + 1)) > 0.0;
    let ring = LineString((0..=n).map(|i| node(lowest + n - i)).collect());
    let loose = Loose {
        ring,
        at: node(lowest),
        half: path[lowest],
    };
    (loose, shell)
}

/// Puts every hole into the smallest shell that holds it and `may`: asked with the shell's number
/// and a half-edge of the hole.
fn place_holes(shells: &mut [Polygon<f64>], holes: Vec<Loose>, may: impl Fn(usize, u32) -> bool) {
    if holes.is_empty() {
        return;
    }
    struct Extent {
        bounds: Bounds,
        shell: usize,
    }
    let mut extents: Vec<Extent> = shells
        .iter()
        .enumerate()
        .map(|(shell, polygon)| Extent {
            bounds: Bounds::around(&polygon.exterior().0),
            shell,
        })
        .collect();
    // Smaller rectangles first: of nested shells the innermost is found first.
    extents.sort_by(|a, b| {
        let size =
            |e: &Extent| (e.bounds.max_x - e.bounds.min_x) * (e.bounds.max_y - e.bounds.min_y);
        size(a).total_cmp(&size(b))
    });
    for hole in holes {
        let p = hole.at;
        let found = extents.iter().find(|e| {
            e.bounds.contains(&Bounds::point(p.x, p.y))
                && may(e.shell, hole.half)
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

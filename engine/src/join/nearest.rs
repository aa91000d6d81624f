//! The nearest rows of the build side, for tiles of neighbouring probe rows at once.
//!
//! ```text
//!   probe rows in Hilbert order:  [ tile ][ tile ][ tile ] ...
//!                                     |
//!                        one descent of the R-tree, best first, under a bound:
//!                        k rectangles are wholly within it of all points of the tile
//!                                     |
//!                        candidates, by their distance from the tile
//!                                     |
//!              each row of the tile: scans them until they are too far; exact distances
//!              of the few that are near enough
//! ```
//!
//! Branch and bound after Roussopoulos, Kelley and Vincent, "Nearest Neighbor Queries" (1995),
//! with a rectangle in place of the query point.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use geo_types::Coord;

use super::rtree::PackedRTree;
use crate::Result;
use crate::geometry::Bounds;
use crate::predicate::{Ring, Rings, length};

/// Rows of a tile. Between 16 and 128 it hardly matters.
pub(super) const TILE: usize = 64;

/// Squares are computed in doubles and compared with distances that are, too: this much of them is
/// given away for rounding.
pub(super) const SLACK: f64 = 1.0 - 1e-12;

/// Squares below this have lost digits: they decide nothing.
const LEAST_SQUARE: f64 = 1e-280;

/// Finds nearest rows; its buffers are reused from tile to tile. All it compares are squares of
/// distances, which need no root.
#[derive(Debug, Default)]
pub(super) struct NearestSearch {
    queue: BinaryHeap<Reverse<Ranked<(u32, u32)>>>,
    bound: Bound,
    candidates: Vec<Candidate>,
    /// Rings of candidates.
    rings: Rings,
    copies: Copies,
    /// Candidates that one row has to look at.
    near: Vec<(f64, u32)>,
    reaches: Vec<f64>,
    best: Vec<(f64, u32)>,
}

/// Which rows have their ring among the copies, as tiles that follow each other have most candidates in common: the
/// last row of those that share a place.
#[derive(Debug, Default)]
struct Copies {
    places: Vec<Option<(u32, Ring)>>,
    made: usize,
}

impl Copies {
    /// A power of two.
    const PLACES: usize = 4096;

    /// The copy of a row's ring; empty if it has none.
    fn of<'a>(
        &mut self,
        row: u32,
        rings: &mut Rings,
        ring: impl Fn(u32) -> Option<&'a [Coord<f64>]>,
    ) -> Ring {
        let at = row as usize % Self::PLACES;
        if let Some(Some((of, copy))) = self.places.get(at)
            && *of == row
        {
            return *copy;
        }
        let Some(ring) = ring(row) else {
            return Ring::default();
        };
        let copy = rings.push(ring);
        self.places.resize(Self::PLACES, None);
        self.places[at] = Some((row, copy));
        self.made += 1;
        copy
    }

    /// Forgets all once there are so many that most have lost their place.
    fn tidy(&mut self, rings: &mut Rings) {
        if self.made > 2 * Self::PLACES {
            self.places.clear();
            self.made = 0;
            rings.clear();
        }
    }
}

/// What a distance is measured from.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub row: u32,
    bounds: &'a Bounds,
    ring: &'a Ring,
    rings: &'a Rings,
}

impl Place<'_> {
    /// The distance of a point, if the row is a polygon whose ring has been copied.
    #[inline]
    pub(super) fn distance(&self, p: Coord<f64>) -> Option<f64> {
        let Self {
            bounds,
            ring,
            rings,
            ..
        } = self;
        (!ring.is_empty()).then(|| rings.distance(ring, bounds, p))
    }
}

/// A row that can be among the nearest of a tile.
#[derive(Debug)]
struct Candidate {
    /// The square of its least distance from the tile.
    from_tile: f64,
    row: u32,
    bounds: Bounds,
    /// Empty unless it is a polygon of few edges.
    ring: Ring,
}

/// So many neighbours are bounded by rectangles before they are measured. For more, keeping the bounds in order costs
/// more than it saves.
const BOUNDED: usize = 32;

/// The `k` smallest of the greatest squares seen, the largest of them on top.
#[derive(Debug, Default)]
struct Bound(BinaryHeap<Ranked<()>>);

impl Bound {
    fn lower(&mut self, square: f64, k: usize) {
        if self.0.len() < k {
            self.0.push(Ranked(square, ()));
        } else if let Some(mut worst) = self.0.peek_mut()
            && square < worst.0
        {
            *worst = Ranked(square, ());
        }
    }

    /// Whether `k` rows are known to be nearer than `near` to all points of the tile.
    fn is_below(&self, near: f64, k: usize) -> bool {
        self.0.len() >= k
            && self
                .0
                .peek()
                .is_some_and(|worst| near * SLACK > worst.0.max(LEAST_SQUARE))
    }
}

/// Something with a distance to be ordered by.
#[derive(Debug, Clone, Copy)]
struct Ranked<T>(f64, T);

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for Ranked<T> {}
impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl NearestSearch {
    /// Gathers all rows that can be among the `k` nearest of any point of `tile`. `ring` gives the vertices of rows
    /// that are polygons of one ring of few edges.
    pub(super) fn gather<'a>(
        &mut self,
        tree: &PackedRTree,
        tile: &Bounds,
        k: usize,
        ring: impl Fn(u32) -> Option<&'a [Coord<f64>]>,
    ) {
        let Self {
            queue,
            bound,
            candidates,
            rings,
            copies,
            ..
        } = self;
        queue.clear();
        bound.0.clear();
        candidates.clear();
        if k == 0 {
            return;
        }
        queue.extend(tree.root().map(|root| Reverse(Ranked(0.0, root))));
        while let Some(Reverse(Ranked(near, node))) = queue.pop() {
            if bound.is_below(near, k) {
                break;
            }
            tree.for_each_child(node, |child, item, bounds| {
                let near = least_square(tile, &bounds);
                if bound.is_below(near, k) {
                    return;
                }
                match item {
                    None => queue.push(Reverse(Ranked(near, child))),
                    Some(row) => {
                        candidates.push(Candidate {
                            from_tile: near,
                            row,
                            bounds,
                            ring: Ring::default(),
                        });
                        bound.lower(greatest_square(tile, &bounds), k);
                    }
                }
            });
        }
        candidates
            .sort_unstable_by(|a, b| (a.from_tile.total_cmp(&b.from_tile)).then(a.row.cmp(&b.row)));
        let reach = candidates.partition_point(|found| !bound.is_below(found.from_tile, k));
        candidates.truncate(reach);
        copies.tidy(rings);
        for candidate in candidates {
            candidate.ring = copies.of(candidate.row, rings, &ring);
        }
    }

    /// The `k` nearest of the gathered rows to one row of the tile, whose rectangle is `bounds`:
    /// `(distance, row)`, nearest first, ties in the order of rows. `exact` measures a distance; it may return infinity for
    /// one that is greater than the limit it is given. `k` rows are known not to be farther than `limit`, which is
    /// infinity if nothing is known.
    pub(super) fn nearest(
        &mut self,
        bounds: &Bounds,
        k: usize,
        limit: f64,
        mut exact: impl FnMut(Place<'_>, f64) -> Result<f64>,
    ) -> Result<&[(f64, u32)]> {
        let Self {
            candidates,
            rings,
            near,
            reaches,
            best,
            ..
        } = self;
        // Rectangles first: which candidates can be among the nearest, and how far the nearest can be.
        let square = |distance: f64| (distance * distance / SLACK).max(LEAST_SQUARE);
        let mut too_far = square(limit);
        near.clear();
        reaches.clear();
        for (i, candidate) in (0u32..).zip(&*candidates) {
            if candidate.from_tile > too_far {
                break;
            }
            let least = least_square(bounds, &candidate.bounds);
            if least > too_far {
                continue;
            }
            near.push((least, i));
            if k <= BOUNDED {
                let greatest = greatest_square(bounds, &candidate.bounds);
                keep_first(reaches, k, greatest, |a, b| a < b);
                if let Some(reach) = reaches.get(k - 1) {
                    too_far = too_far.min((reach / SLACK).max(LEAST_SQUARE));
                }
            }
        }
        best.clear();
        let mut worst = limit;
        for &(least, i) in &*near {
            if least > too_far {
                continue;
            }
            let candidate = &candidates[i as usize];
            let place = Place {
                row: candidate.row,
                bounds: &candidate.bounds,
                ring: &candidate.ring,
                rings,
            };
            let found = (exact(place, worst)?, candidate.row);
            keep_first(best, k, found, |a, b| {
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).is_lt()
            });
            if best.len() == k && best[k - 1].0 < worst {
                worst = best[k - 1].0;
                too_far = too_far.min(square(worst));
            }
        }
        Ok(best)
    }
}

/// Puts `new` into a list of the `k` first values, in their order.
#[inline]
fn keep_first<T: Copy>(first: &mut Vec<T>, k: usize, new: T, is_before: impl Fn(&T, &T) -> bool) {
    let mut at = first.len();
    if at < k {
        first.push(new);
    } else {
        // The last is on its way out.
        match first.last() {
            Some(last) if is_before(&new, last) => at -= 1,
            _ => return,
        }
    }
    while at > 0 && is_before(&new, &first[at - 1]) {
        first[at] = first[at - 1];
        at -= 1;
    }
    first[at] = new;
}

/// How far the `k` nearest rows of something in `to` can be, if those of its neighbour in `from` are within `kth`.
pub(super) fn limit_beside(from: &Bounds, kth: f64, to: &Bounds) -> f64 {
    let dx = (from.max_x - to.min_x).max(to.max_x - from.min_x);
    let dy = (from.max_y - to.min_y).max(to.max_y - from.min_y);
    let limit = (kth + length(dx, dy)) / SLACK;
    // So small a number has lost digits.
    if limit < LEAST_SQUARE.sqrt() {
        f64::INFINITY
    } else {
        limit
    }
}

/// The square of the least distance between points of two rectangles.
#[inline]
fn least_square(a: &Bounds, b: &Bounds) -> f64 {
    let (dx, dy) = a.gap(b);
    dx * dx + dy * dy
}

/// The square of the greatest distance between points of two rectangles.
#[inline]
fn greatest_square(a: &Bounds, b: &Bounds) -> f64 {
    let dx = (a.max_x - b.min_x).max(b.max_x - a.min_x);
    let dy = (a.max_y - b.min_y).max(b.max_y - a.min_y);
    dx * dx + dy * dy
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_a_full_sort(
            points in prop::collection::vec((-9i32..9, -9i32..9), 0..200),
            queries in prop::collection::vec((-9.0..9.0f64, -9.0..9.0f64), 1..20),
            k in 0usize..8,
        ) {
            let bounds = |&(x, y): &(i32, i32)| Bounds::point(f64::from(x) / 3.0, f64::from(y) / 3.0);
            let entries: Vec<_> = (0u32..).zip(points.iter().map(bounds)).collect();
            let tree = PackedRTree::build(&entries);
            let tile = queries.iter().fold(Bounds::EMPTY, |all, &(x, y)| all.union(&Bounds::point(x, y)));
            let mut search = NearestSearch::default();
            search.gather(&tree, &tile, k, |_| None);
            for &(x, y) in &queries {
                let query = Bounds::point(x, y);
                let distance = |row: u32| least_square(&query, &entries[row as usize].1).sqrt();
                let mut all: Vec<_> = entries.iter().map(|(row, _)| (distance(*row), *row)).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                all.truncate(k);
                let farthest = all.last().filter(|_| all.len() == k).map_or(f64::INFINITY, |far| far.0);
                for limit in [f64::INFINITY, farthest, farthest * 1.5] {
                    let found = search.nearest(&query, k, limit, |place, limit| {
                        let distance = distance(place.row);
                        Ok(if distance > limit { f64::INFINITY } else { distance })
                    });
                    prop_assert_eq!(found.unwrap(), &all[..]);
                }
            }
        }
    }
}

//! A packed R-tree over rectangles, in Hilbert order.
//!
//! ```text
//!  level 2              [ root ]                 boxes: min_x | min_y | max_x | max_y
//!  level 1      [ n0 ]  [ n1 ]  [ n2 ]           one array per ordinate, all levels in a row,
//!  level 0   [i0 .. i15][i16 .. i31][i32 ..]     leaves first, sixteen children a node
//! ```
//!
//! Sides are kept as `f32`, rounded outward, so a query may yield a rectangle that only nearly
//! overlaps but never misses one that does. After flatbush (V. Agafonkin) and
//! "On Packing R-trees" (Kamel and Faloutsos, 1993).

use crate::geometry::{Bounds, round_down, round_up};

const NODE_SIZE: usize = 16;
/// Cells a side of the grid on which the Hilbert order is taken.
const GRID: f64 = 65_535.0;

/// A static spatial index. Items are numbered by the caller.
#[derive(Debug)]
pub(super) struct PackedRTree {
    min_x: Vec<f32>,
    min_y: Vec<f32>,
    max_x: Vec<f32>,
    max_y: Vec<f32>,
    /// The caller's number of each leaf entry.
    items: Vec<u32>,
    /// Where each level starts in the arrays; the last entry is their length.
    levels: Vec<usize>,
    bounds: Bounds,
}

impl PackedRTree {
    /// Indexes `(item, rectangle)` pairs. Empty rectangles must not be among them.
    pub(super) fn build(entries: &[(u32, Bounds)]) -> Self {
        let bounds = entries
            .iter()
            .fold(Bounds::EMPTY, |all, (_, b)| all.union(b));
        let curve = HilbertOrder::new(&bounds);
        let mut order: Vec<u64> = entries
            .iter()
            .enumerate()
            .map(|(i, (_, b))| {
                let centre = b.centre();
                let key = curve.key(centre.x, centre.y);
                u64::from(key) << 32 | i as u64
            })
            .collect();
        order.sort_unstable();

        let mut total = entries.len();
        let mut levels = vec![0];
        let mut width = entries.len();
        while width > 1 {
            levels.push(total);
            width = width.div_ceil(NODE_SIZE);
            total += width;
        }
        levels.push(total);

        let mut tree = Self {
            min_x: Vec::with_capacity(total),
            min_y: Vec::with_capacity(total),
            max_x: Vec::with_capacity(total),
            max_y: Vec::with_capacity(total),
            items: Vec::with_capacity(entries.len()),
            levels,
            bounds,
        };
        for slot in order {
            let (item, b) = &entries[(slot & 0xffff_ffff) as usize];
            tree.items.push(*item);
            tree.push([
                round_down(b.min_x),
                round_down(b.min_y),
                round_up(b.max_x),
                round_up(b.max_y),
            ]);
        }
        for level in 1..tree.levels.len() - 1 {
            let (start, end) = (tree.levels[level - 1], tree.levels[level]);
            for first in (start..end).step_by(NODE_SIZE) {
                let node = tree.enclosing(first, (first + NODE_SIZE).min(end));
                tree.push(node);
            }
        }
        tree
    }

    fn push(&mut self, [min_x, min_y, max_x, max_y]: [f32; 4]) {
        self.min_x.push(min_x);
        self.min_y.push(min_y);
        self.max_x.push(max_x);
        self.max_y.push(max_y);
    }

    fn enclosing(&self, from: usize, to: usize) -> [f32; 4] {
        let least = |side: &[f32]| side[from..to].iter().copied().fold(f32::INFINITY, f32::min);
        let greatest = |side: &[f32]| {
            side[from..to]
                .iter()
                .copied()
                .fold(f32::NEG_INFINITY, f32::max)
        };
        [
            least(&self.min_x),
            least(&self.min_y),
            greatest(&self.max_x),
            greatest(&self.max_y),
        ]
    }

    /// Whether nothing is indexed.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The rectangle of everything.
    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The root, as `(level, node)`.
    pub(super) fn root(&self) -> Option<(u32, u32)> {
        (!self.is_empty()).then(|| (self.levels.len() as u32 - 2, 0))
    }

    /// Visits the children of a node with their rectangles, rounded outward: `visit(node, None, ..)`
    /// for a node, `visit(_, Some(item), ..)` for an item.
    pub(super) fn for_each_child(
        &self,
        (level, node): (u32, u32),
        mut visit: impl FnMut((u32, u32), Option<u32>, Bounds),
    ) {
        let (start, end) = (self.levels[level as usize], self.levels[level as usize + 1]);
        let first = start + node as usize * NODE_SIZE;
        for i in first..(first + NODE_SIZE).min(end) {
            if level == 0 {
                visit((0, 0), Some(self.items[i]), self.kept(i));
            } else {
                visit((level - 1, (i - start) as u32), None, self.kept(i));
            }
        }
    }

    fn kept(&self, i: usize) -> Bounds {
        Bounds::new(
            self.min_x[i].into(),
            self.min_y[i].into(),
            self.max_x[i].into(),
            self.max_y[i].into(),
        )
    }

    /// The items with their rectangles as they are kept: rounded outward.
    pub(super) fn entries(&self) -> Vec<(u32, Bounds)> {
        let items = self.items.iter().enumerate();
        items.map(|(i, item)| (*item, self.kept(i))).collect()
    }

    /// Rectangles that together hold everything, at most this many: neighbours along the curve are
    /// merged, bottom up.
    pub(super) fn rectangles(&self, at_most: usize) -> Vec<Bounds> {
        let at_most = at_most.max(1);
        // The deepest level that is not much larger, so that few rectangles are looked at but
        // as many as possible are given.
        let level = self
            .levels
            .windows(2)
            .find(|level| level[1] - level[0] <= at_most.saturating_mul(NODE_SIZE));
        let Some(&[start, end]) = level else {
            return vec![];
        };
        let merged = (end - start).div_ceil(at_most).max(1);
        (start..end)
            .step_by(merged)
            .map(|first| {
                (first..(first + merged).min(end))
                    .fold(Bounds::EMPTY, |all, i| all.union(&self.kept(i)))
            })
            .collect()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.min_x.capacity() * 16 + self.items.capacity() * 4
    }

    /// Bytes that an index of `items` will hold, for reservation ahead.
    pub(super) fn estimate_size(items: usize) -> usize {
        items * 22
    }

    /// Visits the items whose rectangle overlaps `query`, in no particular order. `stack` is
    /// scratch space of the caller.
    pub(super) fn query(
        &self,
        query: &Bounds,
        stack: &mut Vec<(u32, u32)>,
        mut visit: impl FnMut(u32),
    ) {
        if self.items.is_empty() || query.is_empty() {
            return;
        }
        let (min_x, min_y) = (round_down(query.min_x), round_down(query.min_y));
        let (max_x, max_y) = (round_up(query.max_x), round_up(query.max_y));
        stack.clear();
        // (level, first entry of the node) pairs; the root is one node of one entry.
        stack.push((self.levels.len() as u32 - 2, 0));
        while let Some((level, node)) = stack.pop() {
            let start = self.levels[level as usize];
            let end = self.levels[level as usize + 1];
            let first = start + node as usize * NODE_SIZE;
            for i in first..(first + NODE_SIZE).min(end) {
                let overlaps = self.min_x[i] <= max_x
                    && self.max_x[i] >= min_x
                    && self.min_y[i] <= max_y
                    && self.max_y[i] >= min_y;
                if !overlaps {
                    continue;
                }
                if level == 0 {
                    visit(self.items[i]);
                } else {
                    stack.push((level - 1, (i - start) as u32));
                }
            }
        }
    }
}

/// Positions along a Hilbert curve over a rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct HilbertOrder {
    min_x: f64,
    min_y: f64,
    scale_x: f64,
    scale_y: f64,
}

impl HilbertOrder {
    /// A curve that fills `bounds`.
    pub(super) fn new(bounds: &Bounds) -> Self {
        let scale = |min: f64, max: f64| {
            // Halved, as the extent of two finite numbers may be infinite.
            let half = max / 2.0 - min / 2.0;
            if half > 0.0 { GRID / half / 2.0 } else { 0.0 }
        };
        Self {
            min_x: bounds.min_x,
            min_y: bounds.min_y,
            scale_x: scale(bounds.min_x, bounds.max_x),
            scale_y: scale(bounds.min_y, bounds.max_y),
        }
    }

    /// The position of a point; points outside are moved to the border.
    #[inline]
    pub(super) fn key(&self, x: f64, y: f64) -> u32 {
        // `as` saturates and maps NaN to zero, which is what is wanted here.
        let cell = |v: f64, min: f64, scale: f64| ((v - min) * scale).clamp(0.0, GRID) as u32;
        hilbert(
            cell(x, self.min_x, self.scale_x),
            cell(y, self.min_y, self.scale_y),
        )
    }
}

/// Distance along the Hilbert curve of order 16: quadrant by quadrant, each turned so that the
/// curve enters where the last one left.
#[inline]
fn hilbert(mut x: u32, mut y: u32) -> u32 {
    let mut distance = 0;
    for bit in (0..16).rev() {
        let right = x >> bit & 1;
        let upper = y >> bit & 1;
        distance = distance << 2 | ((3 * right) ^ upper);
        if upper == 0 {
            if right == 1 {
                (x, y) = (!x, !y);
            }
            (x, y) = (y, x);
        }
    }
    distance
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rectangles_hold_everything_and_are_few() {
        for items in [0usize, 1, 2, 16, 17, 64, 65, 1000, 1024, 1025, 5000] {
            let entries: Vec<(u32, Bounds)> = (0..items as u32)
                .map(|i| {
                    let (x, y) = (f64::from(i * 7919 % 997), f64::from(i * 104_729 % 991));
                    (i, Bounds::new(x, y, x + 0.3, y + 0.1))
                })
                .collect();
            let tree = PackedRTree::build(&entries);
            for at_most in [1, 5, 64] {
                let rectangles = tree.rectangles(at_most);
                assert!(rectangles.len() <= at_most, "{items}: {}", rectangles.len());
                assert_eq!(rectangles.is_empty(), items == 0);
                assert!(
                    rectangles.len() * 3 >= items.min(at_most),
                    "{items} {at_most}"
                );
                for (_, bounds) in &entries {
                    assert!(rectangles.iter().any(|r| r.contains(bounds)), "{items}");
                }
            }
        }
    }

    #[test]
    fn the_curve_visits_each_cell_of_a_corner_once_in_steps_of_one() {
        // The first 4^5 positions fill a 32 x 32 corner; neighbours on the curve are neighbours.
        let mut cells = vec![];
        for x in 0..32 {
            for y in 0..32 {
                cells.push((hilbert(x, y), x as i64, y as i64));
            }
        }
        cells.sort_unstable();
        for (i, pair) in cells.windows(2).enumerate() {
            assert_eq!(pair[0].0 as usize, i);
            let step = (pair[0].1 - pair[1].1).abs() + (pair[0].2 - pair[1].2).abs();
            assert_eq!(step, 1, "{pair:?}");
        }
    }

    #[test]
    fn an_empty_tree_answers() {
        let tree = PackedRTree::build(&[]);
        let everything = Bounds::new(f64::MIN, f64::MIN, f64::MAX, f64::MAX);
        tree.query(&everything, &mut vec![], |_| unreachable!());
        assert!(tree.is_empty());
    }

    fn rectangle() -> impl Strategy<Value = Bounds> {
        let side = prop_oneof![
            8 => -20.0..20.0,
            1 => Just(f64::MAX),
            1 => Just(f64::MIN),
            1 => Just(1e-320),
            2 => (-3i32..3).prop_map(f64::from),
        ];
        (side.clone(), side.clone(), side.clone(), side).prop_map(
            |(a, b, c, d): (f64, f64, f64, f64)| {
                Bounds::new(a.min(c), b.min(d), a.max(c), b.max(d))
            },
        )
    }

    proptest! {
        #[test]
        fn no_overlap_is_missed_and_none_invented_beyond_rounding(
            boxes in prop::collection::vec(rectangle(), 0..600),
            query in rectangle(),
        ) {
            let entries: Vec<_> = (0u32..).zip(boxes.iter().copied()).collect();
            let tree = PackedRTree::build(&entries);
            let mut found = vec![];
            tree.query(&query, &mut vec![], |item| found.push(item));
            found.sort_unstable();
            let mut distinct = found.clone();
            distinct.dedup();
            prop_assert_eq!(&distinct, &found, "each item once");
            for (item, b) in &entries {
                if b.intersects(&query) {
                    prop_assert!(found.binary_search(item).is_ok());
                }
            }
            let wider = |b: &Bounds| Bounds::new(
                f64::from(round_down(b.min_x)), f64::from(round_down(b.min_y)),
                f64::from(round_up(b.max_x)), f64::from(round_up(b.max_y)),
            );
            for item in found {
                prop_assert!(wider(&boxes[item as usize]).intersects(&wider(&query)));
            }
        }
    }
}

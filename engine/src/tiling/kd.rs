//! Cells of a KD cut: each holds about as much as the others, however unevenly rows lie.
//!
//! ```text
//!   +-----------+-----+        x < 4
//!   |           |  2  |       /     \
//!   |     0     +-----+   cell 0    y < 3
//!   |           |  1  |            /     \
//!   +-----------+-----+        cell 1   cell 2
//!               4
//! ```
//!
//! A cut is made from a sample of the rows' bounds and then places any row by its bounds alone:
//! every row in exactly one cell, decided by its centre (and, where that is asked for, by its
//! width and height). After J. L. Bentley, "Multidimensional Binary Search Trees" (1975); size
//! as a dimension as in the Priority R-tree (Arge et al., 2004).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::geometry::Bounds;

/// One row of the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KdSample {
    /// Where the row lies; not empty.
    pub bounds: Bounds,
    /// How much it weighs: one a row, or its bytes. Neither negative nor NaN.
    pub weight: f64,
}

/// How finely to cut, and by what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KdOptions {
    /// The most cells there may be.
    pub most_cells: usize,
    /// A cell that weighs no more (in the sample) is left whole; zero cuts down to `most_cells`.
    pub enough: f64,
    /// Whether small rows may be cut from large ones, so that a few large ones do not stretch the
    /// extents of many cells. The cells then overlap in space.
    pub by_size: bool,
}

/// A cut of the plane into cells. They are numbered so that neighbours tend to have near numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct KdCells {
    nodes: Vec<Node>,
    cells: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Cell(usize),
    /// Rows below `at` belong to the node `below`, all others to the one after it.
    Split {
        axis: Axis,
        at: f64,
        below: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    X,
    Y,
    Width,
    Height,
}

impl Axis {
    /// Where a row stands on this axis. Halved before the sum, so that nothing overflows.
    #[inline]
    fn of(self, b: &Bounds) -> f64 {
        match self {
            Axis::X => b.centre().x,
            Axis::Y => b.centre().y,
            Axis::Width => b.max_x / 2.0 - b.min_x / 2.0,
            Axis::Height => b.max_y / 2.0 - b.min_y / 2.0,
        }
    }
}

/// A node that may still be split: a range of the sample.
struct Open {
    weight: f64,
    node: usize,
    from: usize,
    to: usize,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Open {}
impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heaviest first; of equal ones the first made, so that cuts repeat.
        (self.weight.total_cmp(&other.weight)).then(other.node.cmp(&self.node))
    }
}

impl KdCells {
    /// Cuts where the sample says, always the heaviest cell next, until all are light enough, there
    /// are as many as there may be, or the rest cannot be told apart. The sample is reordered.
    /// There is always at least one cell.
    pub fn cut(samples: &mut [KdSample], options: &KdOptions) -> Self {
        let mut nodes = vec![Node::Cell(0)];
        let mut open = BinaryHeap::new();
        let weigh = |samples: &[KdSample]| samples.iter().map(|s| s.weight).sum::<f64>();
        open.push(Open {
            weight: weigh(samples),
            node: 0,
            from: 0,
            to: samples.len(),
        });
        let mut cells = 1;
        while cells < options.most_cells {
            let Some(heaviest) = open.pop() else { break };
            if heaviest.weight <= options.enough {
                break;
            }
            let part = &mut samples[heaviest.from..heaviest.to];
            let Some((axis, at)) = choose(part, options.by_size) else {
                continue;
            };
            part.sort_unstable_by(|a, b| axis.of(&a.bounds).total_cmp(&axis.of(&b.bounds)));
            let middle = heaviest.from + part.partition_point(|s| axis.of(&s.bounds) < at);
            let below = nodes.len();
            nodes[heaviest.node] = Node::Split { axis, at, below };
            for (node, from, to) in [
                (below, heaviest.from, middle),
                (below + 1, middle, heaviest.to),
            ] {
                nodes.push(Node::Cell(0));
                open.push(Open {
                    weight: weigh(&samples[from..to]),
                    node,
                    from,
                    to,
                });
            }
            cells += 1;
        }
        number(&mut nodes);
        Self { nodes, cells }
    }

    /// How many cells there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always a cell")]
    pub fn len(&self) -> usize {
        self.cells
    }

    /// The cell, below [`KdCells::len`], that a row with these bounds belongs to. Bounds that are
    /// empty or not finite are in some cell, too, always the same one.
    #[inline]
    pub fn cell_of(&self, bounds: &Bounds) -> usize {
        let mut node = 0;
        loop {
            match self.nodes[node] {
                Node::Cell(cell) => return cell,
                Node::Split { axis, at, below } => {
                    node = if axis.of(bounds) < at {
                        below
                    } else {
                        below + 1
                    };
                }
            }
        }
    }

    /// The rectangle that each cell's centres lie in; infinite to where nothing was cut. Rows may
    /// reach beyond it.
    pub fn rectangles(&self) -> Vec<Bounds> {
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut rectangles = vec![Bounds::EMPTY; self.cells];
        let mut open = vec![(0, Bounds::new(low, low, high, high))];
        while let Some((node, area)) = open.pop() {
            match self.nodes[node] {
                Node::Cell(cell) => rectangles[cell] = area,
                Node::Split { axis, at, below } => {
                    let (mut first, mut second) = (area, area);
                    match axis {
                        Axis::X => (first.max_x, second.min_x) = (at, at),
                        Axis::Y => (first.max_y, second.min_y) = (at, at),
                        Axis::Width | Axis::Height => {}
                    }
                    open.extend([(below, first), (below + 1, second)]);
                }
            }
        }
        rectangles
    }
}

/// Numbers the cells from left to right.
fn number(nodes: &mut [Node]) {
    let mut next = 0;
    let mut open = vec![0];
    while let Some(node) = open.pop() {
        match &mut nodes[node] {
            Node::Cell(cell) => {
                *cell = next;
                next += 1;
            }
            Node::Split { below, .. } => {
                let below = *below;
                open.extend([below + 1, below]);
            }
        }
    }
}

/// Where to split: at the weighted middle of the axis that leaves the fewest centres within the
/// bounds of both parts; of equally good ones, the axis on which the rows spread most. `None` if
/// all rows are alike.
fn choose(part: &mut [KdSample], by_size: bool) -> Option<(Axis, f64)> {
    let axes = [Axis::X, Axis::Y, Axis::Width, Axis::Height];
    let axes = if by_size { &axes[..] } else { &axes[..2] };
    let mut best: Option<(Axis, f64, usize, f64)> = None;
    for &axis in axes {
        let (least, greatest) = part
            .iter()
            .map(|s| axis.of(&s.bounds))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, g), v| {
                (l.min(v), g.max(v))
            });
        if !(least < greatest && least.is_finite() && greatest.is_finite()) {
            continue;
        }
        let Some(at) = middle(part, axis) else {
            continue;
        };
        let shared = if by_size { shared(part, axis, at) } else { 0 };
        let spread = greatest - least;
        let better = match &best {
            None => true,
            Some((.., most, widest)) => shared < *most || (shared == *most && spread > *widest),
        };
        if better {
            best = Some((axis, at, shared, spread));
        }
    }
    best.map(|(axis, at, ..)| (axis, at))
}

/// A value on the axis with about half of the weight below it, and some of it.
fn middle(part: &mut [KdSample], axis: Axis) -> Option<f64> {
    part.sort_unstable_by(|a, b| axis.of(&a.bounds).total_cmp(&axis.of(&b.bounds)));
    let half = part.iter().map(|s| s.weight).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let mut at = part.len() / 2;
    for (i, sample) in part.iter().enumerate() {
        if sum + sample.weight > half {
            at = i;
            break;
        }
        sum += sample.weight;
    }
    let value = |i: usize| part.get(i).map(|s: &KdSample| axis.of(&s.bounds));
    let first = value(0)?;
    let at = value(at)?;
    if at > first {
        return Some(at);
    }
    // More than half of the weight is in one place: it is cut from the rest.
    value(part.partition_point(|s| axis.of(&s.bounds) <= first))
}

/// How many centres lie within the bounds of both parts of a split.
fn shared(part: &[KdSample], axis: Axis, at: f64) -> usize {
    let mut sides = [Bounds::EMPTY, Bounds::EMPTY];
    for s in part {
        let side = usize::from(axis.of(&s.bounds) >= at);
        sides[side] = sides[side].union(&s.bounds);
    }
    let within = |s: &KdSample| {
        let (x, y) = (Axis::X.of(&s.bounds), Axis::Y.of(&s.bounds));
        let centre = Bounds::point(x, y);
        sides.iter().all(|side| side.contains(&centre))
    };
    part.iter().filter(|s| within(s)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(bounds: Bounds) -> KdSample {
        KdSample {
            bounds,
            weight: 1.0,
        }
    }

    fn options(most_cells: usize) -> KdOptions {
        KdOptions {
            most_cells,
            enough: 0.0,
            by_size: false,
        }
    }

    #[test]
    fn nothing_and_equal_rows_make_one_cell() {
        assert_eq!(KdCells::cut(&mut [], &options(8)).len(), 1);
        let mut same = vec![sample(Bounds::point(1.0, 1.0)); 100];
        let cells = KdCells::cut(&mut same, &options(8));
        assert_eq!(cells.len(), 1);
        assert_eq!(cells.cell_of(&Bounds::point(5.0, f64::NAN)), 0);
    }

    #[test]
    fn a_crowd_in_one_place_is_cut_from_the_rest() {
        let mut samples = vec![sample(Bounds::point(0.0, 0.0)); 90];
        samples.extend((1..=10).map(|i| sample(Bounds::point(f64::from(i), 0.0))));
        let cells = KdCells::cut(&mut samples, &options(2));
        let crowd = cells.cell_of(&Bounds::point(0.0, 0.0));
        assert!((1..=10).all(|i| cells.cell_of(&Bounds::point(f64::from(i), 0.0)) != crowd));
    }

    #[test]
    fn a_few_large_rows_stand_apart() {
        let mut samples = vec![];
        for i in 0..1000 {
            let (x, y) = (f64::from(i % 32), f64::from(i / 32));
            samples.push(sample(Bounds::point(x, y)));
            if i % 3 == 0 {
                samples.push(sample(Bounds::new(x - 99.0, y - 99.0, x + 99.0, y + 99.0)));
            }
        }
        let by_size = KdOptions {
            by_size: true,
            ..options(8)
        };
        let cells = KdCells::cut(&mut samples, &by_size);
        let mut extents = vec![Bounds::EMPTY; cells.len()];
        for s in &samples {
            let cell = cells.cell_of(&s.bounds);
            extents[cell] = extents[cell].union(&s.bounds);
        }
        let large = extents.iter().filter(|e| e.max_x - e.min_x > 90.0).count();
        assert!((1..=4).contains(&large), "{large} of {}", cells.len());
    }

    #[test]
    fn cells_of_a_grid_weigh_the_same_and_tile_the_plane() {
        let mut samples: Vec<KdSample> = (0..64 * 64)
            .map(|i| sample(Bounds::point(f64::from(i % 64), f64::from(i / 64))))
            .collect();
        let cells = KdCells::cut(&mut samples, &options(16));
        let mut counts = vec![0; cells.len()];
        let rectangles = cells.rectangles();
        for s in &samples {
            let cell = cells.cell_of(&s.bounds);
            counts[cell] += 1;
            assert!(rectangles[cell].contains(&s.bounds));
        }
        assert_eq!(counts, vec![256; 16]);
    }

    proptest! {
        #[test]
        fn every_row_has_one_cell_and_cuts_repeat(
            rows in prop::collection::vec(((-9i32..9, -9i32..9), (0i32..9, 0i32..9), 0.0..5.0f64), 0..300),
            most_cells in 1usize..20,
            enough in 0.0..50.0f64,
            by_size: bool,
        ) {
            let mut samples: Vec<KdSample> = rows.iter().map(|((x, y), (w, h), weight)| KdSample {
                bounds: Bounds::new(
                    f64::from(*x), f64::from(*y), f64::from(x + w), f64::from(y + h),
                ),
                weight: *weight,
            }).collect();
            let options = KdOptions { most_cells, enough, by_size };
            let cells = KdCells::cut(&mut samples.clone(), &options);
            prop_assert!(cells.len() <= most_cells && cells.rectangles().len() == cells.len());
            let mut used = vec![0; cells.len()];
            for s in &samples {
                used[cells.cell_of(&s.bounds)] += 1;
            }
            prop_assert!(cells.len() == 1 || used.iter().all(|n| *n > 0));
            prop_assert_eq!(&cells, &KdCells::cut(&mut samples, &options));
        }
    }
}

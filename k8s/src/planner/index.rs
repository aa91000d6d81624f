//! Which of many rectangles overlap one.

use geoflow_engine::geometry::Bounds;

/// Rectangles under a node of the tree.
const FANOUT: usize = 16;

/// A packed tree over rectangles that are given in an order in which neighbours are near each other.
#[derive(Debug)]
pub(crate) struct RectangleIndex {
    /// From the rectangles themselves to the root.
    levels: Vec<Vec<Bounds>>,
}

impl RectangleIndex {
    pub(crate) fn new(rectangles: Vec<Bounds>) -> Self {
        let mut levels = vec![rectangles];
        while let Some(last) = levels.last()
            && last.len() > 1
        {
            let above = last
                .chunks(FANOUT)
                .map(|chunk| chunk.iter().fold(Bounds::EMPTY, |all, b| all.union(b)))
                .collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// Calls `hit` for the index of every rectangle that overlaps `query`.
    pub(crate) fn overlaps(&self, query: &Bounds, hit: &mut impl FnMut(usize)) {
        if let Some(top) = self.levels.len().checked_sub(1) {
            for node in 0..self.levels[top].len() {
                self.visit(top, node, query, hit);
            }
        }
    }

    fn visit(&self, level: usize, node: usize, query: &Bounds, hit: &mut impl FnMut(usize)) {
        let Some(bounds) = self.levels[level].get(node) else {
            return;
        };
        if !bounds.intersects(query) {
            return;
        }
        if level == 0 {
            hit(node);
            return;
        }
        let first = node * FANOUT;
        let end = (first + FANOUT).min(self.levels[level - 1].len());
        for child in first..end {
            self.visit(level - 1, child, query, hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_scan_finds() {
        let mut seed = 7_u64;
        let mut next = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 40) as f64 / 65_536.0
        };
        let mut rectangle = move || {
            let (x, y) = (next(), next());
            Bounds::new(x, y, x + next() / 20.0, y + next() / 20.0)
        };
        let mut rectangles: Vec<Bounds> = (0..777).map(|_| rectangle()).collect();
        rectangles.push(Bounds::EMPTY);
        let index = RectangleIndex::new(rectangles.clone());
        for _ in 0..50 {
            let query = rectangle();
            let mut found = vec![];
            index.overlaps(&query, &mut |i| found.push(i));
            found.sort_unstable();
            let expected: Vec<usize> = (0..rectangles.len())
                .filter(|&i| rectangles[i].intersects(&query))
                .collect();
            assert_eq!(found, expected);
        }
        RectangleIndex::new(vec![]).overlaps(&Bounds::EMPTY, &mut |_| unreachable!());
    }
}

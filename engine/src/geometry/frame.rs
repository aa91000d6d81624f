//! A rectangle cut into equal cells, and the cells that a segment touches.

use geo_types::Coord;

use super::Bounds;

/// Part of a cell's side by which segments are drawn too wide.
const MARGIN: f64 = 1.0 / 1_048_576.0;
/// A cell's side as a part of the greatest coordinate may not be smaller than this: the margin is
/// then over sixty times the spacing of doubles.
const FINEST: f64 = 1.0 / 67_108_864.0;

/// Cells over a rectangle. A coordinate maps to its column (and row) by a monotone function, so a
/// cell stands for a rectangle of points whatever rounding does at its border.
#[derive(Debug, Clone)]
pub(crate) struct CellFrame {
    bounds: Bounds,
    cells_per_unit: Coord<f64>,
    cell: Coord<f64>,
    columns: usize,
    rows: usize,
}

impl CellFrame {
    /// Cuts `bounds`; `None` where it is too flat, or too far from the origin, for cells whose
    /// margin is far above the rounding errors of drawing.
    pub(crate) fn new(bounds: &Bounds, columns: usize, rows: usize) -> Option<Self> {
        let (width, height) = (bounds.max_x - bounds.min_x, bounds.max_y - bounds.min_y);
        let cell = Coord {
            x: width / columns as f64,
            y: height / rows as f64,
        };
        let cells_per_unit = Coord {
            x: columns as f64 / width,
            y: rows as f64 / height,
        };
        let greatest_x = bounds.min_x.abs().max(bounds.max_x.abs());
        let greatest_y = bounds.min_y.abs().max(bounds.max_y.abs());
        let fine = cells_per_unit.x.is_normal()
            && cells_per_unit.y.is_normal()
            && width.is_finite()
            && height.is_finite()
            && cell.x > greatest_x * FINEST
            && cell.y > greatest_y * FINEST
            && cell.x > 1e-290
            && cell.y > 1e-290;
        fine.then_some(Self {
            bounds: *bounds,
            cells_per_unit,
            cell,
            columns,
            rows,
        })
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The column of an x; the first or the last for one outside.
    #[inline]
    pub(crate) fn column(&self, x: f64) -> usize {
        // `as` saturates: negative and NaN become zero.
        (((x - self.bounds.min_x) * self.cells_per_unit.x) as usize).min(self.columns - 1)
    }

    /// The row of a y; the first or the last for one outside.
    #[inline]
    pub(crate) fn row(&self, y: f64) -> usize {
        (((y - self.bounds.min_y) * self.cells_per_unit.y) as usize).min(self.rows - 1)
    }

    /// The cell of a point, numbered row by row; `None` outside and for NaN.
    #[inline]
    pub(crate) fn index(&self, x: f64, y: f64) -> Option<usize> {
        let b = &self.bounds;
        let inside = x >= b.min_x && x <= b.max_x && y >= b.min_y && y <= b.max_y;
        inside.then(|| self.row(y) * self.columns + self.column(x))
    }

    /// The centre of a cell.
    pub(crate) fn centre(&self, column: usize, row: usize) -> Coord<f64> {
        Coord {
            x: self.bounds.min_x + (column as f64 + 0.5) * self.cell.x,
            y: self.bounds.min_y + (row as f64 + 0.5) * self.cell.y,
        }
    }

    /// Visits, as `(row, first column, last column)`, all cells that a segment within the frame
    /// touches, and those that it nearly touches.
    #[inline]
    pub(crate) fn trace(
        &self,
        a: Coord<f64>,
        b: Coord<f64>,
        mut visit: impl FnMut(usize, usize, usize),
    ) {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        let (margin_x, margin_y) = (self.cell.x * MARGIN, self.cell.y * MARGIN);
        let (left, right) = (low.x.min(high.x), low.x.max(high.x));
        let (first, last) = (self.row(low.y - margin_y), self.row(high.y + margin_y));
        if first == last {
            return visit(
                first,
                self.column(left - margin_x),
                self.column(right + margin_x),
            );
        }
        let slope = (high.x - low.x) / (high.y - low.y);
        for row in first..=last {
            let from = self.bounds.min_y + row as f64 * self.cell.y - margin_y;
            let to = from + self.cell.y + 2.0 * margin_y;
            // Where the segment enters and leaves the row. A horizontal one has no slope.
            let (x0, x1) = if slope.is_finite() {
                let at = |y: f64| low.x + (y.clamp(low.y, high.y) - low.y) * slope;
                (at(from), at(to))
            } else {
                (left, right)
            };
            let from_x = x0.min(x1).clamp(left, right) - margin_x;
            let to_x = x0.max(x1).clamp(left, right) + margin_x;
            visit(row, self.column(from_x), self.column(to_x));
        }
    }
}

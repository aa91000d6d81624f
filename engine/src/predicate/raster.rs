//! An interior approximation of polygons: a grid whose cells are known to lie wholly inside,
//! wholly outside, or may touch the boundary. Most points are decided by one look-up.
//!
//! ```text
//!  . . # # # .      . outside   decided
//!  . # # o # #      o inside    decided
//!  # # o o o #      # boundary  edges must be asked
//! ```
//!
//! A point maps to its cell by a monotone function of each coordinate, so a cell stands for a
//! rectangle of points. Edges are drawn with a margin far above the rounding errors of the
//! drawing, hence no edge passes through a cell that is not marked.

use geo_types::Coord;

use super::matrix::Location;
use super::shape::{Kind, Shape};
use crate::geometry::Bounds;

/// Part of a cell's side by which edges are drawn too wide.
const MARGIN: f64 = 1.0 / 1_048_576.0;
/// A cell's side as a part of the greatest coordinate may not be smaller than this: the margin is
/// then over sixty times the spacing of doubles.
const FINEST: f64 = 1.0 / 67_108_864.0;
/// Cells of a polygon along each axis at most.
const MAX_SIDE: usize = 256;

const OUTSIDE: u8 = 0;
const INSIDE: u8 = 1;
const BOUNDARY: u8 = 2;

#[derive(Debug)]
pub(crate) struct Raster {
    min: Coord<f64>,
    cells_per_unit: Coord<f64>,
    cell: Coord<f64>,
    columns: usize,
    rows: usize,
    /// Two bits a cell, four cells a byte, rows padded to whole bytes.
    cells: Vec<u8>,
    stride: usize,
}

/// Cells along each axis for a shape of so many edges.
pub(crate) fn side_for(edges: usize) -> usize {
    ((edges as f64).sqrt() * 4.0).max(8.0).min(MAX_SIDE as f64) as usize
}

impl Raster {
    /// `None` for anything but areas, and for areas too flat (or too far from the origin) to cut.
    pub(crate) fn new(shape: &Shape) -> Option<Self> {
        if shape.kind != Kind::Area {
            return None;
        }
        let bounds = &shape.bounds;
        let side = side_for(shape.edge_count());
        let (width, height) = (bounds.max_x - bounds.min_x, bounds.max_y - bounds.min_y);
        let cell = Coord {
            x: width / side as f64,
            y: height / side as f64,
        };
        let cells_per_unit = Coord {
            x: side as f64 / width,
            y: side as f64 / height,
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
        if !fine {
            return None;
        }
        let stride = side.div_ceil(4);
        let mut raster = Self {
            min: Coord {
                x: bounds.min_x,
                y: bounds.min_y,
            },
            cells_per_unit,
            cell,
            columns: side,
            rows: side,
            cells: vec![0; stride * side],
            stride,
        };
        // Filling asks for some points: worth an index.
        shape.stripes();
        for edge in shape.edges() {
            let (a, b) = shape.edge(edge);
            raster.draw(a, b);
        }
        raster.fill(shape);
        Some(raster)
    }

    fn column(&self, x: f64) -> usize {
        (((x - self.min.x) * self.cells_per_unit.x) as usize).min(self.columns - 1)
    }

    fn row(&self, y: f64) -> usize {
        (((y - self.min.y) * self.cells_per_unit.y) as usize).min(self.rows - 1)
    }

    fn get(&self, column: usize, row: usize) -> u8 {
        (self.cells[row * self.stride + column / 4] >> (column % 4 * 2)) & 3
    }

    fn set(&mut self, column: usize, row: usize, state: u8) {
        let byte = &mut self.cells[row * self.stride + column / 4];
        let shift = column % 4 * 2;
        *byte = (*byte & !(3 << shift)) | (state << shift);
    }

    /// Marks every cell that the segment touches.
    fn draw(&mut self, a: Coord<f64>, b: Coord<f64>) {
        let (low, high) = if a.y <= b.y { (a, b) } else { (b, a) };
        let (margin_x, margin_y) = (self.cell.x * MARGIN, self.cell.y * MARGIN);
        let (left, right) = (low.x.min(high.x), low.x.max(high.x));
        let slope = (high.x - low.x) / (high.y - low.y);
        for row in self.row(low.y - margin_y)..=self.row(high.y + margin_y) {
            let from = self.min.y + row as f64 * self.cell.y - margin_y;
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
            for column in self.column(from_x)..=self.column(to_x) {
                self.set(column, row, BOUNDARY);
            }
        }
    }

    /// Finds out on which side the unmarked cells lie: neighbours without a mark are on the same.
    fn fill(&mut self, shape: &Shape) {
        for row in 0..self.rows {
            let mut before = BOUNDARY;
            for column in 0..self.columns {
                if self.get(column, row) == BOUNDARY {
                    before = BOUNDARY;
                    continue;
                }
                if before == BOUNDARY {
                    let below = match row {
                        0 => BOUNDARY,
                        _ => self.get(column, row - 1),
                    };
                    before = match below {
                        BOUNDARY => self.ask(shape, column, row),
                        known => known,
                    };
                }
                self.set(column, row, before);
            }
        }
    }

    /// The state of an unmarked cell, from its centre.
    fn ask(&self, shape: &Shape, column: usize, row: usize) -> u8 {
        let centre = Coord {
            x: self.min.x + (column as f64 + 0.5) * self.cell.x,
            y: self.min.y + (row as f64 + 0.5) * self.cell.y,
        };
        match shape.locate(centre) {
            Location::Interior => INSIDE,
            Location::Exterior => OUTSIDE,
            Location::Boundary => BOUNDARY,
        }
    }

    /// Where `p` lies, `None` if the edges must be asked.
    #[inline]
    pub(crate) fn locate(&self, p: Coord<f64>) -> Option<Location> {
        let x = (p.x - self.min.x) * self.cells_per_unit.x;
        let y = (p.y - self.min.y) * self.cells_per_unit.y;
        if !(x >= 0.0 && y >= 0.0) {
            return Some(Location::Exterior);
        }
        // A point beyond the last cell shares it: the cell is marked wherever the boundary is
        // near, and the caller has compared with the bounds.
        match self.get(
            (x as usize).min(self.columns - 1),
            (y as usize).min(self.rows - 1),
        ) {
            OUTSIDE => Some(Location::Exterior),
            INSIDE => Some(Location::Interior),
            _ => None,
        }
    }

    /// Where a rectangle lies that the shape's bounds contain: wholly inside, wholly outside, or
    /// `None` if edges may pass through it.
    pub(crate) fn locate_bounds(&self, bounds: &Bounds) -> Option<Location> {
        let (first, last) = (self.column(bounds.min_x), self.column(bounds.max_x));
        let (bottom, top) = (self.row(bounds.min_y), self.row(bounds.max_y));
        let state = self.get(first, bottom);
        let uniform = state != BOUNDARY
            && (bottom..=top).all(|row| (first..=last).all(|c| self.get(c, row) == state));
        match (uniform, state) {
            (false, _) => None,
            (true, INSIDE) => Some(Location::Interior),
            (true, _) => Some(Location::Exterior),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.cells.capacity()
    }
}

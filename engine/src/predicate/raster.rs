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
use crate::geometry::{Bounds, CellFrame};

/// Cells of a polygon along each axis at most.
const MAX_SIDE: usize = 256;

const OUTSIDE: u8 = 0;
const INSIDE: u8 = 1;
const BOUNDARY: u8 = 2;

#[derive(Debug)]
pub(crate) struct Raster {
    frame: CellFrame,
    /// Two bits a cell, four cells a byte, rows padded to whole bytes.
    cells: Vec<u8>,
    stride: usize,
}

/// Cells along each axis for a shape of so many edges.
pub(crate) fn side_for(edges: usize) -> usize {
    ((edges as f64).sqrt() * 4.0).clamp(8.0, MAX_SIDE as f64) as usize
}

impl Raster {
    /// `None` for anything but areas, and for areas too flat (or too far from the origin) to cut.
    pub(crate) fn new(shape: &Shape) -> Option<Self> {
        if shape.kind != Kind::Area {
            return None;
        }
        let side = side_for(shape.edge_count());
        let stride = side.div_ceil(4);
        let mut raster = Self {
            frame: CellFrame::new(&shape.bounds, side, side)?,
            cells: vec![0; stride * side],
            stride,
        };
        // Filling asks for some points: worth an index.
        shape.stripes();
        for edge in shape.edges() {
            raster.draw(shape.edge(edge));
        }
        raster.fill(shape);
        Some(raster)
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
    fn draw(&mut self, (a, b): (Coord<f64>, Coord<f64>)) {
        let Self {
            frame,
            cells,
            stride,
        } = self;
        frame.trace(a, b, |row, first, last| {
            for column in first..=last {
                cells[row * *stride + column / 4] |= BOUNDARY << (column % 4 * 2);
            }
        });
    }

    /// Finds out on which side the unmarked cells lie: neighbours without a mark are on the same.
    fn fill(&mut self, shape: &Shape) {
        for row in 0..self.frame.rows() {
            let mut before = BOUNDARY;
            for column in 0..self.frame.columns() {
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
        match shape.locate(self.frame.centre(column, row)) {
            Location::Interior => INSIDE,
            Location::Exterior => OUTSIDE,
            Location::Boundary => BOUNDARY,
        }
    }

    /// Where `p`, in the bounds of the shape, lies; `None` if the edges must be asked.
    #[inline]
    pub(crate) fn locate(&self, p: Coord<f64>) -> Option<Location> {
        match self.get(self.frame.column(p.x), self.frame.row(p.y)) {
            OUTSIDE => Some(Location::Exterior),
            INSIDE => Some(Location::Interior),
            _ => None,
        }
    }

    /// Where a rectangle lies that the shape's bounds contain: wholly inside, wholly outside, or
    /// `None` if edges may pass through it.
    pub(crate) fn locate_bounds(&self, bounds: &Bounds) -> Option<Location> {
        let (first, last) = (
            self.frame.column(bounds.min_x),
            self.frame.column(bounds.max_x),
        );
        let (bottom, top) = (self.frame.row(bounds.min_y), self.frame.row(bounds.max_y));
        let state = self.get(first, bottom);
        let uniform = state != BOUNDARY
            && self.get(last, top) == state
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

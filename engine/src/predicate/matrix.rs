//! The DE-9IM matrix and the predicates as patterns of it.

use std::fmt;

use super::SpatialPredicate;
use super::shape::Kind;

/// A part of a geometry, as an index into the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the interior.
    Interior = 0,
    /// On the boundary.
    Boundary = 1,
    /// Outside.
    Exterior = 2,
}

pub(crate) use Location::{Boundary as B, Exterior as E, Interior as I};

/// Dimensions of the nine intersections of interior, boundary and exterior of two geometries, as
/// text in the order of the standard: `212101212`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    /// -1 where nothing is shared.
    cells: [[i8; 3]; 3],
}

impl Matrix {
    /// Nothing shared but the exteriors.
    pub(crate) const DISJOINT: Matrix = Matrix {
        cells: [[-1, -1, -1], [-1, -1, -1], [-1, -1, 2]],
    };

    /// The dimension of one intersection, -1 if it is void.
    pub(crate) fn get(&self, a: Location, b: Location) -> i8 {
        self.cells[a as usize][b as usize]
    }

    /// All nine dimensions, row by row.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = i8> + '_ {
        self.cells.iter().flatten().copied()
    }

    /// Raises the dimension of one intersection.
    pub(crate) fn raise(&mut self, a: Location, b: Location, dimension: i8) {
        let cell = &mut self.cells[a as usize][b as usize];
        *cell = (*cell).max(dimension);
    }

    /// Lowers the dimension of one intersection.
    pub(crate) fn lower(&mut self, a: Location, b: Location, dimension: i8) {
        let cell = &mut self.cells[a as usize][b as usize];
        *cell = (*cell).min(dimension);
    }

    /// The matrix of the same two, the other way round.
    #[must_use]
    pub(crate) fn transposed(&self) -> Matrix {
        let mut cells = self.cells;
        for (i, row) in cells.iter_mut().enumerate() {
            for (j, cell) in row.iter_mut().enumerate() {
                *cell = self.cells[j][i];
            }
        }
        Matrix { cells }
    }

    fn has(&self, a: Location, b: Location) -> bool {
        self.get(a, b) >= 0
    }

    /// Whether the predicate holds for two non-empty geometries of these kinds; `DWithin` is no
    /// matter of the matrix and never does.
    pub(crate) fn satisfies(&self, predicate: SpatialPredicate, a: Kind, b: Kind) -> bool {
        let meets = self.has(I, I) || self.has(I, B) || self.has(B, I) || self.has(B, B);
        let b_in_a = !self.has(E, I) && !self.has(E, B);
        let a_in_b = !self.has(I, E) && !self.has(B, E);
        match predicate {
            SpatialPredicate::Intersects => meets,
            SpatialPredicate::Contains => self.has(I, I) && b_in_a,
            SpatialPredicate::Within => self.has(I, I) && a_in_b,
            SpatialPredicate::Covers => meets && b_in_a,
            SpatialPredicate::CoveredBy => meets && a_in_b,
            SpatialPredicate::Touches => meets && !self.has(I, I),
            SpatialPredicate::Crosses => match (a, b) {
                (Kind::Line, Kind::Line) => self.get(I, I) == 0,
                _ if a < b => self.has(I, I) && self.has(I, E),
                _ if a > b => self.has(I, I) && self.has(E, I),
                _ => false,
            },
            SpatialPredicate::Overlaps => {
                let both = self.has(I, E) && self.has(E, I);
                a == b
                    && both
                    && match a {
                        Kind::Line => self.get(I, I) == 1,
                        _ => self.has(I, I),
                    }
            }
            SpatialPredicate::Equals => a == b && self.has(I, I) && a_in_b && b_in_a,
            SpatialPredicate::DWithin => false,
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dimension in self.cells.iter().flatten() {
            match dimension {
                0 => f.write_str("0")?,
                1 => f.write_str("1")?,
                2 => f.write_str("2")?,
                _ => f.write_str("F")?,
            }
        }
        Ok(())
    }
}

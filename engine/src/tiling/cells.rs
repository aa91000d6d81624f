//! Cells of fixed grids over the world, as text.

use std::fmt;

use h3o::{LatLng, Resolution};

use crate::{Error, Result};

/// A grid that names the cell of every place in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellGrid {
    /// Hexagons of H3 at a resolution of 0 to 15.
    H3(Resolution),
    /// Web map tiles at a level of 1 to 30, as a quadkey of as many digits.
    Quadkey(u8),
}

/// Most cells of a KD cut: folders of one output.
const MOST_KD: usize = 65_536;

/// What rows are put together by in space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Cells that are the same for everybody.
    Grid(CellGrid),
    /// So many cells that hold about as many of the rows each.
    Kd(usize),
}

impl Cells {
    /// Reads what [`CellGrid::parse`] does, and `kd:64`; without a number there are 16 KD cells.
    ///
    /// # Errors
    /// [`Error::Statement`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let (kind, count) = text.split_once(':').unwrap_or((text, "16"));
        if kind.trim() != "kd" {
            return CellGrid::parse(text).map(Self::Grid);
        }
        match count.trim().parse() {
            Ok(count @ 1..=MOST_KD) => Ok(Self::Kd(count)),
            _ => Err(Error::Statement(format!(
                "'{text}' is no number of cells: write 'kd:1' to 'kd:{MOST_KD}'"
            ))),
        }
    }
}

/// The latitude at which the square of web maps ends.
const MERCATOR_EDGE: f64 = 85.051_128_779_806_59;

impl CellGrid {
    /// Reads `h3:5` or `quadkey:8`; without a number H3 takes 4 and quadkeys 6.
    ///
    /// # Errors
    /// [`Error::Statement`] for another grid or a level that it has not.
    pub fn parse(text: &str) -> Result<Self> {
        let (grid, level) = text.split_once(':').unwrap_or((text, ""));
        let level: Option<u8> = match level.trim() {
            "" => None,
            level => Some(level.parse().unwrap_or(u8::MAX)),
        };
        let parsed = match grid.trim().to_ascii_lowercase().as_str() {
            "h3" => Resolution::try_from(level.unwrap_or(4)).ok().map(Self::H3),
            "quadkey" => Some(level.unwrap_or(6))
                .filter(|level| (1..=30).contains(level))
                .map(Self::Quadkey),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::Statement(format!(
                "'{text}' is no grid of cells: write 'h3:0' to 'h3:15', 'quadkey:1' to 'quadkey:30', or 'kd:16' for as many cells of about as many rows"
            ))
        })
    }

    /// The name of the column, and of the folders, that hold the cells.
    pub fn column(self) -> &'static str {
        match self {
            Self::H3(_) => "h3",
            Self::Quadkey(_) => "quadkey",
        }
    }

    /// The cell of a place; `None` when it is nowhere on Earth.
    pub fn cell(self, longitude: f64, latitude: f64) -> Option<String> {
        if !(longitude.is_finite() && latitude.abs() <= 90.0) {
            return None;
        }
        match self {
            Self::H3(resolution) => {
                let place = LatLng::new(latitude, longitude).ok()?;
                Some(place.to_cell(resolution).to_string())
            }
            Self::Quadkey(level) => Some(quadkey(longitude, latitude, level)),
        }
    }
}

impl fmt::Display for CellGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::H3(resolution) => write!(f, "h3:{resolution}"),
            Self::Quadkey(level) => write!(f, "quadkey:{level}"),
        }
    }
}

/// <https://learn.microsoft.com/en-us/bingmaps/articles/bing-maps-tile-system>
fn quadkey(longitude: f64, latitude: f64, level: u8) -> String {
    let latitude = latitude.clamp(-MERCATOR_EDGE, MERCATOR_EDGE).to_radians();
    let x = (longitude + 180.0).rem_euclid(360.0) / 360.0;
    let y = 0.5 - (latitude.tan().asinh() / std::f64::consts::TAU);
    let tiles = f64::from(1_u32 << level);
    let tile = |share: f64| (share * tiles).clamp(0.0, tiles - 1.0) as u32;
    let (x, y) = (tile(x), tile(y));
    (0..level)
        .rev()
        .map(|bit| char::from(b'0' + (x >> bit & 1) as u8 + 2 * (y >> bit & 1) as u8))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn cells_as_others_name_them() {
        // h3-py: h3.latlng_to_cell(60.17, 24.94, 5); mercantile: quadkey(tile(24.94, 60.17, 8))
        let h3 = CellGrid::parse("h3:5").unwrap();
        assert_eq!(h3.cell(24.94, 60.17).unwrap(), "851126d3fffffff");
        let tiles = CellGrid::parse("quadkey:8").unwrap();
        assert_eq!(tiles.cell(24.94, 60.17).unwrap(), "12012021");
        assert_eq!(tiles.cell(-179.99, 89.0).unwrap(), "00000000");
        assert_eq!(tiles.cell(179.99, -89.0).unwrap(), "33333333");
    }

    #[test]
    fn nowhere_has_no_cell() {
        for grid in ["h3", "quadkey"] {
            let grid = CellGrid::parse(grid).unwrap();
            assert_eq!(grid.cell(f64::NAN, 0.0), None);
            assert_eq!(grid.cell(0.0, 6_700_000.0), None);
        }
    }

    #[test]
    fn cells_of_equal_size() {
        assert_eq!(Cells::parse("kd:64").unwrap(), Cells::Kd(64));
        assert_eq!(Cells::parse("kd").unwrap(), Cells::Kd(16));
        assert!(matches!(
            Cells::parse("h3:4"),
            Ok(Cells::Grid(CellGrid::H3(_)))
        ));
        for text in ["kd:0", "kd:many", "kd:99999999", "kdtree:4"] {
            assert!(
                matches!(Cells::parse(text), Err(Error::Statement(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn grids_that_are_none() {
        for text in ["s2:3", "h3:16", "h3:-1", "quadkey:0", "quadkey:31", ""] {
            assert!(CellGrid::parse(text).is_err(), "{text}");
        }
        assert_eq!(CellGrid::parse("H3:5").unwrap().to_string(), "h3:5");
    }
}

//! Why a value is no geometry.

use super::MAX_DEPTH;

/// Why a value is no geometry.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WkbError {
    /// The value ends before its counts say.
    #[error("WKB is cut short: {needed} more bytes are needed at byte {at}, {left} are left")]
    Truncated {
        /// Offset of the read.
        at: usize,
        /// Bytes that the counts ask for.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// The first byte of a geometry is neither 0 nor 1.
    #[error("byte {at} should be the byte order (0 or 1) but is {found}")]
    ByteOrder {
        /// Offset of the byte.
        at: usize,
        /// What stands there.
        found: u8,
    },
    /// The type code is none of points, lines, polygons, their multis and collections.
    #[error(
        "geometry type {code} at byte {at} is not supported (points, lines, polygons, multis and collections are)"
    )]
    Type {
        /// Offset of the code.
        at: usize,
        /// The code.
        code: u32,
    },
    /// A part of a multi geometry is of another type.
    #[error("a part at byte {at} has type {found} where only type {expected} may stand")]
    Part {
        /// Offset of the part.
        at: usize,
        /// Its type.
        found: u32,
        /// The only type allowed.
        expected: u32,
    },
    /// Collections in collections in collections.
    #[error("geometry collections are nested deeper than {MAX_DEPTH}")]
    Depth,
    /// A coordinate is NaN or infinite.
    #[error("the coordinate at byte {at} is ({x}, {y}): coordinates must be finite numbers")]
    NotFinite {
        /// Offset of the coordinate.
        at: usize,
        /// x
        x: f64,
        /// y
        y: f64,
    },
    /// Bytes follow the end of the geometry.
    #[error("{left} bytes follow the end of the geometry at byte {at}")]
    Trailing {
        /// Offset of the first byte too many.
        at: usize,
        /// How many there are.
        left: usize,
    },
}

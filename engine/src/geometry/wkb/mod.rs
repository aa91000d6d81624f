//! Reading well-known binary, ISO and EWKB, in either byte order, without trusting it.
//!
//! Layout (OGC Simple Features, part 1, 8.2; the EWKB flags are PostGIS'):
//!
//! ```text
//! | order u8 | type u32 [| srid u32] | body                              |
//!   0 big      1..7, +1000 Z, +2000 M  point: coordinate
//!   1 little   or flags 0x8 Z, 0x4 M,  line: n, n coordinates
//!              0x2 SRID                polygon: n rings, each n, n coordinates
//!                                      multi and collection: n, n geometries
//! ```
//!
//! Every count is compared with the bytes that are left before it is believed, so no allocation
//! follows an unchecked length, and nesting is bounded.

mod cursor;
mod decode;
mod error;
mod header;

pub use cursor::{CoordRun, WkbCursor};
pub use decode::decode;
pub use error::WkbError;
pub use header::{WkbHeader, WkbKind};

use geo_types::Coord;

use super::Bounds;
use cursor::ordinate;

/// Deepest nesting of collections that is read.
pub const MAX_DEPTH: usize = 32;

/// Length in bytes of a two-dimensional point.
pub const POINT_LEN: usize = 21;

/// x and y of a little-endian two-dimensional point of 21 bytes; `None` for any other value,
/// POINT EMPTY among them as (NaN, NaN).
#[inline]
pub fn point_xy(bytes: &[u8]) -> Option<(f64, f64)> {
    if bytes.len() == POINT_LEN && bytes[..5] == [1, 1, 0, 0, 0] {
        Some((
            ordinate(&bytes[5..], 0, true),
            ordinate(&bytes[5..], 1, true),
        ))
    } else {
        None
    }
}

/// The coordinates of a little-endian two-dimensional line; `None` for any other value, and for one whose count is not
/// that of its bytes.
#[inline]
pub fn line_run(bytes: &[u8]) -> Option<CoordRun<'_>> {
    let (header, coords) = bytes.split_first_chunk::<9>()?;
    let [1, 2, 0, 0, 0, count @ ..] = header else {
        return None;
    };
    let count = u32::from_le_bytes(*count) as usize;
    (count.checked_mul(16) == Some(coords.len())).then(|| CoordRun::of_line(coords))
}

/// Visits every run of coordinates of a value, in order. A point is a run of one, POINT EMPTY
/// (all ordinates NaN) included.
///
/// # Errors
/// Anything malformed; NaN in coordinates is not looked for.
pub fn for_each_run<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(&WkbHeader, CoordRun<'a>) -> Result<(), WkbError>,
) -> Result<WkbHeader, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    walk(&mut cursor, &header, &mut visit, 0)?;
    cursor.end()?;
    Ok(header)
}

fn walk<'a>(
    cursor: &mut WkbCursor<'a>,
    header: &WkbHeader,
    visit: &mut impl FnMut(&WkbHeader, CoordRun<'a>) -> Result<(), WkbError>,
    depth: usize,
) -> Result<(), WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    match header.kind {
        WkbKind::Point => visit(header, cursor.coord(header)?),
        WkbKind::LineString => visit(header, cursor.coords(header)?),
        WkbKind::Polygon => {
            for _ in 0..cursor.count(header, 4)? {
                visit(header, cursor.coords(header)?)?;
            }
            Ok(())
        }
        _ => {
            for _ in 0..cursor.count(header, 9)? {
                let part = cursor.part_header(header)?;
                walk(cursor, &part, visit, depth + 1)?;
            }
            Ok(())
        }
    }
}

/// The rectangle of a value; [`Bounds::EMPTY`] for EMPTY.
///
/// # Errors
/// Anything malformed, and coordinates that are not finite.
pub fn bounds(bytes: &[u8]) -> Result<Bounds, WkbError> {
    let mut all = Bounds::EMPTY;
    for_each_run(bytes, |header, run| {
        if header.kind == WkbKind::Point && is_empty_point(&run) {
            return Ok(());
        }
        run.add_to(&mut all)
    })?;
    Ok(all)
}

/// Appends all coordinates of a value; POINT EMPTY has none.
///
/// # Errors
/// Anything malformed, and coordinates that are not finite.
pub fn append_coords(bytes: &[u8], out: &mut Vec<Coord<f64>>) -> Result<(), WkbError> {
    for_each_run(bytes, |header, run| {
        match header.kind == WkbKind::Point && is_empty_point(&run) {
            true => Ok(()),
            false => run.append_to(out),
        }
    })
    .map(|_| ())
}

fn is_empty_point(run: &CoordRun<'_>) -> bool {
    run.iter().all(|(x, y)| x.is_nan() && y.is_nan())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use geo_types::{Geometry, Point};

    use super::*;

    fn point(x: f64, y: f64) -> Vec<u8> {
        let mut bytes = vec![1, 1, 0, 0, 0];
        bytes.extend(x.to_le_bytes());
        bytes.extend(y.to_le_bytes());
        bytes
    }

    #[test]
    fn points_in_both_orders_and_dimensions() {
        assert_eq!(point_xy(&point(1.0, 2.0)), Some((1.0, 2.0)));
        let mut big = vec![0, 0, 0, 0x03, 0xe9]; // POINT Z
        for v in [1.0f64, 2.0, 3.0] {
            big.extend(v.to_be_bytes());
        }
        assert_eq!(point_xy(&big), None);
        assert_eq!(bounds(&big).unwrap(), Bounds::point(1.0, 2.0));
        let mut ewkb = vec![1, 1, 0, 0, 0x20];
        ewkb.extend(4326u32.to_le_bytes());
        ewkb.extend(1.0f64.to_le_bytes());
        ewkb.extend(2.0f64.to_le_bytes());
        assert_eq!(
            decode(&ewkb).unwrap(),
            Geometry::Point(Point::new(1.0, 2.0))
        );
    }

    #[test]
    fn empty_point_has_empty_bounds() {
        assert!(bounds(&point(f64::NAN, f64::NAN)).unwrap().is_empty());
        assert!(matches!(
            bounds(&point(f64::NAN, 1.0)),
            Err(WkbError::NotFinite { at: 5, .. })
        ));
    }

    #[test]
    fn absurd_counts_are_refused_before_allocation() {
        for kind in 2..=7u32 {
            let mut bytes = vec![1];
            bytes.extend(kind.to_le_bytes());
            bytes.extend(u32::MAX.to_le_bytes());
            bytes.extend([0; 16]);
            assert!(
                matches!(decode(&bytes), Err(WkbError::Truncated { .. })),
                "kind {kind}"
            );
            assert!(bounds(&bytes).is_err());
        }
    }

    #[test]
    fn every_prefix_of_a_value_is_an_error() {
        let mut bytes = vec![
            1, 6, 0, 0, 0, 1, 0, 0, 0, 1, 3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0,
        ];
        for v in [0.0f64, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0] {
            bytes.extend(v.to_le_bytes());
        }
        assert!(decode(&bytes).is_ok());
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "prefix of {end} bytes");
        }
        bytes.push(0);
        assert!(matches!(decode(&bytes), Err(WkbError::Trailing { .. })));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut bytes = vec![];
        for _ in 0..100_000 {
            bytes.extend([1, 7, 0, 0, 0, 1, 0, 0, 0]);
        }
        bytes.extend(point(0.0, 0.0));
        assert_eq!(decode(&bytes), Err(WkbError::Depth));
        assert_eq!(bounds(&bytes), Err(WkbError::Depth));
    }
}

//! Any well-known binary to the one form that files and other systems agree on.

use super::wkb::{CoordRun, MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind, point_xy};
use super::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// Appends a value as ISO WKB, little-endian and without SRID, and checks it on the way.
///
/// # Errors
/// Anything malformed, and x or y that is not finite.
pub fn wkb_to_iso(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), WkbError> {
    if let Some((x, y)) = point_xy(bytes)
        && (x.is_finite() && y.is_finite() || x.is_nan() && y.is_nan())
    {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    body(&mut cursor, &header, out, 0)?;
    cursor.end()
}

fn body(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    let dimensions = Dimensions {
        z: header.has_z,
        m: header.has_m,
    };
    write_header(header.kind, dimensions, out);
    match header.kind {
        WkbKind::Point => {
            let at = cursor.position();
            let point = cursor.coord(header)?;
            let empty = point.iter().all(|(x, y)| x.is_nan() && y.is_nan());
            run(point, header, at, empty, out)
        }
        WkbKind::LineString => line(cursor, header, out),
        WkbKind::Polygon => {
            let rings = cursor.count(header, 4)?;
            write_count(rings, out);
            for _ in 0..rings {
                line(cursor, header, out)?;
            }
            Ok(())
        }
        _ => {
            let parts = cursor.count(header, 9)?;
            write_count(parts, out);
            for _ in 0..parts {
                let part = cursor.part_header(header)?;
                body(cursor, &part, out, depth + 1)?;
            }
            Ok(())
        }
    }
}

fn line(cursor: &mut WkbCursor<'_>, header: &WkbHeader, out: &mut Vec<u8>) -> Result<(), WkbError> {
    // The coordinates follow their count.
    let at = cursor.position() + 4;
    let coords = cursor.coords(header)?;
    write_count(coords.len(), out);
    run(coords, header, at, false, out)
}

fn run(
    coords: CoordRun<'_>,
    header: &WkbHeader,
    at: usize,
    empty: bool,
    out: &mut Vec<u8>,
) -> Result<(), WkbError> {
    let n = header.ordinates();
    for (i, all) in coords.ordinates().enumerate() {
        let [x, y, ..] = all;
        if !empty && !(x.is_finite() && y.is_finite()) {
            let at = at + i * n * 8;
            return Err(WkbError::NotFinite { at, x, y });
        }
        write_ordinates(&all[..n], out);
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::wkt_to_wkb;
    use super::*;

    #[test]
    fn ewkb_and_big_endian_become_iso() {
        let mut big = vec![0, 0xa0, 0, 0, 1, 0, 0, 0x10, 0xe6]; // POINT Z, SRID 4326
        for v in [1.0f64, 2.0, 3.0] {
            big.extend(v.to_be_bytes());
        }
        let (mut out, mut expected) = (vec![], vec![]);
        wkb_to_iso(&big, &mut out).unwrap();
        wkt_to_wkb("POINT Z (1 2 3)", &mut expected).unwrap();
        assert_eq!(out, expected);
    }

    #[test]
    fn iso_is_unchanged_and_broken_is_refused() {
        for text in [
            "POINT(1 2)",
            "POINT M EMPTY",
            "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),EMPTY)",
            "GEOMETRYCOLLECTION ZM (POINT ZM (1 2 3 4),LINESTRING ZM EMPTY)",
        ] {
            let (mut bytes, mut out) = (vec![], vec![]);
            wkt_to_wkb(text, &mut bytes).unwrap();
            wkb_to_iso(&bytes, &mut out).unwrap();
            assert_eq!(out, bytes);
            for end in 0..bytes.len() {
                assert!(wkb_to_iso(&bytes[..end], &mut vec![]).is_err());
            }
        }
    }
}

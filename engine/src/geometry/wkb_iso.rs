//! Any well-known binary to the one form that files and other systems agree on, with its
//! coordinates as they are or mapped.

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
    let mut write = |run: CoordRun<'_>, n: usize, out: &mut Vec<u8>| {
        plain(run, n, out);
        Ok(())
    };
    match body(&mut cursor, &header, out, &mut write, 0) {
        Err(Stop::Wkb(error)) => Err(error),
        // Plain copies refuse nothing.
        Ok(()) | Err(Stop::Map(_)) => cursor.end(),
    }
}

/// Whether a value is what [`wkb_to_iso`] would write of it; `false` for anything malformed.
pub fn is_iso(bytes: &[u8]) -> bool {
    if let Some((x, y)) = point_xy(bytes) {
        return x.is_finite() && y.is_finite() || x.is_nan() && y.is_nan();
    }
    let mut cursor = WkbCursor::new(bytes);
    let whole = iso_header(bytes, 0)
        && cursor
            .header()
            .and_then(|header| iso_body(bytes, &mut cursor, &header, 0))
            .unwrap_or(false);
    whole && cursor.end().is_ok()
}

/// Whether the header at `at` is little-endian, without the flags and the SRID of EWKB.
fn iso_header(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 5), Some([1, _, _, _, 0]))
}

fn iso_body(
    bytes: &[u8],
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    depth: usize,
) -> Result<bool, WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    Ok(match header.kind {
        WkbKind::Point => {
            let point = cursor.coord(header)?;
            point.is_finite() || point.iter().all(|(x, y)| x.is_nan() && y.is_nan())
        }
        WkbKind::LineString => cursor.coords(header)?.is_finite(),
        WkbKind::Polygon => {
            for _ in 0..cursor.count(header, 4)? {
                if !cursor.coords(header)?.is_finite() {
                    return Ok(false);
                }
            }
            true
        }
        _ => {
            for _ in 0..cursor.count(header, 9)? {
                let at = cursor.position();
                let part = cursor.part_header(header)?;
                if !iso_header(bytes, at) || !iso_body(bytes, cursor, &part, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
    })
}

/// Appends a value as [`wkb_to_iso`] does, with x and y of every run of coordinates (a point, a
/// line, a ring) mapped in place. Z and M stay, EMPTY is not mapped.
///
/// # Errors
/// What is wrong with the value, or what `map` says.
pub fn map_wkb(
    bytes: &[u8],
    out: &mut Vec<u8>,
    mut map: impl FnMut(&mut [f64], &mut [f64]) -> Result<(), String>,
) -> Result<(), String> {
    let (mut x, mut y) = (vec![], vec![]);
    let mut mapped = |run: CoordRun<'_>, n: usize, out: &mut Vec<u8>| {
        x.clear();
        y.clear();
        for (px, py) in run.iter() {
            x.push(px);
            y.push(py);
        }
        map(&mut x, &mut y)?;
        for (i, mut all) in run.ordinates().enumerate() {
            (all[0], all[1]) = (x[i], y[i]);
            write_ordinates(&all[..n], out);
        }
        Ok(())
    };
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header().map_err(|e| e.to_string())?;
    body(&mut cursor, &header, out, &mut mapped, 0).map_err(|stop| match stop {
        Stop::Wkb(error) => error.to_string(),
        Stop::Map(reason) => reason,
    })?;
    cursor.end().map_err(|e| e.to_string())
}

enum Stop {
    Wkb(WkbError),
    Map(String),
}

impl From<WkbError> for Stop {
    fn from(error: WkbError) -> Self {
        Stop::Wkb(error)
    }
}

/// Writes the coordinates of a run, of so many ordinates each.
type WriteRun<'a> = dyn FnMut(CoordRun<'_>, usize, &mut Vec<u8>) -> Result<(), String> + 'a;

fn body(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    out: &mut Vec<u8>,
    write: &mut WriteRun<'_>,
    depth: usize,
) -> Result<(), Stop> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth.into());
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
            match point.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                true => {
                    plain(point, header.ordinates(), out);
                    Ok(())
                }
                false => run(point, header, at, out, write),
            }
        }
        WkbKind::LineString => line(cursor, header, out, write),
        WkbKind::Polygon => {
            let rings = cursor.count(header, 4)?;
            write_count(rings, out);
            for _ in 0..rings {
                line(cursor, header, out, write)?;
            }
            Ok(())
        }
        _ => {
            let parts = cursor.count(header, 9)?;
            write_count(parts, out);
            for _ in 0..parts {
                let part = cursor.part_header(header)?;
                body(cursor, &part, out, write, depth + 1)?;
            }
            Ok(())
        }
    }
}

fn line(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    out: &mut Vec<u8>,
    write: &mut WriteRun<'_>,
) -> Result<(), Stop> {
    // The coordinates follow their count.
    let at = cursor.position() + 4;
    let coords = cursor.coords(header)?;
    write_count(coords.len(), out);
    run(coords, header, at, out, write)
}

fn run(
    coords: CoordRun<'_>,
    header: &WkbHeader,
    at: usize,
    out: &mut Vec<u8>,
    write: &mut WriteRun<'_>,
) -> Result<(), Stop> {
    let n = header.ordinates();
    let odd = |(x, y): &(f64, f64)| !(x.is_finite() && y.is_finite());
    if let Some((i, (x, y))) = coords.iter().enumerate().find(|(_, c)| odd(c)) {
        let at = at + i * n * 8;
        return Err(WkbError::NotFinite { at, x, y }.into());
    }
    write(coords, n, out).map_err(Stop::Map)
}

fn plain(coords: CoordRun<'_>, n: usize, out: &mut Vec<u8>) {
    for all in coords.ordinates() {
        write_ordinates(&all[..n], out);
    }
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
        assert!(!is_iso(&big) && is_iso(&expected));
    }

    #[test]
    fn mapped_coordinates_keep_z_and_empty() {
        let (mut bytes, mut out) = (vec![], vec![]);
        let text = "GEOMETRYCOLLECTION Z (POINT Z EMPTY,LINESTRING Z (0 0 7,1 2 8))";
        wkt_to_wkb(text, &mut bytes).unwrap();
        let move_all = |x: &mut [f64], y: &mut [f64]| {
            x.iter_mut().for_each(|x| *x += 10.0);
            y.iter_mut().for_each(|y| *y -= 10.0);
            Ok(())
        };
        map_wkb(&bytes, &mut out, move_all).unwrap();
        let mut moved = String::new();
        super::super::wkb_to_wkt(&out, &mut moved).unwrap();
        assert_eq!(
            moved,
            "GEOMETRYCOLLECTION Z (POINT Z EMPTY,LINESTRING Z (10 -10 7,11 -8 8))"
        );
        assert_eq!(
            map_wkb(&bytes, &mut vec![], |_, _| Err("no".into())),
            Err("no".to_string())
        );
        assert!(map_wkb(&bytes[..9], &mut vec![], |_, _| Ok(())).is_err());
    }

    #[test]
    fn iso_is_unchanged_and_broken_is_refused() {
        for text in [
            "POINT(1 2)",
            "POINT M EMPTY",
            "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),EMPTY)",
            "GEOMETRYCOLLECTION ZM (POINT ZM (1 2 3 4),LINESTRING ZM EMPTY)",
            "MULTIPOINT((1 2),EMPTY)",
        ] {
            let (mut bytes, mut out) = (vec![], vec![]);
            wkt_to_wkb(text, &mut bytes).unwrap();
            wkb_to_iso(&bytes, &mut out).unwrap();
            assert_eq!(out, bytes);
            assert!(is_iso(&bytes));
            for end in 0..bytes.len() {
                assert!(wkb_to_iso(&bytes[..end], &mut vec![]).is_err());
                assert!(!is_iso(&bytes[..end]));
            }
            // Whatever byte is wrong: what counts as ISO is what comes out unchanged.
            for at in 0..bytes.len() {
                for flipped in 0..8 {
                    let mut odd = bytes.clone();
                    odd[at] ^= 1 << flipped;
                    let mut out = vec![];
                    let unchanged = wkb_to_iso(&odd, &mut out).is_ok() && out == odd;
                    assert_eq!(is_iso(&odd), unchanged, "{odd:?}");
                }
            }
        }
    }
}

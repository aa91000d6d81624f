//! Geometries as GeoPackage stores them.
//!
//! <https://www.geopackage.org/spec140/#gpb_format>
//!
//! ```text
//! | GP | 0 | flags | srs_id i32 | min x, max x, min y, max y  | ISO WKB |
//!            1 little endian      not for points and EMPTY
//!            2 envelope of x and y
//!           16 EMPTY
//! ```

use crate::geometry::Bounds;
use crate::geometry::wkb::{self, WkbError, WkbHeader, WkbKind};
use crate::geometry::{is_iso, wkb_to_iso};

/// Writes the blob of a value into `out`. Returns its header and bounds.
///
/// # Errors
/// Anything malformed, and x or y that is not finite.
pub(super) fn write_blob(
    value: &[u8],
    srs: i32,
    out: &mut Vec<u8>,
) -> Result<(WkbHeader, Bounds), WkbError> {
    out.clear();
    if let Some((x, y)) = wkb::point_xy(value)
        && x.is_finite()
        && y.is_finite()
    {
        header(srs, 0, out);
        out.extend_from_slice(value);
        let header = WkbHeader {
            kind: WkbKind::Point,
            has_z: false,
            has_m: false,
            srid: None,
            little_endian: true,
        };
        return Ok((header, Bounds::point(x, y)));
    }
    let mut cursor = wkb::WkbCursor::new(value);
    let found = cursor.header()?;
    let bounds = wkb::bounds(value)?;
    let flags = match (bounds.is_empty(), found.kind) {
        (true, _) => 16,
        (false, WkbKind::Point) => 0,
        (false, _) => 2,
    };
    header(srs, flags, out);
    if flags == 2 {
        for side in [bounds.min_x, bounds.max_x, bounds.min_y, bounds.max_y] {
            out.extend(side.to_le_bytes());
        }
    }
    match is_iso(value) {
        true => out.extend_from_slice(value),
        false => wkb_to_iso(value, out)?,
    }
    Ok((found, bounds))
}

fn header(srs: i32, flags: u8, out: &mut Vec<u8>) {
    out.extend([b'G', b'P', 0, 1 | flags]);
    out.extend(srs.to_le_bytes());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::wkt_to_wkb;

    fn blob(wkt: &str) -> Vec<u8> {
        let (mut wkb, mut out) = (vec![], vec![]);
        wkt_to_wkb(wkt, &mut wkb).unwrap();
        write_blob(&wkb, 3067, &mut out).unwrap();
        assert!(out.ends_with(&wkb), "{wkt}");
        out.truncate(out.len() - wkb.len());
        out
    }

    #[test]
    fn flags_and_envelopes() {
        let srs = 3067_i32.to_le_bytes();
        let head = |flags: u8| [&[b'G', b'P', 0, flags][..], &srs].concat();
        assert_eq!(blob("POINT (1 2)"), head(1));
        assert_eq!(blob("POINT Z (1 2 3)"), head(1));
        assert_eq!(blob("POINT EMPTY"), head(17));
        assert_eq!(blob("POLYGON M EMPTY"), head(17));
        let mut line = head(3);
        for side in [1.0_f64, 3.0, -4.0, 2.0] {
            line.extend(side.to_le_bytes());
        }
        assert_eq!(blob("LINESTRING ZM (1 2 9 9, 3 -4 9 9)"), line);
    }

    #[test]
    fn other_dialects_become_iso() {
        let mut ewkb = vec![0, 0x20, 0, 0, 1, 0, 0, 0x10, 0xe6];
        ewkb.extend(1.5_f64.to_be_bytes());
        ewkb.extend(2.5_f64.to_be_bytes());
        let mut out = vec![];
        write_blob(&ewkb, 0, &mut out).unwrap();
        let mut wkb = vec![];
        wkt_to_wkb("POINT (1.5 2.5)", &mut wkb).unwrap();
        assert_eq!(out[8..], wkb);
        assert!(write_blob(&ewkb[..20], 0, &mut out).is_err());
    }
}

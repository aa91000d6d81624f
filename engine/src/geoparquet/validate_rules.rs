//! Rules of the standard that readers need not know: geoflow reads the files that break them.

use serde_json::Value;

use crate::geometry::wkb::{WkbCursor, WkbError, WkbHeader, WkbKind};
use crate::overlay::is_counterclockwise;

/// What the metadata of a geometry column break by their mere form; `described` is what the `geo` key says of it.
pub(super) fn broken_form(column: &str, described: &Value) -> Vec<String> {
    let mut broken = vec![];
    if described.get("geometry_types").is_none() {
        broken.push(format!(
            "column \"{column}\" has no \"geometry_types\": an empty list stands for any"
        ));
    }
    if let Some(Value::String(crs)) = described.get("crs") {
        let short: String = crs.chars().take(40).collect();
        broken.push(format!(
            "column \"{column}\" has the crs \"{short}\", a text: it must be PROJJSON, or null"
        ));
    }
    if described
        .get("epoch")
        .is_some_and(|epoch| !epoch.is_number())
    {
        broken.push(format!(
            "column \"{column}\" has an epoch that is no number"
        ));
    }
    broken
}

/// Whether the code of the type has the flags of EWKB; ISO WKB adds thousands to it.
pub(super) fn is_ewkb(bytes: &[u8]) -> bool {
    match bytes {
        [0, high, ..] | [1, _, _, _, high, ..] => high & 0xe0 != 0,
        _ => false,
    }
}

/// Whether all shells turn counterclockwise and all holes clockwise. Geometries without polygons do.
///
/// # Errors
/// A value that cannot be read.
pub(super) fn is_oriented(bytes: &[u8]) -> Result<bool, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    oriented(&mut cursor, &header)
}

fn oriented(cursor: &mut WkbCursor<'_>, header: &WkbHeader) -> Result<bool, WkbError> {
    let mut all = true;
    match header.kind {
        WkbKind::Point => drop(cursor.coord(header)?),
        WkbKind::LineString => drop(cursor.coords(header)?),
        WkbKind::Polygon => {
            for ring in 0..cursor.count(header, 4)? {
                let run = cursor.coords(header)?;
                let coords: Vec<_> = run.iter().map(|(x, y)| geo::Coord { x, y }).collect();
                all &= coords.is_empty() || is_counterclockwise(&coords) == (ring == 0);
            }
        }
        _ => {
            for _ in 0..cursor.count(header, 5)? {
                // `bounds` has been through the value, so that no nesting is too deep.
                let part = cursor.part_header(header)?;
                all &= oriented(cursor, &part)?;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::wkt_to_wkb;

    #[test]
    fn rings() {
        for (wkt, expected) in [
            ("POINT (1 2)", true),
            ("POLYGON EMPTY", true),
            ("POLYGON ((0 0, 4 0, 4 4, 0 0))", true),
            ("POLYGON ((0 0, 4 4, 4 0, 0 0))", false),
            (
                "POLYGON ((0 0, 9 0, 9 9, 0 0), (3 1, 4 1, 4 2, 3 1))",
                false,
            ),
            (
                "GEOMETRYCOLLECTION Z (MULTIPOLYGON Z (((0 0 1, 4 4 1, 4 0 1, 0 0 1))))",
                false,
            ),
        ] {
            let mut wkb = vec![];
            wkt_to_wkb(wkt, &mut wkb).unwrap();
            assert_eq!(is_oriented(&wkb).unwrap(), expected, "{wkt}");
            assert!(!is_ewkb(&wkb), "{wkt}");
        }
        assert!(is_ewkb(&[1, 1, 0, 0, 0x20]) && is_ewkb(&[0, 0x80, 0, 0, 1]));
    }
}

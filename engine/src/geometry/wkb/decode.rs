//! From WKB to a `geo` geometry.

use geo_types::{
    Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point,
    Polygon,
};

use super::{MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind, is_empty_point};

/// Decodes a value to x and y; Z and M are dropped. POINT EMPTY becomes an empty MULTIPOINT, as
/// `geo` knows no empty point.
///
/// # Errors
/// Anything malformed, and coordinates that are not finite.
pub fn decode(bytes: &[u8]) -> Result<Geometry<f64>, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    let geometry = decode_body(&mut cursor, &header, 0)?;
    cursor.end()?;
    Ok(geometry)
}

fn decode_body(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    depth: usize,
) -> Result<Geometry<f64>, WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    Ok(match header.kind {
        WkbKind::Point => match decode_point(cursor, header)? {
            Some(point) => Geometry::Point(point),
            None => Geometry::MultiPoint(MultiPoint(vec![])),
        },
        WkbKind::LineString => Geometry::LineString(decode_line(cursor, header)?),
        WkbKind::Polygon => Geometry::Polygon(decode_polygon(cursor, header)?),
        WkbKind::MultiPoint => {
            let n = cursor.count(header, 9)?;
            let mut points = Vec::with_capacity(n);
            for _ in 0..n {
                let part = cursor.part_header(header)?;
                points.extend(decode_point(cursor, &part)?);
            }
            Geometry::MultiPoint(MultiPoint(points))
        }
        WkbKind::MultiLineString => {
            Geometry::MultiLineString(MultiLineString(decode_parts(cursor, header, decode_line)?))
        }
        WkbKind::MultiPolygon => {
            Geometry::MultiPolygon(MultiPolygon(decode_parts(cursor, header, decode_polygon)?))
        }
        WkbKind::GeometryCollection => {
            let n = cursor.count(header, 9)?;
            let mut parts = Vec::with_capacity(n);
            for _ in 0..n {
                let part = cursor.part_header(header)?;
                parts.push(decode_body(cursor, &part, depth + 1)?);
            }
            Geometry::GeometryCollection(GeometryCollection(parts))
        }
    })
}

fn decode_parts<T>(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    decode: impl Fn(&mut WkbCursor<'_>, &WkbHeader) -> Result<T, WkbError>,
) -> Result<Vec<T>, WkbError> {
    // A part takes nine bytes at least, and a `T` not much more: the count is safe to believe.
    let n = cursor.count(header, 9)?;
    let mut parts = Vec::with_capacity(n);
    for _ in 0..n {
        let part = cursor.part_header(header)?;
        parts.push(decode(cursor, &part)?);
    }
    Ok(parts)
}

fn decode_point(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
) -> Result<Option<Point<f64>>, WkbError> {
    let run = cursor.coord(header)?;
    if is_empty_point(&run) {
        return Ok(None);
    }
    Ok(run.finite()?.next().map(Point))
}

fn decode_line(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
) -> Result<LineString<f64>, WkbError> {
    Ok(LineString(cursor.coords(header)?.finite()?.collect()))
}

fn decode_polygon(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
) -> Result<Polygon<f64>, WkbError> {
    let rings = cursor.count(header, 4)?;
    let mut exterior = LineString(vec![]);
    let mut interiors = Vec::with_capacity(rings.saturating_sub(1));
    for i in 0..rings {
        let ring = LineString(cursor.coords(header)?.finite()?.collect());
        match i {
            0 => exterior = ring,
            _ => interiors.push(ring),
        }
    }
    Ok(Polygon::new(exterior, interiors))
}

//! Writing well-known binary: ISO, little-endian.

use geo_types::{Coord, Geometry, LineString, Point, Polygon};

use super::wkb::WkbKind;

/// Which ordinates stand beside x and y.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dimensions {
    /// Third ordinate.
    pub z: bool,
    /// Measure.
    pub m: bool,
}

impl Dimensions {
    /// x and y alone.
    pub const XY: Dimensions = Dimensions { z: false, m: false };
    /// x, y and z.
    pub const XYZ: Dimensions = Dimensions { z: true, m: false };
    /// x, y and m.
    pub const XYM: Dimensions = Dimensions { z: false, m: true };
    /// x, y, z and m.
    pub const XYZM: Dimensions = Dimensions { z: true, m: true };

    /// Ordinates of a coordinate: 2, 3 or 4.
    pub fn ordinates(self) -> usize {
        2 + usize::from(self.z) + usize::from(self.m)
    }
}

/// Appends byte order and type.
pub fn write_header(kind: WkbKind, dimensions: Dimensions, out: &mut Vec<u8>) {
    let code = kind.code() + 1000 * u32::from(dimensions.z) + 2000 * u32::from(dimensions.m);
    out.push(1);
    out.extend(code.to_le_bytes());
}

/// Appends a count of coordinates, rings or parts, and returns where it stands, for
/// [`patch_count`].
pub fn write_count(n: usize, out: &mut Vec<u8>) -> usize {
    let at = out.len();
    // A count beyond u32 would need 32 GB of coordinates in one value, which no array holds.
    out.extend(u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    at
}

/// Sets a count that was not known when it was written.
pub fn patch_count(at: usize, n: usize, out: &mut [u8]) {
    if let Some(slot) = out.get_mut(at..at + 4) {
        slot.copy_from_slice(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Appends the ordinates of a coordinate.
pub fn write_ordinates(ordinates: &[f64], out: &mut Vec<u8>) {
    for value in ordinates {
        out.extend(value.to_le_bytes());
    }
}

/// Appends a whole point; NaN in x and y is POINT EMPTY.
pub fn write_point(x: f64, y: f64, out: &mut Vec<u8>) {
    write_header(WkbKind::Point, Dimensions::XY, out);
    write_ordinates(&[x, y], out);
}

/// Appends a rectangle as a polygon of five coordinates, clockwise from the lower left corner, as
/// PostGIS orders envelopes.
pub fn write_rectangle(min: Coord<f64>, max: Coord<f64>, out: &mut Vec<u8>) {
    write_header(WkbKind::Polygon, Dimensions::XY, out);
    write_count(1, out);
    write_count(5, out);
    for (x, y) in [
        (min.x, min.y),
        (min.x, max.y),
        (max.x, max.y),
        (max.x, min.y),
        (min.x, min.y),
    ] {
        write_ordinates(&[x, y], out);
    }
}

/// Appends a geometry of x and y. `Line` becomes a line of two coordinates, `Rect` and `Triangle`
/// become polygons.
pub fn write_geometry(geometry: &Geometry<f64>, out: &mut Vec<u8>) {
    match geometry {
        Geometry::Point(point) => point_body(point, out),
        Geometry::Line(line) => line_body(&LineString(vec![line.start, line.end]), out),
        Geometry::LineString(line) => line_body(line, out),
        Geometry::Polygon(polygon) => polygon_body(polygon, out),
        Geometry::Rect(rect) => write_rectangle(rect.min(), rect.max(), out),
        Geometry::Triangle(triangle) => polygon_body(&triangle.to_polygon(), out),
        Geometry::MultiPoint(multi) => {
            parts(WkbKind::MultiPoint, &multi.0, point_body, out);
        }
        Geometry::MultiLineString(multi) => {
            parts(WkbKind::MultiLineString, &multi.0, line_body, out);
        }
        Geometry::MultiPolygon(multi) => {
            parts(WkbKind::MultiPolygon, &multi.0, polygon_body, out);
        }
        Geometry::GeometryCollection(collection) => {
            parts(
                WkbKind::GeometryCollection,
                &collection.0,
                write_geometry,
                out,
            );
        }
    }
}

fn parts<T>(kind: WkbKind, parts: &[T], write: impl Fn(&T, &mut Vec<u8>), out: &mut Vec<u8>) {
    write_header(kind, Dimensions::XY, out);
    write_count(parts.len(), out);
    for part in parts {
        write(part, out);
    }
}

fn point_body(point: &Point<f64>, out: &mut Vec<u8>) {
    write_point(point.x(), point.y(), out);
}

fn line_body(line: &LineString<f64>, out: &mut Vec<u8>) {
    write_header(WkbKind::LineString, Dimensions::XY, out);
    coords(line, out);
}

fn polygon_body(polygon: &Polygon<f64>, out: &mut Vec<u8>) {
    write_header(WkbKind::Polygon, Dimensions::XY, out);
    if polygon.exterior().0.is_empty() {
        write_count(0, out);
        return;
    }
    write_count(1 + polygon.interiors().len(), out);
    coords(polygon.exterior(), out);
    for ring in polygon.interiors() {
        coords(ring, out);
    }
}

fn coords(line: &LineString<f64>, out: &mut Vec<u8>) {
    write_count(line.0.len(), out);
    for c in &line.0 {
        write_ordinates(&[c.x, c.y], out);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use geo_types::{GeometryCollection, MultiPolygon, Rect, polygon};

    use super::super::{wkb, wkb_to_wkt};
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let square = polygon![
            exterior: [(x: 0.0, y: 0.0), (x: 9.0, y: 0.0), (x: 9.0, y: 9.0), (x: 0.0, y: 0.0)],
            interiors: [[(x: 5.0, y: 1.0), (x: 6.0, y: 1.0), (x: 6.0, y: 2.0), (x: 5.0, y: 1.0)]],
        ];
        let line = LineString::from(vec![(0.0, 1.0), (2.0, 3.0)]);
        let all = Geometry::GeometryCollection(GeometryCollection(vec![
            Geometry::Point(Point::new(1.0, 2.0)),
            Geometry::MultiPolygon(MultiPolygon(vec![square.clone()])),
            Geometry::Polygon(square),
            Geometry::MultiLineString(geo_types::MultiLineString(vec![line.clone()])),
            Geometry::LineString(line),
            Geometry::MultiPoint(vec![(1.0, 1.0)].into()),
            Geometry::Polygon(Polygon::new(LineString(vec![]), vec![])),
        ]));
        let mut bytes = vec![];
        write_geometry(&all, &mut bytes);
        assert_eq!(wkb::decode(&bytes).unwrap(), all);
    }

    #[test]
    fn rectangles_are_polygons() {
        let mut bytes = vec![];
        let rect = Rect::new((0.0, 1.0), (2.0, 3.0));
        write_geometry(&Geometry::Rect(rect), &mut bytes);
        let mut text = String::new();
        wkb_to_wkt(&bytes, &mut text).unwrap();
        assert_eq!(text, "POLYGON((0 1,0 3,2 3,2 1,0 1))");
    }
}

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

use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};

use super::Bounds;

/// Deepest nesting of collections that is read.
pub const MAX_DEPTH: usize = 32;

/// Length in bytes of a two-dimensional point.
pub const POINT_LEN: usize = 21;

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

/// Simple Features type codes, without dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WkbKind {
    /// 1
    Point,
    /// 2
    LineString,
    /// 3
    Polygon,
    /// 4
    MultiPoint,
    /// 5
    MultiLineString,
    /// 6
    MultiPolygon,
    /// 7
    GeometryCollection,
}

impl WkbKind {
    fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Point,
            2 => Self::LineString,
            3 => Self::Polygon,
            4 => Self::MultiPoint,
            5 => Self::MultiLineString,
            6 => Self::MultiPolygon,
            7 => Self::GeometryCollection,
            _ => return None,
        })
    }

    /// The Simple Features code.
    pub fn code(self) -> u32 {
        match self {
            Self::Point => 1,
            Self::LineString => 2,
            Self::Polygon => 3,
            Self::MultiPoint => 4,
            Self::MultiLineString => 5,
            Self::MultiPolygon => 6,
            Self::GeometryCollection => 7,
        }
    }

    /// The name in GeoJSON and, after `ST_`, in ST_GeometryType: `MultiPoint`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::LineString => "LineString",
            Self::Polygon => "Polygon",
            Self::MultiPoint => "MultiPoint",
            Self::MultiLineString => "MultiLineString",
            Self::MultiPolygon => "MultiPolygon",
            Self::GeometryCollection => "GeometryCollection",
        }
    }

    /// The tag in WKT: `MULTIPOINT`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Point => "POINT",
            Self::LineString => "LINESTRING",
            Self::Polygon => "POLYGON",
            Self::MultiPoint => "MULTIPOINT",
            Self::MultiLineString => "MULTILINESTRING",
            Self::MultiPolygon => "MULTIPOLYGON",
            Self::GeometryCollection => "GEOMETRYCOLLECTION",
        }
    }

    /// The only type that a part may have, where there is such a rule.
    fn part(self) -> Option<Self> {
        match self {
            Self::MultiPoint => Some(Self::Point),
            Self::MultiLineString => Some(Self::LineString),
            Self::MultiPolygon => Some(Self::Polygon),
            _ => None,
        }
    }
}

/// What stands before the body of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WkbHeader {
    /// Its type.
    pub kind: WkbKind,
    /// Third ordinate.
    pub has_z: bool,
    /// Measure.
    pub has_m: bool,
    /// SRID of EWKB.
    pub srid: Option<u32>,
    /// Byte order of what follows.
    pub little_endian: bool,
}

impl WkbHeader {
    /// Ordinates of a coordinate: 2, 3 or 4.
    pub fn ordinates(&self) -> usize {
        2 + usize::from(self.has_z) + usize::from(self.has_m)
    }
}

/// A cursor over one value. All reads are checked.
#[derive(Debug, Clone)]
pub struct WkbCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A run of coordinates as it stands in the value.
#[derive(Debug, Clone, Copy)]
pub struct CoordRun<'a> {
    bytes: &'a [u8],
    at: usize,
    stride: usize,
    little_endian: bool,
}

impl<'a> CoordRun<'a> {
    /// How many coordinates there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// x and y of every coordinate, unchecked for NaN.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let little_endian = self.little_endian;
        self.bytes.chunks_exact(self.stride).map(move |chunk| {
            (
                ordinate(chunk, 0, little_endian),
                ordinate(chunk, 1, little_endian),
            )
        })
    }

    /// All ordinates of every coordinate: two, three or four values a time, in file order.
    pub fn ordinates(&self) -> impl Iterator<Item = [f64; 4]> + 'a {
        let (little_endian, n) = (self.little_endian, self.stride / 8);
        self.bytes.chunks_exact(self.stride).map(move |chunk| {
            let mut all = [f64::NAN; 4];
            for (i, slot) in all.iter_mut().enumerate().take(n) {
                *slot = ordinate(chunk, i, little_endian);
            }
            all
        })
    }

    pub(crate) fn finite(&self) -> Result<impl Iterator<Item = Coord<f64>> + use<'a>, WkbError> {
        match self
            .iter()
            .position(|(x, y)| !(x.is_finite() && y.is_finite()))
        {
            Some(i) => Err(self.not_finite(i)),
            None => Ok(self.iter().map(|(x, y)| Coord { x, y })),
        }
    }

    /// Appends all coordinates.
    pub(crate) fn append_to(&self, out: &mut Vec<Coord<f64>>) -> Result<(), WkbError> {
        let start = out.len();
        match (self.stride, self.little_endian) {
            // By far the most common layout gets a loop of its own: no more than a copy.
            (16, true) => out.extend(self.bytes.chunks_exact(16).map(|chunk| Coord {
                x: ordinate(chunk, 0, true),
                y: ordinate(chunk, 1, true),
            })),
            _ => out.extend(self.iter().map(|(x, y)| Coord { x, y })),
        }
        // Zero times a finite number is zero, times any other NaN.
        let odd = out[start..]
            .iter()
            .fold(0.0, |odd, c| odd + (c.x * 0.0 + c.y * 0.0));
        if odd == 0.0 {
            return Ok(());
        }
        let at = out[start..]
            .iter()
            .position(|c| !(c.x.is_finite() && c.y.is_finite()));
        Err(self.not_finite(at.unwrap_or_default()))
    }

    fn not_finite(&self, i: usize) -> WkbError {
        let (x, y) = self.iter().nth(i).unwrap_or((f64::NAN, f64::NAN));
        WkbError::NotFinite {
            at: self.at + i * self.stride,
            x,
            y,
        }
    }
}

#[inline]
fn ordinate(chunk: &[u8], i: usize, little_endian: bool) -> f64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&chunk[i * 8..i * 8 + 8]);
    if little_endian {
        f64::from_le_bytes(eight)
    } else {
        f64::from_be_bytes(eight)
    }
}

impl<'a> WkbCursor<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next read.
    pub fn position(&self) -> usize {
        self.at
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], WkbError> {
        let left = self.bytes.len() - self.at;
        if n > left as u64 {
            return Err(WkbError::Truncated {
                at: self.at,
                needed: n - left as u64,
                left,
            });
        }
        let start = self.at;
        self.at += n as usize;
        Ok(&self.bytes[start..self.at])
    }

    fn u32(&mut self, little_endian: bool) -> Result<u32, WkbError> {
        let mut four = [0; 4];
        four.copy_from_slice(self.take(4)?);
        Ok(if little_endian {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    }

    /// Reads byte order, type and SRID.
    pub fn header(&mut self) -> Result<WkbHeader, WkbError> {
        let at = self.at;
        let little_endian = match self.take(1)? {
            [0] => false,
            [1] => true,
            other => {
                return Err(WkbError::ByteOrder {
                    at,
                    found: other.first().copied().unwrap_or_default(),
                });
            }
        };
        let at = self.at;
        let raw = self.u32(little_endian)?;
        let code = raw & 0x1fff_ffff;
        let (thousands, base) = (code / 1000, code % 1000);
        let kind = match WkbKind::from_code(base) {
            Some(kind) if thousands <= 3 => kind,
            _ => return Err(WkbError::Type { at, code: raw }),
        };
        let srid = match raw & 0x2000_0000 {
            0 => None,
            _ => Some(self.u32(little_endian)?),
        };
        Ok(WkbHeader {
            kind,
            has_z: raw & 0x8000_0000 != 0 || thousands & 1 == 1,
            has_m: raw & 0x4000_0000 != 0 || thousands & 2 == 2,
            srid,
            little_endian,
        })
    }

    /// Reads the header of a part of `parent` and holds it to the parent's type.
    pub fn part_header(&mut self, parent: &WkbHeader) -> Result<WkbHeader, WkbError> {
        let at = self.at;
        let header = self.header()?;
        match parent.kind.part() {
            Some(expected) if expected != header.kind => Err(WkbError::Part {
                at,
                found: header.kind.code(),
                expected: expected.code(),
            }),
            _ => Ok(header),
        }
    }

    /// Reads a count of things that take at least `least` bytes each.
    pub fn count(&mut self, header: &WkbHeader, least: usize) -> Result<usize, WkbError> {
        let n = self.u32(header.little_endian)?;
        let left = self.bytes.len() - self.at;
        let needed = u64::from(n) * least as u64;
        if needed > left as u64 {
            return Err(WkbError::Truncated {
                at: self.at,
                needed: needed - left as u64,
                left,
            });
        }
        Ok(n as usize)
    }

    /// Reads the one coordinate of a point.
    pub fn coord(&mut self, header: &WkbHeader) -> Result<CoordRun<'a>, WkbError> {
        self.run(header, 1)
    }

    /// Reads a counted run of coordinates: a line or a ring.
    pub fn coords(&mut self, header: &WkbHeader) -> Result<CoordRun<'a>, WkbError> {
        let n = self.count(header, header.ordinates() * 8)?;
        self.run(header, n)
    }

    fn run(&mut self, header: &WkbHeader, n: usize) -> Result<CoordRun<'a>, WkbError> {
        let stride = header.ordinates() * 8;
        let at = self.at;
        Ok(CoordRun {
            bytes: self.take(n as u64 * stride as u64)?,
            at,
            stride,
            little_endian: header.little_endian,
        })
    }

    /// Fails where bytes are left over.
    pub fn end(&self) -> Result<(), WkbError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(WkbError::Trailing { at: self.at, left }),
        }
    }
}

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
        for Coord { x, y } in run.finite()? {
            all.add(x, y);
        }
        Ok(())
    })?;
    Ok(all)
}

fn is_empty_point(run: &CoordRun<'_>) -> bool {
    run.iter().all(|(x, y)| x.is_nan() && y.is_nan())
}

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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
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

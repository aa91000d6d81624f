//! The records of a `.shp` file as WKB.
//!
//! ```text
//! | type | x y [z] [m]                                                               point
//! | type | box | n | n (x y)            | [z range, n z] | [m range, n m]           multipoint
//! | type | box | parts | n | part starts | n (x y) | [z range, n z] | [m range, n m]  lines, polygons
//! ```
//!
//! Esri Shapefile Technical Description, 1998. Every count is compared with the length of the record.

use std::ops::Range;

use super::rings::polygons;
use crate::geometry::Bounds;
use crate::geometry::wkb::WkbKind;
use crate::geometry::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// Measures below are none.
const NO_DATA: f64 = -1e38;

/// What a `.shp` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Point,
    MultiPoint,
    Lines,
    Polygons,
}

/// The type of a shape; `None` for the one that is no geometry.
fn family(code: i32) -> Result<Option<(Family, Dimensions)>, String> {
    let dimensions = match code {
        0..10 => Dimensions::XY,
        10..20 => Dimensions::XYZ,
        _ => Dimensions::XYM,
    };
    let family = match code {
        0 => return Ok(None),
        1 | 11 | 21 => Family::Point,
        3 | 13 | 23 => Family::Lines,
        5 | 15 | 25 => Family::Polygons,
        8 | 18 | 28 => Family::MultiPoint,
        31 => return Err("a MultiPatch, a surface in space, is not supported".into()),
        other => return Err(format!("there is no type {other} of shapes")),
    };
    Ok(Some((family, dimensions)))
}

/// Types of geometries that a file of this type holds, as GeoParquet names them.
pub(super) fn type_names(code: i32) -> Vec<String> {
    let Ok(Some((family, dimensions))) = family(code) else {
        return vec![];
    };
    let names: &[&str] = match family {
        Family::Point => &["Point"],
        Family::MultiPoint => &["MultiPoint"],
        Family::Lines => &["LineString", "MultiLineString"],
        Family::Polygons => &["Polygon", "MultiPolygon"],
    };
    let suffix = match (dimensions.z, dimensions.m) {
        (true, _) => " Z",
        (_, true) => " M",
        _ => "",
    };
    names.iter().map(|name| format!("{name}{suffix}")).collect()
}

/// A place in a record.
#[derive(Clone, Copy)]
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn get(self, i: usize) -> f64 {
        match self.0.get(i * 8..i * 8 + 8).and_then(|b| b.try_into().ok()) {
            Some(bytes) => f64::from_le_bytes(bytes),
            None => f64::NAN,
        }
    }
}

/// The little-endian integer at a byte.
pub(super) fn int(bytes: &[u8], at: usize) -> Option<i32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(i32::from_le_bytes(bytes.try_into().ok()?))
}

/// The rectangle of a record, without its points being read; `None` where there is no geometry or it is
/// broken.
pub(super) fn bounds(record: &[u8]) -> Option<Bounds> {
    let (family, _) = family(int(record, 0)?).ok()??;
    let numbers = Numbers(record.get(4..)?);
    match family {
        Family::Point => Some(Bounds::point(numbers.get(0), numbers.get(1))),
        _ => {
            record.get(4..36)?;
            Some(Bounds::new(
                numbers.get(0),
                numbers.get(1),
                numbers.get(2),
                numbers.get(3),
            ))
        }
    }
}

struct Points<'a> {
    n: usize,
    xy: Numbers<'a>,
    z: Option<Numbers<'a>>,
    m: Option<Numbers<'a>>,
}

impl<'a> Points<'a> {
    /// `n` points, that begin with `rest`.
    fn read(n: usize, rest: &'a [u8], dimensions: Dimensions) -> Result<Self, String> {
        let short = || format!("the record is too short for its {n} points");
        let each = n.checked_mul(8).ok_or_else(short)?;
        let pairs = each.checked_mul(2).ok_or_else(short)?;
        let (xy, mut rest) = rest.split_at_checked(pairs).ok_or_else(short)?;
        let mut next = || {
            let (values, after) = rest.get(16..)?.split_at_checked(each)?;
            rest = after;
            Some(Numbers(values))
        };
        let z = match dimensions.z {
            true => Some(next().ok_or_else(short)?),
            false => None,
        };
        // Measures may be left out, of types with z without a word.
        let m = next().filter(|m| dimensions.m || (0..n).any(|i| m.get(i) > NO_DATA));
        let m = m.filter(|_| dimensions.z || dimensions.m);
        Ok(Self {
            n,
            xy: Numbers(xy),
            z,
            m,
        })
    }

    fn dimensions(&self) -> Dimensions {
        Dimensions {
            z: self.z.is_some(),
            m: self.m.is_some(),
        }
    }

    fn xy(&self, i: usize) -> (f64, f64) {
        (self.xy.get(i * 2), self.xy.get(i * 2 + 1))
    }

    fn write(&self, i: usize, out: &mut Vec<u8>) {
        let (x, y) = self.xy(i);
        write_ordinates(&[x, y], out);
        if let Some(z) = self.z {
            write_ordinates(&[z.get(i)], out);
        }
        if let Some(m) = self.m {
            write_ordinates(&[measure(m.get(i))], out);
        }
    }

    fn run(&self, range: &Range<usize>, out: &mut Vec<u8>) {
        write_count(range.len(), out);
        range.clone().for_each(|i| self.write(i, out));
    }

    /// A ring, which is closed if it was not.
    fn ring(&self, range: &Range<usize>, out: &mut Vec<u8>) {
        let closed = self.xy(range.start) == self.xy(range.end - 1);
        write_count(range.len() + usize::from(!closed), out);
        range.clone().for_each(|i| self.write(i, out));
        if !closed {
            self.write(range.start, out);
        }
    }
}

fn measure(m: f64) -> f64 {
    if m > NO_DATA { m } else { f64::NAN }
}

/// Puts the WKB of a record in the place of what is in `out`; whether there is a geometry.
///
/// # Errors
/// What is wrong with the record.
pub(super) fn write_wkb(record: &[u8], out: &mut Vec<u8>) -> Result<bool, String> {
    out.clear();
    let short = || "the record is cut short".to_owned();
    let code = int(record, 0).ok_or_else(short)?;
    let Some((family, dimensions)) = family(code)? else {
        return Ok(false);
    };
    match family {
        Family::Point => {
            // z and m stand beside x and y.
            let ordinates = record.get(4..).unwrap_or_default();
            let least = 8 * dimensions.ordinates();
            if ordinates.len() < least {
                return Err(short());
            }
            let all = Numbers(ordinates);
            let m = match dimensions {
                Dimensions { z: true, .. } if ordinates.len() >= 32 => {
                    Some(all.get(3)).filter(|m| *m > NO_DATA)
                }
                Dimensions { m: true, .. } => Some(measure(all.get(2))),
                _ => None,
            };
            let z = dimensions.z.then(|| all.get(2));
            let dimensions = Dimensions {
                z: z.is_some(),
                m: m.is_some(),
            };
            write_header(WkbKind::Point, dimensions, out);
            write_ordinates(&[all.get(0), all.get(1)], out);
            z.iter().chain(&m).for_each(|v| write_ordinates(&[*v], out));
        }
        Family::MultiPoint => {
            let n = count(record, 36).ok_or_else(short)?;
            let points = Points::read(n, record.get(40..).ok_or_else(short)?, dimensions)?;
            write_header(WkbKind::MultiPoint, points.dimensions(), out);
            write_count(n, out);
            for i in 0..n {
                write_header(WkbKind::Point, points.dimensions(), out);
                points.write(i, out);
            }
        }
        Family::Lines | Family::Polygons => {
            let (points, parts) = parts(record, dimensions)?;
            match family {
                Family::Lines => lines(&points, &parts, out),
                _ => areas(&points, &parts, out),
            }
        }
    }
    Ok(true)
}

fn count(record: &[u8], at: usize) -> Option<usize> {
    usize::try_from(int(record, at)?).ok()
}

/// The points of a record with parts, and which of them each part has.
fn parts(record: &[u8], dimensions: Dimensions) -> Result<(Points<'_>, Vec<Range<usize>>), String> {
    let short = || "the record is cut short".to_owned();
    let (parts, n) = (
        count(record, 36).ok_or_else(short)?,
        count(record, 40).ok_or_else(short)?,
    );
    let too_many = || format!("the record is too short for its {parts} parts");
    let bytes = parts.checked_mul(4).ok_or_else(too_many)?;
    let rest = record.get(44..).ok_or_else(short)?;
    let (starts, rest) = rest.split_at_checked(bytes).ok_or_else(too_many)?;
    let points = Points::read(n, rest, dimensions)?;
    let mut ranges = Vec::with_capacity(parts);
    for part in 0..parts {
        let start = count(starts, part * 4).unwrap_or(usize::MAX);
        let end = match part + 1 < parts {
            true => count(starts, (part + 1) * 4).unwrap_or(usize::MAX),
            false => n,
        };
        if start > end || end > points.n {
            return Err(format!(
                "part {part} goes from point {start} to {end} of {n}"
            ));
        }
        if start < end {
            ranges.push(start..end);
        }
    }
    Ok((points, ranges))
}

fn lines(points: &Points<'_>, parts: &[Range<usize>], out: &mut Vec<u8>) {
    let dimensions = points.dimensions();
    if parts.len() != 1 {
        write_header(WkbKind::MultiLineString, dimensions, out);
        write_count(parts.len(), out);
    }
    for part in parts {
        write_header(WkbKind::LineString, dimensions, out);
        points.run(part, out);
    }
}

fn areas(points: &Points<'_>, parts: &[Range<usize>], out: &mut Vec<u8>) {
    let dimensions = points.dimensions();
    let polygons = polygons(parts, &|i| points.xy(i));
    if polygons.len() != 1 {
        write_header(WkbKind::MultiPolygon, dimensions, out);
        write_count(polygons.len(), out);
    }
    for rings in &polygons {
        write_header(WkbKind::Polygon, dimensions, out);
        write_count(rings.len(), out);
        rings.iter().for_each(|ring| points.ring(ring, out));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::wkb_to_wkt;

    fn record(code: i32, counts: &[i32], numbers: &[f64]) -> Vec<u8> {
        let mut bytes = code.to_le_bytes().to_vec();
        if !counts.is_empty() {
            bytes.extend([0; 32]);
        }
        counts.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        numbers.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        bytes
    }

    fn wkt(record: &[u8]) -> String {
        let (mut out, mut text) = (vec![], String::new());
        if !write_wkb(record, &mut out).unwrap() {
            return "NULL".into();
        }
        wkb_to_wkt(&out, &mut text).unwrap();
        text
    }

    const NONE: f64 = -1e39;

    #[test]
    fn every_type() {
        assert_eq!(wkt(&record(0, &[], &[])), "NULL");
        assert_eq!(wkt(&record(1, &[], &[1.0, 2.0])), "POINT(1 2)");
        assert_eq!(wkt(&record(11, &[], &[1.0, 2.0, 3.0])), "POINT Z (1 2 3)");
        assert_eq!(
            wkt(&record(11, &[], &[1.0, 2.0, 3.0, NONE])),
            "POINT Z (1 2 3)"
        );
        assert_eq!(
            wkt(&record(11, &[], &[1.0, 2.0, 3.0, 4.0])),
            "POINT ZM (1 2 3 4)"
        );
        assert_eq!(wkt(&record(21, &[], &[1.0, 2.0, 4.0])), "POINT M (1 2 4)");
        assert_eq!(
            wkt(&record(8, &[2], &[1.0, 2.0, 3.0, 4.0])),
            "MULTIPOINT((1 2),(3 4))"
        );
        let xy = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
        assert_eq!(
            wkt(&record(3, &[1, 4, 0], &xy)),
            "LINESTRING(0 0,1 1,2 2,3 3)"
        );
        assert_eq!(
            wkt(&record(3, &[2, 4, 0, 2], &xy)),
            "MULTILINESTRING((0 0,1 1),(2 2,3 3))"
        );
        let zm = [
            &xy[..],
            &[0.0, 0.0, 5.0, 6.0, 7.0, 8.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0],
        ]
        .concat();
        assert_eq!(
            wkt(&record(13, &[1, 4, 0], &zm)),
            "LINESTRING ZM (0 0 5 1,1 1 6 2,2 2 7 3,3 3 8 4)"
        );
        assert_eq!(
            wkt(&record(13, &[1, 4, 0], &zm[..14])),
            "LINESTRING Z (0 0 5,1 1 6,2 2 7,3 3 8)"
        );
        assert_eq!(
            wkt(&record(23, &[1, 4, 0], &zm[..14])),
            "LINESTRING M (0 0 5,1 1 6,2 2 7,3 3 8)"
        );
        let square = [0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0, 0.0, 0.0, 0.0];
        let open = &square[..8];
        assert_eq!(
            wkt(&record(5, &[1, 5, 0], &square)),
            "POLYGON((0 0,0 9,9 9,9 0,0 0))"
        );
        assert_eq!(
            wkt(&record(5, &[1, 4, 0], open)),
            "POLYGON((0 0,0 9,9 9,9 0,0 0))"
        );
    }

    #[test]
    fn broken_records_are_refused() {
        let whole = record(3, &[2, 4, 0, 2], &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
        for end in 0..whole.len() {
            assert!(write_wkb(&whole[..end], &mut vec![]).is_err(), "{end}");
        }
        for bad in [
            record(3, &[i32::MAX, 4, 0], &[]),
            record(3, &[1, i32::MAX, 0], &[]),
            record(3, &[1, -1, 0], &[]),
            record(3, &[2, 2, 1, 0], &[0.0; 4]),
            record(8, &[1 << 28], &[0.0; 4]),
            record(31, &[1], &[]),
            record(99, &[], &[]),
        ] {
            assert!(write_wkb(&bad, &mut vec![]).is_err());
        }
    }
}

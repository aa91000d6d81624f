//! Geometries of FlatGeobuf as WKB.

use std::ops::Range;

use ::flatgeobuf::{Geometry, GeometryType};

use crate::geometry::wkb::{MAX_DEPTH, WkbKind};
use crate::geometry::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

fn kind(ty: GeometryType) -> Result<WkbKind, String> {
    Ok(match ty {
        GeometryType::Point => WkbKind::Point,
        GeometryType::LineString => WkbKind::LineString,
        GeometryType::Polygon => WkbKind::Polygon,
        GeometryType::MultiPoint => WkbKind::MultiPoint,
        GeometryType::MultiLineString => WkbKind::MultiLineString,
        GeometryType::MultiPolygon => WkbKind::MultiPolygon,
        GeometryType::GeometryCollection => WkbKind::GeometryCollection,
        other => {
            let name = other.variant_name().unwrap_or("one that is not known");
            return Err(format!("the geometry type {name} is not supported"));
        }
    })
}

/// Types of geometries that a file holds, as GeoParquet names them; none where it holds any.
pub(super) fn type_name(ty: u8, has_z: bool, has_m: bool) -> Option<String> {
    let suffix = match (has_z, has_m) {
        (true, true) => " ZM",
        (true, false) => " Z",
        (false, true) => " M",
        (false, false) => "",
    };
    Some(format!("{}{suffix}", kind(GeometryType(ty)).ok()?.name()))
}

/// Appends the WKB of a geometry. `ty` is the type of all geometries of the file, 0 where each has its own.
///
/// # Errors
/// What is wrong with it.
pub(super) fn write_wkb(
    geometry: &Geometry<'_>,
    (ty, empty): (u8, Dimensions),
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let ty = match GeometryType(ty) {
        GeometryType::Unknown => geometry.type_(),
        ty => ty,
    };
    write(geometry, kind(ty)?, empty, 0, out)
}

fn write(
    geometry: &Geometry<'_>,
    kind: WkbKind,
    empty: Dimensions,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("geometries are nested deeper than {MAX_DEPTH}"));
    }
    let points = Points::new(geometry, empty)?;
    let dimensions = points.dimensions;
    let start = out.len();
    write_header(kind, dimensions, out);
    match kind {
        WkbKind::Point if points.n == 0 => {
            write_ordinates(&[f64::NAN; 4][..dimensions.ordinates()], out);
        }
        WkbKind::Point => points.write(0..1, out),
        WkbKind::LineString => points.run(0..points.n, out),
        WkbKind::MultiPoint => {
            write_count(points.n, out);
            for i in 0..points.n {
                write_header(WkbKind::Point, dimensions, out);
                points.write(i..i + 1, out);
            }
        }
        WkbKind::Polygon => {
            let ends = points.ends(geometry)?;
            write_count(ends.len(), out);
            ends.into_iter().for_each(|ring| points.run(ring, out));
        }
        WkbKind::MultiLineString => {
            let ends = points.ends(geometry)?;
            write_count(ends.len(), out);
            for line in ends {
                write_header(WkbKind::LineString, dimensions, out);
                points.run(line, out);
            }
        }
        WkbKind::MultiPolygon | WkbKind::GeometryCollection => {
            let parts = geometry.parts();
            // Dimensions are those of the parts, as the whole has no coordinates.
            let part_dimensions = match parts.iter().flatten().next() {
                Some(part) => deep_dimensions(&part, empty, 0),
                None => dimensions,
            };
            out.truncate(start);
            write_header(kind, part_dimensions, out);
            write_count(parts.map_or(0, |parts| parts.len()), out);
            for part in parts.iter().flatten() {
                let kind = match kind {
                    WkbKind::MultiPolygon => WkbKind::Polygon,
                    _ => self::kind(part.type_())?,
                };
                write(&part, kind, empty, depth + 1, out)?;
            }
        }
    }
    Ok(())
}

fn deep_dimensions(geometry: &Geometry<'_>, empty: Dimensions, depth: usize) -> Dimensions {
    match geometry.parts().iter().flatten().next() {
        Some(part) if depth < MAX_DEPTH => deep_dimensions(&part, empty, depth + 1),
        _ => dimensions(geometry, empty),
    }
}

/// The dimensions of a geometry by its own coordinates; those of the file, `empty`, where it has none.
fn dimensions(geometry: &Geometry<'_>, empty: Dimensions) -> Dimensions {
    match geometry.xy().is_some_and(|xy| !xy.is_empty()) {
        true => Dimensions {
            z: geometry.z().is_some_and(|z| !z.is_empty()),
            m: geometry.m().is_some_and(|m| !m.is_empty()),
        },
        false => empty,
    }
}

/// The coordinates of a geometry, as bytes.
struct Points<'a> {
    n: usize,
    xy: &'a [u8],
    z: &'a [u8],
    m: &'a [u8],
    dimensions: Dimensions,
}

impl<'a> Points<'a> {
    fn new(geometry: &Geometry<'a>, empty: Dimensions) -> Result<Self, String> {
        let xy = geometry.xy().map_or(&[][..], |v| v.bytes());
        let z = geometry.z().map_or(&[][..], |v| v.bytes());
        let m = geometry.m().map_or(&[][..], |v| v.bytes());
        let n = xy.len() / 16;
        let fits = |values: &[u8]| values.is_empty() || values.len() == n * 8;
        if !xy.len().is_multiple_of(16) || !fits(z) || !fits(m) {
            return Err("its x, y, z and m are not as many".into());
        }
        Ok(Self {
            n,
            xy,
            z,
            m,
            dimensions: dimensions(geometry, empty),
        })
    }

    /// Of rings or lines, which points they have; all of them where there is but one.
    fn ends(&self, geometry: &Geometry<'_>) -> Result<Vec<Range<usize>>, String> {
        let Some(ends) = geometry.ends().filter(|ends| !ends.is_empty()) else {
            let all = Some(0..self.n).filter(|all| !all.is_empty());
            return Ok(all.into_iter().collect());
        };
        let mut ranges = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends.iter() {
            let end = end as usize;
            if end < start || end > self.n {
                return Err(format!("a part ends at point {end} of {}", self.n));
            }
            ranges.push(start..end);
            start = end;
        }
        Ok(ranges)
    }

    fn run(&self, range: Range<usize>, out: &mut Vec<u8>) {
        write_count(range.len(), out);
        self.write(range, out);
    }

    fn write(&self, range: Range<usize>, out: &mut Vec<u8>) {
        let slice =
            |bytes: &'a [u8], from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        // Both formats are little-endian.
        if self.dimensions == Dimensions::XY {
            out.extend_from_slice(slice(self.xy, range.start * 16, range.end * 16));
            return;
        }
        for i in range {
            out.extend_from_slice(slice(self.xy, i * 16, i * 16 + 16));
            if self.dimensions.z {
                out.extend_from_slice(slice(self.z, i * 8, i * 8 + 8));
            }
            if self.dimensions.m {
                out.extend_from_slice(slice(self.m, i * 8, i * 8 + 8));
            }
        }
    }
}

//! One geometry as a record of a Shapefile.
//!
//! ESRI Shapefile Technical Description, July 1998. Numbers of the content are little-endian:
//!
//! ```text
//!  point        | type | x y [z] [m] |
//!  multi-point  | type | box | points | x y ... [ range, z ... ] [ range, m ... ]
//!  line, area   | type | box | parts | points | start of each part | x y ... [z] [m]
//! ```

use crate::geometry::wkb::WkbKind;
use crate::geometry::wkb_writer::Dimensions;
use crate::geometry::{Ordinates, Tree};

/// What stands for "no measure": the format says any number below -10^38.
const NO_MEASURE: f64 = -1e39;

/// The family of types that one file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Point,
    Line,
    Area,
    MultiPoint,
}

impl Family {
    /// `None` for a collection.
    pub(super) fn of(kind: WkbKind) -> Option<Self> {
        Some(match kind {
            WkbKind::Point => Family::Point,
            WkbKind::LineString | WkbKind::MultiLineString => Family::Line,
            WkbKind::Polygon | WkbKind::MultiPolygon => Family::Area,
            WkbKind::MultiPoint => Family::MultiPoint,
            WkbKind::GeometryCollection => return None,
        })
    }

    /// The number of the type.
    pub(super) fn code(self, dimensions: Dimensions) -> i32 {
        let flat = match self {
            Family::Point => 1,
            Family::Line => 3,
            Family::Area => 5,
            Family::MultiPoint => 8,
        };
        match (dimensions.z, dimensions.m) {
            (true, _) => flat + 10,
            (false, true) => flat + 20,
            (false, false) => flat,
        }
    }
}

/// The least and greatest values of one ordinate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range(pub(super) f64, pub(super) f64);

impl Range {
    pub(super) const NONE: Range = Range(f64::INFINITY, f64::NEG_INFINITY);

    fn of(coords: &[Ordinates], value: fn(&Ordinates) -> f64) -> Self {
        coords
            .iter()
            .map(value)
            .fold(Self::NONE, |all, v| Range(all.0.min(v), all.1.max(v)))
    }

    pub(super) fn add(&mut self, other: Range) {
        *self = Range(self.0.min(other.0), self.1.max(other.1));
    }
}

/// The ranges of x, y, z and m.
pub(super) type Ranges = [Range; 4];

/// Appends the content of a record of a geometry that is not EMPTY.
pub(super) fn write_shape(tree: &Tree, family: Family, out: &mut Vec<u8>) -> Ranges {
    let parts = parts(tree, family);
    let coords: Vec<Ordinates> = parts.iter().flatten().copied().collect();
    let ranges = [
        Range::of(&coords, |c| c.x),
        Range::of(&coords, |c| c.y),
        Range::of(&coords, |c| c.z),
        Range::of(&coords, |c| c.m),
    ];
    let Dimensions { z, m } = tree.dimensions;
    let number = |v: f64, out: &mut Vec<u8>| out.extend(v.to_le_bytes());
    let count = |n: usize, out: &mut Vec<u8>| {
        // A file ends at 2 GB, long before.
        out.extend(i32::try_from(n).unwrap_or(i32::MAX).to_le_bytes());
    };
    out.extend(family.code(tree.dimensions).to_le_bytes());
    if family == Family::Point {
        for c in &coords {
            number(c.x, out);
            number(c.y, out);
            if z {
                number(c.z, out);
            }
            if m || z {
                number(if m { c.m } else { NO_MEASURE }, out);
            }
        }
        return ranges;
    }
    let [x, y, zs, ms] = ranges;
    for side in [x.0, y.0, x.1, y.1] {
        number(side, out);
    }
    if family != Family::MultiPoint {
        count(parts.len(), out);
    }
    count(coords.len(), out);
    if family != Family::MultiPoint {
        let mut start = 0;
        for part in &parts {
            count(start, out);
            start += part.len();
        }
    }
    for c in &coords {
        number(c.x, out);
        number(c.y, out);
    }
    let ordinates = [
        (z, zs, (|c| c.z) as fn(&Ordinates) -> f64),
        (m, ms, |c| c.m),
    ];
    for (_, range, value) in ordinates.iter().filter(|(has, ..)| *has) {
        number(range.0, out);
        number(range.1, out);
        for c in &coords {
            number(value(c), out);
        }
    }
    ranges
}

/// The lines, or the rings, shells clockwise and holes the other way.
fn parts(tree: &Tree, family: Family) -> Vec<Vec<Ordinates>> {
    let mut all = vec![];
    tree.each_simple(&mut |simple| match family {
        Family::Area => {
            for (i, ring) in simple.rings().iter().enumerate() {
                let mut ring = ring.clone();
                if (area(&ring) > 0.0) == (i == 0) {
                    ring.reverse();
                }
                all.push(ring);
            }
        }
        _ => all.push(simple.coords().to_vec()),
    });
    all.retain(|part| !part.is_empty());
    all
}

/// Twice the area of a ring, negative when it runs clockwise.
fn area(ring: &[Ordinates]) -> f64 {
    let Some(first) = ring.first() else {
        return 0.0;
    };
    // From the first point, as far from the origin little else would be left of the products.
    ring.windows(2)
        .map(|w| (w[0].x - first.x) * (w[1].y - first.y) - (w[1].x - first.x) * (w[0].y - first.y))
        .sum()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::wkt_to_wkb;

    fn shape(wkt: &str) -> Vec<u8> {
        let (mut wkb, mut out) = (vec![], vec![]);
        wkt_to_wkb(wkt, &mut wkb).unwrap();
        let tree = Tree::read(&wkb).unwrap();
        write_shape(&tree, Family::of(tree.kind).unwrap(), &mut out);
        out
    }

    #[test]
    fn lengths_are_those_of_the_description() {
        for (wkt, code, length) in [
            ("POINT (1 2)", 1, 20),
            ("POINT M (1 2 3)", 21, 28),
            ("POINT Z (1 2 3)", 11, 36),
            ("POINT ZM (1 2 3 4)", 11, 36),
            ("MULTIPOINT (1 2, 3 4)", 8, 40 + 32),
            ("LINESTRING (1 2, 3 4)", 3, 44 + 4 + 32),
            ("MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))", 3, 44 + 8 + 64),
            (
                "LINESTRING ZM (1 2 3 4, 5 6 7 8)",
                13,
                44 + 4 + 32 + 32 + 32,
            ),
            (
                "POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))",
                15,
                44 + 4 + 64 + 48,
            ),
        ] {
            let out = shape(wkt);
            assert_eq!(out[..4], i32::to_le_bytes(code), "{wkt}");
            assert_eq!(out.len(), length, "{wkt}");
        }
    }

    #[test]
    fn shells_run_clockwise_and_holes_do_not() {
        let clockwise = "POLYGON ((0 0, 0 9, 9 9, 9 0, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1))";
        let turned = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))";
        assert_eq!(shape(clockwise), shape(turned));
    }
}

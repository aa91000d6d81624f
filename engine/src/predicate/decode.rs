//! From WKB or a `geo` geometry to [`Decoded`], without an object in between.

use geo_types::{Coord, Geometry, LineString};

use super::decoded::Decoded;
use super::matrix::Location;
use super::orient::{compare, orient};
use super::shape::{Kind, Shape};
use crate::geometry::Bounds;
use crate::geometry::wkb::{MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind};

/// Decodes a WKB value.
///
/// # Errors
/// Anything malformed, and coordinates that are not finite.
pub(crate) fn from_wkb(bytes: &[u8]) -> Result<Decoded, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    let mut builder = Builder::default();
    read(&mut cursor, &header, &mut builder, 0)?;
    cursor.end()?;
    Ok(builder.finish())
}

fn read(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    to: &mut Builder,
    depth: usize,
) -> Result<(), WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    match header.kind {
        WkbKind::Point => {
            let run = cursor.coord(header)?;
            if !run.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                to.points.extend(run.finite()?);
            }
        }
        WkbKind::LineString => to.line(cursor.coords(header)?.finite()?),
        WkbKind::Polygon => {
            to.start_areas();
            read_polygon(cursor, header, to)?;
        }
        WkbKind::MultiPolygon => {
            to.start_areas();
            for _ in 0..cursor.count(header, 9)? {
                let part = cursor.part_header(header)?;
                read_polygon(cursor, &part, to)?;
            }
        }
        WkbKind::MultiPoint | WkbKind::MultiLineString | WkbKind::GeometryCollection => {
            for _ in 0..cursor.count(header, 9)? {
                let part = cursor.part_header(header)?;
                read(cursor, &part, to, depth + 1)?;
            }
        }
    }
    Ok(())
}

fn read_polygon(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    to: &mut Builder,
) -> Result<(), WkbError> {
    let mut kept = true;
    for i in 0..cursor.count(header, 4)? {
        let run = cursor.coords(header)?.finite()?;
        // Holes of a polygon that is a mere point are nothing.
        if kept {
            let there = to.ring(run, i == 0);
            kept = i > 0 || there;
        }
    }
    Ok(())
}

/// Decodes a geometry whose coordinates are finite.
pub(crate) fn from_geometry(geometry: &Geometry<f64>) -> Decoded {
    let mut builder = Builder::default();
    add(geometry, &mut builder);
    builder.finish()
}

fn add(geometry: &Geometry<f64>, to: &mut Builder) {
    let polygon = |polygon: &geo_types::Polygon<f64>, to: &mut Builder| {
        if to.ring(polygon.exterior().0.iter().copied(), true) {
            for hole in polygon.interiors() {
                to.ring(hole.0.iter().copied(), false);
            }
        }
    };
    match geometry {
        Geometry::Point(p) => to.points.push(p.0),
        Geometry::MultiPoint(all) => to.points.extend(all.iter().map(|p| p.0)),
        Geometry::Line(line) => to.line([line.start, line.end].into_iter()),
        Geometry::LineString(line) => to.line(line.0.iter().copied()),
        Geometry::MultiLineString(lines) => {
            for LineString(line) in lines {
                to.line(line.iter().copied());
            }
        }
        Geometry::Polygon(p) => {
            to.start_areas();
            polygon(p, to);
        }
        Geometry::MultiPolygon(all) => {
            to.start_areas();
            for p in all {
                polygon(p, to);
            }
        }
        Geometry::Rect(rect) => {
            to.start_areas();
            polygon(&rect.to_polygon(), to);
        }
        Geometry::Triangle(triangle) => {
            to.start_areas();
            polygon(&triangle.to_polygon(), to);
        }
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                add(part, to);
            }
        }
    }
}

/// Chains in the making.
#[derive(Default)]
struct Chains {
    coords: Vec<Coord<f64>>,
    starts: Vec<u32>,
}

impl Chains {
    /// Appends the distinct ones of consecutive vertices; takes all back, and returns the only
    /// point, if there are not two.
    fn push(
        &mut self,
        run: impl Iterator<Item = Coord<f64>>,
        close: bool,
    ) -> Result<usize, Option<Coord<f64>>> {
        let start = self.coords.len();
        self.coords.reserve(run.size_hint().0);
        for c in run {
            if self.coords.len() == start || self.coords.last() != Some(&c) {
                self.coords.push(c);
            }
        }
        let distinct = self.coords.len() - start;
        if distinct < 2 {
            let only = self.coords.get(start).copied();
            self.coords.truncate(start);
            return Err(only);
        }
        if close && self.coords[start] != self.coords[self.coords.len() - 1] {
            self.coords.push(self.coords[start]);
        }
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.starts.push(self.coords.len() as u32);
        Ok(start)
    }

    fn finish(mut self, kind: Kind) -> Option<Shape> {
        self.coords.shrink_to_fit();
        self.starts.shrink_to_fit();
        (!self.coords.is_empty()).then(|| Shape::chains(kind, self.coords, self.starts))
    }
}

/// Collects the elements of a geometry by kind.
#[derive(Default)]
struct Builder {
    points: Vec<Coord<f64>>,
    lines: Chains,
    /// Polygons that are known to share no interior are together; those of different elements of
    /// a collection may overlap and stand apart.
    areas: Vec<Chains>,
}

impl Builder {
    fn start_areas(&mut self) {
        if self.areas.last().is_none_or(|a| !a.coords.is_empty()) {
            self.areas.push(Chains::default());
        }
    }

    /// A line of no length is a point.
    fn line(&mut self, run: impl Iterator<Item = Coord<f64>>) {
        if let Err(Some(point)) = self.lines.push(run, false) {
            self.points.push(point);
        }
    }

    /// Adds a ring in the direction that has the interior on its left. `false` if there is none.
    /// An exterior without extent is a point.
    fn ring(&mut self, run: impl Iterator<Item = Coord<f64>>, exterior: bool) -> bool {
        let Some(area) = self.areas.last_mut() else {
            return false;
        };
        match area.push(run, true) {
            Ok(start) => {
                let ring = &mut area.coords[start..];
                if counterclockwise(ring) != exterior {
                    ring.reverse();
                }
                true
            }
            Err(Some(point)) if exterior => {
                self.points.push(point);
                false
            }
            Err(_) => false,
        }
    }

    fn finish(mut self) -> Decoded {
        let mut parts: Vec<Shape> = self.lines.finish(Kind::Line).into_iter().collect();
        let areas = join_disjoint(self.areas).into_iter();
        parts.extend(areas.filter_map(|a| a.finish(Kind::Area)));
        // A point on another element adds nothing.
        self.points.retain(|p| {
            parts
                .iter()
                .all(|part| part.locate(*p) == Location::Exterior)
        });
        if !self.points.is_empty() {
            parts.insert(0, Shape::points(self.points));
        }
        Decoded::from_parts(parts)
    }
}

/// Makes one of all areas if the rectangles of no two meet: then their interiors share nothing.
fn join_disjoint(mut areas: Vec<Chains>) -> Vec<Chains> {
    areas.retain(|a| !a.coords.is_empty());
    // Comparing all pairs is worth it for few.
    if areas.len() < 2 || areas.len() > 64 {
        return areas;
    }
    let bounds: Vec<Bounds> = areas
        .iter()
        .map(|a| {
            let mut all = Bounds::EMPTY;
            a.coords.iter().for_each(|c| all.add(c.x, c.y));
            all
        })
        .collect();
    let apart = bounds
        .iter()
        .enumerate()
        .all(|(i, a)| bounds[..i].iter().all(|b| !a.intersects(b)));
    if !apart {
        return areas;
    }
    let mut one = Chains {
        coords: vec![],
        starts: vec![0],
    };
    for area in areas {
        let base = one.coords.len() as u32;
        one.coords.extend(area.coords);
        one.starts
            .extend(area.starts.iter().skip(1).map(|s| s + base));
    }
    vec![one]
}

/// Whether a closed ring of non-zero edges runs counterclockwise. A ring without area may be
/// called either.
fn counterclockwise(ring: &[Coord<f64>]) -> bool {
    let n = ring.len() - 1;
    let lowest = (0..n)
        .min_by(|&i, &j| compare(ring[i], ring[j]))
        .unwrap_or(0);
    let before = ring[(lowest + n - 1) % n];
    let turn = orient(before, ring[lowest], ring[lowest + 1]);
    if turn != 0.0 {
        return turn > 0.0;
    }
    // A spike at the lowest vertex: the ring is invalid, its area in doubles will do.
    let area: f64 = ring
        .windows(2)
        .map(|w| {
            (w[0].x - ring[0].x) * (w[1].y - ring[0].y)
                - (w[1].x - ring[0].x) * (w[0].y - ring[0].y)
        })
        .sum();
    area > 0.0
}

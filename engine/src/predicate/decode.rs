//! From WKB or a `geo` geometry to [`Decoded`], without an object in between.

use std::convert::Infallible;

use geo_types::{Coord, Geometry, Polygon};

use super::decoded::Decoded;
use super::matrix::Location;
use super::orient::orient;
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
                run.append_to(&mut to.points)?;
            }
        }
        WkbKind::LineString => {
            let run = cursor.coords(header)?;
            to.line(|coords| run.append_to(coords))?;
        }
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
        let run = cursor.coords(header)?;
        let there = to.ring(i == 0, kept, |coords| run.append_to(coords))?;
        // Holes of a polygon that is a mere point are nothing.
        kept = there || (kept && i > 0);
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
    fn append(run: &[Coord<f64>]) -> impl FnOnce(&mut Vec<Coord<f64>>) -> Result<(), Infallible> {
        |coords| {
            coords.extend_from_slice(run);
            Ok(())
        }
    }
    fn line(run: &[Coord<f64>], to: &mut Builder) {
        let Ok(()) = to.line(append(run));
    }
    fn polygon(polygon: &Polygon<f64>, to: &mut Builder) {
        let Ok(kept) = to.ring(true, true, append(&polygon.exterior().0));
        for hole in polygon.interiors() {
            let Ok(_) = to.ring(false, kept, append(&hole.0));
        }
    }
    match geometry {
        Geometry::Point(p) => to.points.push(p.0),
        Geometry::MultiPoint(all) => to.points.extend(all.iter().map(|p| p.0)),
        Geometry::Line(one) => line(&[one.start, one.end], to),
        Geometry::LineString(one) => line(&one.0, to),
        Geometry::MultiLineString(lines) => {
            for one in lines {
                line(&one.0, to);
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
    /// Makes a chain of the vertices from `start` on, without repetition. Takes all back, and
    /// returns the only point, if there are not two.
    fn close(&mut self, start: usize, ring: bool) -> Result<(), Option<Coord<f64>>> {
        // Hardly any geometry repeats vertices: look before moving anything.
        if self.coords[start..].windows(2).any(|w| w[0] == w[1]) {
            let mut kept = start + 1;
            for i in start + 1..self.coords.len() {
                if self.coords[i] != self.coords[kept - 1] {
                    self.coords[kept] = self.coords[i];
                    kept += 1;
                }
            }
            self.coords.truncate(kept);
        }
        if self.coords.len() < start + 2 {
            let only = self.coords.get(start).copied();
            self.coords.truncate(start);
            return Err(only);
        }
        if ring && self.coords[start] != self.coords[self.coords.len() - 1] {
            self.coords.push(self.coords[start]);
        }
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.starts.push(self.coords.len() as u32);
        Ok(())
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

    /// Adds the line that `append` appends. One of no length is a point.
    fn line<E>(
        &mut self,
        append: impl FnOnce(&mut Vec<Coord<f64>>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.lines.coords.len();
        append(&mut self.lines.coords)?;
        if let Err(Some(point)) = self.lines.close(start, false) {
            self.points.push(point);
        }
        Ok(())
    }

    /// Adds the ring that `append` appends, turned so that the interior is on its left, unless it
    /// is not to be `kept`. Returns whether it is there: an exterior without extent is a point.
    fn ring<E>(
        &mut self,
        exterior: bool,
        kept: bool,
        append: impl FnOnce(&mut Vec<Coord<f64>>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some(area) = self.areas.last_mut() else {
            return Ok(false);
        };
        let start = area.coords.len();
        append(&mut area.coords)?;
        if !kept {
            area.coords.truncate(start);
            return Ok(false);
        }
        match area.close(start, true) {
            Ok(()) => {
                let ring = &mut area.coords[start..];
                if counterclockwise(ring) != exterior {
                    ring.reverse();
                }
                Ok(true)
            }
            Err(point) => {
                self.points.extend(point.filter(|_| exterior));
                Ok(false)
            }
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
    let bounds: Vec<Bounds> = areas.iter().map(|a| Bounds::around(&a.coords)).collect();
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
    let mut lowest = 0;
    for (i, c) in ring[..n].iter().enumerate() {
        if c.x < ring[lowest].x || (c.x == ring[lowest].x && c.y < ring[lowest].y) {
            lowest = i;
        }
    }
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

//! Geometries cut into pieces of few vertices.

use geo::coordinate_position::{CoordPos, coord_pos_relative_to_ring};
use geo::{BoundingRect, CoordsIter};
use geo_types::{Coord, Geometry, LineString, Polygon, Rect};

use super::halves::{Cut, Ring};
use crate::overlay::{Operation, invalid, is_counterclockwise, overlay, union_all};

/// Cuts, one after another: far more than doubles can be halved.
const DEEPEST: usize = 60;

/// Polygons of so few vertices are cut through one of them: around a reflex vertex no other cut leaves fewer.
const FEW: usize = 16;

/// Vertices to look at, to find the shells of holes at once.
const MOST_WORK: usize = 1 << 22;

/// Cuts a geometry into pieces that together are the geometry, overlap nowhere, and have no more than
/// `most` vertices each, by lines along the axes near the middle of bounding boxes. Points are pieces each
/// by itself. EMPTY has none. The pieces of a polygon that is cut are valid: an invalid one is first made what its rings
/// wind around. Only where doubles leave no room for a cut a piece has more vertices.
pub fn subdivide(geometry: &Geometry<f64>, most: usize) -> Vec<Geometry<f64>> {
    let mut cutter = Cutter {
        most,
        pieces: vec![],
    };
    cutter.geometry(geometry);
    cutter.pieces
}

struct Cutter {
    most: usize,
    pieces: Vec<Geometry<f64>>,
}

impl Cutter {
    fn geometry(&mut self, geometry: &Geometry<f64>) {
        match geometry {
            Geometry::Polygon(polygon) => self.polygon(polygon, DEEPEST),
            Geometry::MultiPolygon(all) => all.iter().for_each(|one| self.polygon(one, DEEPEST)),
            Geometry::LineString(line) => self.line(line.clone(), DEEPEST),
            Geometry::MultiLineString(all) => {
                all.iter().for_each(|one| self.line(one.clone(), DEEPEST));
            }
            Geometry::MultiPoint(points) => {
                self.pieces
                    .extend(points.iter().copied().map(Geometry::Point));
            }
            Geometry::GeometryCollection(parts) => {
                parts.iter().for_each(|part| self.geometry(part));
            }
            other => self.pieces.push(other.clone()),
        }
    }

    fn line(&mut self, line: LineString<f64>, depth: usize) {
        let cut = Cut::candidates(line.0.iter()).next();
        match cut.filter(|_| line.0.len() > self.most && depth > 0) {
            Some(cut) => {
                for piece in cut.pieces(&line.0) {
                    self.line(piece, depth - 1);
                }
            }
            None if line.0.is_empty() => {}
            None => self.pieces.push(Geometry::LineString(line)),
        }
    }

    fn polygon(&mut self, polygon: &Polygon<f64>, depth: usize) {
        if polygon.exterior().0.is_empty() {
            return;
        }
        let whole = Geometry::Polygon(polygon.clone());
        if polygon.coords_count() <= self.most || depth == 0 {
            self.pieces.push(whole);
        } else if invalid(&whole).is_none() {
            self.rings(rings(polygon), depth);
        } else {
            self.valid_parts(&whole, depth);
        }
    }

    /// Cuts what the rings of an invalid polygon wind around.
    fn valid_parts(&mut self, polygon: &Geometry<f64>, depth: usize) {
        for part in union_all([polygon]).iter().flat_map(polygons) {
            match part.coords_count() <= self.most {
                true => self.pieces.push(Geometry::Polygon(part.clone())),
                false => self.rings(rings(part), depth),
            }
        }
    }

    /// Cuts polygons whose interiors are apart.
    fn rings(&mut self, rings: Vec<Ring>, depth: usize) {
        let count: usize = rings.iter().map(|ring| ring.line.0.len()).sum();
        if count <= self.most || depth == 0 {
            for polygon in polygons_of(rings) {
                let whole = Geometry::Polygon(polygon);
                match invalid(&whole) {
                    None => self.pieces.push(whole),
                    // A ring touches itself where a hole did, or rounding moved an edge.
                    Some(_) => self.valid_parts(&whole, depth.saturating_sub(1)),
                }
            }
            return;
        }
        let mut rest = rings;
        if count > FEW {
            let coords = rest.iter().flat_map(|ring| &ring.line.0);
            let cuts: Vec<Cut> = Cut::candidates(coords).collect();
            for cut in cuts {
                match cut.halves(rest) {
                    Ok(halves) => {
                        for half in halves {
                            self.half(half, depth - 1);
                        }
                        return;
                    }
                    Err(rings) => rest = rings,
                }
            }
        }
        for polygon in polygons_of(rest) {
            match polygon.coords_count() <= self.most {
                true => self.rings(self::rings(&polygon), depth),
                false => self.overlaid(polygon, depth),
            }
        }
    }

    fn half(&mut self, half: Vec<Ring>, depth: usize) {
        let count: usize = half.iter().map(|ring| ring.line.0.len()).sum();
        let holes = half.iter().filter(|ring| ring.hole).count();
        // Polygons that are small enough by themselves need no further cut.
        if holes * count <= MOST_WORK {
            for polygon in grouped(half) {
                self.rings(polygon, depth);
            }
        } else {
            self.rings(half, depth);
        }
    }

    /// By intersections with two parts of the bounding box, which are right wherever rounding leads.
    fn overlaid(&mut self, polygon: Polygon<f64>, depth: usize) {
        let parts = parts(&polygon);
        let whole = Geometry::Polygon(polygon);
        let Some(parts) = parts else {
            self.pieces.push(whole);
            return;
        };
        for part in parts {
            let part = overlay(&whole, &Geometry::Rect(part), Operation::Intersection);
            for part in polygons(&part) {
                self.rings(rings(part), depth - 1);
            }
        }
    }
}

/// The polygons of a geometry.
fn polygons(geometry: &Geometry<f64>) -> Vec<&Polygon<f64>> {
    match geometry {
        Geometry::Polygon(polygon) => vec![polygon],
        Geometry::MultiPolygon(all) => all.iter().collect(),
        Geometry::GeometryCollection(parts) => parts.iter().flat_map(polygons).collect(),
        _ => vec![],
    }
}

/// The rings of a polygon, turned so that it lies to their left.
fn rings(polygon: &Polygon<f64>) -> Vec<Ring> {
    let ring = |line: &LineString<f64>, hole: bool| {
        let mut line = line.clone();
        if is_counterclockwise(&line.0) == hole {
            line.0.reverse();
        }
        Ring { line, hole }
    };
    let holes = polygon.interiors().iter().map(|line| ring(line, true));
    std::iter::once(ring(polygon.exterior(), false))
        .chain(holes.filter(|hole| !hole.line.0.is_empty()))
        .collect()
}

fn polygons_of(rings: Vec<Ring>) -> impl Iterator<Item = Polygon<f64>> {
    grouped(rings).into_iter().filter_map(|rings| {
        let mut lines = rings.into_iter().map(|ring| ring.line);
        Some(Polygon::new(lines.next()?, lines.collect()))
    })
}

/// The shells, each with its holes.
fn grouped(rings: Vec<Ring>) -> Vec<Vec<Ring>> {
    let (holes, shells): (Vec<Ring>, Vec<Ring>) = rings.into_iter().partition(|ring| ring.hole);
    let mut polygons: Vec<Vec<Ring>> = shells.into_iter().map(|shell| vec![shell]).collect();
    let boxes: Vec<Option<Rect<f64>>> = match polygons.len() {
        0 | 1 => vec![None; polygons.len()],
        _ => polygons
            .iter()
            .map(|shell| shell[0].line.bounding_rect())
            .collect(),
    };
    for hole in holes {
        let shell = match polygons.len() {
            0 | 1 => Some(0),
            n => (0..n)
                .find(|i| boxes[*i].is_some_and(|frame| holds(frame, &polygons[*i][0], &hole))),
        };
        if let Some(polygon) = shell.and_then(|shell| polygons.get_mut(shell)) {
            polygon.push(hole);
        }
    }
    polygons
}

/// Whether a hole, which crosses no shell, lies in one.
fn holds(frame: Rect<f64>, shell: &Ring, hole: &Ring) -> bool {
    for c in &hole.line.0 {
        let within = |c: &Coord<f64>| {
            (frame.min().x..=frame.max().x).contains(&c.x)
                && (frame.min().y..=frame.max().y).contains(&c.y)
        };
        if !within(c) {
            return false;
        }
        match coord_pos_relative_to_ring(*c, &shell.line) {
            CoordPos::Inside => return true,
            CoordPos::Outside => return false,
            CoordPos::OnBoundary => {}
        }
    }
    false
}

/// The bounding box in two parts, cut through the vertex that is closest to the middle of its longer side, or of the
/// other where that has none within; `None` where it cannot be cut.
fn parts(polygon: &Polygon<f64>) -> Option<[Rect<f64>; 2]> {
    let frame = polygon.bounding_rect()?;
    let (low, high) = (frame.min(), frame.max());
    let vertical = |x: f64| {
        [
            Rect::new(low, Coord { x, y: high.y }),
            Rect::new(Coord { x, y: low.y }, high),
        ]
    };
    let horizontal = |y: f64| {
        [
            Rect::new(low, Coord { x: high.x, y }),
            Rect::new(Coord { x: low.x, y }, high),
        ]
    };
    let within = |low: f64, high: f64, of: fn(Coord<f64>) -> f64| {
        let middle = low + (high - low) / 2.0;
        let inner = move |u: &f64| low < *u && *u < high;
        let vertices = polygon.coords_iter().map(of).filter(inner);
        let closest = vertices.min_by(|a, b| (a - middle).abs().total_cmp(&(b - middle).abs()));
        (closest, Some(middle).filter(inner))
    };
    let (x, middle_x) = within(low.x, high.x, |c| c.x);
    let (y, middle_y) = within(low.y, high.y, |c| c.y);
    let (x, y, middle_x, middle_y) = (
        x.map(vertical),
        y.map(horizontal),
        middle_x.map(vertical),
        middle_y.map(horizontal),
    );
    match high.x - low.x >= high.y - low.y {
        true => x.or(y).or(middle_x).or(middle_y),
        false => y.or(x).or(middle_y).or(middle_x),
    }
}

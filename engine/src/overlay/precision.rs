//! Geometries with coordinates on a grid.

use geo_types::{Coord, Geometry, LineString, Point, Polygon};

use super::input::Input;
use super::noding::node_on_grid;
use super::operation::{Operation, assemble, overlay};
use super::valid::invalid;
use super::{Arrangement, trace_polygons};

/// The grid on which coordinates come to lie.
#[derive(Debug, Clone, Copy)]
pub struct Grid {
    size: f64,
}

impl Grid {
    /// A grid of squares of this size; `None` unless it is positive and finite.
    pub fn new(size: f64) -> Option<Self> {
        (size > 0.0 && size.is_finite() && (1.0 / size).is_finite()).then_some(Self { size })
    }

    /// The closest ordinate on the grid, the upper one of two, as in GEOS.
    pub fn snap(&self, ordinate: f64) -> f64 {
        let up = |v: f64| (v + 0.5).floor();
        let snapped = match self.size < 1.0 {
            // Multiples of 0.1 are nearest to decimals that way.
            true => {
                let scale = 1.0 / self.size;
                up(ordinate * scale) / scale
            }
            false => up(ordinate / self.size) * self.size,
        };
        // Far from the origin doubles are coarser than the grid.
        match snapped.is_finite() {
            true => snapped + 0.0,
            false => ordinate,
        }
    }
}

fn place(c: Coord<f64>, snap: &impl Fn(f64) -> f64) -> Coord<f64> {
    Coord {
        x: snap(c.x),
        y: snap(c.y),
    }
}

/// Polygons with all vertices on a grid, valid ones: edges are cut where they come to cross, what
/// collapses is dropped. `None` where that does not come to an end.
fn polygons_on_grid(
    geometry: &Geometry<f64>,
    snap: impl Fn(f64) -> f64,
) -> Option<Vec<Polygon<f64>>> {
    // Where rings overlap, the windings decide first.
    let none = || Geometry::GeometryCollection(Default::default());
    let valid = match invalid(geometry) {
        None => geometry.clone(),
        Some(_) => overlay(geometry, &none(), Operation::Union),
    };
    let mut input = Input::default();
    input.add(&valid, 0);
    let edges = node_on_grid(input.edges, |c| place(c, &snap))?;
    let arrangement = Arrangement::of_noded(edges);
    // Slivers that turn over have negative windings.
    Some(trace_polygons(&arrangement, |winding| winding[0] > 0))
}

/// A geometry with coordinates on a grid, to which `snap` takes an ordinate: polygons valid ones, cut where they come to cross, lines without
/// coordinates that repeat, nothing of what collapses. `None` where that does not come to an end.
pub fn on_grid(
    geometry: &Geometry<f64>,
    snap: impl Fn(f64) -> f64 + Copy,
) -> Option<Geometry<f64>> {
    let line = |line: &LineString<f64>| {
        let mut coords: Vec<Coord<f64>> = line.0.iter().map(|c| place(*c, &snap)).collect();
        coords.dedup();
        LineString(if coords.len() < 2 { vec![] } else { coords })
    };
    Some(match geometry {
        Geometry::Point(p) => Geometry::Point(Point(place(p.0, &snap))),
        Geometry::MultiPoint(points) => {
            let points: Vec<Point<f64>> = points.iter().map(|p| Point(place(p.0, &snap))).collect();
            Geometry::MultiPoint(points.into())
        }
        Geometry::LineString(coords) => Geometry::LineString(line(coords)),
        Geometry::MultiLineString(lines) => {
            let lines = lines.iter().map(line).filter(|line| !line.0.is_empty());
            Geometry::MultiLineString(lines.collect())
        }
        Geometry::Polygon(_) | Geometry::MultiPolygon(_) => {
            let polygons = polygons_on_grid(geometry, snap)?;
            assemble(polygons, vec![], vec![], 2)
        }
        Geometry::GeometryCollection(parts) => {
            let mut all = vec![];
            for part in parts {
                let part = on_grid(part, snap)?;
                if !geo::HasDimensions::is_empty(&part) {
                    all.push(part);
                }
            }
            Geometry::GeometryCollection(all.into())
        }
        other => other.clone(),
    })
}

//! Geometries cut into pieces of few vertices.

use geo::CoordsIter;
use geo_types::{Coord, Geometry, Rect};

use super::each_segment;
use crate::overlay::{Operation, overlay};

/// Cuts in halves, one after another: far more than doubles can be halved.
const DEEPEST: usize = 60;

/// Cuts a geometry into pieces that together are the geometry, overlap nowhere, and have no more than
/// `most` vertices each, by halving its bounding box. Points are pieces each by itself. EMPTY has none.
pub fn subdivide(geometry: &Geometry<f64>, most: usize) -> Vec<Geometry<f64>> {
    let mut pieces = vec![];
    cut(geometry.clone(), most, DEEPEST, &mut pieces);
    pieces
}

fn cut(geometry: Geometry<f64>, most: usize, depth: usize, pieces: &mut Vec<Geometry<f64>>) {
    match geometry {
        Geometry::MultiPoint(points) => {
            pieces.extend(points.into_iter().map(Geometry::Point));
        }
        Geometry::MultiLineString(lines) => {
            for line in lines {
                cut(Geometry::LineString(line), most, depth, pieces);
            }
        }
        Geometry::MultiPolygon(all) => {
            for polygon in all {
                cut(Geometry::Polygon(polygon), most, depth, pieces);
            }
        }
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                cut(part, most, depth, pieces);
            }
        }
        single => cut_single(single, most, depth, pieces),
    }
}

fn cut_single(geometry: Geometry<f64>, most: usize, depth: usize, pieces: &mut Vec<Geometry<f64>>) {
    let n = geometry.coords_count();
    if n == 0 {
        return;
    }
    let Some(halves) = halves(&geometry).filter(|_| n > most && depth > 0) else {
        pieces.push(geometry);
        return;
    };
    let dimension = usize::from(matches!(geometry, Geometry::Polygon(_)));
    for half in halves {
        let part = overlay(&geometry, &Geometry::Rect(half), Operation::Intersection);
        // Where an edge runs along the cut there is a line, or a point, which is part of the other half.
        let whole = |part: &Geometry<f64>| match part {
            Geometry::Polygon(_) | Geometry::MultiPolygon(_) => true,
            Geometry::LineString(_) | Geometry::MultiLineString(_) => dimension == 0,
            _ => false,
        };
        match part {
            Geometry::GeometryCollection(parts) => {
                for part in parts.into_iter().filter(whole) {
                    cut(part, most, depth - 1, pieces);
                }
            }
            part if whole(&part) => cut(part, most, depth - 1, pieces),
            _ => {}
        }
    }
}

/// The bounding box in two halves across its longer side; `None` where it cannot be halved.
fn halves(geometry: &Geometry<f64>) -> Option<[Rect<f64>; 2]> {
    let (mut low, mut high): (Option<Coord<f64>>, Option<Coord<f64>>) = (None, None);
    each_segment(geometry, &mut |line| {
        for c in [line.start, line.end] {
            let (l, h) = (low.unwrap_or(c), high.unwrap_or(c));
            low = Some(Coord {
                x: l.x.min(c.x),
                y: l.y.min(c.y),
            });
            high = Some(Coord {
                x: h.x.max(c.x),
                y: h.y.max(c.y),
            });
        }
    });
    let (low, high) = (low?, high?);
    let (x, y) = ((low.x + high.x) / 2.0, (low.y + high.y) / 2.0);
    let corner = |x: f64, y: f64| Coord { x, y };
    match high.x - low.x >= high.y - low.y {
        true if low.x < x && x < high.x => Some([
            Rect::new(low, corner(x, high.y)),
            Rect::new(corner(x, low.y), high),
        ]),
        false if low.y < y && y < high.y => Some([
            Rect::new(low, corner(high.x, y)),
            Rect::new(corner(low.x, y), high),
        ]),
        _ => None,
    }
}

//! The operations, and the geometry that they return.

use geo_types::{
    Coord, Geometry, GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon,
    Point, Polygon,
};

use super::input::Input;
use super::{Arrangement, points, trace_lines, trace_polygons};

/// A set operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// What both share.
    Intersection,
    /// What lies in either.
    Union,
    /// What lies in the first and not in the second.
    Difference,
    /// What lies in one of them alone.
    SymDifference,
}

impl Operation {
    fn keeps(self, a: bool, b: bool) -> bool {
        match self {
            Operation::Intersection => a && b,
            Operation::Union => a || b,
            Operation::Difference => a && !b,
            Operation::SymDifference => a != b,
        }
    }

    /// The dimension of an empty result, as in PostGIS.
    fn dimension(self, a: usize, b: usize) -> usize {
        match self {
            Operation::Intersection => a.min(b),
            Operation::Difference => a,
            Operation::Union | Operation::SymDifference => a.max(b),
        }
    }
}

/// The result of a set operation on two geometries, as closed sets of points.
///
/// A result without parts is EMPTY of the lower dimension for an intersection, of that of `a` for a
/// difference, else of the higher one. Parts of several dimensions make a collection of polygons, then
/// lines, then points. Coordinates must be finite.
pub fn overlay(a: &Geometry<f64>, b: &Geometry<f64>, operation: Operation) -> Geometry<f64> {
    let mut input = Input::default();
    input.add(a, 0);
    input.add(b, 1);
    let dimension = operation.dimension(dimension(a), dimension(b));
    let only_points = input.edges.is_empty();
    let kept_points = match input.points.iter().all(Vec::is_empty) {
        true => vec![],
        false => points::keep(&input.points, a, b, operation),
    };
    if only_points {
        return assemble(vec![], vec![], kept_points, dimension);
    }
    run(input, operation, kept_points, dimension)
}

/// The union of any number of geometries: what lies in one of them at least. Lines are cut where they meet.
/// `None` for none.
pub fn union_all<'a>(
    geometries: impl IntoIterator<Item = &'a Geometry<f64>>,
) -> Option<Geometry<f64>> {
    let mut input = Input::default();
    let mut greatest = None;
    for geometry in geometries {
        input.add(geometry, 0);
        greatest = greatest.max(Some(dimension(geometry)));
    }
    let mut kept_points = std::mem::take(&mut input.points[0]);
    points::sort(&mut kept_points);
    Some(run(input, Operation::Union, kept_points, greatest?))
}

fn run(
    input: Input,
    operation: Operation,
    mut kept_points: Vec<Coord<f64>>,
    dimension: usize,
) -> Geometry<f64> {
    let arrangement = Arrangement::new(input.edges);
    let kept = |winding: [i32; 2]| operation.keeps(winding[0] != 0, winding[1] != 0);
    let polygons = trace_polygons(&arrangement, kept);

    let sides = |edge: usize| {
        (
            arrangement.left(2 * edge as u32),
            arrangement.left(2 * edge as u32 + 1),
        )
    };
    // Whether an edge lies in an input, its border included.
    let touches = |edge: usize, side: usize| {
        let (left, right) = sides(edge);
        arrangement.edges[edge].line[side] || left[side] != 0 || right[side] != 0
    };
    let in_area = |edge: usize| {
        let (left, right) = sides(edge);
        kept(left) || kept(right)
    };
    let kept_lines: Vec<bool> = (0..arrangement.edges.len())
        .map(|edge| {
            let line = arrangement.edges[edge].line;
            let wanted = match operation {
                Operation::Intersection => touches(edge, 0) && touches(edge, 1),
                Operation::Union => line[0] || line[1],
                Operation::Difference => line[0] && !touches(edge, 1),
                Operation::SymDifference => {
                    line[0] && !touches(edge, 1) || line[1] && !touches(edge, 0)
                }
            };
            wanted && !in_area(edge)
        })
        .collect();
    let lines = trace_lines(&arrangement, &kept_lines, &input.line_ends);
    if operation == Operation::Intersection {
        kept_points.extend(points::contacts(&arrangement, touches, |edge| {
            kept_lines[edge] || in_area(edge)
        }));
        points::sort(&mut kept_points);
    }
    if !kept_points.is_empty() {
        let others: Vec<Geometry<f64>> = polygons
            .iter()
            .cloned()
            .map(Geometry::Polygon)
            .chain(lines.iter().cloned().map(Geometry::LineString))
            .collect();
        points::uncovered(&mut kept_points, &others);
    }
    assemble(polygons, lines, kept_points, dimension)
}

/// 0 for points, 1 for lines, 2 for polygons, the greatest of the parts for a collection.
fn dimension(geometry: &Geometry<f64>) -> usize {
    match geometry {
        Geometry::Point(_) | Geometry::MultiPoint(_) => 0,
        Geometry::Line(_) | Geometry::LineString(_) | Geometry::MultiLineString(_) => 1,
        Geometry::GeometryCollection(parts) => parts.iter().map(dimension).max().unwrap_or(0),
        _ => 2,
    }
}

/// One geometry of all parts.
pub(crate) fn assemble(
    mut polygons: Vec<Polygon<f64>>,
    mut lines: Vec<LineString<f64>>,
    points: Vec<Coord<f64>>,
    dimension: usize,
) -> Geometry<f64> {
    let kinds = [!polygons.is_empty(), !lines.is_empty(), !points.is_empty()];
    match kinds {
        [true, false, false] => match (polygons.pop(), polygons.is_empty()) {
            (Some(only), true) => Geometry::Polygon(only),
            (last, _) => {
                polygons.extend(last);
                Geometry::MultiPolygon(MultiPolygon(polygons))
            }
        },
        [false, true, false] => match (lines.pop(), lines.is_empty()) {
            (Some(only), true) => Geometry::LineString(only),
            (last, _) => {
                lines.extend(last);
                Geometry::MultiLineString(MultiLineString(lines))
            }
        },
        [false, false, true] => match points.as_slice() {
            [only] => Geometry::Point(Point(*only)),
            all => Geometry::MultiPoint(MultiPoint(all.iter().map(|p| Point(*p)).collect())),
        },
        [false, false, false] => match dimension {
            0 => Geometry::MultiPoint(MultiPoint(vec![])),
            1 => Geometry::LineString(LineString(vec![])),
            _ => Geometry::Polygon(Polygon::new(LineString(vec![]), vec![])),
        },
        _ => Geometry::GeometryCollection(GeometryCollection(
            polygons
                .into_iter()
                .map(Geometry::Polygon)
                .chain(lines.into_iter().map(Geometry::LineString))
                .chain(points.into_iter().map(|p| Geometry::Point(Point(p))))
                .collect(),
        )),
    }
}

//! Areas, lengths and distances in the plane, in the units of the coordinates.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Area, Euclidean, Geometry, Length};
use geoflow_engine::predicate::{distance_arrays, distance_constant};

use super::args::{GeometryArg, whose};
use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, GEOM, Returns};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Area",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The area of polygons in squared units of the CRS; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[("ST_Area('POLYGON((0 0,2 0,2 2,0 2,0 0))')", "4.0")],
        evaluate: Scalar(|call| measure(call, |geometry| geometry.unsigned_area())),
    },
    Function {
        name: "ST_Length",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of lines in units of the CRS; 0 for points and polygons (ST_Perimeter measures these).",
        empty: "EMPTY has 0.",
        examples: &[("ST_Length('LINESTRING(0 0,3 4)')", "5.0")],
        evaluate: Scalar(|call| measure(call, length)),
    },
    Function {
        name: "ST_Perimeter",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of all rings of polygons in units of the CRS; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[("ST_Perimeter('POLYGON((0 0,2 0,2 2,0 2,0 0))')", "8.0")],
        evaluate: Scalar(|call| measure(call, perimeter)),
    },
    Function {
        name: "ST_Distance",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Number,
        about: "The least distance between points of a and b, in units of the CRS (degrees for longitude and latitude); 0 where they intersect.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[("ST_Distance('POINT(0 0)', 'POINT(3 4)')", "5.0")],
        evaluate: Scalar(distances),
    },
];

fn measure(call: &Call<'_>, of: impl Fn(&Geometry<f64>) -> f64) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| Ok(Some(of(geometry.geometry(row)?.as_ref()))))
}

fn length(geometry: &Geometry<f64>) -> f64 {
    match geometry {
        Geometry::Line(line) => Euclidean.length(line),
        Geometry::LineString(line) => Euclidean.length(line),
        Geometry::MultiLineString(lines) => Euclidean.length(lines),
        Geometry::GeometryCollection(parts) => parts.iter().map(length).sum(),
        _ => 0.0,
    }
}

fn perimeter(geometry: &Geometry<f64>) -> f64 {
    let rings = |polygon: &geo::Polygon<f64>| -> f64 {
        Euclidean.length(polygon.exterior())
            + polygon
                .interiors()
                .iter()
                .map(|ring| Euclidean.length(ring))
                .sum::<f64>()
    };
    match geometry {
        Geometry::Polygon(polygon) => rings(polygon),
        Geometry::MultiPolygon(polygons) => polygons.iter().map(rings).sum(),
        Geometry::Rect(rect) => rings(&rect.to_polygon()),
        Geometry::Triangle(triangle) => rings(&triangle.to_polygon()),
        Geometry::GeometryCollection(parts) => parts.iter().map(perimeter).sum(),
        _ => 0.0,
    }
}

fn distances(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    let mut points = [(vec![], vec![]), (vec![], vec![])];
    let mut all_points = true;
    for (arg, (x, y)) in [a, b].into_iter().zip(&mut points) {
        all_points = all_points
            && arg
                .array()
                .points(x, y)
                .map_err(|e| call.named(arg.placed(e)))?;
    }
    if !all_points {
        return general(call, a, b);
    }
    let [(ax, ay), (bx, by)] = &points;
    let index = |constant: bool, row: usize| if constant { 0 } else { row };
    call.numbers(|row| {
        let (i, j) = (index(a.is_constant(), row), index(b.is_constant(), row));
        let d = (ax[i] - bx[j]).hypot(ay[i] - by[j]);
        // POINT EMPTY is NaN here.
        Ok((!d.is_nan()).then_some(d))
    })
}

fn general(call: &Call<'_>, a: &GeometryArg, b: &GeometryArg) -> Result<ArrayRef> {
    let constant = |arg: &GeometryArg, other: &GeometryArg| {
        let value = arg.geometry(0).map_err(|e| call.named(e))?;
        distance_constant(value.as_ref(), other.array()).map_err(|e| call.named(other.placed(e)))
    };
    Ok(Arc::new(match (a.is_constant(), b.is_constant()) {
        (true, _) => constant(a, b)?,
        (false, true) => constant(b, a)?,
        (false, false) => {
            distance_arrays(a.array(), b.array()).map_err(|e| call.named(whose(a, b, e)))?
        }
    }))
}

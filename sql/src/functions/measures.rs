//! Areas, lengths and distances in the plane, in the units of the coordinates.

use std::sync::Arc;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Area, Euclidean, Geometry, Length};
use geoflow_engine::geometry::wkb::{CoordRun, WkbError, WkbKind, for_each_run, line_run};
use geoflow_engine::predicate::{distance_arrays, distance_constant, length};

use super::args::{GeometryArg, whose};
use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, GEOM, Returns};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Area",
        aliases: &["ST_Area2D"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The area of polygons in squared units of the CRS; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[("ST_Area('POLYGON((0 0,2 0,2 2,0 2,0 0))')", "4.0")],
        evaluate: Scalar(|call| measure(call, |geometry| geometry.unsigned_area())),
    },
    Function {
        name: "ST_Length",
        aliases: &["ST_Length2D"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of lines in units of the CRS; 0 for points and polygons (ST_Perimeter measures these).",
        empty: "EMPTY has 0.",
        examples: &[("ST_Length('LINESTRING(0 0,3 4)')", "5.0")],
        evaluate: Scalar(lengths),
    },
    Function {
        name: "ST_Perimeter",
        aliases: &["ST_Perimeter2D"],
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

fn lengths(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| {
        let length = line_length(geometry.wkb(row)?).map_err(|e| geometry.invalid(row, e))?;
        if !length.is_finite() {
            // Nothing else but a coordinate that is not finite, or lengths beyond numbers.
            geometry.geometry(row)?;
        }
        Ok(Some(length))
    })
}

/// The length of all lines in a value, read from its bytes.
fn line_length(bytes: &[u8]) -> Result<f64, WkbError> {
    if let Some(run) = line_run(bytes) {
        return Ok(run_length(run));
    }
    let mut sum = 0.0;
    for_each_run(bytes, |header, run| {
        if header.kind == WkbKind::LineString {
            sum += run_length(run);
        }
        Ok(())
    })?;
    Ok(sum)
}

fn run_length(run: CoordRun<'_>) -> f64 {
    let mut coords = run.iter();
    let Some(mut before) = coords.next() else {
        return 0.0;
    };
    coords.fold(0.0, |sum, (x, y)| {
        let (x0, y0) = std::mem::replace(&mut before, (x, y));
        sum + length(x - x0, y - y0)
    })
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

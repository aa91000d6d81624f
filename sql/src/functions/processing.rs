//! Geometries from geometries, in the plane: Z and M are dropped.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Centroid, Geometry, Line};
use geoflow_engine::geometry::wkb::{self, WkbCursor, WkbKind};
use geoflow_engine::geometry::wkb_writer::{
    Dimensions, write_count, write_geometry, write_header, write_point, write_rectangle,
};
use geoflow_engine::processing::hull_geometry;

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Returns};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Centroid",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The centre of mass of the parts of greatest dimension: of areas if there are any, else of lines, else of points. It may lie outside.",
        empty: "EMPTY gives POINT EMPTY.",
        examples: &[(
            "ST_AsText(ST_Centroid('POLYGON((0 0,2 0,2 2,0 2,0 0))'))",
            "POINT(1 1)",
        )],
        evaluate: Scalar(centroid),
    },
    Function {
        name: "ST_Envelope",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The bounding box as a polygon; a line or point where the box has no area.",
        empty: "EMPTY gives EMPTY of the same type.",
        examples: &[(
            "ST_AsText(ST_Envelope('LINESTRING(0 0,2 1)'))",
            "POLYGON((0 0,0 1,2 1,2 0,0 0))",
        )],
        evaluate: Scalar(envelope),
    },
    Function {
        name: "ST_ConvexHull",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The smallest convex polygon that holds the geometry; a line or point where that has no area.",
        empty: "EMPTY gives GEOMETRYCOLLECTION EMPTY.",
        examples: &[(
            "ST_AsText(ST_ConvexHull('MULTIPOINT((0 0),(1 1),(2 2))'))",
            "LINESTRING(0 0,2 2)",
        )],
        evaluate: Scalar(convex_hull),
    },
];

fn centroid(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        match geometry.geometry(row)?.centroid() {
            Some(point) => write_point(point.x(), point.y(), out),
            None => write_point(f64::NAN, f64::NAN, out),
        }
        Ok(true)
    })
}

fn envelope(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let bounds = geometry.bounds(row)?;
        if bounds.is_empty() {
            let header = WkbCursor::new(geometry.wkb(row)?)
                .header()
                .map_err(|e| geometry.invalid(row, e))?;
            write_empty(header.kind, out);
            return Ok(true);
        }
        let min = geo::coord! { x: bounds.min_x, y: bounds.min_y };
        let max = geo::coord! { x: bounds.max_x, y: bounds.max_y };
        match (min.x == max.x, min.y == max.y) {
            (true, true) => write_point(min.x, min.y, out),
            (false, false) => write_rectangle(min, max, out),
            _ => write_geometry(&Geometry::Line(Line::new(min, max)), out),
        }
        Ok(true)
    })
}

fn write_empty(kind: WkbKind, out: &mut Vec<u8>) {
    match kind {
        WkbKind::Point => write_point(f64::NAN, f64::NAN, out),
        kind => {
            write_header(kind, Dimensions::XY, out);
            write_count(0, out);
        }
    }
}

fn convex_hull(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let mut points = vec![];
    call.binaries(|row, out| {
        points.clear();
        wkb::append_coords(geometry.wkb(row)?, &mut points)
            .map_err(|e| geometry.invalid(row, e))?;
        write_geometry(&hull_geometry(&mut points), out);
        Ok(true)
    })
}

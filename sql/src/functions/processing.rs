//! Geometries from geometries, in the plane: Z and M are dropped.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Centroid, Coord, Geometry, Line};
use geoflow_engine::geometry::wkb::{self, WkbCursor, WkbKind};
use geoflow_engine::geometry::wkb_writer::{
    Dimensions, write_count, write_geometry, write_header, write_point, write_rectangle,
};
use geoflow_engine::geometry::{Ordinates, Tree, map_ordinates, wkb_to_iso};
use geoflow_engine::processing::hull_geometry;

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Returns};
use super::trees::tree;

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
        aliases: &["Box2D"],
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
        about: "The smallest convex polygon that holds the geometry; a line or point where that has no area. Corners keep their Z.",
        empty: "EMPTY stays EMPTY.",
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
        let bytes = geometry.wkb(row)?;
        wkb::append_coords(bytes, &mut points).map_err(|e| geometry.invalid(row, e))?;
        let header = WkbCursor::new(bytes)
            .header()
            .map_err(|e| geometry.invalid(row, e))?;
        match (points.is_empty(), header.has_z) {
            (true, _) => wkb_to_iso(bytes, out).map_err(|e| geometry.invalid(row, e))?,
            (_, true) => hull_with_z(&tree(geometry, row)?, &mut points, out),
            _ => write_geometry(&hull_geometry(&mut points), out),
        }
        Ok(true)
    })
}

/// Corners of a hull are points of the geometry, so they have its z.
fn hull_with_z(tree: &Tree, points: &mut Vec<Coord<f64>>, out: &mut Vec<u8>) {
    let key = |x: f64, y: f64| ((x + 0.0).to_bits(), (y + 0.0).to_bits());
    let mut heights = HashMap::new();
    for c in tree.all_coords() {
        heights.entry(key(c.x, c.y)).or_insert(c.z);
    }
    let mut flat = vec![];
    write_geometry(&hull_geometry(points), &mut flat);
    let lift = |c: Ordinates| Ordinates {
        z: heights.get(&key(c.x, c.y)).copied().unwrap_or(0.0),
        ..c
    };
    // Nothing is malformed that has just been written.
    let _ = map_ordinates(&flat, Some(Dimensions::XYZ), (0.0, 0.0), lift, out);
}

//! Geometries from coordinates.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::{self, WkbKind};
use geoflow_engine::geometry::wkb_writer::{
    Dimensions, patch_count, write_count, write_header, write_ordinates, write_rectangle,
};

use super::call::Call;
use super::definition::{
    A, B, CrsRule, Evaluate::Scalar, Function, GEOMS, Kind, Parameter, Returns, SRID, parameter,
};

const X: Parameter = parameter("x", Kind::Number);
const Y: Parameter = parameter("y", Kind::Number);
const Z: Parameter = parameter("z", Kind::Number);
const M: Parameter = parameter("m", Kind::Number);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Point",
        aliases: &["ST_Point2D"],
        signatures: &[&[X, Y], &[X, Y, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(2)),
        about: "The point at x (longitude) and y (latitude), in the CRS of the EPSG code `srid`, of unknown CRS without it.",
        empty: "Coordinates that are not finite are an error.",
        examples: &[("ST_AsText(ST_Point(24.94, 60.17))", "POINT(24.94 60.17)")],
        evaluate: Scalar(|call| point(call, 2, Dimensions::XY)),
    },
    Function {
        name: "ST_MakePoint",
        aliases: &[],
        signatures: &[&[X, Y], &[X, Y, Z], &[X, Y, Z, M]],
        returns: Returns::Geometry(CrsRule::Argument(9)),
        about: "The point with these two, three or four ordinates, of unknown CRS.",
        empty: "x and y that are not finite are an error.",
        examples: &[("ST_AsText(ST_MakePoint(1, 2, 3))", "POINT Z (1 2 3)")],
        evaluate: Scalar(|call| match call.arity() {
            2 => point(call, 2, Dimensions::XY),
            3 => point(call, 3, Dimensions::XYZ),
            _ => point(call, 4, Dimensions::XYZM),
        }),
    },
    Function {
        name: "ST_PointZ",
        aliases: &["ST_Point3D"],
        signatures: &[&[X, Y, Z], &[X, Y, Z, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(3)),
        about: "The point at x, y and z.",
        empty: "x and y that are not finite are an error.",
        examples: &[("ST_AsText(ST_PointZ(1, 2, 3))", "POINT Z (1 2 3)")],
        evaluate: Scalar(|call| point(call, 3, Dimensions::XYZ)),
    },
    Function {
        name: "ST_PointM",
        aliases: &[],
        signatures: &[&[X, Y, M], &[X, Y, M, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(3)),
        about: "The point at x and y with the measure m.",
        empty: "x and y that are not finite are an error.",
        examples: &[("ST_AsText(ST_PointM(1, 2, 3))", "POINT M (1 2 3)")],
        evaluate: Scalar(|call| point(call, 3, Dimensions::XYM)),
    },
    Function {
        name: "ST_MakePointM",
        aliases: &[],
        signatures: &[&[X, Y, M]],
        returns: Returns::Geometry(CrsRule::Argument(9)),
        about: "The point at x and y with the measure m, of unknown CRS.",
        empty: "x and y that are not finite are an error.",
        examples: &[("ST_AsText(ST_MakePointM(1, 2, 3))", "POINT M (1 2 3)")],
        evaluate: Scalar(|call| point(call, 3, Dimensions::XYM)),
    },
    Function {
        name: "ST_PointZM",
        aliases: &["ST_Point4D"],
        signatures: &[&[X, Y, Z, M], &[X, Y, Z, M, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(4)),
        about: "The point at x, y and z with the measure m.",
        empty: "x and y that are not finite are an error.",
        examples: &[("ST_AsText(ST_PointZM(1, 2, 3, 4))", "POINT ZM (1 2 3 4)")],
        evaluate: Scalar(|call| point(call, 4, Dimensions::XYZM)),
    },
    Function {
        name: "ST_MakeEnvelope",
        aliases: &[],
        signatures: &[
            &[
                parameter("xmin", Kind::Number),
                parameter("ymin", Kind::Number),
                parameter("xmax", Kind::Number),
                parameter("ymax", Kind::Number),
            ],
            &[
                parameter("xmin", Kind::Number),
                parameter("ymin", Kind::Number),
                parameter("xmax", Kind::Number),
                parameter("ymax", Kind::Number),
                SRID,
            ],
        ],
        returns: Returns::Geometry(CrsRule::Argument(4)),
        about: "The rectangle between two corners as a polygon, in the CRS of the EPSG code `srid`, of unknown CRS without it.",
        empty: "A minimum above its maximum is an error: cut a box across the antimeridian in two.",
        examples: &[(
            "ST_AsText(ST_MakeEnvelope(0, 0, 2, 1))",
            "POLYGON((0 0,0 1,2 1,2 0,0 0))",
        )],
        evaluate: Scalar(envelope),
    },
    Function {
        name: "ST_MakeLine",
        aliases: &[],
        signatures: &[&[A, B], &[GEOMS]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The line through the coordinates of two points, multipoints or lines, or of those of a list, in this order. Z or M that only some of them have is 0 in the others.",
        empty: "EMPTY adds no coordinates; fewer than two give LINESTRING EMPTY. NULL in a list is left out; a list of none gives NULL.",
        examples: &[
            (
                "ST_AsText(ST_MakeLine(ST_Point(0, 0), ST_Point(1, 2)))",
                "LINESTRING(0 0,1 2)",
            ),
            (
                "ST_AsText(ST_MakeLine([ST_Point(0, 0), ST_Point(1, 2), ST_Point(3, 0)]))",
                "LINESTRING(0 0,1 2,3 0)",
            ),
        ],
        evaluate: Scalar(|call| match call.arity() {
            1 => super::lists::line_list(call),
            _ => line(call),
        }),
    },
];

fn point(call: &Call<'_>, n: usize, dimensions: Dimensions) -> Result<ArrayRef> {
    let ordinates = (0..n).map(|i| call.number(i)).collect::<Result<Vec<_>>>()?;
    call.binaries(|row, out| {
        let mut all = [f64::NAN; 4];
        for (slot, ordinate) in all.iter_mut().zip(&ordinates) {
            *slot = ordinate(row);
        }
        finite(call, row, &all[..2])?;
        write_header(WkbKind::Point, dimensions, out);
        write_ordinates(&all[..n], out);
        Ok(true)
    })
}

fn finite(call: &Call<'_>, row: usize, values: &[f64]) -> Result<(), Error> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(call.invalid(
            row,
            format!("{value} is no coordinate: coordinates must be finite numbers"),
        )),
    }
}

fn envelope(call: &Call<'_>) -> Result<ArrayRef> {
    let (xmin, ymin) = (call.number(0)?, call.number(1)?);
    let (xmax, ymax) = (call.number(2)?, call.number(3)?);
    call.binaries(|row, out| {
        let [xmin, ymin, xmax, ymax] = [xmin(row), ymin(row), xmax(row), ymax(row)];
        finite(call, row, &[xmin, ymin, xmax, ymax])?;
        if xmin > xmax || ymin > ymax {
            return Err(call.invalid(
                row,
                format!(
                    "the box ({xmin}, {ymin}, {xmax}, {ymax}) has a minimum above its maximum. The order is xmin, ymin, xmax, ymax; a box across the antimeridian must be cut in two"
                ),
            ));
        }
        let corner = |x, y| geo::Coord { x, y };
        write_rectangle(corner(xmin, ymin), corner(xmax, ymax), out);
        Ok(true)
    })
}

fn line(call: &Call<'_>) -> Result<ArrayRef> {
    let parts = [call.geometry(0)?, call.geometry(1)?];
    call.binaries(|row, out| {
        let [a, b] = [parts[0].wkb(row)?, parts[1].wkb(row)?].map(wkb::point_xy);
        if let (Some((x0, y0)), Some((x1, y1))) = (a, b)
            && ![x0, y0, x1, y1].iter().any(|v| v.is_nan())
        {
            write_header(WkbKind::LineString, Dimensions::XY, out);
            write_count(2, out);
            write_ordinates(&[x0, y0, x1, y1], out);
            return Ok(true);
        }
        let mut dimensions = Dimensions::XY;
        for part in parts {
            let mut cursor = wkb::WkbCursor::new(part.wkb(row)?);
            let header = cursor.header().map_err(|e| part.invalid(row, e))?;
            if !matches!(
                header.kind,
                WkbKind::Point | WkbKind::MultiPoint | WkbKind::LineString
            ) {
                return Err(call.invalid(
                    row,
                    format!(
                        "a line is made of points, multipoints and lines, not of a {}",
                        header.kind.tag()
                    ),
                ));
            }
            dimensions.z |= header.has_z;
            dimensions.m |= header.has_m;
        }
        write_header(WkbKind::LineString, dimensions, out);
        let count = write_count(0, out);
        let mut n = 0;
        for part in parts {
            wkb::for_each_run(part.wkb(row)?, |header, run| {
                for [x, y, third, fourth] in run.ordinates() {
                    if x.is_nan() && y.is_nan() {
                        continue;
                    }
                    write_ordinates(&[x, y], out);
                    let (z, m) = match (header.has_z, header.has_m) {
                        (true, true) => (third, fourth),
                        (true, false) => (third, 0.0),
                        (false, true) => (0.0, third),
                        (false, false) => (0.0, 0.0),
                    };
                    if dimensions.z {
                        write_ordinates(&[z], out);
                    }
                    if dimensions.m {
                        write_ordinates(&[m], out);
                    }
                    n += 1;
                }
                Ok(())
            })
            .map_err(|e| part.invalid(row, e))?;
        }
        if n < 2 {
            out.truncate(count);
            n = 0;
            write_count(n, out);
        }
        patch_count(count, n, out);
        Ok(true)
    })
}

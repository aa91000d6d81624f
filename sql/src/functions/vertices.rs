//! Vertices put in, taken out and exchanged; segments; lines of points.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Body, Ordinates, Tree};

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};
use super::linear::line_of;
use super::trees::{derive, tree};

const LINE: Parameter = parameter("line", Kind::Geometry);
const POINT: Parameter = parameter("point", Kind::Geometry);
const POSITION: Parameter = parameter("position", Kind::Integer);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_AddPoint",
        aliases: &[],
        signatures: &[&[LINE, POINT], &[LINE, POINT, POSITION]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The LINESTRING with a point before vertex `position`, counted from 0; at its end without it, or for -1. Other types, and a position beyond the end, are an error.",
        empty: "Of an EMPTY line the point is the only vertex, which is no line: an error. Without a point the line is returned.",
        examples: &[(
            "ST_AsText(ST_AddPoint('LINESTRING(0 0,1 1)', 'POINT(5 5)', 1))",
            "LINESTRING(0 0,5 5,1 1)",
        )],
        evaluate: Scalar(add_point),
    },
    Function {
        name: "ST_RemovePoint",
        aliases: &[],
        signatures: &[&[LINE, POSITION]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The LINESTRING without vertex `position`, counted from 0. Other types, a position that is none, and a line of two vertices are an error.",
        empty: "EMPTY has no vertices: an error.",
        examples: &[(
            "ST_AsText(ST_RemovePoint('LINESTRING(0 0,5 5,1 1)', 1))",
            "LINESTRING(0 0,1 1)",
        )],
        evaluate: Scalar(remove_point),
    },
    Function {
        name: "ST_SetPoint",
        aliases: &[],
        signatures: &[&[LINE, POSITION, POINT]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The LINESTRING with a point in place of vertex `position`, counted from 0, from the end if negative. Other types, and a position that is none, are an error.",
        empty: "EMPTY has no vertices: an error. Without a point the line is returned.",
        examples: &[(
            "ST_AsText(ST_SetPoint('LINESTRING(0 0,1 1)', -1, 'POINT(5 5)'))",
            "LINESTRING(0 0,5 5)",
        )],
        evaluate: Scalar(set_point),
    },
    Function {
        name: "ST_LineFromMultiPoint",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The LINESTRING through the points of a MULTIPOINT, in their order. Other types, and a single point, are an error.",
        empty: "EMPTY gives LINESTRING EMPTY.",
        examples: &[(
            "ST_AsText(ST_LineFromMultiPoint('MULTIPOINT((0 0),(1 1))'))",
            "LINESTRING(0 0,1 1)",
        )],
        evaluate: Scalar(line_of_points),
    },
    Function {
        name: "ST_ForceCollection",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The parts of a geometry as a GEOMETRYCOLLECTION; a point, line or polygon as the only one.",
        empty: "EMPTY multi geometries give GEOMETRYCOLLECTION EMPTY, other EMPTY ones are its only part.",
        examples: &[(
            "ST_AsText(ST_ForceCollection('MULTIPOINT((0 0),(1 1))'))",
            "GEOMETRYCOLLECTION(POINT(0 0),POINT(1 1))",
        )],
        evaluate: Scalar(|call| derive(call, |tree| Some(collection(tree)))),
    },
    Function {
        name: "ST_BoundingDiagonal",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The line from the lowest to the highest corner of the bounding box, with Z and M.",
        empty: "EMPTY gives LINESTRING EMPTY.",
        examples: &[(
            "ST_AsText(ST_BoundingDiagonal('MULTIPOINT((3 0),(1 2))'))",
            "LINESTRING(1 0,3 2)",
        )],
        evaluate: Scalar(|call| derive(call, |tree| Some(diagonal(&tree)))),
    },
    Function {
        name: "ST_3DLength",
        aliases: &["ST_Length3D"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of lines in x, y and z, in units of the CRS; 0 for points and polygons.",
        empty: "EMPTY has 0.",
        examples: &[("ST_3DLength('LINESTRING Z (0 0 0,3 4 12)')", "13.0")],
        evaluate: Scalar(|call| in_space(call, WkbKind::LineString)),
    },
    Function {
        name: "ST_3DPerimeter",
        aliases: &["ST_Perimeter3D"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of all rings of polygons in x, y and z, in units of the CRS; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[(
            "ST_3DPerimeter('POLYGON Z ((0 0 0,4 0 0,4 3 0,0 0 0))')",
            "12.0",
        )],
        evaluate: Scalar(|call| in_space(call, WkbKind::Polygon)),
    },
    Function {
        name: "ST_Zmflag",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "Which ordinates coordinates have beside x and y: 0 none, 1 M, 2 Z, 3 both.",
        empty: "EMPTY has dimensions as well.",
        examples: &[("ST_Zmflag('POINT ZM (1 2 3 4)')", "3")],
        evaluate: Scalar(flag),
    },
];

/// `None` for POINT EMPTY.
fn point_of(
    call: &Call<'_>,
    geometry: &GeometryArg,
    row: usize,
) -> Result<Option<Ordinates>, Error> {
    let point = tree(geometry, row)?;
    match point.kind {
        WkbKind::Point => Ok(point.coords().first().copied()),
        other => Err(call.invalid(row, format!("expected a POINT, found a {}", other.tag()))),
    }
}

fn none_such(call: &Call<'_>, row: usize, position: i64, count: usize) -> Error {
    call.invalid(
        row,
        format!("there is no vertex {position} of a line of {count}: they are counted from 0"),
    )
}

fn add_point(call: &Call<'_>) -> Result<ArrayRef> {
    let (line, point) = (call.geometry(0)?, call.geometry(1)?);
    let position = match call.arity() {
        3 => Some(call.integer(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let line = line_of(call, line, row)?;
        let mut coords = line.coords().to_vec();
        let at = match position.as_ref().map_or(-1, |position| position(row)) {
            -1 => coords.len(),
            at => usize::try_from(at)
                .ok()
                .filter(|at| *at <= coords.len())
                .ok_or_else(|| none_such(call, row, at, coords.len()))?,
        };
        if let Some(point) = point_of(call, point, row)? {
            coords.insert(at, point);
        }
        if coords.len() == 1 {
            return Err(call.invalid(row, "a line has two vertices at least"));
        }
        Tree::line(coords, line.dimensions).write(out);
        Ok(true)
    })
}

fn remove_point(call: &Call<'_>) -> Result<ArrayRef> {
    let (line, position) = (call.geometry(0)?, call.integer(1)?);
    call.binaries(|row, out| {
        let line = line_of(call, line, row)?;
        let mut coords = line.coords().to_vec();
        let at = usize::try_from(position(row)).ok();
        let at = at.filter(|at| *at < coords.len());
        let at = at.ok_or_else(|| none_such(call, row, position(row), coords.len()))?;
        if coords.len() < 3 {
            return Err(call.invalid(row, "a line has two vertices at least: none can be removed"));
        }
        coords.remove(at);
        Tree::line(coords, line.dimensions).write(out);
        Ok(true)
    })
}

fn set_point(call: &Call<'_>) -> Result<ArrayRef> {
    let (line, position, point) = (call.geometry(0)?, call.integer(1)?, call.geometry(2)?);
    call.binaries(|row, out| {
        let line = line_of(call, line, row)?;
        let mut coords = line.coords().to_vec();
        let from_start = match position(row) {
            at if at < 0 => at.saturating_add(coords.len() as i64),
            at => at,
        };
        let at = usize::try_from(from_start).ok();
        let at = at.filter(|at| *at < coords.len());
        let at = at.ok_or_else(|| none_such(call, row, position(row), coords.len()))?;
        if let Some(point) = point_of(call, point, row)? {
            coords[at] = point;
        }
        Tree::line(coords, line.dimensions).write(out);
        Ok(true)
    })
}

fn line_of_points(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let points = tree(geometry, row)?;
        let coords = points.all_coords();
        if points.kind != WkbKind::MultiPoint || coords.len() == 1 {
            return Err(call.invalid(
                row,
                format!(
                    "expected a MULTIPOINT of two points or more, found a {} of {}",
                    points.kind.tag(),
                    coords.len()
                ),
            ));
        }
        Tree::line(coords, points.dimensions).write(out);
        Ok(true)
    })
}

fn collection(tree: Tree) -> Tree {
    let dimensions = tree.dimensions;
    let parts = match &tree.body {
        Body::Parts(parts) => parts.clone(),
        _ => vec![tree],
    };
    Tree::parts_of(WkbKind::GeometryCollection, parts, dimensions)
}

fn diagonal(tree: &Tree) -> Tree {
    let all = tree.all_coords();
    let corner = |pick: fn(f64, f64) -> f64| {
        all.iter().copied().reduce(|a, b| Ordinates {
            x: pick(a.x, b.x),
            y: pick(a.y, b.y),
            z: pick(a.z, b.z),
            m: pick(a.m, b.m),
        })
    };
    let ends = [corner(f64::min), corner(f64::max)];
    Tree::line(ends.into_iter().flatten().collect(), tree.dimensions)
}

fn in_space(call: &Call<'_>, of: WkbKind) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| {
        let mut sum = 0.0;
        tree(geometry, row)?.each_run(&mut |kind, run| {
            let edges = run.windows(2).filter(|_| kind == of);
            let length = |w: &[Ordinates]| {
                (w[1].x - w[0].x)
                    .hypot(w[1].y - w[0].y)
                    .hypot(w[1].z - w[0].z)
            };
            sum += edges.map(length).sum::<f64>();
        });
        Ok(Some(sum))
    })
}

fn flag(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.integers(|row| {
        let Dimensions { z, m } = tree(geometry, row)?.dimensions;
        Ok(Some(2 * i32::from(z) + i32::from(m)))
    })
}

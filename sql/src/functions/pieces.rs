//! Points, rings and parts of a geometry, with Z and M.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Body, Ordinates, Tree};
use geoflow_engine::overlay::is_simple;

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};
use super::trees::{derive, tests, tree};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_NRings",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many rings the polygons of a geometry have, shells and holes; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[(
            "ST_NRings('POLYGON((0 0,9 0,9 9,0 0),(5 1,6 1,6 2,5 1))')",
            "2",
        )],
        evaluate: Scalar(|call| counts(call, rings)),
    },
    Function {
        name: "ST_NumInteriorRings",
        aliases: &["ST_NumInteriorRing", "ST_NInteriorRings"],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many holes a POLYGON has; NULL for any other type.",
        empty: "POLYGON EMPTY has 0.",
        examples: &[(
            "ST_NumInteriorRings('POLYGON((0 0,9 0,9 9,0 0),(5 1,6 1,6 2,5 1))')",
            "1",
        )],
        evaluate: Scalar(|call| counts(call, holes)),
    },
    Function {
        name: "ST_PointN",
        aliases: &[],
        signatures: &[&[GEOM, parameter("n", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Point `n` of a LINESTRING, counted from 1, from the end if negative; NULL where there is none, and for any other type.",
        empty: "EMPTY has no points.",
        examples: &[(
            "ST_AsText(ST_PointN('LINESTRING(0 0,1 1,2 2)', -1))",
            "POINT(2 2)",
        )],
        evaluate: Scalar(point_n),
    },
    Function {
        name: "ST_StartPoint",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The first point of a geometry.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_StartPoint('LINESTRING(0 0,1 1,2 2)'))",
            "POINT(0 0)",
        )],
        evaluate: Scalar(|call| derive(call, start_point)),
    },
    Function {
        name: "ST_EndPoint",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The last point of a LINESTRING; NULL for any other type.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_EndPoint('LINESTRING(0 0,1 1,2 2)'))",
            "POINT(2 2)",
        )],
        evaluate: Scalar(|call| derive(call, end_point)),
    },
    Function {
        name: "ST_ExteriorRing",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The shell of a POLYGON as a line; NULL for any other type.",
        empty: "EMPTY gives LINESTRING EMPTY.",
        examples: &[(
            "ST_AsText(ST_ExteriorRing('POLYGON((0 0,1 0,1 1,0 0))'))",
            "LINESTRING(0 0,1 0,1 1,0 0)",
        )],
        evaluate: Scalar(|call| derive(call, exterior_ring)),
    },
    Function {
        name: "ST_InteriorRingN",
        aliases: &[],
        signatures: &[&[GEOM, parameter("n", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Hole `n` of a POLYGON as a line, counted from 1; NULL where there is none, and for any other type.",
        empty: "EMPTY has no holes.",
        examples: &[(
            "ST_AsText(ST_InteriorRingN('POLYGON((0 0,9 0,9 9,0 0),(5 1,6 1,6 2,5 1))', 1))",
            "LINESTRING(5 1,6 1,6 2,5 1)",
        )],
        evaluate: Scalar(interior_ring_n),
    },
    Function {
        name: "ST_Points",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "All coordinates as a MULTIPOINT, repeated ones too.",
        empty: "EMPTY gives MULTIPOINT EMPTY.",
        examples: &[(
            "ST_AsText(ST_Points('LINESTRING(0 0,1 1)'))",
            "MULTIPOINT((0 0),(1 1))",
        )],
        evaluate: Scalar(|call| derive(call, points)),
    },
    Function {
        name: "ST_IsCollection",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether it is a multi geometry or a collection.",
        empty: "EMPTY has a type as well.",
        examples: &[("ST_IsCollection('MULTIPOINT((0 0))')", "true")],
        evaluate: Scalar(|call| tests(call, |tree| Some(matches!(tree.body, Body::Parts(_))))),
    },
    Function {
        name: "ST_IsClosed",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether every line ends where it starts, in x, y and z. Points and polygons are closed.",
        empty: "EMPTY is not closed.",
        examples: &[("ST_IsClosed('LINESTRING(0 0,1 0,1 1,0 0)')", "true")],
        evaluate: Scalar(|call| tests(call, |tree| Some(is_closed(tree)))),
    },
    Function {
        name: "ST_IsSimple",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether lines and rings meet themselves and each other at their ends alone, and no point is there twice.",
        empty: "EMPTY is simple.",
        examples: &[("ST_IsSimple('LINESTRING(0 0,2 2,2 0,0 2)')", "false")],
        evaluate: Scalar(simple),
    },
    Function {
        name: "ST_IsRing",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether it is a LINESTRING that is closed and simple; FALSE for any other type.",
        empty: "EMPTY is no ring.",
        examples: &[("ST_IsRing('LINESTRING(0 0,1 0,1 1,0 0)')", "true")],
        evaluate: Scalar(ring),
    },
    Function {
        name: "ST_ZMin",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The smallest z.",
        empty: "NULL for EMPTY, and without Z.",
        examples: &[("ST_ZMin('LINESTRING Z (0 0 1,1 1 2)')", "1.0")],
        evaluate: Scalar(|call| extreme(call, |d| d.z, |c| c.z, f64::min)),
    },
    Function {
        name: "ST_ZMax",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The greatest z.",
        empty: "NULL for EMPTY, and without Z.",
        examples: &[("ST_ZMax('LINESTRING Z (0 0 1,1 1 2)')", "2.0")],
        evaluate: Scalar(|call| extreme(call, |d| d.z, |c| c.z, f64::max)),
    },
    Function {
        name: "ST_MMin",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The smallest measure.",
        empty: "NULL for EMPTY, and without M.",
        examples: &[("ST_MMin('LINESTRING M (0 0 1,1 1 2)')", "1.0")],
        evaluate: Scalar(|call| extreme(call, |d| d.m, |c| c.m, f64::min)),
    },
    Function {
        name: "ST_MMax",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The greatest measure.",
        empty: "NULL for EMPTY, and without M.",
        examples: &[("ST_MMax('LINESTRING M (0 0 1,1 1 2)')", "2.0")],
        evaluate: Scalar(|call| extreme(call, |d| d.m, |c| c.m, f64::max)),
    },
];

fn counts(call: &Call<'_>, count: impl Fn(&Tree) -> Option<usize>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.integers(|row| Ok(count(&tree(geometry, row)?).map(|n| n as i32)))
}

fn rings(tree: &Tree) -> Option<usize> {
    let mut n = 0;
    tree.each_simple(&mut |part| n += part.rings().len());
    Some(n)
}

fn holes(tree: &Tree) -> Option<usize> {
    (tree.kind == WkbKind::Polygon).then(|| tree.rings().len().saturating_sub(1))
}

fn point_n(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, n) = (call.geometry(0)?, call.integer(1)?);
    call.binaries(|row, out| {
        let tree = tree(geometry, row)?;
        let coords = match tree.kind {
            WkbKind::LineString => tree.coords(),
            _ => &[],
        };
        let at = match n(row) {
            n if n > 0 => usize::try_from(n - 1).ok(),
            n => coords.len().checked_sub(n.unsigned_abs() as usize),
        };
        let point = at.and_then(|at| coords.get(at));
        if let Some(point) = point {
            Tree::point(*point, tree.dimensions).write(out);
        }
        Ok(point.is_some())
    })
}

fn start_point(tree: Tree) -> Option<Tree> {
    let mut first: Option<Option<Ordinates>> = None;
    tree.each_run(&mut |_, run| {
        first.get_or_insert(run.first().copied());
    });
    Some(Tree::point(first??, tree.dimensions))
}

fn end_point(tree: Tree) -> Option<Tree> {
    match tree.kind {
        WkbKind::LineString => Some(Tree::point(*tree.coords().last()?, tree.dimensions)),
        _ => None,
    }
}

fn exterior_ring(tree: Tree) -> Option<Tree> {
    let dimensions = tree.dimensions;
    match tree.body {
        Body::Rings(rings) => {
            let shell = rings.into_iter().next().unwrap_or_default();
            Some(Tree::line(shell, dimensions))
        }
        _ => None,
    }
}

fn interior_ring_n(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, n) = (call.geometry(0)?, call.integer(1)?);
    call.binaries(|row, out| {
        let tree = tree(geometry, row)?;
        // Ring 0 is the shell.
        let ring = usize::try_from(n(row))
            .ok()
            .filter(|n| *n > 0)
            .and_then(|n| tree.rings().get(n));
        if let Some(ring) = ring {
            Tree::line(ring.clone(), tree.dimensions).write(out);
        }
        Ok(ring.is_some())
    })
}

fn points(tree: Tree) -> Option<Tree> {
    let dimensions = tree.dimensions;
    let all = tree.all_coords();
    let points = all
        .into_iter()
        .map(|c| Tree::point(c, dimensions))
        .collect();
    Some(Tree::parts_of(WkbKind::MultiPoint, points, dimensions))
}

fn is_closed(tree: &Tree) -> bool {
    let same = |a: &Ordinates, b: &Ordinates| a.x == b.x && a.y == b.y && a.z == b.z;
    match &tree.body {
        _ if tree.is_empty() => false,
        Body::Coords(line) if tree.kind == WkbKind::LineString => line
            .first()
            .zip(line.last())
            .is_some_and(|(a, b)| same(a, b)),
        Body::Parts(parts) => parts.iter().all(is_closed),
        _ => true,
    }
}

fn simple(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.booleans(|row| Ok(Some(is_simple(geometry.geometry(row)?.as_ref()))))
}

fn ring(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.booleans(|row| {
        let tree = tree(geometry, row)?;
        let closed = tree.kind == WkbKind::LineString && is_closed(&tree);
        Ok(Some(closed && is_simple(geometry.geometry(row)?.as_ref())))
    })
}

fn extreme(
    call: &Call<'_>,
    has: fn(Dimensions) -> bool,
    of: fn(&Ordinates) -> f64,
    pick: fn(f64, f64) -> f64,
) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| {
        let tree = tree(geometry, row)?;
        let all = tree.all_coords();
        Ok(match has(tree.dimensions) {
            true => all.iter().map(of).reduce(pick),
            false => None,
        })
    })
}

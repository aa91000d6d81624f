//! Set operations on two geometries, in the plane.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Geometry, HasDimensions};
use geoflow_engine::geometry::wkb_to_iso;
use geoflow_engine::geometry::wkb_writer::{write_geometry, write_point};
use geoflow_engine::overlay::{Operation, overlay, union_all};

use super::aggregates::{Part, collect};
use super::call::Call;
use super::definition::{A, B, CrsRule, Evaluate, Function, GEOM, GEOMS, Returns};
use super::lists::{collect_list, union_list};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Intersection",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "What a and b share, in all dimensions: two polygons that share a side have a line as their intersection. Z and M are dropped.",
        empty: "EMPTY of the lower dimension where they share nothing; an EMPTY argument is returned.",
        examples: &[(
            "ST_AsText(ST_Intersection('LINESTRING(-1 1,3 1)', 'POLYGON((0 0,2 0,2 2,0 2,0 0))'))",
            "LINESTRING(0 1,2 1)",
        )],
        evaluate: Evaluate::Scalar(|call| operate(call, Operation::Intersection)),
    },
    Function {
        name: "ST_Union",
        aliases: &[],
        signatures: &[&[A, B], &[GEOMS]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "What lies in a or b, or in one at least of a list. Lines are cut where they meet. Z and M are dropped.",
        empty: "Beside EMPTY the other argument is returned. NULL in a list is left out; a list of none gives NULL.",
        examples: &[(
            "ST_AsText(ST_Union('POINT(1 1)', 'POINT(2 2)'))",
            "MULTIPOINT((1 1),(2 2))",
        )],
        evaluate: Evaluate::Scalar(|call| match call.arity() {
            1 => union_list(call),
            _ => operate(call, Operation::Union),
        }),
    },
    Function {
        name: "ST_Difference",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "What lies in a and not in b. Z and M are dropped.",
        empty: "a is returned where one of them is EMPTY; EMPTY of its dimension where nothing is left.",
        examples: &[(
            "ST_AsText(ST_Difference('LINESTRING(-1 1,3 1)', 'POLYGON((0 0,2 0,2 2,0 2,0 0))'))",
            "MULTILINESTRING((-1 1,0 1),(2 1,3 1))",
        )],
        evaluate: Evaluate::Scalar(|call| operate(call, Operation::Difference)),
    },
    Function {
        name: "ST_SymDifference",
        aliases: &["ST_SymmetricDifference"],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "What lies in one of a and b alone. Z and M are dropped.",
        empty: "Beside EMPTY the other argument is returned.",
        examples: &[(
            "ST_AsText(ST_SymDifference('LINESTRING(0 0,2 0)', 'LINESTRING(1 0,3 0)'))",
            "MULTILINESTRING((0 0,1 0),(2 0,3 0))",
        )],
        evaluate: Evaluate::Scalar(|call| operate(call, Operation::SymDifference)),
    },
    Function {
        name: "ST_UnaryUnion",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The union of the parts of a geometry: polygons are merged, lines cut where they meet, points made unique. Z and M are dropped.",
        empty: "EMPTY gives EMPTY.",
        examples: &[(
            "ST_AsText(ST_UnaryUnion('MULTIPOINT((1 1),(1 1))'))",
            "POINT(1 1)",
        )],
        evaluate: Evaluate::Scalar(unary_union),
    },
    Function {
        name: "ST_Collect",
        aliases: &[],
        signatures: &[&[A, B], &[GEOMS]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "a and b, or those of a list, as the parts of one geometry: a multi geometry of points, lines or polygons, else a collection. Nothing is merged.",
        empty: "EMPTY stays a part.",
        examples: &[(
            "ST_AsText(ST_Collect('POINT(1 2)', 'POINT(3 4)'))",
            "MULTIPOINT((1 2),(3 4))",
        )],
        evaluate: Evaluate::ScalarOfNull(
            "NULL is left out: the other argument is returned, NULL beside NULL. A list without a geometry gives NULL.",
            |call| match call.arity() {
                1 => collect_list(call),
                _ => pair(call),
            },
        ),
    },
];

fn pair(call: &Call<'_>) -> Result<ArrayRef> {
    let arguments = [call.geometry(0)?, call.geometry(1)?];
    let mut parts = [vec![], vec![]];
    call.binaries(|row, out| {
        parts.iter_mut().for_each(Vec::clear);
        for (i, (arg, part)) in arguments.iter().zip(&mut parts).enumerate() {
            if !call.is_null(i, row) {
                wkb_to_iso(arg.wkb(row)?, part).map_err(|e| arg.invalid(row, e))?;
            }
        }
        match parts.each_ref().map(|part| part.is_empty()) {
            [false, false] => collect(&mut parts.iter().map(|part| Part::Wkb(part)), out)?,
            _ => parts.iter().for_each(|part| out.extend_from_slice(part)),
        }
        Ok(!out.is_empty())
    })
}

fn operate(call: &Call<'_>, operation: Operation) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.binaries(|row, out| {
        let (left, right) = (a.geometry(row)?, b.geometry(row)?);
        // As PostGIS has it, with the type of the argument.
        let unchanged = match (left.is_empty(), right.is_empty(), operation) {
            (_, true, Operation::Intersection) => Some(b),
            (true, _, Operation::Intersection) => Some(a),
            (true, _, Operation::Union) => Some(b),
            (_, true, _) | (true, _, Operation::Difference) => Some(a),
            (true, ..) => Some(b),
            _ => None,
        };
        match unchanged {
            Some(arg) => wkb_to_iso(arg.wkb(row)?, out).map_err(|e| arg.invalid(row, e))?,
            None => write(&overlay(&left, &right, operation), out),
        }
        Ok(true)
    })
}

fn unary_union(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let value = geometry.geometry(row)?;
        match value.is_empty() {
            true => wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?,
            false => {
                let all = union_all([value.as_ref()]);
                write(all.as_ref().unwrap_or(&value), out);
            }
        }
        Ok(true)
    })
}

/// Writes a result; an empty MULTIPOINT stands for POINT EMPTY.
pub(super) fn write(geometry: &Geometry<f64>, out: &mut Vec<u8>) {
    match geometry {
        Geometry::MultiPoint(points) if points.0.is_empty() => {
            write_point(f64::NAN, f64::NAN, out);
        }
        other => write_geometry(other, out),
    }
}

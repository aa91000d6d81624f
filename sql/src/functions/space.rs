//! Distances in x, y and z.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Ordinates, Tree};
use geoflow_engine::processing::{Apart, farthest_in_space, nearest_in_space};

use super::call::Call;
use super::definition::{
    A, B, CrsRule, Evaluate::Scalar, Function, Kind, Parameter, Returns, parameter,
};
use super::trees::tree;

const DISTANCE: Parameter = parameter("distance", Kind::Number);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_3DDistance",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Number,
        about: "The distance between the nearest places of two geometries in x, y and z, in units of the CRS. If one has no Z, that may be any, and the distance is the one in the plane. A polygon whose vertices do not lie in one plane is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_3DDistance('POINT Z (0 0 0)', 'LINESTRING Z (1 2 2,1 2 9)')",
            "3.0",
        )],
        evaluate: Scalar(|call| numbers(call, nearest_in_space)),
    },
    Function {
        name: "ST_3DMaxDistance",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Number,
        about: "The distance between the two vertices that are farthest apart in x, y and z, in units of the CRS; in the plane if one geometry has no Z.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_3DMaxDistance('POINT Z (0 0 0)', 'LINESTRING Z (1 2 2,2 3 6)')",
            "7.0",
        )],
        evaluate: Scalar(|call| numbers(call, |a, b| Ok(farthest_in_space(a, b)))),
    },
    Function {
        name: "ST_3DDWithin",
        aliases: &[],
        signatures: &[&[A, B, DISTANCE]],
        returns: Returns::Boolean,
        about: "Whether ST_3DDistance is no larger than `distance`, which is not negative.",
        empty: "EMPTY is near nothing.",
        examples: &[(
            "ST_3DDWithin('POINT Z (0 0 0)', 'POINT Z (1 2 2)', 3)",
            "true",
        )],
        evaluate: Scalar(|call| within(call, nearest_in_space)),
    },
    Function {
        name: "ST_3DDFullyWithin",
        aliases: &[],
        signatures: &[&[A, B, DISTANCE]],
        returns: Returns::Boolean,
        about: "Whether ST_3DMaxDistance is no larger than `distance`, which is not negative.",
        empty: "EMPTY is near nothing.",
        examples: &[(
            "ST_3DDFullyWithin('POINT Z (0 0 0)', 'LINESTRING Z (1 2 2,2 3 6)', 6)",
            "false",
        )],
        evaluate: Scalar(|call| within(call, |a, b| Ok(farthest_in_space(a, b)))),
    },
    Function {
        name: "ST_3DIntersects",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Boolean,
        about: "Whether two geometries share a place in x, y and z: ST_3DDistance is 0.",
        empty: "EMPTY intersects nothing.",
        examples: &[(
            "ST_3DIntersects('LINESTRING Z (0 0 0,2 2 2)', 'LINESTRING Z (0 2 0,2 0 0)')",
            "false",
        )],
        evaluate: Scalar(intersects),
    },
    Function {
        name: "ST_3DClosestPoint",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The place of a that is nearest to b in x, y and z. Two geometries of which one has no Z are an error.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_3DClosestPoint('LINESTRING Z (0 0 0,0 0 9)', 'POINT Z (1 1 4)'))",
            "POINT Z (0 0 4)",
        )],
        evaluate: Scalar(|call| places(call, nearest_in_space, |apart| vec![at(apart.from)])),
    },
    Function {
        name: "ST_3DShortestLine",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The line from the place of a that is nearest to b, in x, y and z, to that of b. Two geometries of which one has no Z are an error.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_3DShortestLine('LINESTRING Z (0 0 0,0 0 9)', 'POINT Z (1 1 4)'))",
            "LINESTRING Z (0 0 4,1 1 4)",
        )],
        evaluate: Scalar(|call| places(call, nearest_in_space, both)),
    },
    Function {
        name: "ST_3DLongestLine",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The line from a vertex of a to one of b that are farthest apart in x, y and z. Two geometries of which one has no Z are an error.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_3DLongestLine('LINESTRING Z (0 0 0,0 0 9)', 'POINT Z (1 1 2)'))",
            "LINESTRING Z (0 0 9,1 1 2)",
        )],
        evaluate: Scalar(|call| places(call, |a, b| Ok(farthest_in_space(a, b)), both)),
    },
];

/// What is sought of two geometries.
type Search = fn(&Tree, &Tree) -> Result<Option<Apart>, Error>;

/// Two geometries in space, or in the plane if one of them is.
fn pair(call: &Call<'_>, row: usize) -> Result<[Tree; 2], Error> {
    let geometry = |i: usize| {
        let geometry = call
            .geometry(i)
            .map_err(|e| Error::Internal(e.to_string()))?;
        tree(geometry, row)
    };
    let mut both = [geometry(0)?, geometry(1)?];
    if !both.iter().all(|tree| tree.dimensions.z) {
        for tree in &mut both {
            tree.each_run_mut(&mut |_, run| run.iter_mut().for_each(|c| c.z = 0.0));
        }
    }
    Ok(both)
}

fn search(call: &Call<'_>, row: usize, sought: Search) -> Result<Option<Apart>, Error> {
    let [a, b] = pair(call, row)?;
    sought(&a, &b).map_err(|e| super::hulls::in_row(call, row, e))
}

fn numbers(call: &Call<'_>, sought: Search) -> Result<ArrayRef> {
    call.numbers(|row| Ok(search(call, row, sought)?.map(|apart| apart.distance)))
}

fn intersects(call: &Call<'_>) -> Result<ArrayRef> {
    call.booleans(|row| {
        let found = search(call, row, nearest_in_space)?;
        Ok(Some(found.is_some_and(|apart| apart.distance == 0.0)))
    })
}

fn within(call: &Call<'_>, sought: Search) -> Result<ArrayRef> {
    let limit = call.number(2)?;
    call.booleans(|row| {
        let limit = limit(row);
        if limit.is_nan() || limit < 0.0 {
            return Err(call.invalid(
                row,
                format!("the distance {limit} is negative, or no number"),
            ));
        }
        let found = search(call, row, sought)?;
        Ok(Some(found.is_some_and(|apart| apart.distance <= limit)))
    })
}

fn at([x, y, z]: [f64; 3]) -> Ordinates {
    Ordinates { x, y, z, m: 0.0 }
}

fn both(apart: &Apart) -> Vec<Ordinates> {
    vec![at(apart.from), at(apart.to)]
}

/// A point or a line of the places that are found.
fn places(
    call: &Call<'_>,
    sought: Search,
    make: impl Fn(&Apart) -> Vec<Ordinates>,
) -> Result<ArrayRef> {
    call.binaries(|row, out| {
        let [a, b] = pair(call, row)?;
        if a.dimensions.z != b.dimensions.z {
            return Err(call.invalid(
                row,
                "one geometry has Z and the other has none: ST_Force2D or ST_Force3D makes them alike",
            ));
        }
        let dimensions = match a.dimensions.z {
            true => Dimensions::XYZ,
            false => Dimensions::XY,
        };
        let found = sought(&a, &b).map_err(|e| super::hulls::in_row(call, row, e))?;
        let Some(found) = found else {
            return Ok(false);
        };
        let coords = make(&found);
        match coords.as_slice() {
            [only] => Tree::point(*only, dimensions).write(out),
            _ => Tree::line(coords, dimensions).write(out),
        }
        Ok(true)
    })
}

//! The relations of two geometries.
//!
//! In a join condition these are not called row by row: the optimizer makes a spatial join of
//! them. Here they serve filters and select lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::compute::not;
use datafusion::error::Result;
use geoflow_engine::predicate::{Distances, SpatialPredicate, evaluate_arrays, evaluate_constant};

use super::args::whose;
use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, Kind, Parameter, Returns, parameter};

/// EMPTY in the predicates but ST_Equals and ST_Disjoint.
const NOTHING: &str = "EMPTY is in this relation to nothing.";
const PAIR: &[&[Parameter]] = &[&[A, B]];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Intersects",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether a and b share a point.",
        empty: NOTHING,
        examples: &[("ST_Intersects('LINESTRING(0 0,2 2)', 'POINT(1 1)')", "true")],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Intersects)),
    },
    Function {
        name: "ST_Disjoint",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether a and b share no point.",
        empty: "EMPTY is disjoint from everything.",
        examples: &[("ST_Disjoint('LINESTRING(0 0,2 2)', 'POINT(1 0)')", "true")],
        evaluate: Scalar(|call| {
            let intersects = relation(call, SpatialPredicate::Intersects)?;
            Ok(Arc::new(not(&intersects)?))
        }),
    },
    Function {
        name: "ST_Contains",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether no point of b lies outside a, and their interiors share a point: a polygon does not contain a point on its border.",
        empty: NOTHING,
        examples: &[(
            "ST_Contains('POLYGON((0 0,2 0,2 2,0 2,0 0))', 'POINT(1 1)')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Contains)),
    },
    Function {
        name: "ST_Within",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether no point of a lies outside b, and their interiors share a point: a point on the border of a polygon is not within it.",
        empty: NOTHING,
        examples: &[(
            "ST_Within('POINT(1 1)', 'POLYGON((0 0,2 0,2 2,0 2,0 0))')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Within)),
    },
    Function {
        name: "ST_Covers",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether no point of b lies outside a: a polygon covers a point on its border.",
        empty: NOTHING,
        examples: &[(
            "ST_Covers('POLYGON((0 0,2 0,2 2,0 2,0 0))', 'POINT(0 1)')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Covers)),
    },
    Function {
        name: "ST_CoveredBy",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether no point of a lies outside b.",
        empty: NOTHING,
        examples: &[(
            "ST_CoveredBy('POINT(0 1)', 'POLYGON((0 0,2 0,2 2,0 2,0 0))')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::CoveredBy)),
    },
    Function {
        name: "ST_Touches",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether a and b share points, but their interiors share none.",
        empty: NOTHING,
        examples: &[("ST_Touches('LINESTRING(0 0,1 1)', 'POINT(1 1)')", "true")],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Touches)),
    },
    Function {
        name: "ST_Crosses",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether the interiors of a and b share points but not all, in a dimension below the greater of theirs.",
        empty: NOTHING,
        examples: &[(
            "ST_Crosses('LINESTRING(0 0,2 2)', 'LINESTRING(0 2,2 0)')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Crosses)),
    },
    Function {
        name: "ST_Overlaps",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether a and b have the same dimension and share points of it, and each has points that the other has not.",
        empty: NOTHING,
        examples: &[(
            "ST_Overlaps('LINESTRING(0 0,2 0)', 'LINESTRING(1 0,3 0)')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Overlaps)),
    },
    Function {
        name: "ST_Equals",
        aliases: &[],
        signatures: PAIR,
        returns: Returns::Boolean,
        about: "Whether a and b are the same set of points, in whatever order they are written.",
        empty: "EMPTY equals EMPTY.",
        examples: &[(
            "ST_Equals('LINESTRING(0 0,2 2)', 'LINESTRING(2 2,1 1,0 0)')",
            "true",
        )],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::Equals)),
    },
    Function {
        name: "ST_DWithin",
        aliases: &[],
        signatures: &[&[A, B, parameter("distance", Kind::Number)]],
        returns: Returns::Boolean,
        about: "Whether a and b are at most `distance` apart, in the units of their CRS (degrees for longitude and latitude). A negative distance holds for nothing.",
        empty: NOTHING,
        examples: &[("ST_DWithin('POINT(0 0)', 'POINT(3 4)', 5)", "true")],
        evaluate: Scalar(|call| relate(call, SpatialPredicate::DWithin)),
    },
];

fn relate(call: &Call<'_>, predicate: SpatialPredicate) -> Result<ArrayRef> {
    Ok(Arc::new(relation(call, predicate)?))
}

fn relation(call: &Call<'_>, predicate: SpatialPredicate) -> Result<BooleanArray> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    let mut per_row = vec![];
    let distances = match (predicate, call.constant_number(2)) {
        (SpatialPredicate::DWithin, Some(constant)) => Distances::Constant(constant),
        (SpatialPredicate::DWithin, None) => {
            let distance = call.number(2)?;
            per_row.extend((0..call.rows()).map(distance));
            Distances::PerPair(&per_row)
        }
        _ => Distances::None,
    };
    let holds = match (a.is_constant(), b.is_constant()) {
        // With both constant the distance alone may differ by row.
        (true, true) => {
            let (a, b) = (a.geometry(0), b.geometry(0));
            let (a, b) = (a.map_err(|e| call.named(e))?, b.map_err(|e| call.named(e))?);
            (0..call.rows())
                .map(|row| Some(predicate.evaluate(&a, &b, distances.get(row))))
                .collect()
        }
        (true, false) => evaluate_constant(
            predicate,
            a.geometry(0).map_err(|e| call.named(e))?.as_ref(),
            true,
            b.array(),
            distances,
        )
        .map_err(|e| call.named(b.placed(e)))?,
        (false, true) => evaluate_constant(
            predicate,
            b.geometry(0).map_err(|e| call.named(e))?.as_ref(),
            false,
            a.array(),
            distances,
        )
        .map_err(|e| call.named(a.placed(e)))?,
        (false, false) => evaluate_arrays(predicate, a.array(), b.array(), distances)
            .map_err(|e| call.named(whose(a, b, e)))?,
    };
    // A NULL distance is not seen by the kernels.
    let nulls = NullBuffer::union(holds.nulls(), call.valid());
    Ok(BooleanArray::new(holds.values().clone(), nulls))
}

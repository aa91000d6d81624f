//! The condition by which a join finds nearest neighbours. Rules of the planner serve it.

use super::definition::{A, B, Evaluate, Function, Kind, Parameter, Returns, parameter};

const K: Parameter = parameter("k", Kind::Integer);

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "ST_KNN",
    aliases: &[],
    signatures: &[
        &[A, B],
        &[A, B, K],
        &[A, B, K, parameter("use_spheroid", Kind::Boolean)],
    ],
    returns: Returns::Boolean,
    about: "Holds for the `k` rows of the right side of a join that are nearest to a row of the left side, a being of the left and b of the right side; `k` is 1 if it is not given. It stands once in the condition of an inner or left join. Distances are in the plane, in units of the CRS: `use_spheroid` can only be FALSE. Of rows at the same distance those that come first in b are taken.",
    empty: "EMPTY has no neighbours and is none.",
    examples: &[(
        "b.name FROM (VALUES ('POINT(0 0)')) a(g) JOIN (VALUES ('near', 'POINT(1 0)'), ('far', 'POINT(9 9)')) b(name, g) ON ST_KNN(ST_GeomFromText(a.g), ST_GeomFromText(b.g), 1)",
        "near",
    )],
    evaluate: Evaluate::JoinCondition,
}];

//! Points of results: points of the inputs, and nodes where nothing of higher dimension is left.

use geo_types::{Coord, Geometry, MultiPoint, Point};

use super::{Arrangement, Operation};
use crate::predicate::SpatialPredicate;
use crate::predicate::orient::compare;

/// Nodes that lie in both inputs while no edge or face around them is kept.
pub(super) fn contacts(
    arrangement: &Arrangement,
    touches: impl Fn(usize, usize) -> bool,
    kept: impl Fn(usize) -> bool,
) -> Vec<Coord<f64>> {
    (0..arrangement.nodes.len())
        .filter(|node| {
            let edges = || arrangement.leaving(*node).iter().map(|h| *h as usize / 2);
            let of = |side: usize| edges().any(|edge| touches(edge, side));
            of(0) && of(1) && !edges().any(&kept)
        })
        .map(|node| arrangement.nodes[node])
        .collect()
}

/// The points of the inputs that an operation keeps. `a` and `b` are the whole inputs.
pub(super) fn keep(
    points: &[Vec<Coord<f64>>; 2],
    a: &Geometry<f64>,
    b: &Geometry<f64>,
    operation: Operation,
) -> Vec<Coord<f64>> {
    let lies_in = |p: &Coord<f64>, other: &Geometry<f64>| {
        SpatialPredicate::Intersects.evaluate(&Geometry::Point(Point(*p)), other, 0.0)
    };
    let [ours, theirs] = points;
    let mut kept: Vec<Coord<f64>> = match operation {
        Operation::Intersection => ours
            .iter()
            .filter(|p| lies_in(p, b))
            .chain(theirs.iter().filter(|p| lies_in(p, a)))
            .copied()
            .collect(),
        Operation::Union => ours.iter().chain(theirs).copied().collect(),
        Operation::Difference => ours.iter().filter(|p| !lies_in(p, b)).copied().collect(),
        Operation::SymDifference => ours
            .iter()
            .filter(|p| !lies_in(p, b))
            .chain(theirs.iter().filter(|p| !lies_in(p, a)))
            .copied()
            .collect(),
    };
    sort(&mut kept);
    kept
}

/// Sorts points and drops those that are there already.
pub(super) fn sort(points: &mut Vec<Coord<f64>>) {
    points.sort_unstable_by(|p, q| compare(*p, *q));
    points.dedup();
}

/// Drops points on any of `others`.
pub(super) fn uncovered(points: &mut Vec<Coord<f64>>, others: &[Geometry<f64>]) {
    if points.is_empty() || others.is_empty() {
        return;
    }
    let all = Geometry::GeometryCollection(others.to_vec().into());
    let point = |p: &Coord<f64>| Geometry::MultiPoint(MultiPoint(vec![Point(*p)]));
    points.retain(|p| !SpatialPredicate::Intersects.evaluate(&point(p), &all, 0.0));
}

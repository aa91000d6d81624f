//! What the bounds of one table say of another: only what overlaps can meet.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::JoinSide;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use geoflow_engine::join::{JoinDistance, JoinPredicate, SpatialJoinExec};
use geoflow_engine::predicate::SpatialPredicate;

use super::cut::CutSet;
use super::trace::{JoinView, ScanColumn, row_origin, value_origin};

/// A computed distance of a pair that is just too far may be rounded to the limit.
const ROUNDING: f64 = 1.0 + 1e-12;

/// Of `target` a fragment needs only what lies within `distance` of what it reads of `source`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PruneRule {
    pub(crate) target: ScanColumn,
    pub(crate) source: ScanColumn,
    /// In units of the CRS.
    pub(crate) distance: f64,
}

/// The rules that the spatial joins of a plan give when the scans of `set` are cut, in an order in which the
/// source of each is restricted by then.
pub(crate) fn rules(plan: &Arc<dyn ExecutionPlan>, set: &CutSet) -> Vec<PruneRule> {
    let mut all = vec![];
    collect(plan, &mut all);
    let mut known: BTreeSet<usize> = set.clone();
    let mut ordered = vec![];
    loop {
        let (ready, waiting): (Vec<_>, Vec<_>) = all.into_iter().partition(|rule: &PruneRule| {
            known.contains(&rule.source.scan) && !known.contains(&rule.target.scan)
        });
        if ready.is_empty() {
            return ordered;
        }
        known.extend(ready.iter().map(|rule| rule.target.scan));
        ordered.extend(ready);
        all = waiting;
    }
}

fn collect(plan: &Arc<dyn ExecutionPlan>, rules: &mut Vec<PruneRule>) {
    for child in plan.children() {
        collect(child, rules);
    }
    let Some(join) = plan.downcast_ref::<SpatialJoinExec>() else {
        return;
    };
    let Some(distance) = reach(&join.on().predicate) else {
        return;
    };
    let Some(view) = JoinView::of(plan) else {
        return;
    };
    for side in [JoinSide::Left, JoinSide::Right] {
        let other = side.negate();
        let column = |of| {
            join.on()
                .geometry(of)
                .downcast_ref::<Column>()
                .map(Column::index)
        };
        let (Some(target), Some(source)) = (column(side), column(other)) else {
            continue;
        };
        if !view.forgets(side) {
            continue;
        }
        let target = row_origin(view.input(side), target);
        let source = value_origin(view.input(other), source);
        if let (Some(target), Some(source)) = (target, source) {
            rules.push(PruneRule {
                target,
                source,
                distance,
            });
        }
    }
}

/// How far apart the bounds of a pair may be; `None` if that is not known.
fn reach(predicate: &JoinPredicate) -> Option<f64> {
    match predicate {
        // Two EMPTY geometries are equal, and are nowhere.
        JoinPredicate::Relation(SpatialPredicate::Equals) => None,
        JoinPredicate::Relation(_) => Some(0.0),
        JoinPredicate::DWithin(JoinDistance::Constant(distance)) => distance
            .filter(|d| d.is_finite() && *d >= 0.0)
            .map(|d| d * ROUNDING),
        JoinPredicate::DWithin(JoinDistance::Column(..)) | JoinPredicate::Nearest { .. } => None,
    }
}

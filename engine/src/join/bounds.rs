//! The way of the build side's bounds to the scan of the probe side.
//!
//! ```text
//!  SpatialJoinExec ── which column of the probe side? ──> FilterExec, ProjectionExec,
//!        |                                                RepartitionExec, ...
//!        |                                                     |
//!   BoundsFilter <──────────── the same filter ──────────> DataSourceExec
//!        ^
//!        └── rectangles, when the build side is complete; the probe side is polled after that
//! ```

use std::sync::Arc;

use datafusion::common::{JoinSide, JoinType};
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::{ColumnIndex, build_join_schema};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;

use super::collect::Built;
use super::exec::SpatialJoinExec;
use super::on::{JoinDistance, JoinPredicate, SpatialOn};
use super::roles::Roles;
use crate::formats::FeatureScanExec;
use crate::geoparquet::{BoundsFilter, prune_scan};

/// Computed distances of pairs that are just too far may be rounded to the limit: this much is
/// added to it.
const ROUNDING: f64 = 1.0 + 1e-12;

/// Whether a row of the probe side that overlaps no rectangle of the build side leaves no trace in
/// the output.
pub(super) fn may_prune(on: &SpatialOn, roles: Roles, build_side: JoinSide) -> bool {
    let bounded = |condition: &SpatialOn| match &condition.predicate {
        JoinPredicate::Relation(_) => true,
        JoinPredicate::DWithin(JoinDistance::Constant(distance)) => {
            distance.is_some_and(|d| d.is_finite() && d >= 0.0)
        }
        // Distances of the build side are in the rectangles of its index.
        JoinPredicate::DWithin(JoinDistance::Column(side, _)) => *side == build_side,
        JoinPredicate::Nearest { .. } => false,
    };
    !roles.probe.shows_unmatched() && on.conditions().all(bounded)
}

/// Tells the scan of the probe side where the build side lies.
///
/// They are at most `most` for each condition: every row group is compared with all of them, so not
/// too many; but two towns far apart must not claim the land between them.
pub(super) fn publish(filter: &BoundsFilter, build: &Built, on: &SpatialOn, most: usize) {
    let mut all = vec![];
    for (i, condition) in on.conditions().enumerate() {
        // EMPTY has no place, and two of them may be equal.
        let (tree, has_empties) = match build {
            Built::Whole(build) => {
                let index = &build.indexes[i];
                (&index.tree, !index.empties.is_empty())
            }
            Built::Spilled(spilled) => (&spilled.finders[i], spilled.has_empties(i)),
        };
        if has_empties {
            return;
        }
        let mut rectangles = tree.rectangles(most.max(1));
        if let JoinPredicate::DWithin(JoinDistance::Constant(Some(distance))) = condition.predicate
        {
            for rectangle in &mut rectangles {
                *rectangle = rectangle.expand(distance * ROUNDING);
            }
        }
        all.extend(rectangles);
    }
    filter.set(all);
}

/// Gives `filter` to the scans of GeoParquet and other files that `column` of the output of `plan` comes from.
///
/// The way down leads through operators that pass on each row by itself. A limit ends it, since with
/// fewer rows it would let others through. `None` if no scan is reached.
///
/// # Errors
/// As [`prune_scan`].
pub fn push_bounds(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    filter: &Arc<BoundsFilter>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(scan) = prune_scan(plan, column, filter)? {
        return Ok(Some(scan));
    }
    if let Some(scan) = plan.downcast_ref::<FeatureScanExec>() {
        let pruned = scan.with_bounds(column, filter)?;
        return Ok(pruned.map(|scan| Arc::new(scan) as _));
    }
    if plan.fetch().is_some() {
        return Ok(None);
    }
    if plan.is::<UnionExec>() {
        return push_into_all(plan, column, filter);
    }
    let Some((child, column)) = origin(plan, column) else {
        return Ok(None);
    };
    let mut children: Vec<Arc<dyn ExecutionPlan>> =
        plan.children().into_iter().map(Arc::clone).collect();
    let Some(input) = children.get_mut(child) else {
        return Ok(None);
    };
    let Some(pushed) = push_bounds(input, column, filter)? else {
        return Ok(None);
    };
    *input = pushed;
    with_children(plan, children).map(Some)
}

fn push_into_all(
    plan: &Arc<dyn ExecutionPlan>,
    column: usize,
    filter: &Arc<BoundsFilter>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let mut children = vec![];
    let mut any = false;
    for child in plan.children() {
        let pushed = push_bounds(child, column, filter)?;
        any |= pushed.is_some();
        children.push(pushed.unwrap_or_else(|| Arc::clone(child)));
    }
    any.then(|| with_children(plan, children)).transpose()
}

fn with_children(
    plan: &Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(plan).replace_children(children, options)
}

/// The child, and its column, that a column of the output is taken from unchanged, where a row that
/// is missing in the child is missing in the output and changes nothing else.
fn origin(plan: &Arc<dyn ExecutionPlan>, column: usize) -> Option<(usize, usize)> {
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let column = match filter.projection() {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        return Some((0, column));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expr = &projection.expr().get(column)?.expr;
        return Some((0, column_of_bounds(expr)?.index()));
    }
    if let Some(join) = plan.downcast_ref::<SpatialJoinExec>() {
        return join.origin(column);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let column = match &join.projection {
            Some(projection) => *projection.get(column)?,
            None => column,
        };
        let (left, right) = (join.left().schema(), join.right().schema());
        let (_, columns) = build_join_schema(&left, &right, join.join_type());
        return input_of(*join.join_type(), columns.get(column)?);
    }
    let passes = plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<SortExec>();
    passes.then_some((0, column))
}

/// The column that an expression has the bounds of: the column itself, or its envelope, which `&&` asks for.
fn column_of_bounds(expr: &PhysicalExprRef) -> Option<&Column> {
    if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>()
        && let ("st_envelope", [inner]) = (call.fun().name(), call.args())
    {
        return inner.downcast_ref::<Column>();
    }
    expr.downcast_ref::<Column>()
}

/// The input (0 left, 1 right) of a join, and its column, that a column of the output is taken from, if
/// a row that is missing in that input is missing in the output and changes nothing else: the other
/// input must not show rows for want of a partner.
fn input_of(join_type: JoinType, column: &ColumnIndex) -> Option<(usize, usize)> {
    let roles = Roles::new(join_type, JoinSide::Left);
    match column.side {
        JoinSide::Left if !roles.probe.shows_unmatched() => Some((0, column.index)),
        JoinSide::Right if !roles.build.shows_unmatched() => Some((1, column.index)),
        _ => None,
    }
}

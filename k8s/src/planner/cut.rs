//! Which scans can be dealt out to fragments so that the fragments' answers together are the answer.
//!
//! ```text
//!        Filter, Projection          as their input
//!        Join, left side preserved   the left side's scans
//!        Inner join                  either side's
//!        UNION ALL                   one scan of every input, all at once
//!        Aggregate, Limit, Window    none: a stage ends below them
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{JoinSide, JoinType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::unnest::UnnestExec;

use geoflow_engine::clustered::ClusteredAggregateExec;

use super::trace::{JoinView, passes_rows, scan_of};

/// Scans that are cut together: each row of each of them goes to one fragment.
pub(crate) type CutSet = BTreeSet<usize>;

/// The sets of scans that `plan` can be cut by.
///
/// # Errors
/// Why there is none, in words for the user.
pub(crate) fn alternatives(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<CutSet>, String> {
    if let Some((scan, config)) = scan_of(plan) {
        return match config.limit {
            None => Ok(vec![CutSet::from([scan])]),
            Some(limit) => Err(format!("LIMIT {limit} counts the rows of all")),
        };
    }
    if plan.fetch().is_some() || is_limit(plan) {
        return Err("LIMIT counts the rows of all".into());
    }
    if plan.is::<SortExec>() || plan.is::<SortPreservingMergeExec>() {
        return Err("ORDER BY puts all rows in one order".into());
    }
    if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
        return of_union(plan);
    }
    if let Some(join) = JoinView::of(plan) {
        return of_join(&join);
    }
    if let Some(aggregate) = aggregation(plan) {
        return Err(match aggregate.group_expr().is_empty() {
            true => "an aggregate counts all rows".into(),
            false => "GROUP BY or DISTINCT brings rows together that fragments hold apart".into(),
        });
    }
    let one_by_one = plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<UnnestExec>()
        || passes_rows(plan);
    match (one_by_one, plan.children().first()) {
        (true, Some(input)) => alternatives(input),
        _ => Err(format!("{} needs all rows at once", named(plan))),
    }
}

fn of_join(join: &JoinView<'_>) -> Result<Vec<CutSet>, String> {
    let mut found = vec![];
    let mut reason = None;
    for side in [JoinSide::Left, JoinSide::Right] {
        if !join.distributes(side) {
            continue;
        }
        match alternatives(join.input(side)) {
            Ok(sets) => found.extend(sets),
            Err(why) => reason = reason.or(Some(why)),
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(match (reason, join.join_type) {
        (_, JoinType::Full) => {
            "a FULL JOIN preserves both sides, so that neither can be dealt out, and what it reads may not be the same when it is read twice (LIMIT, aggregates, random()). Write that to files first, and join those".into()
        }
        (Some(reason), _) => reason,
        (None, _) if join.null_aware => {
            "NOT IN must know of every NULL: write NOT EXISTS instead".into()
        }
        (None, other) => format!("no side of a {other} join can be dealt out"),
    })
}

/// One alternative of every input, the first of each: rows of one input are no concern of another.
fn of_union(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<CutSet>, String> {
    let mut all = CutSet::new();
    for input in plan.children() {
        let sets = alternatives(input)?;
        all.extend(sets.into_iter().next().unwrap_or_default());
    }
    match all.is_empty() {
        true => Err("UNION ALL of nothing".into()),
        false => Ok(vec![all]),
    }
}

fn aggregation(plan: &Arc<dyn ExecutionPlan>) -> Option<&AggregateExec> {
    let clustered = plan.downcast_ref::<ClusteredAggregateExec>();
    clustered.map_or_else(|| plan.downcast_ref(), |it| Some(it.aggregate().as_ref()))
}

fn is_limit(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<GlobalLimitExec>() || plan.is::<LocalLimitExec>()
}

/// What an operator is called in SQL.
fn named(plan: &Arc<dyn ExecutionPlan>) -> String {
    match plan.name() {
        "WindowAggExec" | "BoundedWindowAggExec" => "a window function".into(),
        "RecursiveQueryExec" => "a recursive query".into(),
        "DataSourceExec" => "a table that is not of Parquet files".into(),
        "PlaceholderRowExec" | "EmptyExec" => "a statement that reads no table".into(),
        other => other.to_owned(),
    }
}

/// Where a plan is cut: below, every fragment for itself; above, once, over what they leave.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// The scans that are dealt out.
    pub(crate) set: CutSet,
    /// The way from the root to what is replaced by the states, as indices of children. `None`: the
    /// whole plan is run by every fragment, and what it yields is the output.
    pub(crate) split: Option<Split>,
    /// Why it ends there.
    pub(crate) reason: Option<String>,
}

/// A plan in two stages.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    /// What every fragment runs.
    pub(crate) partial: Vec<usize>,
    /// What the states stand in for: `partial`, or its input where it is to run once more.
    pub(crate) replaced: Vec<usize>,
    /// A number of rows that suffices of the states.
    pub(crate) limit: Option<usize>,
}

/// The places where a plan can be cut, the highest on each way down.
///
/// # Errors
/// Why there is none.
pub(crate) fn cuts(root: &Arc<dyn ExecutionPlan>) -> Result<Vec<Cut>, String> {
    let mut found = vec![];
    let mut reasons = vec![];
    descend(root, &mut vec![], &mut vec![], &mut found, &mut reasons);
    if found.is_empty() {
        return Err(reasons.into_iter().next().unwrap_or_default());
    }
    Ok(found)
}

fn descend<'a>(
    node: &'a Arc<dyn ExecutionPlan>,
    path: &mut Vec<usize>,
    above: &mut Vec<&'a Arc<dyn ExecutionPlan>>,
    found: &mut Vec<Cut>,
    reasons: &mut Vec<String>,
) {
    match alternatives(node) {
        Ok(sets) => {
            let split = (!path.is_empty()).then(|| split_at(path, above));
            // To read an input of a join and write it down again saves nothing.
            let reduces = split.as_ref().is_none_or(|s| s.partial.len() < path.len());
            if !reduces && above.iter().any(|node| JoinView::of(node).is_some()) {
                return;
            }
            let split = split.map(|split| below_distribution(node, split, path));
            found.extend(sets.into_iter().map(|set| Cut {
                set,
                split: split.clone(),
                reason: reasons.first().cloned(),
            }));
        }
        Err(reason) => {
            if let Some(limit) = suffices(node)
                && let Some(set) = limited_set(node)
            {
                found.push(Cut {
                    set,
                    split: Some(Split {
                        partial: path.clone(),
                        replaced: path.clone(),
                        limit: Some(limit),
                    }),
                    reason: Some(reason),
                });
                return;
            }
            reasons.push(reason);
            above.push(node);
            for (i, child) in node.children().into_iter().enumerate() {
                path.push(i);
                descend(child, path, above, found, reasons);
                path.pop();
            }
            above.pop();
        }
    }
}

/// A row-by-row operator, or a scan, that stops after some rows of its own: any so many rows are right.
fn suffices(node: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    if let Some((_, config)) = scan_of(node) {
        return config.limit;
    }
    let one_by_one = node.is::<FilterExec>() || JoinView::of(node).is_some();
    node.fetch().filter(|_| one_by_one)
}

fn limited_set(node: &Arc<dyn ExecutionPlan>) -> Option<CutSet> {
    if let Some((scan, _)) = scan_of(node) {
        return Some(CutSet::from([scan]));
    }
    let sets = match JoinView::of(node) {
        Some(join) => of_join(&join),
        None => alternatives(node.children().first()?),
    };
    sets.ok()?.into_iter().next()
}

/// Who distributes rows among partitions does so after the states are read: others rely on it.
fn below_distribution(node: &Arc<dyn ExecutionPlan>, mut split: Split, path: &[usize]) -> Split {
    let mut node = node;
    while split.partial == split.replaced
        && split.partial.len() >= path.len()
        && (node.is::<RepartitionExec>() || node.is::<CoalescePartitionsExec>())
        && let Some(input) = node.children().first().copied()
    {
        split.partial.push(0);
        split.replaced.push(0);
        node = input;
    }
    split
}

/// The operators above the cut that fragments run, too, to make less of their rows.
fn split_at(path: &[usize], above: &[&Arc<dyn ExecutionPlan>]) -> Split {
    let here = path.to_vec();
    let parent_path = |levels: usize| path[..path.len() - levels].to_vec();
    let Some(parent) = above.last() else {
        return Split {
            partial: here.clone(),
            replaced: here,
            limit: None,
        };
    };
    if let Some(aggregate) = aggregation(parent)
        && *aggregate.mode() == AggregateMode::Partial
    {
        let partial = parent_path(1);
        return Split {
            replaced: partial.clone(),
            partial,
            limit: None,
        };
    }
    // Of the first rows of all, each is among the first of its fragment. They are sorted and counted
    // once more, after all the others.
    let keeps_first = |node: &Arc<dyn ExecutionPlan>| {
        let sorts = node.is::<SortExec>() || node.is::<SortPreservingMergeExec>();
        let skips = node
            .downcast_ref::<GlobalLimitExec>()
            .is_some_and(|limit| limit.skip() > 0);
        let limits = node.is::<LocalLimitExec>() || node.is::<GlobalLimitExec>();
        (sorts || limits || passes_rows(node)) && node.fetch().is_some() && !skips
    };
    let levels = above
        .iter()
        .rev()
        .take_while(|node| keeps_first(node))
        .count();
    Split {
        partial: parent_path(levels),
        replaced: here,
        limit: None,
    }
}

/// The operator at the end of a way down.
pub(crate) fn at<'a>(
    root: &'a Arc<dyn ExecutionPlan>,
    path: &[usize],
) -> Option<&'a Arc<dyn ExecutionPlan>> {
    let mut node = root;
    for &child in path {
        node = node.children().get(child).copied()?;
    }
    Some(node)
}

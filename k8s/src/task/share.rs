//! Build sides that fragments have in common.
//!
//! ```text
//!  fragment 3   SpatialJoinExec ── trips, its own rows
//!                      └───────── zones, all of them ──> indexed, kept under a key
//!  fragment 4   SpatialJoinExec ── trips, its own rows
//!                      └───────── zones, all of them ──> the same key: there already
//! ```
//!
//! The key says which join of which plan it is, and what is read below it. A process that runs one fragment after the
//! other reads and indexes zones once.

use std::sync::Arc;

use datafusion::common::JoinSide;
use datafusion::error::Result;
use datafusion::physical_expr::{DynamicFilterTracking, PhysicalExprRef};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use geoflow_engine::Error;
use geoflow_engine::geoparquet::waits_for_bounds;
use geoflow_engine::join::{SharedBuilds, SpatialJoinExec};

use crate::plan::{Plan, ScanSlice, Stage, sha256_hex};
use crate::planner::scan_of;

/// Lets the joins of a fragment's plan take build sides from the fragments that this process has run before, and leave
/// theirs. What this fragment cannot use is let go of.
///
/// `stage` is that of the fragment, `sha256` names the plan.
///
/// # Errors
/// When an operator cannot be put together again.
pub(super) fn share_builds(
    physical: Arc<dyn ExecutionPlan>,
    (plan, sha256): (&Plan, &str),
    stage: &Stage,
    slices: &[ScanSlice],
    builds: &SharedBuilds,
) -> Result<Arc<dyn ExecutionPlan>> {
    let rows: u64 = stage.fragments.iter().map(|fragment| fragment.rows).sum();
    let mut sharing = Sharing {
        of: &format!("{sha256} {}", stage.kind.name()),
        plan,
        slices,
        builds,
        rows: usize::try_from(rows).unwrap_or(usize::MAX),
        place: vec![],
        keys: vec![],
    };
    let shared = sharing.visit(physical)?;
    builds.keep(&sharing.keys);
    Ok(shared)
}

struct Sharing<'a> {
    of: &'a str,
    plan: &'a Plan,
    slices: &'a [ScanSlice],
    builds: &'a SharedBuilds,
    /// Rows of all fragments.
    rows: usize,
    /// Which child of which, from the root.
    place: Vec<usize>,
    keys: Vec<Arc<str>>,
}

impl Sharing<'_> {
    fn visit(&mut self, node: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let children: Vec<_> = node.children().into_iter().cloned().collect();
        let mut visited = Vec::with_capacity(children.len());
        for (nth, child) in children.into_iter().enumerate() {
            self.place.push(nth);
            visited.push(self.visit(child)?);
            self.place.pop();
        }
        let node = replace_children_if_necessary(node, visited)?;
        let Some(join) = node.downcast_ref::<SpatialJoinExec>() else {
            return Ok(node);
        };
        let build = match join.build_side() {
            JoinSide::Left => join.left(),
            _ => join.right(),
        };
        let mut scans = vec![];
        if !is_repeatable(build, &mut scans)
            || scans.iter().any(|scan| self.plan.cut.contains(scan))
        {
            return Ok(node);
        }
        let read: Vec<(usize, Option<&ScanSlice>)> = scans
            .into_iter()
            .map(|scan| (scan, self.slices.iter().find(|slice| slice.scan == scan)))
            .collect();
        let named = serde_json::to_vec(&(self.of, &self.place, read))
            .map_err(|e| Error::Internal(e.to_string()))?;
        let key: Arc<str> = sha256_hex(&named).into();
        self.keys.push(Arc::clone(&key));
        Ok(Arc::new(join.with_shared_build(
            self.builds,
            key,
            self.rows,
        )?))
    }
}

/// Whether a plan yields the same rows whenever it runs over the same slices of its scans, which are added to
/// `scans`: it reads tables of the job, row by row, and nothing that is found out while it runs changes what it reads.
fn is_repeatable(plan: &Arc<dyn ExecutionPlan>, scans: &mut Vec<usize>) -> bool {
    if let Some((scan, config)) = scan_of(plan) {
        let filter = config.file_source().filter();
        let projected = config.file_source().projection().into_iter().flatten();
        scans.push(scan);
        return config.limit.is_none()
            && !waits_for_bounds(plan)
            && filter.is_none_or(|filter| is_fixed(&filter))
            && projected.into_iter().all(|p| is_fixed(&p.expr));
    }
    let by_itself = if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        is_fixed(filter.predicate())
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        projection.expr().iter().all(|p| is_fixed(&p.expr))
    } else {
        plan.is::<RepartitionExec>()
            || plan.is::<CoalescePartitionsExec>()
            || plan.is::<CooperativeExec>()
    };
    let mut children = plan.children().into_iter();
    by_itself && plan.fetch().is_none() && children.all(|child| is_repeatable(child, scans))
}

/// Whether an expression says the same of a row whenever it is asked.
fn is_fixed(expr: &PhysicalExprRef) -> bool {
    !is_volatile(expr) && !DynamicFilterTracking::classify(expr).contains_dynamic_filter()
}

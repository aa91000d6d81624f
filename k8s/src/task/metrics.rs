//! What the operators of a running plan have counted.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;

use super::TaskStatistics;
use crate::plan::{Fragment, Plan};
use crate::planner::{scan_of, scans_of};

/// Rows that come out of a plan.
pub(super) fn rows_out(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let metrics = plan.metrics();
    metrics.and_then(|m| m.output_rows()).unwrap_or(0) as u64
}

/// Rows that its scans have yielded.
pub(super) fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let children = plan.children();
    match children.is_empty() {
        true => rows_out(plan),
        false => children.into_iter().map(rows_read).sum(),
    }
}

/// Adds what a plan has counted.
pub(super) fn add(plan: &Arc<dyn ExecutionPlan>, statistics: &mut TaskStatistics) {
    statistics.rows_read = rows_read(plan);
    statistics.bytes_read = 0;
    statistics.spilled_bytes = 0;
    statistics.row_groups_skipped = 0;
    statistics.invalid_geometries = 0;
    visit(plan, statistics);
}

fn visit(plan: &Arc<dyn ExecutionPlan>, statistics: &mut TaskStatistics) {
    if let Some(metrics) = plan.metrics() {
        statistics.spilled_bytes += metrics.spilled_bytes().unwrap_or(0) as u64;
        let invalid = metrics.sum_by_name("invalid_geometries");
        statistics.invalid_geometries += invalid.map_or(0, |count| count.as_usize()) as u64;
        for metric in metrics.iter() {
            match metric.value() {
                MetricValue::Count { name, count } if name == "bytes_scanned" => {
                    statistics.bytes_read += count.value() as u64;
                }
                MetricValue::PruningMetrics {
                    name,
                    pruning_metrics,
                } if name.starts_with("row_groups_pruned") => {
                    statistics.row_groups_skipped += pruning_metrics.pruned() as u64;
                }
                _ => {}
            }
        }
    }
    for child in plan.children() {
        visit(child, statistics);
    }
}

/// The scans that were executed.
fn scans_opened(plan: &Arc<dyn ExecutionPlan>) -> Vec<usize> {
    match scan_of(plan) {
        Some((scan, _)) => {
            let counted = plan.metrics().is_some_and(|m| m.output_rows().is_some());
            counted.then_some(scan).into_iter().collect()
        }
        None => plan.children().into_iter().flat_map(scans_opened).collect(),
    }
}

/// Row groups that the plan of a fragment has read, of those of the tables that it names. What an earlier fragment has
/// left in the process is not read again.
pub(super) fn planned_row_groups(
    plan: &Plan,
    fragment: &Fragment,
    physical: &Arc<dyn ExecutionPlan>,
) -> (u64, u64) {
    let (mut read, mut all) = (0, 0);
    let opened = scans_opened(physical);
    for scan in scans_of(physical) {
        let table = plan.scans.get(scan).copied().flatten();
        let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
            continue;
        };
        let groups: u64 = table
            .files
            .iter()
            .map(|file| u64::from(file.row_groups))
            .sum();
        all += groups;
        if !opened.contains(&scan) {
            continue;
        }
        read += match fragment.slices.iter().find(|slice| slice.scan == scan) {
            None => groups,
            Some(slice) => {
                let of_file = |file: &crate::plan::FileSlice| match &file.row_groups {
                    Some(groups) => groups.len() as u64,
                    None => table
                        .files
                        .get(file.file)
                        .map_or(0, |f| u64::from(f.row_groups)),
                };
                slice.files.iter().map(of_file).sum()
            }
        };
    }
    (read, all)
}

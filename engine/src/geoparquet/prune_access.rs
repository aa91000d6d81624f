//! Which parts of one file a scan reads.

use std::sync::Arc;

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::GeoMetadata;
use super::prune_fields::FieldRange;
use super::prune_metrics::PruneMetrics;
use super::prune_statistics::{BoundsStatistics, Span, column_pages, file_bounds};
use crate::geometry::Bounds;

/// The rectangles that are wanted of one geometry column.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Name of the column in the files.
    pub column: String,
    /// None of them: nothing is wanted.
    pub rectangles: Arc<[Bounds]>,
}

impl Wanted {
    /// Whether rows within `bounds` may be wanted; of rows without known bounds, all may.
    fn may_hold(&self, bounds: Option<&Bounds>) -> bool {
        bounds.is_none_or(|bounds| self.rectangles.iter().any(|r| r.intersects(bounds)))
    }
}

/// Narrows `plan` to what may hold a wanted row of a file, or of a `range` of it. `None`: nothing of
/// it may.
///
/// Only row groups of the range are counted; the others are none of this reader's business.
pub(super) fn narrow(
    mut plan: ParquetAccessPlan,
    footer: &ParquetMetaData,
    (wanted, fields): (&[Wanted], &[FieldRange]),
    range: Option<&FileRange>,
    columns: &[String],
    metrics: &PruneMetrics,
) -> Option<ParquetAccessPlan> {
    let groups = footer.row_groups();
    let mine: Vec<usize> = (0..groups.len())
        .filter(|&i| plan.should_scan(i) && in_range(&groups[i], range))
        .collect();
    if mine.is_empty() {
        return None;
    }
    if wanted.iter().any(|wanted| wanted.rectangles.is_empty()) {
        return skip_file(groups, &mine, columns, metrics);
    }
    // Metadata that cannot be read bound nothing; it is the scan that says what is wrong.
    let geo = GeoMetadata::from_footer(footer, "").ok().flatten();
    let schema = footer.file_metadata().schema_descr();
    let mut known: Vec<(&Wanted, BoundsStatistics)> = vec![];
    for wanted in wanted {
        let Some(column) = geo.as_ref().and_then(|g| g.columns.get(&wanted.column)) else {
            continue;
        };
        if !wanted.may_hold(file_bounds(column).as_ref()) {
            return skip_file(groups, &mine, columns, metrics);
        }
        if let Some(found) = BoundsStatistics::find(schema, &wanted.column, column) {
            known.push((wanted, found));
        }
    }
    let fields: Vec<(&FieldRange, usize)> = fields
        .iter()
        .filter_map(|field| Some((field, field.leaf(schema)?)))
        .collect();
    metrics.files.add_matched(1);
    let mut any = false;
    for group in mine {
        let holds = known.iter().all(|(wanted, statistics)| {
            wanted.may_hold(statistics.row_group(&groups[group]).as_ref())
        });
        let fits = fields.iter().all(|(field, leaf)| {
            let leaf = groups[group].columns().get(*leaf);
            let statistics = leaf.and_then(|leaf| leaf.statistics());
            let span = statistics.and_then(Span::of_statistics);
            span.is_none_or(|span| field.may_hold(span.min, span.max))
        });
        if !holds || !fits {
            metrics.row_groups.add_pruned(1);
            metrics.bytes.add(bytes(&groups[group], columns));
            plan.skip(group);
            continue;
        }
        metrics.row_groups.add_matched(1);
        for (wanted, statistics) in &known {
            if statistics.row_group(&groups[group]).is_some()
                && plan.should_scan(group)
                && let Some(pages) = statistics.pages(footer, group)
            {
                let pages = pages.iter();
                let pages = pages.map(|(row, b)| (*row, wanted.may_hold(b.as_ref())));
                narrow_pages(&mut plan, &groups[group], group, pages.collect(), metrics);
            }
        }
        for (field, leaf) in &fields {
            if plan.should_scan(group)
                && let Some(pages) = column_pages(footer, group, *leaf)
            {
                let holds = |span: &Option<Span>| {
                    span.is_none_or(|span| field.may_hold(span.min, span.max))
                };
                let pages = pages.iter().map(|(row, span)| (*row, holds(span)));
                narrow_pages(&mut plan, &groups[group], group, pages.collect(), metrics);
            }
        }
        any |= plan.should_scan(group);
    }
    any.then_some(plan)
}

fn skip_file(
    groups: &[RowGroupMetaData],
    mine: &[usize],
    columns: &[String],
    metrics: &PruneMetrics,
) -> Option<ParquetAccessPlan> {
    metrics.files.add_pruned(1);
    let skipped = mine.iter().map(|&i| bytes(&groups[i], columns)).sum();
    metrics.bytes.add(skipped);
    None
}

/// Leaves out the pages of a row group, given by their first rows, that do not hold what is wanted.
fn narrow_pages(
    plan: &mut ParquetAccessPlan,
    metadata: &RowGroupMetaData,
    group: usize,
    pages: Vec<(usize, bool)>,
    metrics: &PruneMetrics,
) {
    let rows = metadata.num_rows().max(0) as usize;
    let ends = pages.iter().skip(1).map(|(row, _)| *row).chain([rows]);
    let mut selectors: Vec<RowSelector> = vec![];
    let mut kept = 0;
    for (&(start, hold), end) in pages.iter().zip(ends) {
        kept += usize::from(hold);
        match selectors.last_mut() {
            Some(last) if last.skip != hold => last.row_count += end - start,
            _ if hold => selectors.push(RowSelector::select(end - start)),
            _ => selectors.push(RowSelector::skip(end - start)),
        }
    }
    metrics.pages.add_matched(kept);
    metrics.pages.add_pruned(pages.len() - kept);
    if kept == 0 {
        plan.skip(group);
    } else if kept < pages.len() {
        // An earlier selection is narrowed, not replaced.
        plan.scan_selection(group, RowSelection::from(selectors));
    }
}

/// Whether a row group is read by the reader of a range, as DataFusion decides it.
fn in_range(group: &RowGroupMetaData, range: Option<&FileRange>) -> bool {
    let Some(range) = range else { return true };
    group.columns().first().is_none_or(|column| {
        range.contains(
            column
                .dictionary_page_offset()
                .unwrap_or_else(|| column.data_page_offset()),
        )
    })
}

/// Compressed bytes of the columns that are read.
fn bytes(group: &RowGroupMetaData, columns: &[String]) -> usize {
    group
        .columns()
        .iter()
        .filter(|leaf| {
            let root = leaf.column_path().parts().first();
            root.is_some_and(|root| columns.contains(root))
        })
        .map(|leaf| usize::try_from(leaf.compressed_size()).unwrap_or(0))
        .sum()
}

/// The plan that a file comes with, if it fits the file.
pub(super) fn initial(
    given: Option<&ParquetAccessPlan>,
    groups: usize,
) -> Option<ParquetAccessPlan> {
    match given {
        None => Some(ParquetAccessPlan::new(vec![RowGroupAccess::Scan; groups])),
        Some(plan) => (plan.len() == groups).then(|| plan.clone()),
    }
}

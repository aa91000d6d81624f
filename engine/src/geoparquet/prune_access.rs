//! Which parts of one file a scan reads.

use std::sync::Arc;

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::native_types::{native_bounds, native_leaf};
use super::prune_fields::FieldRange;
use super::prune_metrics::PruneMetrics;
use super::prune_statistics::{BoundsStatistics, Span, column_pages, file_bounds};
use super::{GeoColumn, GeoMetadata};
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
    pub(super) fn may_hold(&self, bounds: Option<&Bounds>) -> bool {
        bounds.is_none_or(|bounds| self.rectangles.iter().any(|r| r.intersects(bounds)))
    }
}

/// What a file says of a geometry column of which rectangles are wanted.
struct Known<'a> {
    wanted: &'a Wanted,
    column: &'a GeoColumn,
    /// From the metadata.
    file: Option<Vec<Bounds>>,
    statistics: Option<BoundsStatistics>,
    /// The leaf with native geospatial statistics.
    native: Option<usize>,
}

impl Known<'_> {
    /// Whether rows of a row group may be wanted.
    ///
    /// Statistics come from the rows themselves. The bounds of the file do not always: tools that
    /// filter or join files together copy metadata they do not know. They are asked last.
    fn may_hold(&self, group: &RowGroupMetaData) -> bool {
        let statistics = self.statistics.as_ref();
        let covering = statistics.and_then(|statistics| statistics.row_group(group));
        let native = self
            .native
            .and_then(|leaf| native_bounds(group, leaf, self.column));
        if covering.is_none() && native.is_none() {
            return self.any_of(self.file.as_deref());
        }
        // Each holds all geometries, so that both must be met.
        self.wanted.may_hold(covering.as_ref()) && self.any_of(native.as_deref())
    }

    fn any_of(&self, boxes: Option<&[Bounds]>) -> bool {
        boxes.is_none_or(|boxes| boxes.iter().any(|b| self.wanted.may_hold(Some(b))))
    }

    /// The first rows of pages, and whether they may hold what is wanted.
    fn pages(&self, footer: &ParquetMetaData, group: usize) -> Option<Vec<(usize, bool)>> {
        let statistics = self.statistics.as_ref()?;
        // Where some geometries have no box, pages are no better known than the row group.
        statistics.row_group(footer.row_groups().get(group)?)?;
        let pages = statistics.pages(footer, group)?;
        let holds = |bounds: &Option<Bounds>| self.wanted.may_hold(bounds.as_ref());
        Some(pages.iter().map(|(row, b)| (*row, holds(b))).collect())
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
    let geo = GeoMetadata::of_file(footer, "").ok().flatten();
    let schema = footer.file_metadata().schema_descr();
    let known: Vec<Known<'_>> = wanted
        .iter()
        .filter_map(|wanted| {
            let column = geo.as_ref()?.columns.get(&wanted.column)?;
            Some(Known {
                wanted,
                column,
                native: native_leaf(schema, &wanted.column),
                file: file_bounds(column),
                statistics: BoundsStatistics::find(schema, &wanted.column, column),
            })
        })
        .collect();
    let fields: Vec<(&FieldRange, usize)> = fields
        .iter()
        .filter_map(|field| Some((field, field.leaf(schema)?)))
        .collect();
    let fits = |group: usize| {
        let group = &groups[group];
        known.iter().all(|known| known.may_hold(group))
            && fields.iter().all(|(field, leaf)| {
                let leaf = group.columns().get(*leaf);
                let span = leaf.and_then(|leaf| Span::of_statistics(leaf.statistics()?));
                span.is_none_or(|span| field.may_hold(span.min, span.max))
            })
    };
    let keep: Vec<bool> = mine.iter().map(|&group| fits(group)).collect();
    if !keep.contains(&true) {
        return skip_file(groups, &mine, columns, metrics);
    }
    metrics.files.add_matched(1);
    let mut any = false;
    for (group, keep) in mine.into_iter().zip(keep) {
        if !keep {
            metrics.row_groups.add_pruned(1);
            metrics.bytes.add_pruned(bytes(&groups[group], columns));
            plan.skip(group);
            continue;
        }
        metrics.row_groups.add_matched(1);
        for known in &known {
            if plan.should_scan(group)
                && let Some(pages) = known.pages(footer, group)
            {
                narrow_pages(&mut plan, &groups[group], group, pages, metrics);
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
        let (all, left) = (
            bytes(&groups[group], columns),
            bytes_left(&plan, footer, group, columns),
        );
        metrics.bytes.add_matched(left);
        metrics.bytes.add_pruned(all.saturating_sub(left));
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
    metrics.bytes.add_pruned(skipped);
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
pub(super) fn in_range(group: &RowGroupMetaData, range: Option<&FileRange>) -> bool {
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
pub(super) fn bytes(group: &RowGroupMetaData, columns: &[String]) -> usize {
    leaves(group, columns).map(|(_, bytes)| bytes).sum()
}

/// The leaves of the columns that are read, with their compressed bytes.
pub(super) fn leaves(
    group: &RowGroupMetaData,
    columns: &[String],
) -> impl Iterator<Item = (usize, usize)> {
    let leaves = group.columns().iter().enumerate();
    let read = leaves.filter(|(_, leaf)| {
        let root = leaf.column_path().parts().first();
        root.is_some_and(|root| columns.contains(root))
    });
    read.map(|(i, leaf)| (i, usize::try_from(leaf.compressed_size()).unwrap_or(0)))
}

/// Of the same columns, the bytes of the pages that `plan` leaves of a row group.
pub(super) fn bytes_left(
    plan: &ParquetAccessPlan,
    footer: &ParquetMetaData,
    group: usize,
    columns: &[String],
) -> usize {
    let metadata = &footer.row_groups()[group];
    let selection = match &plan.inner()[group] {
        RowGroupAccess::Skip => return 0,
        RowGroupAccess::Scan => return bytes(metadata, columns),
        RowGroupAccess::Selection(selection) => selection,
    };
    let index = footer.offset_index().and_then(|index| index.get(group));
    let left = leaves(metadata, columns).map(|(leaf, all)| {
        let Some(index) = index.and_then(|index| index.get(leaf)) else {
            return all;
        };
        let pages = index.page_locations();
        let ranges = selection.scan_ranges(pages);
        let read: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        // A dictionary is no page of the index, and is read whatever is left.
        let indexed: i64 = pages
            .iter()
            .map(|page| i64::from(page.compressed_page_size))
            .sum();
        let before = all.saturating_sub(usize::try_from(indexed).unwrap_or(0));
        usize::try_from(read)
            .unwrap_or(usize::MAX)
            .saturating_add(before)
            .min(all)
    });
    left.sum()
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

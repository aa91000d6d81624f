//! Large row groups are read a slice at a time.
//!
//! ```text
//!  row group ── page index ──> row ranges ──> access plans ──> one DataFusion reader after the other
//! ```
//!
//! A reader holds all bytes of the columns of a row group before it decodes the first row. Where there is an index of
//! pages, in the file or [made from it](super::page_scan), a slice holds those of its own pages.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::parquet::ParquetAccessPlan;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::ParquetMetaData;

use super::prune_access::{bytes, bytes_left, in_range, leaves};

/// About how many bytes of a row group are read at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice(usize);

impl Slice {
    /// From a disk few suffice; from elsewhere each slice waits for its first byte.
    pub(super) fn of_store(url: &ObjectStoreUrl) -> Self {
        match url.as_str().starts_with("file:") {
            true => Self(6 << 20),
            false => Self(32 << 20),
        }
    }

    /// Whether so many bytes are worth cutting.
    fn cuts(self, bytes: usize) -> bool {
        bytes / self.0 > 1
    }

    /// Whether a file may have row groups that are worth cutting.
    pub(super) fn may_cut(self, file: &PartitionedFile) -> bool {
        self.cuts(usize::try_from(file.object_meta.size).unwrap_or(usize::MAX))
    }

    /// Whether a footer tells of an index of pages, for row groups that are worth cutting.
    pub(super) fn wants_index(self, footer: &ParquetMetaData, columns: &[String]) -> bool {
        footer.offset_index().is_none()
            && footer.row_groups().iter().any(|group| {
                let mut read = leaves(group, columns);
                self.cuts(bytes(group, columns))
                    && read.any(|(leaf, _)| group.column(leaf).offset_index_offset().is_some())
            })
    }

    /// Whether a file has no index of pages, and row groups that are read and worth cutting.
    pub(super) fn lacks_index(
        self,
        footer: &ParquetMetaData,
        is_read: &[bool],
        columns: &[String],
    ) -> bool {
        let mut groups = footer.row_groups().iter().zip(is_read);
        footer.offset_index().is_none()
            && groups.any(|(group, is_read)| *is_read && self.cuts(bytes(group, columns)))
    }
}

/// Cuts what `plan` reads of a file, or of a `range` of it, into plans of about `slice` bytes, in the order of rows.
pub(super) fn slices(
    plan: ParquetAccessPlan,
    footer: &ParquetMetaData,
    range: Option<&FileRange>,
    columns: &[String],
    slice: Slice,
) -> Vec<ParquetAccessPlan> {
    let groups = footer.num_row_groups();
    let mut slices = vec![];
    // Row groups that are read whole go on together.
    let mut whole: Option<ParquetAccessPlan> = None;
    for group in 0..groups {
        if !plan.should_scan(group) || !in_range(footer.row_group(group), range) {
            continue;
        }
        let of_group = |access: &mut ParquetAccessPlan| {
            if let Some(access_of) = plan.inner().get(group) {
                access.set(group, access_of.clone());
            }
        };
        let count = bytes_left(&plan, footer, group, columns) / slice.0;
        let cuts = cuts(footer, group, columns, count);
        if cuts.is_empty() {
            of_group(whole.get_or_insert_with(|| ParquetAccessPlan::new_none(groups)));
            continue;
        }
        slices.extend(whole.take());
        let rows = usize::try_from(footer.row_group(group).num_rows()).unwrap_or(0);
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([rows]);
        for (start, end) in starts.zip(ends) {
            let mut slice = ParquetAccessPlan::new_none(groups);
            of_group(&mut slice);
            // Narrows a selection that is there.
            slice.scan_selection(
                group,
                RowSelection::from(vec![
                    RowSelector::skip(start),
                    RowSelector::select(end - start),
                    RowSelector::skip(rows - end),
                ]),
            );
            slices.push(slice);
        }
    }
    slices.extend(whole);
    slices
}

/// The rows at which a row group is cut into `count` slices: where pages of the heaviest column that is read begin.
fn cuts(footer: &ParquetMetaData, group: usize, columns: &[String], count: usize) -> Vec<usize> {
    let heaviest = leaves(footer.row_group(group), columns).max_by_key(|(_, bytes)| *bytes);
    let index = footer.offset_index().and_then(|index| index.get(group));
    let pages = index
        .zip(heaviest)
        .and_then(|(index, (leaf, _))| index.get(leaf));
    let Some(pages) = pages.map(|pages| pages.page_locations()) else {
        return vec![];
    };
    let page = |slice: usize| pages.get(slice * pages.len() / count.max(1));
    let mut cuts: Vec<usize> = (1..count)
        .filter_map(|slice| usize::try_from(page(slice)?.first_row_index).ok())
        .collect();
    cuts.dedup();
    cuts.retain(|row| *row > 0);
    cuts
}

/// Files of which one is opened when the one before has been read.
pub(super) struct InTurn {
    pub readers: Arc<dyn Morselizer>,
    pub files: Vec<PartitionedFile>,
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTurn")
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl MorselPlanner for InTurn {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(Some(MorselPlan::new().with_morsels(vec![self])))
    }
}

impl Morsel for InTurn {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { readers, files } = *self;
        stream::iter(files)
            .then(move |file| open(Arc::clone(&readers), file))
            .try_flatten()
            .boxed()
    }
}

async fn open(
    readers: Arc<dyn Morselizer>,
    file: PartitionedFile,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let mut planners = VecDeque::from([readers.plan_file(file)?]);
    let mut morsels: Vec<Box<dyn Morsel>> = vec![];
    while let Some(planner) = planners.pop_front() {
        let Some(mut plan) = planner.plan()? else {
            continue;
        };
        morsels.extend(plan.take_morsels());
        for planner in plan.take_ready_planners().into_iter().rev() {
            planners.push_front(planner);
        }
        if let Some(pending) = plan.take_pending_planner() {
            planners.push_front(pending.into_future().await?);
        }
    }
    Ok(stream::iter(morsels)
        .flat_map(|morsel| morsel.into_stream())
        .boxed())
}

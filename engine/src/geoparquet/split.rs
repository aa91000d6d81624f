//! Files that partitions share are cut between row groups.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;

use super::footer::cached;
use super::prune_scan::file_scan;

/// One partition's piece of a file: the group of files, the place in it, and the bytes.
struct Piece {
    group: usize,
    file: usize,
    range: FileRange,
}

/// Moves the cuts of files that a scan shares out among partitions to where row groups begin.
///
/// DataFusion cuts a file into ranges of equal bytes, and a row group goes to the range that its first
/// byte lies in: of four equal row groups, two partitions may get three and one, when the footer puts the middle just
/// behind the third one's beginning. The nearest beginning of a row group is what each cut was meant to be.
///
/// `None` when `scan` scans no Parquet files, shares none, or when no footer is in `cache`; planning a
/// scan puts them there.
pub fn cut_between_row_groups(
    scan: &Arc<dyn ExecutionPlan>,
    cache: &FileMetadataCache,
) -> Option<Arc<dyn ExecutionPlan>> {
    let config = file_scan(scan)?;
    let exec = scan.downcast_ref::<DataSourceExec>()?;
    let mut pieces: HashMap<&Path, Vec<Piece>> = HashMap::new();
    for (group, files) in config.file_groups.iter().enumerate() {
        for (file, found) in files.iter().enumerate() {
            if let Some(range) = &found.range {
                let range = range.clone();
                let piece = Piece { group, file, range };
                pieces
                    .entry(&found.object_meta.location)
                    .or_default()
                    .push(piece);
            }
        }
    }
    let mut groups: Vec<FileGroup> = config.file_groups.clone();
    let mut changed = false;
    for mut pieces in pieces.into_values() {
        pieces.sort_by_key(|piece| piece.range.start);
        let first = &config.file_groups[pieces[0].group].files()[pieces[0].file];
        let Some(footer) = cached(cache, &first.object_meta) else {
            continue;
        };
        let ranges: Vec<FileRange> = pieces.iter().map(|piece| piece.range.clone()).collect();
        let Some(cut) = moved(&ranges, &beginnings(&footer)) else {
            continue;
        };
        changed = true;
        for (piece, range) in pieces.iter().zip(cut) {
            let mut files = groups[piece.group].clone().into_inner();
            files[piece.file].range = Some(range);
            groups[piece.group] = FileGroup::new(files);
        }
    }
    changed.then(|| {
        let config = FileScanConfigBuilder::from(config.clone())
            .with_file_groups(groups)
            .build();
        Arc::new(exec.clone().with_data_source(Arc::new(config))) as Arc<dyn ExecutionPlan>
    })
}

/// Where the row groups of a file begin, as the reader sees it: at their first page.
fn beginnings(footer: &ParquetMetaData) -> Vec<i64> {
    let mut found: Vec<i64> = footer
        .row_groups()
        .iter()
        .filter_map(|group| group.columns().first())
        .map(|column| {
            column
                .dictionary_page_offset()
                .unwrap_or_else(|| column.data_page_offset())
        })
        .collect();
    found.sort_unstable();
    found
}

/// The ranges with each cut at the beginning next to it; `None` if they are not the pieces of one stretch,
/// or if two cuts would be one.
fn moved(ranges: &[FileRange], beginnings: &[i64]) -> Option<Vec<FileRange>> {
    if ranges.len() < 2 || ranges.windows(2).any(|w| w[0].end != w[1].start) {
        return None;
    }
    let mut moved = ranges.to_vec();
    for i in 1..moved.len() {
        let cut = moved[i].start;
        let nearest = *beginnings
            .iter()
            .min_by_key(|beginning| beginning.abs_diff(cut))?;
        moved[i - 1].end = nearest;
        moved[i].start = nearest;
    }
    let in_order = moved.iter().all(|range| range.start < range.end);
    let has_rows = |range: &FileRange| {
        let next = beginnings.partition_point(|&beginning| beginning < range.start);
        beginnings.get(next).is_some_and(|&b| b < range.end)
    };
    (in_order && moved.iter().all(has_rows)).then_some(moved)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn ranges(cuts: &[i64]) -> Vec<FileRange> {
        cuts.windows(2)
            .map(|w| FileRange {
                start: w[0],
                end: w[1],
            })
            .collect()
    }

    fn cuts(ranges: &[i64], beginnings: &[i64]) -> Option<Vec<i64>> {
        let moved = moved(&self::ranges(ranges), beginnings)?;
        let mut cuts: Vec<i64> = moved.iter().map(|range| range.start).collect();
        cuts.push(moved.last().unwrap().end);
        Some(cuts)
    }

    #[test]
    fn cuts_go_to_the_nearest_row_group() {
        let four = [4, 100, 199, 300];
        assert_eq!(cuts(&[0, 200, 400], &four), Some(vec![0, 199, 400]));
        assert_eq!(
            cuts(&[0, 99, 201, 310, 400], &four),
            Some(vec![0, 100, 199, 300, 400])
        );
        // One row group cannot be shared, and two cuts are not made one.
        assert_eq!(cuts(&[0, 200, 400], &[4]), None);
        assert_eq!(cuts(&[0, 140, 160, 400], &[4, 150]), None);
        // A part of a file stays what it is at its ends, and pieces that do not meet stay.
        assert_eq!(cuts(&[90, 210, 310], &four), Some(vec![90, 199, 310]));
        let apart = [
            FileRange { start: 0, end: 10 },
            FileRange { start: 20, end: 30 },
        ];
        assert!(moved(&apart, &four).is_none());
    }
}

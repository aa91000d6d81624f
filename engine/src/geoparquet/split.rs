//! Files that partitions share are cut between row groups.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::datasource::listing::FileRange;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::ExecutionPlan;
use object_store::path::Path;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

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
/// behind the third one's beginning.
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
        let Some(cut) = moved(&ranges, &row_groups(&footer)) else {
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

/// A row group, as a reader of a range of bytes sees it.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Its first page: the range that this lies in has the row group.
    begin: i64,
    bytes: i64,
}

fn row_groups(footer: &ParquetMetaData) -> Vec<Group> {
    let group = |group: &RowGroupMetaData| {
        let first = group.columns().first()?;
        Some(Group {
            begin: first
                .dictionary_page_offset()
                .unwrap_or_else(|| first.data_page_offset()),
            bytes: group.compressed_size().max(1),
        })
    };
    let mut found: Vec<Group> = footer.row_groups().iter().filter_map(group).collect();
    found.sort_unstable_by_key(|group| group.begin);
    found
}

/// The ranges with each cut between two row groups, so that all have about as many bytes of them; `None` if they are
/// not the pieces of one stretch, or have fewer row groups than there are pieces.
fn moved(ranges: &[FileRange], groups: &[Group]) -> Option<Vec<FileRange>> {
    if ranges.len() < 2 || ranges.windows(2).any(|w| w[0].end != w[1].start) {
        return None;
    }
    let whole = ranges.first()?.start..ranges.last()?.end;
    let groups: Vec<&Group> = groups.iter().filter(|g| whole.contains(&g.begin)).collect();
    let last = groups.len().checked_sub(ranges.len())?;
    // The bytes before each row group.
    let mut total = 0;
    let before: Vec<i64> = (groups.iter())
        .map(|group| {
            total += group.bytes;
            total - group.bytes
        })
        .collect();
    let mut moved = ranges.to_vec();
    let mut from = 0;
    for i in 1..moved.len() {
        let wanted = (i128::from(total) * i as i128 / moved.len() as i128) as i64;
        // Every piece has a row group at least.
        from = (from + 1..=last + i).min_by_key(|&group| before[group].abs_diff(wanted))?;
        moved[i - 1].end = groups[from].begin;
        moved[i].start = groups[from].begin;
    }
    Some(moved)
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

    fn cuts(ranges: &[i64], groups: &[(i64, i64)]) -> Option<Vec<i64>> {
        let group = |&(begin, bytes): &(i64, i64)| Group { begin, bytes };
        let groups: Vec<Group> = groups.iter().map(group).collect();
        let moved = moved(&self::ranges(ranges), &groups)?;
        let mut cuts: Vec<i64> = moved.iter().map(|range| range.start).collect();
        cuts.push(moved.last().unwrap().end);
        Some(cuts)
    }

    #[test]
    fn pieces_get_row_groups_of_as_many_bytes() {
        let four = [(4, 96), (100, 99), (199, 101), (300, 100)];
        assert_eq!(cuts(&[0, 200, 400], &four), Some(vec![0, 199, 400]));
        // However long the footer is.
        assert_eq!(cuts(&[0, 500, 1000], &four), Some(vec![0, 199, 1000]));
        assert_eq!(
            cuts(&[0, 99, 201, 310, 400], &four),
            Some(vec![0, 100, 199, 300, 400])
        );
        assert_eq!(
            cuts(&[0, 130, 260, 400], &four),
            Some(vec![0, 100, 300, 400])
        );
        // One that outweighs all the others stands alone.
        let last = [(4, 10), (14, 10), (24, 300)];
        assert_eq!(cuts(&[0, 170, 340], &last), Some(vec![0, 24, 340]));
        let first = [(4, 300), (304, 10), (314, 10)];
        assert_eq!(
            cuts(&[0, 110, 220, 340], &first),
            Some(vec![0, 304, 314, 340])
        );
        // Fewer row groups than pieces, a part of a file, and pieces that do not meet.
        assert_eq!(cuts(&[0, 200, 400], &[(4, 300)]), None);
        assert_eq!(cuts(&[90, 210, 310], &four), Some(vec![90, 300, 310]));
        let apart = [
            FileRange { start: 0, end: 10 },
            FileRange { start: 20, end: 30 },
        ];
        assert!(moved(&apart, &[]).is_none());
    }
}

//! A fragment that is too large for its memory, cut finer.

use std::collections::HashMap;

use datafusion::execution::runtime_env::RuntimeEnv;
use geoflow_engine::geoparquet::{read_footer, summarize_row_groups};
use geoflow_engine::{Error, Result};

use crate::job::{Job, JobFolder};
use crate::plan::{FileSlice, Fragment, PLAN_VERSION, Plan, RowRange, ScanSlice, StageKind};
use crate::storage::{Created, plain};
use crate::table::{locate, object_meta};
use crate::task::{Outcome, TaskManifest, attempt_id};

/// How deep fragments are cut: each time by [`PIECES`].
const DEEPEST: usize = 5;

/// Into how many a fragment is cut.
const PIECES: u64 = 4;

/// Rows of one row group, in the order in which they are dealt out.
type Run = (usize, RowRange);

/// Cuts a fragment into some that read a part of its rows each, and of the other tables the same.
/// `None` when it cannot be cut: it has one row, it reads no part of a table, or it was cut too often.
///
/// # Errors
/// [`Error::Environment`] when the footers of its files cannot be read.
pub async fn cut_finer(
    runtime: &RuntimeEnv,
    plan: &Plan,
    fragment: &Fragment,
) -> Result<Option<Vec<Fragment>>> {
    if fragment.id.matches('.').count() >= DEEPEST {
        return Ok(None);
    }
    let Some((scan, runs)) = runs(runtime, plan, fragment).await? else {
        return Ok(None);
    };
    let total: u64 = runs.iter().map(|(_, range)| range.count).sum();
    let pieces = PIECES.min(total);
    if pieces < 2 {
        return Ok(None);
    }
    let mut finer = vec![];
    for piece in 0..pieces {
        let from = total * piece / pieces;
        let to = total * (piece + 1) / pieces;
        let share = (to - from) as f64 / total as f64;
        let mut slices: Vec<ScanSlice> = fragment
            .slices
            .iter()
            .filter(|slice| slice.scan != scan)
            .cloned()
            .collect();
        slices.push(ScanSlice {
            scan,
            files: files(&runs, from, to),
        });
        finer.push(Fragment {
            id: format!("{}.{piece}", fragment.id),
            rows: to - from,
            bytes: (fragment.bytes as f64 * share) as u64,
            cost: fragment.cost * share,
            bounds: fragment.bounds,
            slices,
        });
    }
    Ok(Some(finer))
}

/// Puts finer fragments in the place of one: no attempt at it counts any more. `false` if an attempt was
/// faster, or someone else has cut it. A plan of the finer ones must be there before
/// ([`follow_up`](super::follow_up)).
///
/// # Errors
/// [`Error::Environment`] when its manifest cannot be written.
pub async fn record_split(
    job: &Job,
    stage: StageKind,
    fragment: &str,
    finer: Vec<Fragment>,
) -> Result<bool> {
    let manifest = TaskManifest {
        version: PLAN_VERSION,
        job: job.record.id.clone(),
        stage,
        fragment: fragment.to_owned(),
        attempt: attempt_id(),
        outcome: Outcome::Split(finer),
        statistics: None,
        warnings: vec![],
    };
    let json = serde_json::to_vec(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
    let name = JobFolder::manifest_name(stage, fragment);
    let created = job.folder.folder().create(&name, json).await?;
    Ok(created == Created::Ours)
}

/// The scan that the fragment has its own rows of, and these.
async fn runs(
    runtime: &RuntimeEnv,
    plan: &Plan,
    fragment: &Fragment,
) -> Result<Option<(usize, Vec<Run>)>> {
    // Of several scans that are cut, as in a UNION, a fragment reads one.
    let own = plan.cut.iter().copied().find(|scan| {
        let slice = fragment.slices.iter().find(|slice| slice.scan == *scan);
        slice.is_none_or(|slice| !slice.files.is_empty())
    });
    let Some(scan) = own else { return Ok(None) };
    let table = plan.scans.get(scan).copied().flatten();
    let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
        return Ok(None);
    };
    let whole: Vec<FileSlice>;
    let slices = match fragment.slices.iter().find(|slice| slice.scan == scan) {
        Some(slice) => &slice.files,
        None => {
            whole = (0..table.files.len())
                .map(|file| FileSlice {
                    file,
                    row_groups: None,
                    rows: vec![],
                })
                .collect();
            &whole
        }
    };
    let mut runs = vec![];
    for slice in slices {
        let Some(input) = table.files.get(slice.file) else {
            continue;
        };
        let (url, location) = locate(&input.url)?;
        let store = runtime
            .object_store(&url)
            .map_err(|e| plain(e, &input.url))?;
        let footer = read_footer(&store, &object_meta(input, location), None, None)
            .await
            .map_err(|e| plain(e, &input.url))?;
        let rows: Vec<u64> = summarize_row_groups(&footer, None, None)
            .iter()
            .map(|group| group.rows)
            .collect();
        let groups: Vec<u32> = match &slice.row_groups {
            Some(groups) => groups.clone(),
            None => (0..rows.len() as u32).collect(),
        };
        let mut by_group: HashMap<u32, Vec<RowRange>> = HashMap::new();
        for range in &slice.rows {
            by_group.entry(range.row_group).or_default().push(*range);
        }
        for row_group in groups {
            let of = rows.get(row_group as usize).copied().ok_or_else(|| {
                Error::Data(format!(
                    "{} has changed since the job was planned",
                    input.url
                ))
            })?;
            let whole = RowRange {
                row_group,
                first: 0,
                count: of,
                of,
            };
            let ranges = by_group.remove(&row_group).unwrap_or_else(|| vec![whole]);
            runs.extend(ranges.into_iter().map(|range| (slice.file, range)));
        }
    }
    Ok(Some((scan, runs)))
}

/// The rows from `from` to `to` of all runs.
fn files(runs: &[Run], from: u64, to: u64) -> Vec<FileSlice> {
    let mut files: Vec<FileSlice> = vec![];
    let mut at = 0;
    for &(file, range) in runs {
        let start = from.max(at);
        let end = to.min(at + range.count);
        if start < end {
            let part = RowRange {
                first: range.first + (start - at),
                count: end - start,
                ..range
            };
            if files.last().is_none_or(|last| last.file != file) {
                files.push(FileSlice {
                    file,
                    row_groups: Some(vec![]),
                    rows: vec![],
                });
            }
            if let Some(last) = files.last_mut() {
                let groups = last.row_groups.get_or_insert_default();
                if groups.last() != Some(&part.row_group) {
                    groups.push(part.row_group);
                }
                if part.count < part.of {
                    last.rows.push(part);
                }
            }
        }
        at += range.count;
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_piece() {
        let range = |row_group, first, count, of| RowRange {
            row_group,
            first,
            count,
            of,
        };
        let runs = [
            (0, range(0, 5, 3, 10)),
            (0, range(0, 9, 1, 10)),
            (0, range(2, 0, 7, 7)),
            (3, range(0, 0, 2, 2)),
        ];
        let total = 13;
        for pieces in 1..=total {
            let mut seen = vec![];
            for piece in 0..pieces {
                for file in files(&runs, total * piece / pieces, total * (piece + 1) / pieces) {
                    for group in file.row_groups.into_iter().flatten() {
                        let ranges: Vec<_> =
                            file.rows.iter().filter(|r| r.row_group == group).collect();
                        let of = if group == 2 { 7 } else { 2 };
                        if ranges.is_empty() {
                            seen.extend((0..of).map(|row| (file.file, group, row)));
                        }
                        for range in ranges {
                            let rows = range.first..range.first + range.count;
                            seen.extend(rows.map(|row| (file.file, group, row)));
                        }
                    }
                }
            }
            let mut expected: Vec<(usize, u32, u64)> = vec![];
            for (file, range) in &runs {
                let rows = range.first..range.first + range.count;
                expected.extend(rows.map(|row| (*file, range.row_group, row)));
            }
            assert_eq!(seen, expected, "{pieces}");
        }
    }
}

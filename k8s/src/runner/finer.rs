//! A fragment that is too large for its memory, cut finer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Rows of one row group.
#[derive(Debug, Clone, Copy)]
struct Run {
    scan: usize,
    file: usize,
    range: RowRange,
}

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
    let runs = runs(runtime, plan, fragment).await?;
    let total: u64 = runs.iter().map(|run| run.range.count).sum();
    let pieces = PIECES.min(total);
    if pieces < 2 {
        return Ok(None);
    }
    let own: BTreeSet<usize> = runs.iter().map(|run| run.scan).collect();
    let mut finer = vec![];
    for piece in 0..pieces {
        let from = total * piece / pieces;
        let to = total * (piece + 1) / pieces;
        let share = (to - from) as f64 / total as f64;
        let mut slices: Vec<ScanSlice> = fragment
            .slices
            .iter()
            .filter(|slice| !own.contains(&slice.scan))
            .cloned()
            .collect();
        slices.extend(self::slices(&own, &runs, from, to));
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

/// The rows that are the fragment's own, of all scans that are cut: one of a UNION as a rule, and all of
/// them where nothing was cut.
async fn runs(runtime: &RuntimeEnv, plan: &Plan, fragment: &Fragment) -> Result<Vec<Run>> {
    let mut all = vec![];
    for &scan in &plan.cut {
        let slice = fragment.slices.iter().find(|slice| slice.scan == scan);
        all.extend(runs_of(runtime, plan, scan, slice).await?);
    }
    Ok(all)
}

async fn runs_of(
    runtime: &RuntimeEnv,
    plan: &Plan,
    scan: usize,
    slice: Option<&ScanSlice>,
) -> Result<Vec<Run>> {
    let table = plan.scans.get(scan).copied().flatten();
    let Some(table) = table.and_then(|table| plan.tables.get(table)) else {
        return Ok(vec![]);
    };
    let whole: Vec<FileSlice>;
    let slices = match slice {
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
            runs.extend(ranges.into_iter().map(|range| Run {
                scan,
                file: slice.file,
                range,
            }));
        }
    }
    Ok(runs)
}

/// The rows from `from` to `to` of all runs, by scan. Of a scan that has none of them nothing is read.
fn slices(own: &BTreeSet<usize>, runs: &[Run], from: u64, to: u64) -> Vec<ScanSlice> {
    let mut slices: BTreeMap<usize, Vec<FileSlice>> =
        own.iter().map(|&scan| (scan, vec![])).collect();
    let mut at = 0;
    for &Run { scan, file, range } in runs {
        let start = from.max(at);
        let end = to.min(at + range.count);
        if start < end {
            let part = RowRange {
                first: range.first + (start - at),
                count: end - start,
                ..range
            };
            add(slices.entry(scan).or_default(), file, part);
        }
        at += range.count;
    }
    slices
        .into_iter()
        .map(|(scan, files)| ScanSlice { scan, files })
        .collect()
}

fn add(files: &mut Vec<FileSlice>, file: usize, part: RowRange) {
    if files.last().is_none_or(|last| last.file != file) {
        files.push(FileSlice {
            file,
            row_groups: Some(vec![]),
            rows: vec![],
        });
    }
    let Some(last) = files.last_mut() else { return };
    let groups = last.row_groups.get_or_insert_default();
    if groups.last() != Some(&part.row_group) {
        groups.push(part.row_group);
    }
    if part.count < part.of {
        last.rows.push(part);
    }
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
        let run = |scan, file, range| Run { scan, file, range };
        let runs = [
            run(1, 0, range(0, 5, 3, 10)),
            run(1, 0, range(0, 9, 1, 10)),
            run(1, 0, range(2, 0, 7, 7)),
            run(1, 3, range(0, 0, 2, 2)),
            run(4, 0, range(0, 2, 3, 10)),
        ];
        let own = BTreeSet::from([1, 4]);
        let total = 16;
        for pieces in 1..=total {
            let mut seen = vec![];
            for piece in 0..pieces {
                let (from, to) = (total * piece / pieces, total * (piece + 1) / pieces);
                let slices = slices(&own, &runs, from, to);
                assert_eq!(slices.len(), own.len());
                let files = slices
                    .iter()
                    .flat_map(|slice| slice.files.iter().map(|file| (slice.scan, file.clone())));
                for (scan, file) in files {
                    for group in file.row_groups.into_iter().flatten() {
                        let ranges: Vec<_> =
                            file.rows.iter().filter(|r| r.row_group == group).collect();
                        let of = if group == 2 { 7 } else { 2 };
                        if ranges.is_empty() {
                            seen.extend((0..of).map(|row| (scan, file.file, group, row)));
                        }
                        for range in ranges {
                            let rows = range.first..range.first + range.count;
                            seen.extend(rows.map(|row| (scan, file.file, group, row)));
                        }
                    }
                }
            }
            let mut expected: Vec<(usize, usize, u32, u64)> = vec![];
            for Run { scan, file, range } in &runs {
                let rows = range.first..range.first + range.count;
                expected.extend(rows.map(|row| (*scan, *file, range.row_group, row)));
            }
            assert_eq!(seen, expected, "{pieces}");
        }
    }
}

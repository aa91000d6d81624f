//! What is expected of a plan, for those who read it before they run it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cut::CutSet;
use super::listing::Groups;
use crate::plan::{Plan, Stage, StageKind};

/// Other tables are read this many times over before a plan says that sorting would help.
const READ_OFTEN: f64 = 4.0;

/// What is expected of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Its stages.
    pub stages: Vec<StageEstimate>,
    /// The tables it reads.
    pub tables: Vec<TableEstimate>,
    /// Why there is a second stage, or only one fragment.
    pub reason: Option<String>,
    /// What could be better, with the command that makes it so.
    pub warnings: Vec<String>,
}

/// What is expected of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageEstimate {
    /// What its fragments write.
    pub kind: StageKind,
    /// How many fragments it has.
    pub fragments: usize,
    /// Rows of the tables that are cut.
    pub rows: u64,
    /// Bytes that all fragments read.
    pub bytes: u64,
    /// Cost of all fragments, in units that only compare.
    pub cost: f64,
    /// Cost of the most expensive fragment over the mean.
    pub skew: f64,
}

/// What is expected of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableEstimate {
    /// Its name in the statement.
    pub name: String,
    /// Whether it is dealt out: each row goes to one fragment.
    pub cut: bool,
    /// Its files.
    pub files: usize,
    /// Its row groups.
    pub row_groups: usize,
    /// Its rows.
    pub rows: u64,
    /// Compressed bytes of the columns that are read.
    pub bytes: u64,
    /// How many times over the fragments read it together: 1 if each byte is read once.
    pub times_read: f64,
}

impl Estimate {
    pub(crate) fn new(
        plan: &Plan,
        scans: &[Option<Groups>],
        cut: &CutSet,
        stages: &[Stage],
        reason: Option<String>,
    ) -> Self {
        let first = stages.first();
        let tables: Vec<TableEstimate> = plan
            .scans
            .iter()
            .enumerate()
            .filter_map(|(scan, table)| {
                let table = plan.tables.get((*table)?)?;
                let groups = scans.get(scan)?.as_ref();
                let bytes = groups.map_or_else(|| table.bytes(), Groups::bytes);
                let row_groups = table.files.iter().map(|file| file.row_groups as usize);
                Some(TableEstimate {
                    name: table.name.clone(),
                    cut: cut.contains(&scan),
                    files: table.files.len(),
                    row_groups: row_groups.sum(),
                    rows: table.rows(),
                    bytes,
                    times_read: match (first, groups) {
                        (Some(stage), Some(groups)) => times_read(stage, scan, groups),
                        _ => 1.0,
                    },
                })
            })
            .collect();
        let warnings = warnings(&tables, first);
        Self {
            stages: stages.iter().map(stage_estimate).collect(),
            tables,
            reason,
            warnings,
        }
    }
}

fn stage_estimate(stage: &Stage) -> StageEstimate {
    let costs = || stage.fragments.iter().map(|fragment| fragment.cost);
    let cost: f64 = costs().sum();
    let mean = cost / stage.fragments.len().max(1) as f64;
    StageEstimate {
        kind: stage.kind,
        fragments: stage.fragments.len(),
        rows: stage.fragments.iter().map(|fragment| fragment.rows).sum(),
        bytes: stage.fragments.iter().map(|fragment| fragment.bytes).sum(),
        cost,
        skew: match mean > 0.0 {
            true => costs().fold(0.0, f64::max) / mean,
            false => 1.0,
        },
    }
}

/// Bytes of a scan that all fragments read, over its size.
fn times_read(stage: &Stage, scan: usize, groups: &Groups) -> f64 {
    let all = groups.bytes().max(1) as f64;
    let sizes: BTreeMap<(u32, u32), (u64, u64)> = groups
        .all
        .iter()
        .map(|group| ((group.file, group.group), (group.bytes, group.rows)))
        .collect();
    let of = |fragment: &crate::plan::Fragment| -> f64 {
        let Some(slice) = fragment.slices.iter().find(|slice| slice.scan == scan) else {
            return all;
        };
        let mut read = 0.0;
        for file in &slice.files {
            for &group in file.row_groups.iter().flatten() {
                let (bytes, rows) = sizes
                    .get(&(file.file as u32, group))
                    .copied()
                    .unwrap_or((0, 1));
                let ranges = file.rows.iter().filter(|range| range.row_group == group);
                let some: u64 = ranges.map(|range| range.count).sum();
                let share = if some == 0 {
                    1.0
                } else {
                    some as f64 / rows.max(1) as f64
                };
                read += bytes as f64 * share;
            }
        }
        read
    };
    stage.fragments.iter().map(of).sum::<f64>() / all
}

/// Tables that are read again and again, because what is cut is not sorted in space.
fn warnings(tables: &[TableEstimate], stage: Option<&Stage>) -> Vec<String> {
    let fragments = stage.map_or(0, |stage| stage.fragments.len()) as f64;
    let unsorted = tables
        .iter()
        .filter(|table| !table.cut && table.bytes > 16 << 20)
        .filter(|table| table.times_read > READ_OFTEN && table.times_read > fragments / 2.0);
    let Some(worst) = unsorted.max_by(|a, b| a.times_read.total_cmp(&b.times_read)) else {
        return vec![];
    };
    let Some(cut) = tables.iter().find(|table| table.cut) else {
        return vec![];
    };
    vec![format!(
        "nearly every fragment reads all of {}, because the row groups of {} spread over one area, or have no bounds. \
         Sorted in space, each fragment needs a small part: geoflow convert --sort hilbert {} sorted.parquet",
        worst.name, cut.name, cut.name
    )]
}

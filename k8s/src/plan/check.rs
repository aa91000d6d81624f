//! Whether the parts of a plan fit together.

use std::collections::HashSet;

use super::{FileSlice, Plan, PlanError, RowRange, StageKind, TableInput};

/// What a task relies on, so that a damaged plan is an error and no panic.
pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let whole = |reason: String| PlanError::Inconsistent {
        fragment: "all".into(),
        reason,
    };
    if !is_id(&plan.job) {
        return Err(whole(format!("\"{}\" is no name of a job", plan.job)));
    }
    for &table in plan.scans.iter().flatten() {
        if table >= plan.tables.len() {
            return Err(whole(format!(
                "a scan reads table {table}, which is not there"
            )));
        }
    }
    let last = plan.stages.last().map(|stage| stage.kind);
    if !matches!(last, Some(StageKind::Parts | StageKind::Final)) {
        return Err(whole("no stage writes the output".into()));
    }
    for stage in &plan.stages {
        let mut ids = HashSet::new();
        for fragment in &stage.fragments {
            let wrong = |reason: String| PlanError::Inconsistent {
                fragment: fragment.id.clone(),
                reason,
            };
            if !is_id(&fragment.id) {
                return Err(wrong(format!(
                    "\"{}\" is no name of a fragment",
                    fragment.id
                )));
            }
            if !ids.insert(&fragment.id) {
                return Err(wrong("it is there twice".into()));
            }
            for slice in &fragment.slices {
                let table = plan.scans.get(slice.scan).copied().flatten();
                let table = table.and_then(|table| plan.tables.get(table));
                let Some(table) = table else {
                    return Err(wrong(format!("there is no scan {}", slice.scan)));
                };
                for file in &slice.files {
                    check_file(file, table).map_err(wrong)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether a job or a fragment may be called so: its id is part of the names of objects, and of folders.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=63).contains(&id.len())
        && !id.starts_with('.')
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

fn check_file(slice: &FileSlice, table: &TableInput) -> Result<(), String> {
    let Some(file) = table.files.get(slice.file) else {
        return Err(format!("{} has no file {}", table.name, slice.file));
    };
    let Some(groups) = &slice.row_groups else {
        return match slice.rows.is_empty() {
            true => Ok(()),
            false => Err(format!("rows of {} without their row groups", file.url)),
        };
    };
    if !groups.is_sorted_by(|a, b| a < b) {
        return Err(format!(
            "the row groups of {} are not ascending, or one is there twice",
            file.url
        ));
    }
    if groups.last().is_some_and(|&last| last >= file.row_groups) {
        return Err(format!(
            "{} has {} row groups, not {}",
            file.url,
            file.row_groups,
            groups.last().map_or(0, |&last| u64::from(last) + 1)
        ));
    }
    let ascending = slice.rows.is_sorted_by(|a, b| {
        (a.row_group, a.first.saturating_add(a.count)) <= (b.row_group, b.first)
            || a.row_group < b.row_group
    });
    let within = |range: &RowRange| {
        (range.first.checked_add(range.count)).is_some_and(|end| end <= range.of)
    };
    let known = |group: &u32| groups.binary_search(group).is_ok();
    if !ascending
        || !slice.rows.iter().all(within)
        || !slice.rows.iter().all(|range| known(&range.row_group))
    {
        return Err(format!(
            "the rows of {} are not ascending, or not of its row groups",
            file.url
        ));
    }
    Ok(())
}

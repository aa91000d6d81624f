//! Rows that their numbers alone do not order.

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::row::{RowConverter, Rows as EncodedRows, SortField};
use datafusion::error::Result;
use datafusion::physical_expr::LexOrdering;

use super::collect::column_of;
use super::in_memory::Rows;
use super::ranges::Entry;

/// Rows that are encoded at a time.
const ROWS: usize = 8192;

/// Puts in order the rows of `entries`, which is sorted, that have equal numbers: by all that the rows are sorted by,
/// and then by where they are.
///
/// # Errors
/// When a type cannot be compared.
pub(super) fn break_ties(
    entries: &mut [Entry],
    rows: &Rows,
    order: &LexOrdering,
    fields: &[SortField],
) -> Result<()> {
    let mut group: Vec<Range<usize>> = Vec::new();
    let mut tied = 0;
    let mut start = 0;
    for run in entries.chunk_by(|a, b| a.number() == b.number()) {
        let run = start..start + run.len();
        start = run.end;
        if run.len() > 1 {
            tied += run.len();
            group.push(run);
        }
    }
    if tied == 0 {
        return Ok(());
    }
    let converter = RowConverter::new(fields.to_vec())?;
    let mut runs = group.into_iter().peekable();
    while runs.peek().is_some() {
        let mut some = Vec::new();
        let mut places = Vec::new();
        while let Some(run) = runs.next_if(|_| places.len() < ROWS) {
            let run_places = entries.get(run.clone()).unwrap_or_default();
            places.extend(run_places.iter().map(|entry| entry.place()));
            some.push(run);
        }
        let mut encoded = converter.empty_rows(places.len(), 0);
        for places in places.chunks(ROWS) {
            converter.append(&mut encoded, &keys_at(places, rows, order)?)?;
        }
        order_runs(entries, &some, &encoded);
    }
    Ok(())
}

/// Orders each of `runs`; `keys` are those of their rows, one run after another.
fn order_runs(entries: &mut [Entry], runs: &[Range<usize>], keys: &EncodedRows) {
    let mut first = 0;
    for run in runs {
        let Some(run) = entries.get_mut(run.clone()) else {
            continue;
        };
        let mut order: Vec<(usize, Entry)> = (first..).zip(run.iter().copied()).collect();
        first += run.len();
        order.sort_unstable_by(|(a, at), (b, bt)| keys.row(*a).cmp(&keys.row(*b)).then(at.cmp(bt)));
        for (to, (_, entry)) in run.iter_mut().zip(order) {
            *to = entry;
        }
    }
}

/// What the rows at `places` are sorted by.
fn keys_at(places: &[(usize, usize)], rows: &Rows, order: &LexOrdering) -> Result<Vec<ArrayRef>> {
    let columns: Vec<usize> = order.iter().filter_map(column_of).collect();
    let mut columns = rows.columns(places, &columns)?.into_iter();
    let mut computed = 0..;
    order
        .iter()
        .map(|key| {
            if column_of(key).is_some()
                && let Some(column) = columns.next()
            {
                return Ok(column);
            }
            let key = computed.next().unwrap_or_default();
            let arrays: Vec<&dyn Array> = (rows.held.iter())
                .filter_map(|held| held.keys.get(key).map(AsRef::as_ref))
                .collect();
            Ok(interleave(&arrays, places)?)
        })
        .collect()
}

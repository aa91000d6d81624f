//! Rows that their numbers alone do not order.

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::compute::interleave;
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;

use super::collect::Held;
use super::ranges::Entry;

/// Rows that are encoded at a time.
const ROWS: usize = 8192;

/// Puts in order the rows of `entries`, which is sorted, that have equal numbers: by all that the rows are sorted by,
/// and then by where they are.
///
/// # Errors
/// When a type cannot be compared.
pub(super) fn break_ties(entries: &mut [Entry], held: &[Held], fields: &[SortField]) -> Result<()> {
    let mut group: Vec<Range<usize>> = Vec::new();
    let mut rows = 0;
    let mut start = 0;
    for run in entries.chunk_by(|a, b| a.number() == b.number()) {
        let run = start..start + run.len();
        start = run.end;
        if run.len() > 1 {
            rows += run.len();
            group.push(run);
        }
    }
    if rows == 0 {
        return Ok(());
    }
    let converter = RowConverter::new(fields.to_vec())?;
    let mut runs = group.into_iter().peekable();
    while runs.peek().is_some() {
        let mut some = Vec::new();
        let mut rows = 0;
        while let Some(run) = runs.next_if(|_| rows < ROWS) {
            rows += run.len();
            some.push(run);
        }
        order_runs(entries, &some, rows, held, &converter)?;
    }
    Ok(())
}

/// Orders each of `runs`, which have `rows` rows together.
fn order_runs(
    entries: &mut [Entry],
    runs: &[Range<usize>],
    rows: usize,
    held: &[Held],
    converter: &RowConverter,
) -> Result<()> {
    let places: Vec<(usize, usize)> = runs
        .iter()
        .filter_map(|run| entries.get(run.clone()))
        .flatten()
        .map(|entry| entry.place())
        .collect();
    let mut encoded = converter.empty_rows(rows, 0);
    for some in places.chunks(ROWS) {
        converter.append(&mut encoded, &keys_at(some, held)?)?;
    }
    let mut first = 0;
    for run in runs {
        let Some(run) = entries.get_mut(run.clone()) else {
            continue;
        };
        let mut order: Vec<(usize, Entry)> = (first..).zip(run.iter().copied()).collect();
        first += run.len();
        order.sort_unstable_by(|(a, at), (b, bt)| {
            encoded.row(*a).cmp(&encoded.row(*b)).then(at.cmp(bt))
        });
        for (to, (_, entry)) in run.iter_mut().zip(order) {
            *to = entry;
        }
    }
    Ok(())
}

/// What the rows at `places` are sorted by.
fn keys_at(places: &[(usize, usize)], held: &[Held]) -> Result<Vec<ArrayRef>> {
    let columns = held.first().map_or(0, |held| held.keys.len());
    (0..columns)
        .map(|column| {
            let arrays: Vec<&dyn Array> = held
                .iter()
                .filter_map(|held| held.keys.get(column).map(AsRef::as_ref))
                .collect();
            Ok(interleave(&arrays, places)?)
        })
        .collect()
}

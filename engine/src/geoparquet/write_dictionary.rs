//! Which columns are worth a dictionary.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::row::{RowConverter, Rows, SortField};

use super::write_plan::{Source, WritePlan};
use crate::{Error, Result};

/// Rows that are looked at.
const SAMPLE: usize = 4096;

/// Of so many values there must be one that another is equal to. In a row group of 65,536 rows there are then
/// about as many values as a dictionary can have before it is larger than the column without it.
const REPEATS: usize = 20;

/// The columns, of those that are copied as they are, whose values hardly ever repeat in the first `rows` of a
/// file: a dictionary of them costs time, and makes the file larger.
///
/// # Errors
/// [`Error::Internal`] when values cannot be compared.
pub(super) fn without_repeats(plan: &WritePlan, rows: &[RecordBatch]) -> Result<Vec<String>> {
    let mut names = vec![];
    for (field, source) in plan.schema.fields().iter().zip(&plan.sources) {
        let Source::Copy(input) = *source else {
            continue;
        };
        if field.data_type().is_nested() {
            continue;
        }
        let arrays = rows.iter().map(|batch| batch.column(input));
        if !repeats(&sample(arrays.collect()))? {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}

/// Some of the values, from all over them.
fn sample(arrays: Vec<&ArrayRef>) -> Vec<ArrayRef> {
    let rows: usize = arrays.iter().map(|array| array.len()).sum();
    let step = rows.div_ceil(SAMPLE).max(1);
    let some = arrays.iter().map(|array| {
        let len = array.len().div_ceil(step);
        array.slice((array.len() - len) / 2, len)
    });
    some.collect()
}

fn repeats(arrays: &[ArrayRef]) -> Result<bool> {
    let Some(first) = arrays.first() else {
        return Ok(true);
    };
    let failed = |e: arrow::error::ArrowError| {
        Error::Internal(format!(
            "values of {} cannot be compared: {e}",
            first.data_type()
        ))
    };
    let field = SortField::new(first.data_type().clone());
    let converter = RowConverter::new(vec![field]).map_err(failed)?;
    let rows = arrays
        .iter()
        .map(|array| converter.convert_columns(&[ArrayRef::clone(array)]));
    let rows: Vec<Rows> = rows
        .collect::<std::result::Result<_, _>>()
        .map_err(failed)?;
    let (mut seen, mut values) = (HashSet::new(), 0);
    for (array, rows) in arrays.iter().zip(&rows) {
        let nulls = array.logical_nulls();
        for (i, row) in rows.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(i)) {
                values += 1;
                seen.insert(row);
            }
        }
    }
    Ok(values == 0 || (values - seen.len()) * REPEATS >= values)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;

    fn chunks(of: impl Fn(usize) -> Option<f64>) -> Vec<ArrayRef> {
        let chunk = |from: usize| -> ArrayRef {
            Arc::new((from..from + 1024).map(&of).collect::<Float64Array>())
        };
        (0..64).map(|i| chunk(i * 1024)).collect()
    }

    #[test]
    fn values_that_repeat() {
        // Wild, as a sequence that never repeats before its end would hide it.
        let wild = |i: usize| {
            let mut z = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z ^ (z >> 27)
        };
        let of = |values: u64| chunks(move |i| Some((wild(i) % values) as f64));
        for (values, expected) in [(3, true), (5_000, true), (1 << 20, false)] {
            let arrays = of(values);
            let sampled = sample(arrays.iter().collect());
            assert_eq!(sampled.iter().map(|a| a.len()).sum::<usize>(), SAMPLE);
            assert_eq!(repeats(&sampled).unwrap(), expected, "{values}");
        }
        // NULL is none of the values.
        let sparse = chunks(|i| (i % 10 == 0).then_some(i as f64));
        assert!(!repeats(&sparse).unwrap());
        let nulls = chunks(|_| None);
        assert!(repeats(&nulls).unwrap());
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(["a", "b", "a"]));
        assert!(repeats(&[texts]).unwrap() && repeats(&[]).unwrap());
    }
}

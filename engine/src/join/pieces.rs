//! Joined rows on their way out: few at a time as they are found, put together into batches.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::output::{OutputBuilder, Rows};
use super::probe::Pairs;

/// Bytes of values of any length that a batch has copies of. A large geometry comes once for each of its partners:
/// thousands of rows of it would be thousands of times as large.
const MOST_BYTES: usize = 4 << 20;

/// Puts rows together into batches of a size.
pub(super) struct Pieces {
    output: OutputBuilder,
    /// Of batches that are begun.
    coalescer: BatchCoalescer,
    /// What their numbers of build rows are about.
    build: Option<RecordBatch>,
    batch_size: usize,
    /// Copied for the rows that wait to become a batch.
    bytes: usize,
}

impl Pieces {
    pub(super) fn new(output: OutputBuilder, batch_size: usize) -> Self {
        let begun = Arc::clone(output.begun());
        // Batches that are large already pass through without being copied.
        let coalescer = BatchCoalescer::new(begun, batch_size)
            .with_biggest_coalesce_batch_size(Some(batch_size / 2));
        Self {
            output,
            coalescer,
            build: None,
            batch_size,
            bytes: 0,
        }
    }

    /// The rows of the build side, before any are put out.
    pub(super) fn set_build(&mut self, build: &RecordBatch) {
        self.build = Some(build.clone());
    }

    /// A batch that is complete.
    pub(super) fn pop(&mut self) -> Result<Option<RecordBatch>> {
        let begun = self.coalescer.next_completed_batch();
        let finish = |begun| self.output.finish(&begun, self.build.as_ref());
        begun.map(finish).transpose()
    }

    /// Completes a batch of the rows that wait. Whether there is a batch to be had.
    pub(super) fn flush(&mut self) -> Result<bool> {
        self.bytes = 0;
        self.coalescer.finish_buffered_batch()?;
        Ok(!self.coalescer.is_empty())
    }

    /// Puts rows out that each come once.
    pub(super) fn push(
        &mut self,
        rows: usize,
        build: Rows<'_>,
        probe: Rows<'_>,
        computed: Option<ArrayRef>,
    ) -> Result<()> {
        let begun = self.output.begin(rows, build, probe, computed)?;
        self.coalescer.push_batch(begun)?;
        Ok(())
    }

    /// Puts pairs out from `from` on, as many as go into a batch. Where those end.
    pub(super) fn push_pairs(
        &mut self,
        pairs: &Pairs,
        from: usize,
        build: &RecordBatch,
        probe: &RecordBatch,
    ) -> Result<usize> {
        let most = from + even_part(pairs.len() - from, self.batch_size);
        let copied = [
            (self.output.copied(true, build), &pairs.build),
            (self.output.copied(false, probe), &pairs.probe),
        ];
        let of_pair = |at: usize| {
            let sides = copied.iter().map(|(columns, rows)| {
                let row = rows[at] as usize;
                let of_column = |column: &&ArrayRef| bytes_of(column, row..row + 1);
                columns.iter().map(of_column).sum::<usize>()
            });
            sides.sum::<usize>()
        };
        let copies = copied.iter().any(|(columns, _)| !columns.is_empty());
        let (to, bytes) = match copies {
            true => within(MOST_BYTES, from..most, of_pair),
            false => (most, 0),
        };
        if self.bytes + bytes > MOST_BYTES {
            self.flush()?;
        }
        self.bytes += bytes;
        let build_rows = pairs.build[from..to].to_vec().into();
        let probe_rows = pairs.probe[from..to].to_vec().into();
        self.push(
            to - from,
            Rows::Take(build, &build_rows),
            Rows::Take(probe, &probe_rows),
            pairs.distances(from..to),
        )?;
        if self.coalescer.get_buffered_rows() == 0 {
            self.bytes = 0;
        }
        Ok(to)
    }
}

/// Where the first rows of a range end that have no more than `most` bytes together, but at least one row; and their
/// bytes.
fn within(most: usize, rows: Range<usize>, bytes_of: impl Fn(usize) -> usize) -> (usize, usize) {
    let mut bytes = 0;
    for row in rows.clone() {
        let of_row = bytes_of(row);
        if row > rows.start && bytes + of_row > most {
            return (row, bytes);
        }
        bytes += of_row;
    }
    (rows.end, bytes)
}

/// The bytes of some rows of a column.
fn bytes_of(array: &dyn Array, rows: Range<usize>) -> usize {
    fn span<O: OffsetSizeTrait>(offsets: &[O], rows: Range<usize>) -> Range<usize> {
        offsets[rows.start].as_usize()..offsets[rows.end].as_usize()
    }
    if rows.is_empty() {
        return 0;
    }
    match array.data_type() {
        DataType::Binary => span(array.as_binary::<i32>().value_offsets(), rows).len(),
        DataType::LargeBinary => span(array.as_binary::<i64>().value_offsets(), rows).len(),
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets(), rows).len(),
        DataType::LargeUtf8 => span(array.as_string::<i64>().value_offsets(), rows).len(),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            bytes_of(lists.values(), span(lists.value_offsets(), rows))
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            bytes_of(lists.values(), span(lists.value_offsets(), rows))
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            let values = array.as_fixed_size_list().values();
            bytes_of(values, rows.start * length..rows.end * length)
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes_of(column, rows.clone())).sum()
        }
        other => rows.len() * other.primitive_width().unwrap_or(0),
    }
}

/// How many of `rows` go into the next batch, so that all batches are about equally large. A small rest
/// would wait in the coalescer for the next batch, which would then be copied in place of being
/// passed on, and so would all that follow.
fn even_part(rows: usize, batch_size: usize) -> usize {
    rows.div_ceil(rows.div_ceil(batch_size.max(1)).max(1))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, ListArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn parts_are_even_and_use_all_rows_up() {
        for batch_size in [0, 1, 7, 8192] {
            for rows in [1, 2, 7, 8, 15, 8192, 8193, 16_384, 16_390, 100_000] {
                let mut left = rows;
                let mut parts = vec![];
                while left > 0 {
                    parts.push(even_part(left, batch_size));
                    left -= parts[parts.len() - 1];
                }
                let most = parts.iter().max();
                assert!(most.is_some_and(|most| *most <= batch_size.max(1)));
                assert!(parts.len() == rows.div_ceil(batch_size.max(1)));
                // Above half a batch, a part passes the coalescer as it is.
                assert!(parts.len() == 1 || parts.iter().all(|part| 2 * part >= batch_size));
            }
        }
    }

    #[test]
    fn bytes_of_rows() {
        let bytes = BinaryArray::from_opt_vec(vec![Some(b"abc"), None, Some(b"de")]);
        assert_eq!(bytes_of(&bytes, 0..3), 5);
        assert_eq!(bytes_of(&bytes.slice(1, 2), 0..2), 2);
        // The bytes of a view are not copied.
        assert_eq!(
            bytes_of(&StringViewArray::from(vec!["long enough for a view"]), 0..1),
            0
        );
        let item = |x: i32| Some(vec![Some(x), None]);
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([item(1), None, item(2)]);
        assert_eq!(bytes_of(&lists, 0..3), 16);
        assert_eq!(bytes_of(&lists.slice(1, 2), 1..2), 8);
    }

    #[test]
    fn a_batch_has_a_row_at_least() {
        assert_eq!(within(10, 3..9, |_| 5), (5, 10));
        assert_eq!(within(10, 3..9, |_| 50), (4, 50));
        assert_eq!(within(10, 3..5, |_| 0), (5, 0));
        assert_eq!(within(10, 3..3, |_| 7), (3, 0));
    }
}

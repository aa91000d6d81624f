//! How much memory the rows of a join's build side take.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

use super::rtree::PackedRTree;
use crate::geometry::Bounds;

/// Counts the bytes of batches that are held together. A buffer that several of them share, as
/// batches cut from one page or with one dictionary do, counts once.
#[derive(Debug, Default)]
pub(super) struct Footprint {
    /// Addresses of the buffers counted; all of them are alive.
    seen: HashSet<usize>,
}

impl Footprint {
    /// Bytes that holding this batch adds.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> usize {
        batch.columns().iter().map(|c| self.add_array(c)).sum()
    }

    /// Bytes that holding this array adds.
    pub(super) fn add_array(&mut self, array: &ArrayRef) -> usize {
        self.add_data(&array.to_data())
    }

    fn add_data(&mut self, data: &arrow::array::ArrayData) -> usize {
        let nulls = data.nulls().map(|nulls| nulls.inner().inner());
        let mut bytes = 0;
        for buffer in data.buffers().iter().chain(nulls) {
            if self.seen.insert(buffer.data_ptr().as_ptr() as usize) {
                bytes += buffer.capacity();
            }
        }
        let children = data.child_data().iter();
        bytes + children.map(|child| self.add_data(child)).sum::<usize>()
    }
}

/// Bytes that become of `bytes` of rows when they are indexed: the rows, what the largest column
/// takes a second time while it is joined together, rectangles and their tree for each condition.
pub(super) fn indexed_size(
    bytes: usize,
    largest_column: usize,
    rows: usize,
    conditions: usize,
) -> usize {
    // Rectangles as they are found, with their rows, and in the order of the tree.
    let a_row = size_of::<Bounds>() + size_of::<(u32, Bounds)>() + size_of::<u64>();
    bytes + largest_column + conditions * (rows * a_row + PackedRTree::estimate_size(rows))
}

/// Bytes that a byte of WKB becomes when it is decoded and its edges are indexed.
const PREPARED_PER_BYTE: usize = 3;

/// Bytes of WKB of a point, which is not prepared; with Z and M it has more, and little is lost.
const POINT: usize = 21;

/// Bytes that a geometry of so many bytes of WKB takes when it is prepared, besides these.
pub(super) fn prepared_size(wkb: usize) -> usize {
    match wkb {
        0..=POINT => 0,
        _ => wkb.saturating_mul(PREPARED_PER_BYTE),
    }
}

/// Bytes that a column takes once it is copied, be it a slice of a larger one.
pub(super) fn column_size(column: &ArrayRef) -> usize {
    let of_views = |values: &[Buffer]| {
        values.iter().map(Buffer::len).sum::<usize>() + column.len() * size_of::<u128>()
    };
    match column.data_type() {
        DataType::Utf8View => of_views(column.as_string_view().data_buffers()),
        DataType::BinaryView => of_views(column.as_binary_view().data_buffers()),
        _ => (column.to_data().get_slice_memory_size())
            .unwrap_or_else(|_| column.get_buffer_memory_size()),
    }
}

/// Bytes that the rows of a batch take, be it a slice of a larger one.
pub(super) fn batch_size(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(column_size).sum()
}

/// The bytes of the column that takes most when batches are joined together. Views are not copied
/// then, but for the views themselves.
pub(super) fn largest_column(batch: &RecordBatch) -> usize {
    let copied = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View | DataType::BinaryView => column.len() * size_of::<u128>(),
        _ => column_size(column),
    };
    batch.columns().iter().map(copied).max().unwrap_or(0)
}

/// Bytes that a batch takes when it is indexed on its own.
pub(super) fn indexed_batch_size(batch: &RecordBatch, conditions: usize) -> usize {
    let (bytes, largest) = (batch_size(batch), largest_column(batch));
    indexed_size(bytes, largest, batch.num_rows(), conditions)
}

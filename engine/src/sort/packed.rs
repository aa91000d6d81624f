//! Rows one after another, from columns and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, RecordBatch,
    RecordBatchOptions, StringViewBuilder, make_array,
};
use arrow::buffer::{BooleanBuffer, MutableBuffer, NullBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::layout::{RowLayout, Slot, get, put};
use crate::Error;

/// Rows that are fetched at once, so that they are still in a near cache when they are taken apart.
const BLOCK: usize = 512;

/// The rows of a batch. A row lies in one place, so that it costs one way to memory to fetch it, and not one
/// for each of its columns.
#[derive(Debug)]
pub(super) struct PackedRows {
    rows: Vec<u8>,
    /// Values that are too long for their slot.
    heap: Vec<u8>,
    /// Columns that have no slot.
    others: RecordBatch,
}

impl PackedRows {
    /// The rows of `batch`, which has the schema of `layout`.
    ///
    /// # Errors
    /// [`Error::Internal`] when it has another.
    pub(super) fn pack(layout: &RowLayout, batch: &RecordBatch) -> Result<Self> {
        let mut rows = vec![0; batch.num_rows() * layout.width];
        let mut heap = Vec::new();
        let mut others = Vec::new();
        for (slot, array) in layout.slots.iter().zip(batch.columns()) {
            match *slot {
                Slot::Fixed {
                    at,
                    width,
                    nullable,
                } => {
                    pack_fixed(array, width, slots(&mut rows, layout.width, at, width))?;
                    if nullable {
                        let nulls = array.logical_nulls();
                        let marks = slots(&mut rows, layout.width, at + width, 1);
                        for (row, mark) in marks.enumerate() {
                            mark.fill(u8::from(nulls.as_ref().is_none_or(|n| n.is_valid(row))));
                        }
                    }
                }
                Slot::Bytes { at, width } => {
                    let slots = slots(&mut rows, layout.width, at, width);
                    match array.data_type() {
                        DataType::BinaryView => {
                            pack_bytes(array.as_binary_view(), slots, &mut heap)
                        }
                        DataType::Utf8View => {
                            let bytes = array.as_string_view().clone().to_binary_view();
                            pack_bytes(&bytes, slots, &mut heap);
                        }
                        other => return Err(wrong_type(other)),
                    }
                }
                Slot::Other { .. } => others.push(Arc::clone(array)),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        heap.shrink_to_fit();
        Ok(Self {
            rows,
            heap,
            others: RecordBatch::try_new_with_options(
                Arc::clone(&layout.others),
                others,
                &options,
            )?,
        })
    }

    /// The columns that have no slot.
    pub(super) fn others(&self) -> &RecordBatch {
        &self.others
    }

    /// Bytes of the rows, without [the columns that have no slot](PackedRows::others).
    pub(super) fn size(&self) -> usize {
        self.rows.len() + self.heap.len()
    }

    /// The batch that the rows are from, in parts of about `most` bytes, which share nothing.
    ///
    /// # Errors
    /// As [`gather`].
    pub(super) fn unpack(
        self,
        layout: Arc<RowLayout>,
        most: usize,
    ) -> impl Iterator<Item = Result<RecordBatch>> {
        let rows = self.others.num_rows();
        let parts = self.size().div_ceil(most.max(1)).max(1);
        let each = rows.div_ceil(parts).max(1);
        (0..rows).step_by(each).map(move |from| {
            let places: Vec<_> = (from..rows.min(from + each)).map(|row| (0, row)).collect();
            gather(&layout, &[&self], &places)
        })
    }
}

/// About how many rows have `most` bytes, if `rows` of them have `bytes`.
pub(super) fn rows_within(most: usize, rows: usize, bytes: usize) -> usize {
    most / bytes.div_ceil(rows.max(1)).max(1)
}

/// One slot of each row.
fn slots(
    rows: &mut [u8],
    stride: usize,
    at: usize,
    width: usize,
) -> impl Iterator<Item = &mut [u8]> {
    rows.chunks_exact_mut(stride)
        .filter_map(move |row| row.get_mut(at..at + width))
}

fn pack_fixed<'a>(
    array: &ArrayRef,
    width: usize,
    slots: impl Iterator<Item = &'a mut [u8]>,
) -> Result<()> {
    let data = array.to_data();
    let values = data
        .buffers()
        .first()
        .and_then(|values| values.get(data.offset() * width..))
        .ok_or_else(|| wrong_type(array.data_type()))?;
    match width {
        1 => copy::<1>(values, slots),
        2 => copy::<2>(values, slots),
        4 => copy::<4>(values, slots),
        8 => copy::<8>(values, slots),
        16 => copy::<16>(values, slots),
        _ => {
            (slots.zip(values.chunks_exact(width))).for_each(|(to, from)| to.copy_from_slice(from))
        }
    }
    Ok(())
}

fn pack_bytes<'a>(
    values: &BinaryViewArray,
    slots: impl Iterator<Item = &'a mut [u8]>,
    heap: &mut Vec<u8>,
) {
    for (value, slot) in values.iter().zip(slots) {
        put(value, slot, heap);
    }
}

/// As many bytes each as the compiler knows of.
fn copy<'a, const N: usize>(values: &[u8], slots: impl Iterator<Item = &'a mut [u8]>) {
    for (to, from) in slots.zip(values.as_chunks::<N>().0) {
        if let Some(to) = to.first_chunk_mut::<N>() {
            *to = *from;
        }
    }
}

/// The rows at `places`, each the number of a batch and of a row in it.
///
/// # Errors
/// As [`gather_columns`].
pub(super) fn gather(
    layout: &RowLayout,
    batches: &[&PackedRows],
    places: &[(usize, usize)],
) -> Result<RecordBatch> {
    let all: Vec<usize> = (0..layout.slots.len()).collect();
    let columns = gather_columns(layout, batches, places, &all)?;
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    let schema = Arc::clone(&layout.schema);
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// Some columns of the rows at `places`.
///
/// # Errors
/// [`Error::Internal`] when there is no such row or column.
pub(super) fn gather_columns(
    layout: &RowLayout,
    batches: &[&PackedRows],
    places: &[(usize, usize)],
    columns: &[usize],
) -> Result<Vec<ArrayRef>> {
    let mut gathered = columns
        .iter()
        .map(|&column| {
            let slot = layout.slots.get(column).copied();
            let slot = slot.ok_or_else(|| Error::Internal("a sort has lost a column".into()))?;
            Ok(Column::new(
                slot,
                layout.schema.field(column).data_type(),
                places.len(),
            ))
        })
        .collect::<Result<Vec<Column>>>()?;
    let mut rows = Vec::with_capacity(BLOCK.min(places.len()) * layout.width);
    for (block, places) in places.chunks(BLOCK).enumerate() {
        rows.clear();
        for &(batch, row) in places {
            let row = batches
                .get(batch)
                .and_then(|batch| batch.rows.get(row * layout.width..)?.get(..layout.width))
                .ok_or_else(|| Error::Internal("a sort has lost a row".into()))?;
            rows.extend_from_slice(row);
        }
        for column in &mut gathered {
            column.append(&rows, layout.width, block * BLOCK, |i| {
                let batch = places.get(i).and_then(|(batch, _)| batches.get(*batch));
                batch.map_or(&[], |batch| &batch.heap)
            })?;
        }
    }
    columns
        .iter()
        .zip(gathered)
        .map(|(&column, gathered)| match gathered {
            Column::Fixed { values, valid, .. } => {
                fixed(layout.schema.field(column).data_type(), values, valid)
            }
            Column::Bytes { values, .. } => Ok(values.finish()),
            Column::Other { at } => {
                let arrays: Vec<&dyn Array> = (batches.iter())
                    .filter_map(|batch| batch.others.columns().get(at))
                    .map(AsRef::as_ref)
                    .collect();
                Ok(interleave(&arrays, places)?)
            }
        })
        .collect()
}

/// A column that rows are taken apart into.
enum Column {
    Fixed {
        at: usize,
        width: usize,
        values: MutableBuffer,
        /// Whether each value is there.
        valid: Option<Vec<bool>>,
    },
    Bytes {
        at: usize,
        width: usize,
        values: BytesBuilder,
    },
    Other {
        at: usize,
    },
}

impl Column {
    fn new(slot: Slot, data_type: &DataType, rows: usize) -> Self {
        match slot {
            Slot::Fixed {
                at,
                width,
                nullable,
            } => Self::Fixed {
                at,
                width,
                values: MutableBuffer::from_len_zeroed(rows * width),
                valid: nullable.then(|| Vec::with_capacity(rows)),
            },
            Slot::Bytes { at, width } => Self::Bytes {
                at,
                width,
                values: BytesBuilder::new(data_type, rows, width),
            },
            Slot::Other { at } => Self::Other { at },
        }
    }

    /// Takes its part of `rows`, of which the first is row `first` of all. `heap` is that of a row.
    fn append<'a>(
        &mut self,
        rows: &[u8],
        stride: usize,
        first: usize,
        heap: impl Fn(usize) -> &'a [u8],
    ) -> Result<()> {
        let rows = rows.chunks_exact(stride);
        match self {
            Self::Fixed {
                at,
                width,
                values,
                valid,
            } => {
                let Some(to) = values.as_slice_mut().get_mut(first * *width..) else {
                    return Ok(());
                };
                let from = rows.clone().filter_map(|row| row.get(*at..));
                match *width {
                    1 => take::<1>(from, to),
                    2 => take::<2>(from, to),
                    4 => take::<4>(from, to),
                    8 => take::<8>(from, to),
                    16 => take::<16>(from, to),
                    width => (to.chunks_exact_mut(width).zip(from))
                        .for_each(|(to, from)| to.copy_from_slice(&from[..width])),
                }
                if let Some(valid) = valid {
                    let mark = *at + *width;
                    valid.extend(rows.map(|row| row.get(mark) != Some(&0)));
                }
            }
            Self::Bytes { at, width, values } => {
                for (i, row) in rows.enumerate() {
                    let slot = row.get(*at..*at + *width).unwrap_or_default();
                    values.append(get(slot, heap(i)))?;
                }
            }
            Self::Other { .. } => {}
        }
        Ok(())
    }
}

fn take<'a, const N: usize>(from: impl Iterator<Item = &'a [u8]>, to: &mut [u8]) {
    for (to, from) in to.as_chunks_mut::<N>().0.iter_mut().zip(from) {
        if let Some(from) = from.first_chunk() {
            *to = *from;
        }
    }
}

fn fixed(
    data_type: &DataType,
    values: MutableBuffer,
    valid: Option<Vec<bool>>,
) -> Result<ArrayRef> {
    let width = data_type.primitive_width().unwrap_or(1);
    let nulls = valid.map(|valid| NullBuffer::new(BooleanBuffer::from(valid)));
    let data = ArrayData::builder(data_type.clone())
        .len(values.len() / width)
        .add_buffer(values.into())
        .nulls(nulls.filter(|nulls| nulls.null_count() > 0))
        .build()?;
    Ok(make_array(data))
}

enum BytesBuilder {
    Binary(BinaryViewBuilder),
    Text(StringViewBuilder),
}

impl BytesBuilder {
    fn new(data_type: &DataType, rows: usize, width: usize) -> Self {
        // What is not in a view goes into blocks; one is enough where values are short.
        let block = u32::try_from(rows * width).unwrap_or(u32::MAX);
        let block = block.clamp(8 << 10, 1 << 20);
        match data_type {
            DataType::Utf8View => {
                Self::Text(StringViewBuilder::with_capacity(rows).with_fixed_block_size(block))
            }
            _ => Self::Binary(BinaryViewBuilder::with_capacity(rows).with_fixed_block_size(block)),
        }
    }

    fn append(&mut self, value: Option<&[u8]>) -> Result<()> {
        match self {
            Self::Binary(builder) => builder.append_option(value),
            Self::Text(builder) => {
                let text = value.map(std::str::from_utf8).transpose();
                let text = text.map_err(|_| Error::Internal("a sort has broken a text".into()))?;
                builder.append_option(text);
            }
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Binary(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

fn wrong_type(data_type: &DataType) -> datafusion::error::DataFusionError {
    Error::Internal(format!("a sort has rows of another type: {data_type}")).into()
}

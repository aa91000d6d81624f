//! How a row of several columns lies in memory while it waits for its turn.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// Bytes of a column of binary values in a row, with its mark: a point of WKB fits in.
const BINARY: usize = 1 + 21;

/// Bytes of a column of text in a row, with its mark.
const TEXT: usize = LONG_SLOT;

/// A mark, and where a long value is.
const LONG_SLOT: usize = 1 + size_of::<u32>() + size_of::<u64>();

/// The mark of a value that is NULL; lower ones are lengths.
const NULL: u8 = 255;

/// The mark of a value that is in the heap: its length and place follow.
const LONG: u8 = 254;

/// Where the columns of a row are.
///
/// ```text
///  row ── fixed ── fixed ── bytes ─────────── bytes ───────────
///         value    value    mark value        mark length place ──> heap
/// ```
///
/// A column of fixed width that may be NULL has a mark behind its value. Columns of other types are not in the row.
#[derive(Debug)]
pub(super) struct RowLayout {
    pub schema: SchemaRef,
    /// One for each column.
    pub slots: Vec<Slot>,
    /// Bytes of a row.
    pub width: usize,
    /// The columns that are not in the row.
    pub others: SchemaRef,
}

/// Where a column is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// A value of `width` bytes, and a byte behind it that is 0 for NULL when `nullable`.
    Fixed {
        at: usize,
        width: usize,
        nullable: bool,
    },
    /// A value of any length.
    Bytes { at: usize, width: usize },
    /// Not in the row: column `at` of the others.
    Other { at: usize },
}

impl RowLayout {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let (mut width, mut others) = (0, Vec::new());
        let mut take = |bytes: usize| {
            width += bytes;
            width - bytes
        };
        let slots = schema
            .fields()
            .iter()
            .map(|field| match (field.data_type(), primitive_width(field)) {
                (_, Some(bytes)) => Slot::Fixed {
                    at: take(bytes + usize::from(field.is_nullable())),
                    width: bytes,
                    nullable: field.is_nullable(),
                },
                (DataType::BinaryView, _) => Slot::Bytes {
                    at: take(BINARY),
                    width: BINARY,
                },
                (DataType::Utf8View, _) => Slot::Bytes {
                    at: take(TEXT),
                    width: TEXT,
                },
                _ => {
                    others.push(Arc::clone(field));
                    Slot::Other {
                        at: others.len() - 1,
                    }
                }
            })
            .collect();
        Self {
            schema: Arc::clone(schema),
            slots,
            // Of no bytes there are no rows.
            width: width.max(1),
            others: Arc::new(Schema::new(others)),
        }
    }
}

fn primitive_width(field: &Field) -> Option<usize> {
    let width = field.data_type().primitive_width()?;
    matches!(width, 1 | 2 | 4 | 8 | 16 | 32).then_some(width)
}

/// Puts a value into its slot, or into the heap what the slot has no room for.
pub(super) fn put(value: Option<&[u8]>, slot: &mut [u8], heap: &mut Vec<u8>) {
    let Some((mark, room)) = slot.split_first_mut() else {
        return;
    };
    let Some(value) = value else {
        *mark = NULL;
        return;
    };
    if let Some(room) = room.get_mut(..value.len()) {
        *mark = value.len() as u8;
        room.copy_from_slice(value);
        return;
    }
    *mark = LONG;
    // Arrow has no longer values than 2^31 bytes.
    let place = (value.len() as u32).to_le_bytes().into_iter();
    let place = place.chain((heap.len() as u64).to_le_bytes());
    room.iter_mut().zip(place).for_each(|(to, byte)| *to = byte);
    heap.extend_from_slice(value);
}

/// The value in a slot; the heap is that of its row.
pub(super) fn get<'a>(slot: &'a [u8], heap: &'a [u8]) -> Option<&'a [u8]> {
    let (mark, room) = slot.split_first()?;
    match *mark {
        NULL => None,
        LONG => {
            let (length, place) = room.split_first_chunk()?;
            let place = u64::from_le_bytes(*place.first_chunk()?) as usize;
            heap.get(place..)?
                .get(..u32::from_le_bytes(*length) as usize)
        }
        length => room.get(..usize::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let long = [7; 300];
        let values: [Option<&[u8]>; 6] = [
            Some(b""),
            None,
            Some(b"a point of WKB is 21."),
            Some(b"one byte more than 21."),
            Some(&long),
            Some(b"a"),
        ];
        let mut heap = Vec::new();
        let mut slots = vec![[1; BINARY]; values.len()];
        for (slot, value) in slots.iter_mut().zip(values) {
            put(value, slot, &mut heap);
        }
        assert_eq!(heap.len(), 322);
        for (slot, value) in slots.iter().zip(values) {
            assert_eq!(get(slot, &heap), value);
        }
    }
}

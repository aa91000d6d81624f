//! Decoded values of a column that come again soon: after a join every row of a side stands in as
//! many rows as it has partners, mostly close together, and shares its bytes among them.

use super::decoded::Decoded;
use crate::Result;
use crate::geometry::GeometryArray;

/// Values kept, each in the one place that the address of its bytes gives it.
const SLOTS: usize = 512;

/// Values that are longer are decoded whenever they come: keeping many takes more memory than the
/// cache of a core has.
const MOST_BYTES: usize = 4096;

/// Decodes rows of a column, and remembers.
pub(super) struct Recent<'a> {
    array: &'a GeometryArray,
    /// Where the bytes of a value stand, which tells it from others, and what they say.
    slots: Vec<Option<((usize, usize), Decoded)>>,
    other: Option<Decoded>,
}

impl<'a> Recent<'a> {
    pub(super) fn new(array: &'a GeometryArray) -> Self {
        Self {
            array,
            slots: vec![],
            other: None,
        }
    }

    /// The value in a row, `None` for NULL.
    ///
    /// # Errors
    /// As [`GeometryArray::decoded`].
    pub(super) fn decoded(&mut self, row: usize) -> Result<Option<&Decoded>> {
        let Some(bytes) = self.array.wkb(row).filter(|b| b.len() <= MOST_BYTES) else {
            self.other = self.array.decoded(row)?;
            return Ok(self.other.as_ref());
        };
        let key = (bytes.as_ptr() as usize, bytes.len());
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        // Values stand one after the other: multiplying spreads whatever distance they have.
        let place = (key.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % SLOTS;
        let slot = &mut self.slots[place];
        if slot.as_ref().is_none_or(|(kept, _)| *kept != key) {
            *slot = self.array.decoded(row)?.map(|decoded| (key, decoded));
        }
        Ok(slot.as_ref().map(|(_, decoded)| decoded))
    }
}

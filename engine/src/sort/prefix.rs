//! The first eight bytes of what rows are sorted by, as a number.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalSortExpr;

/// First byte of a value of fixed width that is not NULL, in the row format of Arrow.
const VALID: u8 = 1;

/// Makes numbers of the values of the first sort column: of two rows with different numbers, the one with the lower
/// goes first. Rows with equal numbers may still differ.
pub(super) struct Prefixes {
    converter: RowConverter,
    /// Bytes of a value where all have as many.
    width: Option<usize>,
}

/// The numbers of a batch.
pub(super) struct Prefixed {
    pub numbers: Vec<u64>,
    /// Whether equal numbers are equal values.
    pub exact: bool,
}

impl Prefixes {
    /// For the first expression of a sort, of type `data_type`.
    pub(super) fn try_new(first: &PhysicalSortExpr, data_type: &DataType) -> Result<Self> {
        let field = SortField::new_with_options(data_type.clone(), first.options);
        Ok(Self {
            converter: RowConverter::new(vec![field])?,
            width: data_type.primitive_width(),
        })
    }

    /// The numbers of `values`.
    pub(super) fn of(&self, values: &ArrayRef) -> Result<Prefixed> {
        let rows = self
            .converter
            .convert_columns(std::slice::from_ref(values))?;
        // The byte that tells NULL from a value would push the last byte of a number out.
        let number = |row: &[u8]| match (self.width, row.split_first()) {
            (Some(_), Some((&VALID, value))) => leading(value),
            (Some(_), Some((0, _))) => 0,
            (Some(_), _) => u64::MAX,
            (None, _) => leading(row),
        };
        Ok(Prefixed {
            numbers: rows.iter().map(|row| number(row.data())).collect(),
            exact: self.width.is_some_and(|width| width <= size_of::<u64>())
                && values.logical_null_count() == 0,
        })
    }
}

/// The first eight bytes, with zeros for those that are missing.
fn leading(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; size_of::<u64>()];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

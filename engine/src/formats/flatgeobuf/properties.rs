//! The properties of a feature: the number of a column and its value, one after another.

use ::flatgeobuf::ColumnType;

use crate::formats::columns::Column;
use crate::formats::moment::Moment;

/// Takes values off their bytes.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self
            .0
            .split_at_checked(n)
            .ok_or("the properties are cut short")?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.take(N)?;
        bytes
            .try_into()
            .map_err(|_| "the properties are cut short".to_owned())
    }

    /// A text or bytes behind their length.
    fn long(&mut self) -> Result<&'a [u8], String> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        self.take(length)
    }
}

/// Appends the properties of a feature to the columns of a batch of `rows` rows so far. `kinds` are the types
/// of the file's columns, `targets` the batch's column for each.
///
/// # Errors
/// The column and what is wrong with its value.
pub(super) fn append(
    properties: &[u8],
    kinds: &[u8],
    targets: &[Option<usize>],
    columns: &mut [Column],
    rows: usize,
) -> Result<(), (Option<usize>, String)> {
    let mut bytes = Bytes(properties);
    while !bytes.0.is_empty() {
        let number = bytes
            .array()
            .map(u16::from_le_bytes)
            .map_err(|what| (None, what))?;
        let number = usize::from(number);
        let Some(kind) = kinds.get(number) else {
            return Err((None, format!("there is no column {number}")));
        };
        let target = targets.get(number).copied().flatten();
        // Of a column that comes twice the first counts.
        let column = target
            .and_then(|at| columns.get_mut(at))
            .filter(|c| c.len() == rows);
        value(&mut bytes, ColumnType(*kind), column).map_err(|what| (Some(number), what))?;
    }
    Ok(())
}

/// Takes a value, and appends it where there is a column for it.
fn value(
    bytes: &mut Bytes<'_>,
    kind: ColumnType,
    column: Option<&mut Column>,
) -> Result<(), String> {
    macro_rules! number {
        ($builder:ident, $type:ty) => {{
            let value = <$type>::from_le_bytes(bytes.array()?);
            if let Some(Column::$builder(builder)) = column {
                builder.append_value(value);
            }
        }};
    }
    match kind {
        ColumnType::Byte => number!(Int8, i8),
        ColumnType::UByte => number!(UInt8, u8),
        ColumnType::Short => number!(Int16, i16),
        ColumnType::UShort => number!(UInt16, u16),
        ColumnType::Int => number!(Int32, i32),
        ColumnType::UInt => number!(UInt32, u32),
        ColumnType::Long => number!(Int64, i64),
        ColumnType::ULong => number!(UInt64, u64),
        ColumnType::Float => number!(Float32, f32),
        ColumnType::Double => number!(Float64, f64),
        ColumnType::Bool => {
            let [value] = bytes.array()?;
            if let Some(Column::Boolean(builder)) = column {
                builder.append_value(value != 0);
            }
        }
        ColumnType::Binary => {
            let value = bytes.long()?;
            if let Some(Column::Bytes(builder)) = column {
                builder.append_value(value);
            }
        }
        _ => {
            let value = bytes.long()?;
            let Some(column) = column else { return Ok(()) };
            let text =
                std::str::from_utf8(value).map_err(|e| format!("the text is no UTF-8: {e}"))?;
            match column {
                Column::Text(builder) => builder.append_value(text),
                Column::Millis(builder) => match Moment::parse(text) {
                    Some(moment) => builder.append_value(moment.millis()),
                    None => return Err(format!("expected a time, found {text:?}")),
                },
                _ => return Err("the column has a type of no text".into()),
            }
        }
    }
    Ok(())
}

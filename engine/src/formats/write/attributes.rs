//! The columns beside the geometry, brought to the few types that formats have in common.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int64Array,
    LargeBinaryArray, LargeStringArray, RecordBatch, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};

use crate::geoparquet::covering_columns;
use crate::{Error, Result};

/// Decimals of so many digits are numbers of double precision, there and back.
const EXACT_DIGITS: u8 = 15;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    /// Whole numbers of so many bits, with a sign.
    Integer(u8),
    /// Numbers of single precision.
    Single,
    Double,
    Text,
    Bytes,
    Date,
    /// To the microsecond; in UTC, or of an unknown time zone.
    Timestamp {
        utc: bool,
    },
}

/// A column beside the geometry.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

/// The values of a column in one batch.
pub(super) enum Values {
    Boolean(BooleanArray),
    Integer(Int64Array),
    Double(Float64Array),
    Text(LargeStringArray),
    Bytes(LargeBinaryArray),
    Date(Date32Array),
    Timestamp(TimestampMicrosecondArray),
}

/// All columns but the geometries and their coverings, which a reader can compute again.
///
/// # Errors
/// [`Error::Statement`] for a column of a type that the format has not, and for two columns of one name.
pub(super) fn attributes(
    schema: &Schema,
    geometry: Option<usize>,
    format: &str,
) -> Result<Vec<Attribute>> {
    let coverings = covering_columns(schema)?;
    let mut all: Vec<Attribute> = vec![];
    for (index, field) in schema.fields().iter().enumerate() {
        if Some(index) == geometry || coverings.contains(&index) {
            continue;
        }
        let name = field.name().clone();
        if all
            .iter()
            .any(|other| other.name.eq_ignore_ascii_case(&name))
        {
            return Err(Error::Statement(format!(
                "{format} tells no two columns apart by case, and the rows have \"{name}\" twice: give one another name with AS"
            )));
        }
        all.push(Attribute {
            index,
            kind: kind(field.data_type()).map_err(|remedy| {
                Error::Statement(format!(
                    "{format} has no type for the column \"{name}\" ({}): {}",
                    field.data_type(),
                    remedy.replace("{}", &name)
                ))
            })?,
            name,
            nullable: field.is_nullable(),
        });
    }
    Ok(all)
}

/// What a type is written as; else the remedy, with `{}` for the name.
fn kind(ty: &DataType) -> Result<Kind, &'static str> {
    Ok(match ty {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => Kind::Integer(8),
        DataType::Int16 | DataType::UInt8 => Kind::Integer(16),
        DataType::Int32 | DataType::UInt16 => Kind::Integer(32),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Kind::Integer(64),
        DataType::Float16 | DataType::Float32 => Kind::Single,
        DataType::Float64 => Kind::Double,
        DataType::Decimal32(p, _)
        | DataType::Decimal64(p, _)
        | DataType::Decimal128(p, _)
        | DataType::Decimal256(p, _) => match *p <= EXACT_DIGITS {
            true => Kind::Double,
            false => return Err("write CAST(\"{}\" AS DOUBLE), or AS TEXT for all its digits"),
        },
        // A column of NULL alone.
        DataType::Null => Kind::Text,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Kind::Bytes,
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, zone) => Kind::Timestamp {
            utc: zone.is_some(),
        },
        DataType::Dictionary(_, values) => return kind(values),
        DataType::RunEndEncoded(_, values) => return kind(values.data_type()),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            return Err("write array_to_string(\"{}\", ','), or leave it out");
        }
        DataType::Struct(_) => {
            return Err("write its fields as columns, as \"{}\"['field'], or leave it out");
        }
        DataType::Map(..) | DataType::Union(..) => return Err("leave it out"),
        _ => return Err("write CAST(\"{}\" AS TEXT)"),
    })
}

impl Attribute {
    /// The values in a batch. `rows_before` counts those of earlier batches, for messages.
    pub(super) fn values(&self, batch: &RecordBatch) -> Result<Values> {
        let array = batch.column(self.index);
        let wrong = |e: String| Error::Data(format!("column \"{}\": {e}", self.name));
        let to = |ty: DataType| -> Result<ArrayRef> {
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            if *array.data_type() == ty {
                return Ok(Arc::clone(array));
            }
            cast_with_options(array, &ty, &strict).map_err(|e| wrong(e.to_string()))
        };
        Ok(match self.kind {
            Kind::Boolean => Values::Boolean(to(DataType::Boolean)?.as_boolean().clone()),
            Kind::Integer(_) => {
                Values::Integer(to(DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            Kind::Single | Kind::Double => {
                Values::Double(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            Kind::Text => Values::Text(to(DataType::LargeUtf8)?.as_string::<i64>().clone()),
            Kind::Bytes => Values::Bytes(to(DataType::LargeBinary)?.as_binary::<i64>().clone()),
            Kind::Date => Values::Date(to(DataType::Date32)?.as_primitive::<Date32Type>().clone()),
            Kind::Timestamp { .. } => {
                let zone = match array.data_type() {
                    DataType::Timestamp(_, zone) => zone.clone(),
                    _ => None,
                };
                let array = to(DataType::Timestamp(TimeUnit::Microsecond, zone))?;
                Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().clone())
            }
        })
    }
}

impl Values {
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Values::Boolean(a) => a.is_null(row),
            Values::Integer(a) => a.is_null(row),
            Values::Double(a) => a.is_null(row),
            Values::Text(a) => a.is_null(row),
            Values::Bytes(a) => a.is_null(row),
            Values::Date(a) => a.is_null(row),
            Values::Timestamp(a) => a.is_null(row),
        }
    }
}

/// A day as `2024-02-29`.
pub(super) fn date_text(days: i32, out: &mut String) -> Result<(), String> {
    let date = date32_to_datetime(days).ok_or_else(|| format!("day {days} has no date"))?;
    out.push_str(&date.format("%Y-%m-%d").to_string());
    Ok(())
}

/// A moment as `2024-02-29T12:30:00.123`, with more digits when there are more than milliseconds.
pub(super) fn time_text(micros: i64, out: &mut String) -> Result<(), String> {
    let time = timestamp_us_to_datetime(micros)
        .ok_or_else(|| format!("the timestamp {micros} has no date"))?;
    let format = match micros % 1000 {
        0 => "%Y-%m-%dT%H:%M:%S%.3f",
        _ => "%Y-%m-%dT%H:%M:%S%.6f",
    };
    out.push_str(&time.format(format).to_string());
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::UInt64Array;
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn types_without_a_place_name_the_remedy() {
        let list = DataType::new_list(DataType::Int32, true);
        let schema = Schema::new(vec![Field::new("tags", list, true)]);
        let error = attributes(&schema, None, "X").unwrap_err().to_string();
        assert!(
            error.contains("\"tags\"") && error.contains("array_to_string"),
            "{error}"
        );
        let decimal = |p| Schema::new(vec![Field::new("d", DataType::Decimal128(p, 2), true)]);
        assert!(attributes(&decimal(15), None, "X").is_ok());
        assert!(attributes(&decimal(16), None, "X").is_err());
    }

    #[test]
    fn names_differ_by_more_than_case() {
        let field = |name: &str| Field::new(name, DataType::Int32, true);
        let schema = Schema::new(vec![field("Name"), field("name")]);
        assert!(attributes(&schema, None, "X").is_err());
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let field = Field::new("n", DataType::UInt64, true);
        let schema = Arc::new(Schema::new(vec![field]));
        let column = attributes(&schema, None, "X").unwrap().remove(0);
        let batch = |n: u64| {
            let array: ArrayRef = Arc::new(UInt64Array::from(vec![n]));
            RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap()
        };
        assert!(column.values(&batch(7)).is_ok());
        assert!(column.values(&batch(u64::MAX)).is_err());
    }

    #[test]
    fn times() {
        let mut text = String::new();
        time_text(1_709_209_800_123_000, &mut text).unwrap();
        date_text(19782, &mut text).unwrap();
        time_text(-1, &mut text).unwrap();
        assert_eq!(
            text,
            "2024-02-29T12:30:00.1232024-02-291969-12-31T23:59:59.999999"
        );
        assert!(time_text(i64::MAX, &mut text).is_err());
    }
}

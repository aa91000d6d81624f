//! The columns of a GeoPackage's table as Arrow arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringArray,
    StringBuilder, TimestampMillisecondBuilder,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, TimeUnit};
use rusqlite::types::ValueRef;

use super::moment::plain_millis;

/// The Arrow type of a column by the type that the table declares.
///
/// <https://www.geopackage.org/spec/#table_column_data_types>; other types as SQLite understands them.
pub(super) fn data_type(declared: &str) -> DataType {
    let declared = declared.to_ascii_uppercase();
    let name = declared.split('(').next().unwrap_or_default().trim();
    match name {
        "BOOLEAN" => DataType::Boolean,
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "MEDIUMINT" => DataType::Int32,
        "INT" | "INTEGER" | "BIGINT" => DataType::Int64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" | "REAL" | "NUMERIC" | "DECIMAL" => DataType::Float64,
        "DATE" => DataType::Date32,
        "DATETIME" | "TIMESTAMP" => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        "BLOB" => DataType::Binary,
        other if other.contains("INT") => DataType::Int64,
        _ => DataType::Utf8,
    }
}

/// Gathers the values of one column.
pub(super) enum ColumnBuilder {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    /// The blobs of geometries, as WKB.
    Geometry(BinaryBuilder),
}

impl ColumnBuilder {
    pub(super) fn new(field: &Field, is_geometry: bool) -> Self {
        if is_geometry {
            return Self::Geometry(BinaryBuilder::new());
        }
        match field.data_type() {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                Self::Integer(Int64Builder::new())
            }
            DataType::Float32 | DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends a value; SQLite holds any value in any column.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn push(&mut self, value: ValueRef<'_>) -> Result<(), String> {
        match (self, value) {
            (Self::Boolean(b), ValueRef::Null) => b.append_null(),
            (Self::Boolean(b), ValueRef::Integer(v)) => b.append_value(v != 0),
            (Self::Integer(b), ValueRef::Null) => b.append_null(),
            (Self::Integer(b), ValueRef::Integer(v)) => b.append_value(v),
            (Self::Float(b), ValueRef::Null) => b.append_null(),
            (Self::Float(b), ValueRef::Real(v)) => b.append_value(v),
            (Self::Float(b), ValueRef::Integer(v)) => b.append_value(v as f64),
            (Self::Text(b), ValueRef::Null) => b.append_null(),
            (Self::Text(b), ValueRef::Text(v)) => match std::str::from_utf8(v) {
                Ok(text) => b.append_value(text),
                Err(e) => return Err(format!("the text is no UTF-8: {e}")),
            },
            (Self::Text(b), ValueRef::Integer(v)) => b.append_value(v.to_string()),
            (Self::Text(b), ValueRef::Real(v)) => b.append_value(v.to_string()),
            (Self::Bytes(b) | Self::Geometry(b), ValueRef::Null) => b.append_null(),
            (Self::Bytes(b), ValueRef::Blob(v) | ValueRef::Text(v)) => b.append_value(v),
            (Self::Geometry(b), ValueRef::Blob(v)) => b.append_value(wkb(v)?),
            (_, value) => return Err(format!("it is a value of the type {}", value.data_type())),
        }
        Ok(())
    }

    /// The array of a field.
    ///
    /// # Errors
    /// What is wrong, when a value does not fit the type.
    pub(super) fn finish(&mut self, field: &Field) -> Result<ArrayRef, String> {
        let array: ArrayRef = match self {
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::Integer(b) => Arc::new(b.finish()),
            Self::Float(b) => Arc::new(b.finish()),
            Self::Text(b) => {
                let texts = b.finish();
                match plain_times(&texts, field.data_type()) {
                    Some(times) => return Ok(times),
                    None => Arc::new(texts),
                }
            }
            Self::Bytes(b) | Self::Geometry(b) => Arc::new(b.finish()),
        };
        if array.data_type() == field.data_type() {
            return Ok(array);
        }
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        cast_with_options(&array, field.data_type(), &strict).map_err(|e| e.to_string())
    }
}

/// Times where all are written as the standard wants them, without the parser that knows
/// every way of writing. `None` for other types, and where one is not.
fn plain_times(texts: &StringArray, ty: &DataType) -> Option<ArrayRef> {
    let DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) = ty else {
        return None;
    };
    if zone.as_ref() != "UTC" {
        return None;
    }
    let mut times = TimestampMillisecondBuilder::with_capacity(texts.len());
    for text in texts {
        match text {
            Some(text) => times.append_value(plain_millis(text)?),
            None => times.append_null(),
        }
    }
    Some(Arc::new(times.finish().with_timezone("UTC")))
}

/// The WKB within the blob of a geometry.
///
/// <https://www.geopackage.org/spec/#gpb_format>: `GP`, version, flags, SRS, an envelope of a length that
/// the flags tell.
pub(super) fn wkb(blob: &[u8]) -> Result<&[u8], String> {
    let [b'G', b'P', _, flags, ..] = blob else {
        return Err("the blob is no GeoPackage geometry: it does not begin with GP".to_owned());
    };
    if flags & 0x20 != 0 {
        return Err("the geometry is of an extended type, which is not supported".to_owned());
    }
    let envelope = match flags >> 1 & 7 {
        0 => 0,
        1 => 32,
        2 | 3 => 48,
        4 => 64,
        other => {
            return Err(format!(
                "the blob has an envelope of the unknown kind {other}"
            ));
        }
    };
    blob.get(8 + envelope..)
        .filter(|wkb| !wkb.is_empty())
        .ok_or_else(|| "the blob is cut short".to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn types_by_their_names() {
        assert_eq!(data_type("TEXT(80)"), DataType::Utf8);
        assert_eq!(data_type("mediumint"), DataType::Int32);
        assert_eq!(data_type("UNSIGNED BIG INT"), DataType::Int64);
        assert_eq!(data_type("DATE"), DataType::Date32);
        assert_eq!(data_type(""), DataType::Utf8);
    }

    #[test]
    fn blobs_with_and_without_envelopes() {
        let blob = |flags: u8, envelope: usize| {
            let mut blob = vec![b'G', b'P', 0, flags, 0, 0, 0, 0];
            blob.extend(vec![0; envelope]);
            blob.extend([1, 1, 0, 0, 0]);
            blob
        };
        for (flags, envelope) in [(1, 0), (3, 32), (5, 48), (7, 48), (9, 64)] {
            assert_eq!(wkb(&blob(flags, envelope)).unwrap(), [1, 1, 0, 0, 0]);
        }
        assert!(wkb(&blob(0x21, 0)).is_err() && wkb(&blob(0x0b, 0)).is_err());
        assert!(wkb(b"GP\0").is_err() && wkb(&[1, 1, 0, 0, 0]).is_err());
        assert!(wkb(&blob(3, 4)).is_err(), "cut short");
    }

    #[test]
    fn dates_and_wrong_values() {
        let field = Field::new("d", DataType::Date32, true);
        let mut column = ColumnBuilder::new(&field, false);
        column.push(ValueRef::Text(b"2024-02-29")).unwrap();
        column.push(ValueRef::Null).unwrap();
        assert_eq!(column.finish(&field).unwrap().null_count(), 1);
        column.push(ValueRef::Text(b"yesterday")).unwrap();
        assert!(column.finish(&field).is_err());
        let field = Field::new("n", DataType::Int64, true);
        let mut column = ColumnBuilder::new(&field, false);
        assert!(column.push(ValueRef::Text(b"many")).is_err());
    }
}

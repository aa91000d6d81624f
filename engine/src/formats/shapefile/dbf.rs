//! The table of a Shapefile: a dBASE file.
//!
//! ```text
//! | version | day | records u32 | header u16 | record u16 | ... driver ... |   32 bytes
//! | name 11 | type | ... | width | decimals | ... |                           32 bytes for each field, then 0x0d
//! | mark | text of each field, of its width |                                 each record
//! ```

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type, Field};

use super::encoding::TextEncoding;
use crate::formats::columns::{Column, unique_name};
use crate::formats::files::{cannot_open, cannot_read};
use crate::{Error, Result};

/// Bytes of a record that stand for a deleted one.
const DELETED: u8 = b'*';

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The Julian day of 1970-01-01.
const EPOCH: i64 = 2_440_588;

#[derive(Debug, Clone)]
struct DbfField {
    kind: u8,
    /// Where its text begins in a record.
    at: usize,
    width: usize,
    field: Field,
}

/// What a `.dbf` says of itself.
#[derive(Debug, Clone)]
pub(super) struct Dbf {
    path: PathBuf,
    pub(super) records: u64,
    header: u64,
    record: usize,
    fields: Vec<DbfField>,
    encoding: TextEncoding,
}

impl Dbf {
    /// Reads the header. `encoding` is what is known from elsewhere.
    pub(super) fn open(path: &Path, encoding: Option<TextEncoding>) -> Result<Self> {
        let file = File::open(path).map_err(|e| cannot_open(path, &e))?;
        let length = file.metadata().map_err(|e| cannot_read(path, &e))?.len();
        let broken = |what: &str| Error::Data(format!("{}: {what}", path.display()));
        let mut start = vec![];
        // A header has at most 64 KiB, as its length is a u16.
        file.take(1 << 16)
            .read_to_end(&mut start)
            .map_err(|e| cannot_read(path, &e))?;
        let head = start
            .get(..32)
            .ok_or_else(|| broken("this is no dBASE file: it is too short"))?;
        let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        if head[0] & 7 == 4 {
            return Err(broken(
                "dBASE 7 is not supported: save it as dBASE III or IV",
            ));
        }
        let header = usize::from(short(8));
        let record = usize::from(short(10));
        let descriptions = start
            .get(32..header)
            .ok_or_else(|| broken("the header is cut short: this is perhaps no dBASE file"))?;
        let encoding = encoding.unwrap_or_else(|| TextEncoding::of_driver(head[29]));
        let mut fields: Vec<DbfField> = vec![];
        let mut at = 1;
        for description in descriptions.chunks_exact(32) {
            if description[0] == 0x0d {
                break;
            }
            let name = description[..11]
                .split(|b| *b == 0)
                .next()
                .unwrap_or_default();
            let name = encoding.decode(name).map_err(|what| broken(&what))?;
            let name = unique_name(name.trim(), |n| fields.iter().any(|f| f.field.name() == n));
            let (kind, width) = (
                description[11].to_ascii_uppercase(),
                usize::from(description[16]),
            );
            let data_type = data_type(kind, width, description[17]);
            fields.push(DbfField {
                kind,
                at,
                width,
                field: Field::new(name, data_type, true),
            });
            at += width;
        }
        if at > record {
            return Err(broken(&format!(
                "the fields have {at} bytes, records {record}: this is perhaps no dBASE file"
            )));
        }
        let records = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let there = length.saturating_sub(header as u64) / record.max(1) as u64;
        if there < records {
            return Err(broken(&format!(
                "the file ends too early: {records} records are announced, {there} are there. It was perhaps not copied to its end"
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            records,
            header: header as u64,
            record,
            fields,
            encoding,
        })
    }

    /// The columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().map(|field| &field.field)
    }

    /// Begins with the first record.
    pub(super) fn records(&self) -> Result<Records<'_>> {
        let mut file = File::open(&self.path).map_err(|e| cannot_open(&self.path, &e))?;
        file.seek(SeekFrom::Start(self.header))
            .map_err(|e| cannot_read(&self.path, &e))?;
        Ok(Records {
            dbf: self,
            reader: BufReader::with_capacity(1 << 17, file),
            record: vec![0; self.record],
            number: 0,
        })
    }
}

/// The type of a column.
fn data_type(kind: u8, width: usize, decimals: u8) -> DataType {
    match kind {
        b'N' if decimals == 0 && width < 10 => DataType::Int32,
        b'N' if decimals == 0 && width < 19 => DataType::Int64,
        b'N' | b'F' | b'O' => DataType::Float64,
        b'B' if width == 8 => DataType::Float64,
        b'I' | b'+' => DataType::Int32,
        b'L' => DataType::Boolean,
        b'D' => DataType::Date32,
        b'T' | b'@' => DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None),
        _ => DataType::Utf8,
    }
}

/// One record after another.
pub(super) struct Records<'a> {
    dbf: &'a Dbf,
    reader: BufReader<File>,
    record: Vec<u8>,
    /// Of the record that has been read, from one.
    number: u64,
}

impl Records<'_> {
    /// Reads the next record; `false` where it is a deleted one.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let path = &self.dbf.path;
        self.reader
            .read_exact(&mut self.record)
            .map_err(|e| cannot_read(path, &e))?;
        self.number += 1;
        Ok(self.record.first() != Some(&DELETED))
    }

    /// Moves past the next record.
    pub(super) fn skip(&mut self) -> Result<()> {
        let length = i64::try_from(self.record.len()).unwrap_or(i64::MAX);
        self.number += 1;
        self.reader
            .seek_relative(length)
            .map_err(|e| cannot_read(&self.dbf.path, &e))
    }

    /// Appends a field of the record.
    pub(super) fn append(&self, field: usize, column: &mut Column) -> Result<()> {
        let Some(field) = self.dbf.fields.get(field) else {
            return Err(Error::Internal(format!("no field {field} in a .dbf")));
        };
        let bytes = self
            .record
            .get(field.at..field.at + field.width)
            .unwrap_or_default();
        append(field.kind, bytes, &self.dbf.encoding, column).map_err(|what| {
            Error::Data(format!(
                "{}, record {}, column \"{}\": {what}",
                self.dbf.path.display(),
                self.number,
                field.field.name()
            ))
        })
    }
}

fn append(
    kind: u8,
    bytes: &[u8],
    encoding: &TextEncoding,
    column: &mut Column,
) -> std::result::Result<(), String> {
    let text = bytes.trim_ascii();
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    let fixed = |n: usize| bytes.get(..n);
    match column {
        // Nothing, or stars for what did not fit.
        _ if matches!(kind, b'N' | b'F' | b'D' | b'L') && (text.is_empty() || text[0] == b'*') => {
            column.append_null();
        }
        Column::Text(_) if matches!(kind, b'M' | b'G' | b'P' | b'B') => {
            return Err(
                "memos, which are in a file of their own, are not supported: leave the column out"
                    .into(),
            );
        }
        Column::Text(builder) => {
            // Spaces before a text are its own.
            let text = bytes
                .split(|b| *b == 0)
                .next()
                .unwrap_or_default()
                .trim_ascii_end();
            match text.is_empty() {
                true => builder.append_null(),
                false => builder.append_value(encoding.decode(text)?),
            }
        }
        Column::Boolean(builder) => match text.first() {
            Some(b'T' | b't' | b'Y' | b'y' | b'1') => builder.append_value(true),
            Some(b'F' | b'f' | b'N' | b'n' | b'0') => builder.append_value(false),
            _ => builder.append_null(),
        },
        Column::Int32(builder) if matches!(kind, b'I' | b'+') => {
            let bytes = fixed(4).and_then(|b| b.try_into().ok());
            builder.append_option(bytes.map(i32::from_le_bytes));
        }
        Column::Int32(builder) => match integer(text)?.try_into() {
            Ok(value) => builder.append_value(value),
            Err(_) => return Err(wrong("a number of 32 bits", text)),
        },
        Column::Int64(builder) => builder.append_value(integer(text)?),
        Column::Float64(builder) if matches!(kind, b'O' | b'B') => {
            let bytes = fixed(8).and_then(|b| b.try_into().ok());
            builder.append_option(bytes.map(f64::from_le_bytes));
        }
        Column::Float64(builder) => builder.append_value(number(text)?),
        // Of a day that is not known, zeros.
        Column::Date(builder) if text.iter().all(|b| *b == b'0') => builder.append_null(),
        Column::Date(builder) => {
            let day = std::str::from_utf8(text)
                .ok()
                .filter(|t| t.len() == 8 && t.is_ascii());
            let day = day.map(|t| format!("{}-{}-{}", &t[..4], &t[4..6], &t[6..]));
            match day.and_then(|day| Date32Type::parse(&day)) {
                Some(day) => builder.append_value(day),
                None => return Err(wrong("a date as YYYYMMDD", text)),
            }
        }
        Column::Millis(builder) => {
            let half = |at: usize| {
                let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
                Some(i64::from(i32::from_le_bytes(bytes)))
            };
            match (half(0), half(4)) {
                (Some(0), _) | (None, _) | (_, None) => builder.append_null(),
                (Some(day), Some(time)) => builder.append_value((day - EPOCH) * DAY + time),
            }
        }
        _ => return Err("the column has a type that no .dbf has".into()),
    }
    Ok(())
}

fn number(text: &[u8]) -> std::result::Result<f64, String> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| {
        // Some write a comma.
        text.parse()
            .or_else(|_| text.replace(',', ".").parse())
            .ok()
    });
    parsed.ok_or_else(|| wrong("a number", text))
}

fn integer(text: &[u8]) -> std::result::Result<i64, String> {
    match std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        Some(value) => Ok(value),
        // Written with a point in a column that has none, as some do.
        None => match number(text)? {
            value if value.fract() == 0.0 && value.abs() < 9e15 => Ok(value as i64),
            _ => Err(wrong("an integer", text)),
        },
    }
}

fn wrong(wanted: &str, found: &[u8]) -> String {
    let found = String::from_utf8_lossy(found);
    format!("expected {wanted}, found \"{}\"", found.escape_debug())
}

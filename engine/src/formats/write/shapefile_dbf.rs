//! The table of a Shapefile, dBASE III.
//!
//! Its columns have widths, which are known once all rows are: until then the rows wait in an Arrow
//! file beside.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;

use super::attributes::{Attribute, Kind, Values, attributes, date_text};
use super::format::arrow_failed;
use super::staged::cannot_write;
use crate::{Error, Result};

/// Longest name of a column, in bytes.
const NAME: usize = 10;

/// Columns whose descriptions fit into a header, whose length has two bytes.
const COLUMNS: usize = (u16::MAX as usize - 33) / 32;

/// Longest text, in bytes.
const TEXT: usize = 254;

/// Most digits of a whole number, its sign included: longer ones are read as floating-point numbers.
const DIGITS: usize = 18;

/// Width of a number: enough for any of double precision, written as short as it can be.
const NUMBER: usize = 24;

/// Gathers the rows of the table.
pub(super) struct Dbf {
    path: PathBuf,
    spool_path: PathBuf,
    spool: FileWriter<BufWriter<File>>,
    attributes: Vec<Attribute>,
    widths: Vec<usize>,
    rows: u64,
}

impl Dbf {
    pub(super) fn create(path: &Path, schema: &Schema, geometry: usize) -> Result<Self> {
        let mut attributes = attributes(schema, Some(geometry), "Shapefile")?;
        let long: Vec<String> = attributes
            .iter()
            .filter(|attribute| attribute.name.len() > NAME)
            .map(|attribute| format!("\"{}\"", attribute.name))
            .collect();
        if !long.is_empty() {
            return Err(Error::Statement(format!(
                "names of columns of a Shapefile have at most {NAME} bytes, and {} {} longer: give {} with AS",
                long.join(", "),
                if long.len() == 1 { "is" } else { "are" },
                if long.len() == 1 {
                    "it another"
                } else {
                    "them others"
                },
            )));
        }
        if attributes.len() > COLUMNS {
            return Err(Error::Statement(format!(
                "a Shapefile has at most {COLUMNS} columns, and these are {}: write a GeoPackage or GeoParquet",
                attributes.len()
            )));
        }
        for attribute in &attributes {
            let remedy = match attribute.kind {
                Kind::Timestamp { .. } => {
                    format!(
                        "timestamps: write CAST(\"{0}\" AS TEXT), or CAST(\"{0}\" AS DATE)",
                        attribute.name
                    )
                }
                Kind::Bytes => format!("bytes: write encode(\"{}\", 'hex')", attribute.name),
                _ => continue,
            };
            return Err(Error::Statement(format!(
                "column \"{}\": a Shapefile has no {remedy}",
                attribute.name
            )));
        }
        let columns: Vec<usize> = attributes.iter().map(|a| a.index).collect();
        let schema = schema.project(&columns).map_err(|e| arrow_failed(&e))?;
        let spool_path = path.with_extension("rows");
        let spool = File::create(&spool_path).map_err(|e| cannot_write(path, &e))?;
        let spool = FileWriter::try_new(BufWriter::new(spool), &schema);
        // In the file beside they stand one after another.
        for (i, attribute) in attributes.iter_mut().enumerate() {
            attribute.index = i;
        }
        Ok(Self {
            path: path.to_owned(),
            spool_path,
            spool: spool.map_err(|e| arrow_failed(&e))?,
            widths: attributes.iter().map(|a| least(a.kind)).collect(),
            attributes,
            rows: 0,
        })
    }

    /// Takes rows; `columns` are those of the batch beside its geometry.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let columns: Vec<usize> = (0..schema.fields().len())
            .filter(|i| {
                let name = schema.field(*i).name();
                self.attributes.iter().any(|a| a.name == *name)
            })
            .collect();
        let batch = batch.project(&columns).map_err(|e| arrow_failed(&e))?;
        let mut text = String::new();
        for (attribute, width) in self.attributes.iter().zip(&mut self.widths) {
            let values = attribute.values(&batch)?;
            for row in 0..batch.num_rows() {
                value_text(&values, row, &mut text)
                    .and_then(|()| fits(attribute.kind, text.len()))
                    .map_err(|e| {
                        Error::Data(format!(
                            "column \"{}\", row {} of the result: {e}",
                            attribute.name,
                            self.rows + row as u64 + 1
                        ))
                    })?;
                *width = (*width).max(text.len());
            }
        }
        self.rows += batch.num_rows() as u64;
        self.spool.write(&batch).map_err(|e| arrow_failed(&e))
    }

    /// Writes the table.
    pub(super) fn finish(mut self) -> Result<()> {
        self.spool.finish().map_err(|e| arrow_failed(&e))?;
        let failed = |e: std::io::Error| cannot_write(&self.path, &e);
        let record = 1 + self.widths.iter().sum::<usize>().max(NAME);
        let size = record as u64 * self.rows;
        let (Ok(length), Ok(rows), true) = (
            u16::try_from(record),
            u32::try_from(self.rows),
            size < super::shapefile::LIMIT,
        ) else {
            return Err(Error::Data(format!(
                "{} would have {} rows of {record} bytes: a Shapefile's table ends at 2 GB, its rows at 65,535 bytes. \
                 Write a GeoPackage or GeoParquet",
                self.path.display(),
                self.rows
            )));
        };
        let mut out = BufWriter::new(File::create(&self.path).map_err(failed)?);
        out.write_all(&self.header(length, rows)).map_err(failed)?;
        let spool = File::open(&self.spool_path).map_err(failed)?;
        let spool = FileReader::try_new_buffered(spool, None).map_err(|e| arrow_failed(&e))?;
        let (mut text, mut number) = (String::new(), 0);
        for batch in spool {
            let batch = batch.map_err(|e| arrow_failed(&e))?;
            let columns = self
                .attributes
                .iter()
                .map(|attribute| attribute.values(&batch))
                .collect::<Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                number += 1;
                write!(out, " ").map_err(failed)?;
                for ((attribute, values), width) in
                    self.attributes.iter().zip(&columns).zip(&self.widths)
                {
                    value_text(values, row, &mut text).map_err(Error::Internal)?;
                    // Padding counts characters, and widths are bytes.
                    let pad = " ".repeat(width.saturating_sub(text.len()));
                    match attribute.kind {
                        Kind::Text | Kind::Date | Kind::Boolean => write!(out, "{text}{pad}"),
                        _ => write!(out, "{pad}{text}"),
                    }
                    .map_err(failed)?;
                }
                if self.attributes.is_empty() {
                    write!(out, "{number:>NAME$}").map_err(failed)?;
                }
            }
        }
        out.write_all(&[0x1a])
            .and_then(|()| out.flush())
            .map_err(failed)?;
        std::fs::remove_file(&self.spool_path).map_err(failed)
    }

    fn header(&self, record: u16, rows: u32) -> Vec<u8> {
        // A table has a column at least.
        let fields: Vec<(&str, u8, usize, u8)> = match self.attributes.is_empty() {
            true => vec![("FID", b'N', NAME, 0)],
            false => self
                .attributes
                .iter()
                .zip(&self.widths)
                .map(|(a, width)| (a.name.as_str(), code(a.kind), *width, decimals(a.kind)))
                .collect(),
        };
        let length = u16::try_from(33 + 32 * fields.len()).unwrap_or(u16::MAX);
        // 26 July 1995: the day is of no use, and files of the same rows are the same.
        let mut header = vec![3, 95, 7, 26];
        header.extend(rows.to_le_bytes());
        header.extend(length.to_le_bytes());
        header.extend(record.to_le_bytes());
        header.resize(32, 0);
        for (name, code, width, decimals) in fields {
            let start = header.len();
            header.extend(name.as_bytes());
            header.resize(start + 11, 0);
            header.push(code);
            header.resize(start + 16, 0);
            header.push(u8::try_from(width).unwrap_or(u8::MAX));
            header.push(decimals);
            header.resize(start + 32, 0);
        }
        header.push(b'\r');
        header
    }
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Boolean => b'L',
        Kind::Text => b'C',
        Kind::Date => b'D',
        _ => b'N',
    }
}

fn decimals(kind: Kind) -> u8 {
    match kind {
        Kind::Single | Kind::Double => 15,
        _ => 0,
    }
}

/// The least width, by which readers tell types apart: whole numbers of ten digits or more have 64 bits.
fn least(kind: Kind) -> usize {
    match kind {
        Kind::Boolean | Kind::Text => 1,
        Kind::Integer(64) => NAME,
        Kind::Integer(_) => 9,
        Kind::Date => 8,
        _ => NUMBER,
    }
}

fn fits(kind: Kind, length: usize) -> Result<(), String> {
    match kind {
        Kind::Text if length > TEXT => Err(format!(
            "the text has {length} bytes, a Shapefile holds {TEXT}: shorten it with left(..., {}), or write a GeoPackage",
            TEXT / 2
        )),
        Kind::Integer(_) if length > DIGITS => Err(format!(
            "the number has {length} digits, a Shapefile holds {DIGITS}: write CAST(... AS TEXT)"
        )),
        _ => Ok(()),
    }
}

/// The text of a value; none for NULL.
fn value_text(values: &Values, row: usize, text: &mut String) -> Result<(), String> {
    text.clear();
    if values.is_null(row) {
        if matches!(values, Values::Boolean(_)) {
            text.push('?');
        }
        return Ok(());
    }
    match values {
        Values::Boolean(a) => text.push(if a.value(row) { 'T' } else { 'F' }),
        Values::Integer(a) => text.push_str(&a.value(row).to_string()),
        Values::Double(a) => {
            let value = a.value(row);
            if !value.is_finite() {
                return Err(format!("{value} is no number that a Shapefile holds"));
            }
            text.push_str(&value.to_string());
            if text.len() > NUMBER {
                *text = format!("{value:e}");
            }
        }
        Values::Text(a) => text.push_str(a.value(row)),
        Values::Date(a) => {
            date_text(a.value(row), text)?;
            text.retain(|c| c != '-');
            if text.len() != 8 {
                return Err("a Shapefile holds dates of the years 0 to 9999".to_owned());
            }
        }
        Values::Bytes(_) | Values::Timestamp(_) => {
            return Err("a Shapefile has no such type".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{Float64Array, LargeStringArray};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn numbers_are_as_short_as_exact() {
        let mut text = String::new();
        let values = [0.1, -1.5e-300, f64::MAX, 1.0 / 3.0, 5e-324, 123_456_789.0];
        let array = Values::Double(Float64Array::from(values.to_vec()));
        for (row, value) in values.iter().enumerate() {
            assert_eq!(value_text(&array, row, &mut text), Ok(()));
            assert!(text.len() <= NUMBER, "{text}");
            assert_eq!(text.parse(), Ok(*value));
        }
        let odd = Values::Double(Float64Array::from(vec![f64::NAN]));
        assert!(value_text(&odd, 0, &mut text).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut text = String::new();
        let array = Values::Text(LargeStringArray::from(vec![
            "ä".repeat(127),
            "ä".repeat(128),
        ]));
        assert_eq!(value_text(&array, 0, &mut text), Ok(()));
        assert!(fits(Kind::Text, text.len()).is_ok());
        assert_eq!(value_text(&array, 1, &mut text), Ok(()));
        assert!(fits(Kind::Text, text.len()).is_err());
        assert!(fits(Kind::Integer(64), 19).is_err());
    }

    #[test]
    fn more_columns_than_a_header_holds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let create = |columns: usize| {
            let fields = (0..columns).map(|i| Field::new(format!("c{i}"), DataType::Int32, true));
            let geometry = Field::new("geometry", DataType::Binary, true);
            let schema = Schema::new(fields.chain([geometry]).collect::<Vec<_>>());
            Dbf::create(&folder.path().join("a.dbf"), &schema, columns).map(|dbf| dbf.rows)
        };
        assert_eq!(create(COLUMNS).unwrap(), 0);
        let refused = create(COLUMNS + 1).unwrap_err().to_string();
        assert!(refused.contains("at most 2046 columns"), "{refused}");
    }
}

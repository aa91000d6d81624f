//! The geometry columns of rows to be written, and their values as WKB.

use std::fmt;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::Schema;

use crate::geometry::wkb::{WkbCursor, WkbError};
use crate::geometry::{GeometryArray, GeometryType, RingOrder, wkb_to_geojson};
use crate::geoparquet::geometry_columns;
use crate::{Error, Result};

/// A geometry column of rows to be written.
#[derive(Debug, Clone)]
pub struct GeometryColumn {
    /// Its position.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its layout and CRS.
    pub ty: GeometryType,
    /// Rows of earlier batches, so that messages count from the start of the result.
    rows_before: usize,
}

/// The geometry columns of a result, in order.
///
/// # Errors
/// [`Error::Data`] for broken extension metadata.
pub fn find_geometries(schema: &Schema) -> Result<Vec<GeometryColumn>> {
    let mut columns = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        if let Some(ty) = GeometryType::from_field(field)? {
            columns.push(GeometryColumn {
                index,
                name: field.name().clone(),
                ty,
                rows_before: 0,
            });
        }
    }
    Ok(columns)
}

/// The geometry of a format that holds one a row; `None` when there is none.
///
/// # Errors
/// [`Error::Statement`] when there are several.
pub(super) fn only_geometry(schema: &Schema, format: &str) -> Result<Option<GeometryColumn>> {
    let columns = find_geometries(schema)?;
    let primary = geometry_columns(schema)?.first().copied();
    if let Some(other) = columns.iter().find(|column| Some(column.index) != primary) {
        return Err(Error::Statement(format!(
            "{format} holds one geometry a row, but the rows have {}: leave \"{other}\" out, or write it as text with ST_AsText({other})",
            columns.len(),
            other = other.name
        )));
    }
    Ok(columns.into_iter().next())
}

/// Refuses coordinates that are not longitude and latitude. An unknown CRS is taken at the user's word.
///
/// # Errors
/// [`Error::Crs`] with the transformation that would mend it.
pub fn not_lon_lat(column: &GeometryColumn, format: &str) -> Result<()> {
    match &column.ty.crs {
        Some(crs) if !crs.is_lon_lat() => Err(Error::Crs(format!(
            "{format} holds longitude and latitude (OGC:CRS84), but the column \"{}\" is in {}: \
             select ST_Transform({}, 'OGC:CRS84') instead",
            column.name,
            crs.name(),
            quoted(&column.name)
        ))),
        _ => Ok(()),
    }
}

/// A column name as SQL needs it.
fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match plain {
        true => name.to_string(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

impl GeometryColumn {
    /// The values of this column as GeoJSON, their rings turned as RFC 7946 asks; it has no place for M.
    ///
    /// # Errors
    /// [`Error::Data`] that names the row of a value that has M, or is malformed.
    pub(super) fn geojson(&mut self, array: &ArrayRef) -> Result<StringArray> {
        let name = quoted(&self.name);
        self.texts(array, |wkb, out| {
            if matches!(WkbCursor::new(wkb).header(), Ok(header) if header.has_m) {
                return Err(format!(
                    "it has M, which GeoJSON cannot hold. ST_Force2D({name}) or ST_Force3D({name}) leaves it out"
                ));
            }
            wkb_to_geojson(wkb, RingOrder::RightHand, out).map_err(|e| e.to_string())
        })
    }

    /// The values of this column as text, one by one from their WKB.
    ///
    /// # Errors
    /// [`Error::Data`] that names the row of a value that is malformed.
    pub fn texts<E: fmt::Display>(
        &mut self,
        array: &ArrayRef,
        mut write: impl FnMut(&[u8], &mut String) -> Result<(), E>,
    ) -> Result<StringArray> {
        let values = GeometryArray::try_new(array, &self.ty)
            .and_then(|values| values.to_wkb())
            .map_err(|e| e.in_column(&self.name))?;
        let mut text = StringBuilder::with_capacity(values.len(), values.len() * 32);
        let mut buffer = String::new();
        for row in 0..values.len() {
            match values.wkb(row) {
                None => text.append_null(),
                Some(wkb) => {
                    buffer.clear();
                    write(wkb, &mut buffer).map_err(|e| self.invalid(row, &e.to_string()))?;
                    text.append_value(&buffer);
                }
            }
        }
        self.rows_before += values.len();
        Ok(text.finish())
    }

    /// The values of this column in a batch as WKB.
    pub(super) fn wkb(&self, batch: &RecordBatch) -> Result<GeometryArray> {
        GeometryArray::try_new(batch.column(self.index), &self.ty)
            .and_then(|values| values.to_wkb())
            .map_err(|e| e.in_column(&self.name))
    }

    /// Says that `rows` rows are done.
    pub(super) fn passed(&mut self, rows: usize) {
        self.rows_before += rows;
    }

    /// Rows that are done, `row` of the current batch included, counted from one.
    pub(super) fn row_number(&self, row: usize) -> usize {
        self.rows_before + row + 1
    }

    /// The error for a bad value in row `row` of the current batch.
    pub(super) fn invalid(&self, row: usize, reason: &str) -> Error {
        Error::Data(format!(
            "invalid geometry in column \"{}\", row {} of the result: {reason}",
            self.name,
            self.row_number(row)
        ))
    }
}

/// WKB as well-known text, with Z and M.
///
/// # Errors
/// Malformed WKB.
pub fn wkb_text(wkb: &[u8], out: &mut String) -> Result<(), WkbError> {
    crate::geometry::wkb_to_wkt(wkb, out)
}

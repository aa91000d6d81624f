//! Which columns are geometries, and their values as WKB.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};
use arrow::datatypes::Schema;
use geoarrow_array::GeoArrowArray;
use geoarrow_array::array::from_arrow_array;
use geoarrow_array::cast::to_wkb;
use geoflow_engine::geometry::{Encoding, GeometryArray, GeometryType};

use crate::error::{Failure, Result, from_engine};

/// A geometry column of a result.
#[derive(Debug, Clone)]
pub(crate) struct GeometryColumn {
    pub(crate) index: usize,
    pub(crate) name: String,
    pub(crate) ty: GeometryType,
    /// Rows of earlier batches, so that messages count from the start of the result.
    rows_before: usize,
}

/// The geometry columns of a result, in order.
pub(crate) fn find(schema: &Schema) -> Result<Vec<GeometryColumn>> {
    let mut columns = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        if let Some(ty) = GeometryType::from_field(field).map_err(|e| from_engine(&e))? {
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

/// Refuses coordinates that GeoJSON cannot hold. An unknown CRS is taken at the user's word.
pub(crate) fn not_lon_lat(column: &GeometryColumn, format: &str) -> Result<()> {
    match &column.ty.crs {
        Some(crs) if !crs.is_lon_lat() => Err(Failure::user(format!(
            "{format} holds longitude and latitude (OGC:CRS84), but the column \"{}\" is in {}",
            column.name,
            crs.name()
        ))
        .with_hint(format!(
            "select ST_Transform({}, 'OGC:CRS84') instead",
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
    /// The values of this column as text, one by one from their WKB.
    pub(crate) fn texts(
        &mut self,
        array: &ArrayRef,
        mut write: impl FnMut(&[u8], &mut String) -> Result<(), String>,
    ) -> Result<StringArray> {
        let values = self.values(array)?;
        let mut text = StringBuilder::with_capacity(values.len(), values.len() * 32);
        let mut buffer = String::new();
        for row in 0..values.len() {
            match values.wkb(row) {
                None => text.append_null(),
                Some(wkb) => {
                    buffer.clear();
                    write(wkb, &mut buffer).map_err(|reason| self.invalid(row, &reason))?;
                    text.append_value(&buffer);
                }
            }
        }
        self.rows_before += values.len();
        Ok(text.finish())
    }

    /// A view on the values as WKB; native layouts are converted.
    fn values(&self, array: &ArrayRef) -> Result<GeometryArray> {
        let wkb = match &self.ty.encoding {
            Encoding::Wkb => Arc::clone(array),
            Encoding::Native(native) => {
                let broken = |error: geoarrow_schema::error::GeoArrowError| {
                    Failure::user(format!("column \"{}\": {error}", self.name))
                };
                let native = from_arrow_array(array, &native.to_field("", true)).map_err(broken)?;
                to_wkb::<i32>(native.as_ref())
                    .map_err(broken)?
                    .to_array_ref()
            }
        };
        GeometryArray::try_new(&wkb, &GeometryType::wkb(None)).map_err(|e| from_engine(&e))
    }

    /// The failure for a bad value.
    fn invalid(&self, row: usize, reason: &str) -> Box<Failure> {
        Failure::user(format!(
            "invalid geometry in column \"{}\", row {} of the result: {reason}",
            self.name,
            self.rows_before + row + 1
        ))
    }
}

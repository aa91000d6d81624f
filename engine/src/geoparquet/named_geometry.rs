//! Geometry columns that a user names, in files whose metadata do not: plain columns of WKB.

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use crate::crs::Crs;
use crate::geometry::GeometryType;
use crate::{Error, Result};

/// A column of WKB and the CRS of its coordinates, if that is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamedGeometry {
    name: String,
    crs: Option<Crs>,
}

impl NamedGeometry {
    /// Reads `pickup:EPSG:4326, dropoff`: columns, each with an authority and code after a colon or
    /// without.
    ///
    /// # Errors
    /// [`Error::Crs`] for a CRS that is none, [`Error::Statement`] for a column without name.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>> {
        text.split(',').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self> {
        let (name, crs) = match text.split_once(':') {
            Some((name, crs)) => (name, Some(Crs::from_authority_code(crs)?)),
            None => (text, None),
        };
        let name = name.trim();
        if name.is_empty() {
            return Err(Error::Statement(format!(
                "the option 'geometry' names no column in '{text}': write 'column' or 'column:EPSG:4326'"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            crs,
        })
    }
}

/// Labels the columns that are named.
///
/// # Errors
/// [`Error::Statement`] for a column that `file` has not, or that holds no bytes; [`Error::Crs`] for one
/// that has another CRS in the file.
pub(super) fn label_named(schema: Schema, named: &[NamedGeometry], file: &str) -> Result<Schema> {
    if named.is_empty() {
        return Ok(schema);
    }
    let mut fields: Vec<FieldRef> = schema.fields().to_vec();
    for NamedGeometry { name, crs } in named {
        let Some(field) = fields.iter_mut().find(|field| field.name() == name) else {
            let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            return Err(Error::Statement(format!(
                "{file} has no column \"{name}\" to be taken for geometry, it has {}",
                names.join(", ")
            )));
        };
        *field = std::sync::Arc::new(label(field, crs.as_ref(), file)?);
    }
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn label(field: &Field, crs: Option<&Crs>, file: &str) -> Result<Field> {
    let name = field.name();
    if let Some(known) = GeometryType::from_field(field)? {
        return match (&known.crs, crs) {
            (Some(a), Some(b)) if !a.same_as(b) => Err(Error::Crs(format!(
                "{file}: column \"{name}\" is in {} by its metadata, not in {}: ST_SetCRS changes what is wrong, ST_Transform the coordinates",
                a.name(),
                b.name()
            ))),
            (None, Some(crs)) => Ok(GeometryType {
                crs: Some(crs.clone()),
                ..known
            }
            .apply_to(field.clone())),
            _ => Ok(field.clone()),
        };
    }
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        DataType::Utf8View => DataType::BinaryView,
        bytes @ (DataType::Binary | DataType::LargeBinary | DataType::BinaryView) => bytes.clone(),
        other => {
            return Err(Error::Statement(format!(
                "{file}: column \"{name}\" cannot be taken for WKB geometry, it holds {other}"
            )));
        }
    };
    let field = field.clone().with_data_type(data_type);
    Ok(GeometryType::wkb(crs.cloned()).apply_to(field))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn labelled(text: &str) -> Result<Schema> {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("a", DataType::BinaryView, false),
            Field::new("b", DataType::Binary, true),
        ]);
        label_named(schema, &NamedGeometry::parse_all(text)?, "x.parquet")
    }

    #[test]
    fn columns_with_and_without_crs() {
        let schema = labelled("a:EPSG:3067, b").unwrap();
        let crs = |i: usize| {
            GeometryType::from_field(schema.field(i))
                .unwrap()
                .unwrap()
                .crs
        };
        assert_eq!(crs(1).unwrap().name(), "EPSG:3067");
        assert_eq!(crs(2), None);
        assert!(
            labelled("c")
                .unwrap_err()
                .to_string()
                .contains("it has id, a, b")
        );
        assert!(labelled("id").unwrap_err().to_string().contains("Int64"));
        assert!(labelled("a:nonsense").is_err() && labelled("a,").is_err());
    }
}

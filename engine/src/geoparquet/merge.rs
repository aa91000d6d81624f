//! One schema for many files.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::schema::{EXTENSION_METADATA, EXTENSION_NAME};
use crate::crs::Crs;
use crate::{Error, Result};

/// A file of a table, by the name that messages use, and its schema with labelled geometry.
pub(super) struct FileSchema {
    pub(super) file: String,
    pub(super) schema: Schema,
}

/// Merges the schemas of the files of one table, in their order. A column that some files lack
/// becomes nullable.
///
/// Geometry columns must agree in CRS and encoding: one column of a table has one CRS, and taking
/// the first file's would move the others' geometries elsewhere.
///
/// # Errors
/// [`Error::Crs`] for two CRS (or a known and an unknown one), [`Error::Data`] for other types
/// that do not go together; both name the two files.
pub(super) fn merge(files: &[FileSchema]) -> Result<Schema> {
    let Some((first, rest)) = files.split_first() else {
        return Ok(Schema::empty());
    };
    let mut merged: Vec<Column> = first
        .schema
        .fields()
        .iter()
        .map(|field| Column {
            field: Arc::clone(field),
            from: &first.file,
            seen: 1,
        })
        .collect();
    for FileSchema { file, schema } in rest {
        for (at, field) in schema.fields().iter().enumerate() {
            // Files of one table mostly have the same columns in the same order.
            let same_place = merged
                .get(at)
                .is_some_and(|c| c.field.name() == field.name());
            let place = if same_place {
                Some(at)
            } else {
                merged.iter().position(|c| c.field.name() == field.name())
            };
            match place.and_then(|at| merged.get_mut(at)) {
                Some(column) => column.take(field, file)?,
                None => merged.push(Column {
                    field: Arc::clone(field),
                    from: file,
                    seen: 1,
                }),
            }
        }
    }
    let fields: Vec<FieldRef> = merged
        .into_iter()
        .map(|column| {
            if column.seen < files.len() && !column.field.is_nullable() {
                Arc::new(column.field.as_ref().clone().with_nullable(true))
            } else {
                column.field
            }
        })
        .collect();
    Ok(Schema::new_with_metadata(
        fields,
        first.schema.metadata().clone(),
    ))
}

struct Column<'a> {
    field: FieldRef,
    /// The first file that has the column.
    from: &'a str,
    /// How many files have it.
    seen: usize,
}

impl Column<'_> {
    fn take(&mut self, field: &FieldRef, file: &str) -> Result<()> {
        self.seen += 1;
        if self.field == *field {
            return Ok(());
        }
        check_geometry(&self.field, self.from, field, file)?;
        // The labels agree in meaning, so those of the first file stay: PROJJSON of one CRS may be
        // written in more than one way.
        let metadata = self.field.metadata().clone();
        let mut merged = self.field.as_ref().clone().with_metadata([].into());
        let mut other = field.as_ref().clone().with_metadata([].into());
        // WKB is WKB, whichever array a writer had it in.
        if is_bytes(merged.data_type())
            && is_bytes(other.data_type())
            && merged.data_type() != other.data_type()
            && metadata.contains_key(EXTENSION_NAME)
        {
            merged = merged.with_data_type(DataType::BinaryView);
            other = other.with_data_type(DataType::BinaryView);
        }
        merged.try_merge(&other).map_err(|_| {
            Error::Data(format!(
                "column \"{}\" is {} in {} but {} in {file}: they cannot be read as one table",
                field.name(),
                self.field.data_type(),
                self.from,
                field.data_type(),
            ))
        })?;
        self.field = Arc::new(merged.with_metadata(metadata));
        Ok(())
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

fn check_geometry(a: &Field, file_a: &str, b: &Field, file_b: &str) -> Result<()> {
    let name = a.name();
    match (
        a.metadata().get(EXTENSION_NAME),
        b.metadata().get(EXTENSION_NAME),
    ) {
        (None, None) => Ok(()),
        (Some(_), None) | (None, Some(_)) => {
            let (with, without) = if b.metadata().contains_key(EXTENSION_NAME) {
                (file_b, file_a)
            } else {
                (file_a, file_b)
            };
            Err(Error::Data(format!(
                "column \"{name}\" is geometry in {with}, but plain data in {without}, whose metadata do not describe it: they cannot be read as one table"
            )))
        }
        (Some(x), Some(y)) if x != y => Err(Error::Data(format!(
            "column \"{name}\" is encoded as {x} in {file_a} but as {y} in {file_b}: they cannot be read as one table"
        ))),
        _ => {
            let (crs_a, crs_b) = (crs_of(a)?, crs_of(b)?);
            let same = match (&crs_a, &crs_b) {
                (Some(x), Some(y)) => x.same_as(y),
                (None, None) => true,
                _ => false,
            };
            if same {
                return Ok(());
            }
            let named = |crs: &Option<Crs>| crs.as_ref().map_or("unknown".to_owned(), Crs::name);
            Err(Error::Crs(format!(
                "column \"{name}\" has the CRS {} in {file_a} but {} in {file_b}: they cannot be read as one table. \
                 Read them as two tables and join the parts with UNION ALL after ST_Transform",
                named(&crs_a),
                named(&crs_b),
            )))
        }
    }
}

fn crs_of(field: &Field) -> Result<Option<Crs>> {
    Crs::from_extension_metadata(field.metadata().get(EXTENSION_METADATA).map(String::as_str))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::geometry::GeometryType;

    fn file(name: &str, fields: Vec<Field>) -> FileSchema {
        FileSchema {
            file: name.into(),
            schema: Schema::new(fields),
        }
    }

    fn geometry(crs: Option<&str>) -> Field {
        GeometryType::wkb(crs.map(|code| Crs::from_authority_code(code).unwrap()))
            .to_field("geom", true)
    }

    #[test]
    fn same_crs_in_two_notations() {
        let projjson =
            Crs::from_projjson(json!({"name": "TM35", "id": {"authority": "EPSG", "code": 3067}}))
                .unwrap();
        let merged = merge(&[
            file("a", vec![geometry(Some("EPSG:3067"))]),
            file(
                "b",
                vec![GeometryType::wkb(Some(projjson)).to_field("geom", true)],
            ),
        ])
        .unwrap();
        assert_eq!(merged.field(0), &geometry(Some("EPSG:3067")));
    }

    #[test]
    fn two_crs_are_refused() {
        for (a, b, expected) in [
            (
                Some("EPSG:3067"),
                Some("EPSG:4326"),
                "EPSG:3067 in a.parquet but EPSG:4326 in b.parquet",
            ),
            (
                Some("EPSG:3067"),
                None,
                "EPSG:3067 in a.parquet but unknown in b.parquet",
            ),
        ] {
            let error = merge(&[
                file("a.parquet", vec![geometry(a)]),
                file("b.parquet", vec![geometry(b)]),
            ])
            .unwrap_err();
            assert!(
                matches!(error, Error::Crs(_)) && error.to_string().contains(expected),
                "{error}"
            );
        }
    }

    #[test]
    fn geometry_and_plain_data_are_refused() {
        let plain = || Field::new("geom", DataType::Binary, true);
        for files in [
            [file("a", vec![geometry(None)]), file("b", vec![plain()])],
            [file("b", vec![plain()]), file("a", vec![geometry(None)])],
        ] {
            let message = merge(&files).unwrap_err().to_string();
            assert!(
                message.contains("geometry in a, but plain data in b"),
                "{message}"
            );
        }
    }

    #[test]
    fn columns_that_some_files_lack_become_nullable() {
        let id = || Field::new("id", DataType::Int64, false);
        let merged = merge(&[
            file(
                "a",
                vec![id(), Field::new("only_a", DataType::Int64, false)],
            ),
            file("b", vec![Field::new("only_b", DataType::Utf8, false), id()]),
        ])
        .unwrap();
        let told: Vec<(&str, bool)> = merged
            .fields()
            .iter()
            .map(|f| (f.name().as_str(), f.is_nullable()))
            .collect();
        assert_eq!(told, [("id", false), ("only_a", true), ("only_b", true)]);
    }

    #[test]
    fn other_types_are_refused_with_both_files() {
        let message = merge(&[
            file("a", vec![Field::new("id", DataType::Int64, false)]),
            file("b", vec![Field::new("id", DataType::Utf8, false)]),
        ])
        .unwrap_err()
        .to_string();
        assert_eq!(
            message,
            "column \"id\" is Int64 in a but Utf8 in b: they cannot be read as one table"
        );
    }
}

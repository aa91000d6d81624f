//! From `geo` metadata to Arrow fields with GeoArrow extension types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::{ColumnEncoding, Edges, GeoColumn, GeoMetadata};
use crate::crs::Crs;
use crate::{Error, Result};

pub(super) const EXTENSION_NAME: &str = "ARROW:extension:name";
pub(super) const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

/// Labels the geometry columns of the Arrow schema of `file` with their GeoArrow type and CRS.
/// Storage types stay as the reader gives them.
///
/// Lines and polygons with spherical edges are refused unless `spherical_as_planar`: every
/// predicate here works in the plane and would answer wrongly without a word.
///
/// # Errors
/// [`Error::Data`], naming the file, for a geometry column that is not in the file or has another
/// type than its encoding asks, and for spherical edges.
pub fn label_geometry(
    schema: &Schema,
    geo: &GeoMetadata,
    file: &str,
    spherical_as_planar: bool,
) -> Result<Schema> {
    for (name, column) in &geo.columns {
        if schema.field_with_name(name).is_err() {
            return Err(Error::Data(format!(
                "{file}: the GeoParquet metadata describe a geometry column \"{name}\" that is not in the file, which has {}",
                names(schema)
            )));
        }
        if column.edges == Edges::Spherical && !column.only_points() && !spherical_as_planar {
            return Err(Error::Data(format!(
                "{file}: column \"{name}\" has spherical edges, geoflow computes in the plane and its answers would be wrong. \
                 If the difference does not matter (short edges), declare the table with CREATE EXTERNAL TABLE ... OPTIONS ('edges' 'planar')"
            )));
        }
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| match geo.columns.get(field.name()) {
            Some(column) => label(field, column, file).map(Arc::new),
            None => Ok(Arc::clone(field)),
        })
        .collect::<Result<Vec<FieldRef>>>()?;
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn label(field: &Field, column: &GeoColumn, file: &str) -> Result<Field> {
    let fits = match column.encoding {
        ColumnEncoding::Wkb => storage_of_wkb(field.data_type()),
        ColumnEncoding::Point => list_depth_of_coordinates(field.data_type(), 0),
        ColumnEncoding::LineString | ColumnEncoding::MultiPoint => {
            list_depth_of_coordinates(field.data_type(), 1)
        }
        ColumnEncoding::Polygon | ColumnEncoding::MultiLineString => {
            list_depth_of_coordinates(field.data_type(), 2)
        }
        ColumnEncoding::MultiPolygon => list_depth_of_coordinates(field.data_type(), 3),
    };
    let Some(storage) = fits else {
        return Err(Error::Data(format!(
            "{file}: column \"{}\" should hold geometry encoded as {}, but its type is {}",
            field.name(),
            column.encoding.name(),
            field.data_type()
        )));
    };
    let mut labelled = field.clone().with_data_type(storage);
    let metadata = labelled.metadata_mut();
    metadata.insert(
        EXTENSION_NAME.into(),
        column.encoding.extension_name().into(),
    );
    metadata.insert(
        EXTENSION_METADATA.into(),
        Crs::to_extension_metadata(column.crs.as_ref()),
    );
    Ok(labelled)
}

/// The binary type that holds WKB. A session that reads binary as text must not do so here.
fn storage_of_wkb(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(data_type.clone()),
        DataType::Utf8 => Some(DataType::Binary),
        DataType::LargeUtf8 => Some(DataType::LargeBinary),
        DataType::Utf8View => Some(DataType::BinaryView),
        _ => None,
    }
}

/// The type itself if it is coordinates (a struct of `x`, `y` and perhaps `z`, `m`, or as many numbers
/// one after another) under `depth` lists.
fn list_depth_of_coordinates(data_type: &DataType, depth: usize) -> Option<DataType> {
    let mut inner = data_type;
    for _ in 0..depth {
        inner = match inner {
            DataType::List(item) | DataType::LargeList(item) => item.data_type(),
            _ => return None,
        };
    }
    let ordinates = match inner {
        DataType::Struct(ordinates) => ordinates,
        // One after another: not in the standard, but GeoArrow's other layout, which writers use.
        DataType::FixedSizeList(item, 2..=4) if *item.data_type() == DataType::Float64 => {
            return Some(data_type.clone());
        }
        _ => return None,
    };
    let names: Vec<&str> = ordinates.iter().map(|f| f.name().as_str()).collect();
    let known = matches!(
        names.as_slice(),
        ["x", "y"] | ["x", "y", "z"] | ["x", "y", "m"] | ["x", "y", "z", "m"]
    );
    let doubles = ordinates
        .iter()
        .all(|f| *f.data_type() == DataType::Float64);
    (known && doubles).then(|| data_type.clone())
}

fn names(schema: &Schema) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> = schema
        .fields()
        .iter()
        .take(SHOWN)
        .map(|field| format!("\"{}\"", field.name()))
        .collect();
    if schema.fields().len() > SHOWN {
        names.push(format!("{} more", schema.fields().len() - SHOWN));
    }
    names.join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::geometry::{Encoding, GeometryType};

    fn geo(column: serde_json::Value) -> GeoMetadata {
        let text = json!({"version": "1.1.0", "primary_column": "g", "columns": {"g": column}});
        GeoMetadata::parse(&text.to_string(), "a.parquet").unwrap()
    }

    fn coordinates(names: &[&str]) -> DataType {
        DataType::Struct(
            names
                .iter()
                .map(|name| Field::new(*name, DataType::Float64, false))
                .collect(),
        )
    }

    fn labelled(data_type: DataType, column: serde_json::Value) -> Result<Field> {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("g", data_type, true),
        ]);
        label_geometry(&schema, &geo(column), "a.parquet", false)
            .map(|schema| schema.field(1).clone())
    }

    #[test]
    fn wkb_gets_type_and_crs() {
        let field = labelled(DataType::BinaryView, json!({"encoding": "WKB"})).unwrap();
        let ty = GeometryType::from_field(&field).unwrap().unwrap();
        assert_eq!(ty.encoding, Encoding::Wkb);
        assert_eq!(ty.crs, Some(Crs::lon_lat()));
        let field = labelled(DataType::Utf8View, json!({"encoding": "WKB", "crs": null})).unwrap();
        assert_eq!(field.data_type(), &DataType::BinaryView);
        assert_eq!(GeometryType::from_field(&field).unwrap().unwrap().crs, None);
    }

    #[test]
    fn native_encodings_get_their_type() {
        let list = |item: DataType| DataType::List(Arc::new(Field::new("element", item, false)));
        let xy = coordinates(&["x", "y"]);
        for (encoding, storage) in [
            ("point", xy.clone()),
            ("point", coordinates(&["x", "y", "z"])),
            ("linestring", list(xy.clone())),
            ("multipoint", list(xy.clone())),
            ("polygon", list(list(xy.clone()))),
            ("multilinestring", list(list(xy.clone()))),
            ("multipolygon", list(list(list(xy.clone())))),
        ] {
            let field = labelled(storage, json!({"encoding": encoding})).unwrap();
            let ty = GeometryType::from_field(&field).unwrap().unwrap();
            assert!(matches!(ty.encoding, Encoding::Native(_)), "{encoding}");
        }
    }

    #[test]
    fn a_type_that_does_not_fit_is_refused() {
        for (encoding, storage) in [
            ("WKB", DataType::Int64),
            ("point", DataType::Binary),
            ("point", coordinates(&["y", "x"])),
            ("polygon", coordinates(&["x", "y"])),
        ] {
            let message = labelled(storage, json!({"encoding": encoding}))
                .unwrap_err()
                .to_string();
            assert!(
                message.starts_with("a.parquet: column \"g\" should hold"),
                "{message}"
            );
        }
    }

    #[test]
    fn spherical_edges_are_refused_but_for_points() {
        let polygons =
            json!({"encoding": "WKB", "edges": "spherical", "geometry_types": ["Polygon"]});
        let message = labelled(DataType::Binary, polygons.clone())
            .unwrap_err()
            .to_string();
        assert!(message.contains("spherical edges"), "{message}");
        let schema = Schema::new(vec![Field::new("g", DataType::Binary, true)]);
        assert!(label_geometry(&schema, &geo(polygons), "a.parquet", true).is_ok());
        let points = json!({"encoding": "WKB", "edges": "spherical", "geometry_types": ["Point"]});
        assert!(labelled(DataType::Binary, points).is_ok());
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_exist() {
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, false)]);
        let message = label_geometry(
            &schema,
            &geo(json!({"encoding": "WKB"})),
            "a.parquet",
            false,
        )
        .unwrap_err()
        .to_string();
        assert!(
            message.contains("\"g\"") && message.ends_with("which has \"id\""),
            "{message}"
        );
    }
}

//! Geometry columns by Parquet's own types GEOMETRY and GEOGRAPHY, and their statistics.
//!
//! <https://github.com/apache/parquet-format/blob/master/Geospatial.md>. GeoParquet 2.0 describes such
//! columns once more in its metadata; many files have the types alone.

use std::collections::{BTreeMap, BTreeSet};

use parquet::basic::LogicalType;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

use super::{ColumnEncoding, Edges, GeoColumn, GeoMetadata};
use crate::crs::Crs;
use crate::geometry::Bounds;
use crate::{Error, Result};

/// What stands for the version of the standard in files without `geo` metadata.
pub(super) const NO_VERSION: &str = "";

impl GeoMetadata {
    /// What a file says of its geometry columns, by its `geo` metadata and by Parquet's own types; `None`
    /// for a file without geometry.
    ///
    /// # Errors
    /// As [`GeoMetadata::parse`]; [`Error::Data`] for a CRS that cannot be read.
    pub fn of_file(footer: &ParquetMetaData, file: &str) -> Result<Option<Self>> {
        let geo = Self::from_footer(footer, file)?;
        let described = |name: &str| {
            let geo = geo.as_ref();
            geo.is_some_and(|geo| geo.columns.contains_key(name))
        };
        let native = native_columns(footer, file, described)?;
        if let Some(mut geo) = geo {
            geo.columns.extend(native);
            return Ok(Some(geo));
        }
        let usual = ["geometry", "geom"].into_iter();
        let primary = usual
            .filter(|name| native.contains_key(*name))
            .chain(native.keys().map(String::as_str))
            .next()
            .map(str::to_owned);
        Ok(primary.map(|primary_column| Self {
            version: NO_VERSION.to_owned(),
            primary_column,
            columns: native,
        }))
    }
}

/// The columns of native types that are not `described` elsewhere.
fn native_columns(
    footer: &ParquetMetaData,
    file: &str,
    described: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, GeoColumn>> {
    let mut columns = BTreeMap::new();
    let schema = footer.file_metadata().schema_descr();
    for (leaf, descriptor) in schema.columns().iter().enumerate() {
        let [name] = descriptor.path().parts() else {
            continue;
        };
        let (crs, edges) = match descriptor.logical_type_ref() {
            Some(LogicalType::Geometry(ty)) => (ty.crs.as_deref(), Edges::Planar),
            Some(LogicalType::Geography(ty)) => (ty.crs.as_deref(), Edges::Spherical),
            _ => continue,
        };
        if described(name) {
            continue;
        }
        let crs = parse_crs(crs, footer).map_err(|what| {
            Error::Data(format!(
                "{file}: column \"{name}\" has a CRS that cannot be read: {what}"
            ))
        })?;
        let column = GeoColumn {
            encoding: ColumnEncoding::Wkb,
            geometry_types: types(footer, leaf),
            crs,
            bbox: None,
            covering: None,
            edges,
            orientation: None,
        };
        columns.insert(name.clone(), column);
    }
    Ok(columns)
}

/// `None` is the default of Parquet, longitude and latitude; `srid:0` is no CRS.
fn parse_crs(text: Option<&str>, footer: &ParquetMetaData) -> Result<Option<Crs>, String> {
    let text = match text.map(str::trim) {
        None | Some("") => return Ok(Some(Crs::lon_lat())),
        Some(text) => text,
    };
    let projjson = |text: &str| -> Result<Option<Crs>, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        Crs::from_projjson(value)
            .map(Some)
            .map_err(|e| e.to_string())
    };
    if text.starts_with('{') {
        return projjson(text);
    }
    if let Some(key) = text.strip_prefix("projjson:") {
        let pairs = footer.file_metadata().key_value_metadata();
        let pair = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == key));
        return match pair.and_then(|pair| pair.value.as_deref()) {
            Some(text) => projjson(text),
            None => Err(format!(
                "it is said to stand under the key \"{key}\" of the file's metadata, which has none"
            )),
        };
    }
    let code = match text.strip_prefix("srid:") {
        Some("0") => return Ok(None),
        Some(number) if number.chars().all(|c| c.is_ascii_digit()) => format!("EPSG:{number}"),
        Some(code) => code.to_owned(),
        None => text.to_owned(),
    };
    Crs::from_authority_code(&code)
        .map(Some)
        .map_err(|e| e.to_string())
}

/// Names of the types that occur; none when a row group does not say.
fn types(footer: &ParquetMetaData, leaf: usize) -> Vec<String> {
    let mut codes = BTreeSet::new();
    for group in footer.row_groups() {
        let statistics = group.columns().get(leaf).and_then(|c| c.geo_statistics());
        match statistics.and_then(|s| s.geospatial_types()) {
            Some(types) if !types.is_empty() || group.num_rows() == 0 => codes.extend(types),
            _ => return vec![],
        }
    }
    let name = |code: &i32| {
        let kind = match code % 1000 {
            1 => "Point",
            2 => "LineString",
            3 => "Polygon",
            4 => "MultiPoint",
            5 => "MultiLineString",
            6 => "MultiPolygon",
            7 => "GeometryCollection",
            _ => return None,
        };
        let ordinates = ["", " Z", " M", " ZM"].get(usize::try_from(code / 1000).ok()?)?;
        Some(format!("{kind}{ordinates}"))
    };
    let names: Option<Vec<String>> = codes.iter().map(name).collect();
    names.unwrap_or_default()
}

/// The leaf of a column of a native type.
pub(super) fn native_leaf(schema: &SchemaDescriptor, name: &str) -> Option<usize> {
    schema.columns().iter().position(|leaf| {
        let native = matches!(
            leaf.logical_type_ref(),
            Some(LogicalType::Geometry(_) | LogicalType::Geography(_))
        );
        native && leaf.path().parts() == [name]
    })
}

/// The bounds of a native column in a row group: two boxes when they cross the antimeridian, which they
/// do when `xmin > xmax`. `None` when the statistics do not say.
///
/// Spherical edges that are read as straight ones may leave a box that wraps, so that nothing can be told
/// from it then.
pub(super) fn native_bounds(
    group: &RowGroupMetaData,
    leaf: usize,
    column: &GeoColumn,
) -> Option<Vec<Bounds>> {
    let chunk = group.columns().get(leaf)?;
    let b = chunk.geo_statistics()?.bounding_box()?;
    let straight = column.edges == Edges::Planar || column.only_points();
    boxes(
        [b.get_xmin(), b.get_ymin(), b.get_xmax(), b.get_ymax()],
        straight,
    )
}

/// One box, or two where it crosses the antimeridian; rounded outward.
pub(super) fn boxes([xmin, ymin, xmax, ymax]: [f64; 4], may_wrap: bool) -> Option<Vec<Bounds>> {
    let finite = [xmin, ymin, xmax, ymax].iter().all(|v| v.is_finite());
    if !finite || ymin > ymax {
        return None;
    }
    if xmin <= xmax {
        return Some(vec![Bounds::new(xmin, ymin, xmax, ymax).expand(0.0)]);
    }
    may_wrap.then(|| {
        vec![
            Bounds::new(xmin, ymin, f64::INFINITY, ymax).expand(0.0),
            Bounds::new(f64::NEG_INFINITY, ymin, xmax, ymax).expand(0.0),
        ]
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn boxes_over_the_antimeridian_are_two() {
        let two = boxes([170.0, -10.0, -170.0, 10.0], true).unwrap();
        let meets = |x: f64| two.iter().any(|b| b.intersects(&Bounds::point(x, 0.0)));
        assert!(meets(175.0) && meets(-175.0) && meets(170.0) && meets(-170.0));
        assert!(!meets(0.0) && !meets(169.0) && !meets(-169.0));
        assert_eq!(boxes([170.0, -10.0, -170.0, 10.0], false), None);
        assert_eq!(boxes([1.0, 2.0, 3.0, 4.0], false).unwrap().len(), 1);
        assert_eq!(boxes([1.0, f64::NAN, 3.0, 4.0], true), None);
        assert_eq!(boxes([1.0, 5.0, 3.0, 4.0], true), None);
    }
}

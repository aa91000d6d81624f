//! Geometry stored as GeoArrow: coordinates as numbers instead of WKB.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use geoarrow_array::GeoArrowArray;
use geoarrow_array::array::{WkbArray, WkbViewArray};
use geoarrow_array::cast::from_wkb;
use geoarrow_schema::{
    CoordType, Dimension, GeoArrowType, LineStringType, MultiLineStringType, MultiPointType,
    MultiPolygonType, PointType, PolygonType,
};

use super::write_column::{SeenType, kind_name};
use crate::{Error, Result};

/// The type that holds all of what was seen: `polygon` for polygons, `multipolygon` for polygons and
/// multipolygons. Without any geometry it is `point`.
///
/// # Errors
/// [`Error::Data`] when no encoding of GeoParquet holds it.
pub(super) fn native_type(column: &str, seen: &BTreeSet<SeenType>) -> Result<GeoArrowType> {
    let refused = |what: String| {
        Error::Data(format!(
            "column \"{column}\" holds {what}, for which GeoParquet has no GeoArrow encoding: write it with the encoding wkb"
        ))
    };
    let dimension = {
        let mut dimensions = seen.iter().map(|ty| (ty.has_z, ty.has_m));
        let first = dimensions.next().unwrap_or((false, false));
        if dimensions.any(|other| other != first) {
            return Err(refused("geometries with and without z or m".to_owned()));
        }
        match first {
            (false, false) => Dimension::XY,
            (true, false) => Dimension::XYZ,
            (_, true) => return Err(refused("geometries with m".to_owned())),
        }
    };
    let codes: Vec<u32> = seen.iter().map(|ty| ty.code).collect();
    let native = match codes.as_slice() {
        [] | [1] => GeoArrowType::Point(PointType::new(dimension, Default::default())),
        [2] => GeoArrowType::LineString(LineStringType::new(dimension, Default::default())),
        [3] => GeoArrowType::Polygon(PolygonType::new(dimension, Default::default())),
        [4] | [1, 4] => {
            GeoArrowType::MultiPoint(MultiPointType::new(dimension, Default::default()))
        }
        [5] | [2, 5] => {
            GeoArrowType::MultiLineString(MultiLineStringType::new(dimension, Default::default()))
        }
        [6] | [3, 6] => {
            GeoArrowType::MultiPolygon(MultiPolygonType::new(dimension, Default::default()))
        }
        codes => {
            let names: Vec<&str> = codes.iter().map(|code| kind_name(*code)).collect();
            return Err(refused(names.join(" and ")));
        }
    };
    Ok(native.with_coord_type(CoordType::Separated))
}

/// Whether a geometry can be stored in a column of a type.
///
/// # Errors
/// What is wrong, when it cannot.
pub(super) fn check_fits(seen: SeenType, native: &GeoArrowType) -> Result<(), String> {
    let code = seen.code;
    let (name, kind) = match native {
        GeoArrowType::Point(_) => ("point", code == 1),
        GeoArrowType::LineString(_) => ("linestring", code == 2),
        GeoArrowType::Polygon(_) => ("polygon", code == 3),
        GeoArrowType::MultiPoint(_) => ("multipoint", code == 1 || code == 4),
        GeoArrowType::MultiLineString(_) => ("multilinestring", code == 2 || code == 5),
        GeoArrowType::MultiPolygon(_) => ("multipolygon", code == 3 || code == 6),
        _ => ("geometry", false),
    };
    let dimension = match native.dimension() {
        Some(Dimension::XYZ) => (true, false),
        Some(Dimension::XYM) => (false, true),
        Some(Dimension::XYZM) => (true, true),
        _ => (false, false),
    };
    if kind && dimension == (seen.has_z, seen.has_m) {
        return Ok(());
    }
    let ordinates = match (seen.has_z, seen.has_m) {
        (false, false) => "",
        (true, false) => " Z",
        (false, true) => " M",
        (true, true) => " ZM",
    };
    Err(format!(
        "it is a {}{ordinates}, but the geometries before it are stored as {name}: write the file with the encoding wkb",
        kind_name(code)
    ))
}

/// The name of the encoding in the `geo` metadata.
pub(super) fn encoding_name(native: &GeoArrowType) -> &'static str {
    match native {
        GeoArrowType::Point(_) => "point",
        GeoArrowType::LineString(_) => "linestring",
        GeoArrowType::Polygon(_) => "polygon",
        GeoArrowType::MultiPoint(_) => "multipoint",
        GeoArrowType::MultiLineString(_) => "multilinestring",
        _ => "multipolygon",
    }
}

/// WKB as an array of a native type, whose values have all passed [`check_fits`].
pub(super) fn native_array(
    wkb: &ArrayRef,
    native: &GeoArrowType,
    column: &str,
) -> Result<ArrayRef> {
    let failed = |e: geoarrow_schema::error::GeoArrowError| {
        Error::Data(format!(
            "column \"{column}\" cannot be stored as {}: {e}",
            encoding_name(native)
        ))
    };
    let metadata = Default::default();
    let array: Arc<dyn GeoArrowArray> = match wkb.data_type() {
        DataType::Binary => from_wkb(
            &WkbArray::new(wkb.as_binary::<i32>().clone(), metadata),
            native.clone(),
        ),
        DataType::BinaryView => from_wkb(
            &WkbViewArray::new(wkb.as_binary_view().clone(), metadata),
            native.clone(),
        ),
        DataType::LargeBinary => {
            let large =
                geoarrow_array::array::LargeWkbArray::new(wkb.as_binary::<i64>().clone(), metadata);
            from_wkb(&large, native.clone())
        }
        other => return Err(Error::Internal(format!("WKB in an array of {other}"))),
    }
    .map_err(failed)?;
    Ok(array.to_array_ref())
}

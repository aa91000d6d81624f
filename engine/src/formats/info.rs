//! What files hold that are read feature by feature.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;

use super::geopackage::GeoPackage;
use super::open::{FeatureFormat, OpenOptions, open};
use super::source::{FeatureSource, Request};
use crate::Result;
use crate::geometry::wkb::WkbCursor;
use crate::geometry::{Bounds, GeometryArray, GeometryType};

/// Rows of a batch of geometries that are looked at.
const ROWS: usize = 8192;

/// What is known of a layer.
#[derive(Debug, Clone)]
pub struct LayerInfo {
    /// Its name, in a format that has several.
    pub name: Option<String>,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its features; `None` where nobody has counted them.
    pub rows: Option<u64>,
    /// The types of its geometries, as GeoParquet names them; empty where they are not known.
    pub geometry_types: Vec<String>,
    /// Where its geometries lie, `None` where that is not known or there are none.
    pub extent: Option<Bounds>,
    /// Whether it has a spatial index that reading uses.
    pub has_index: bool,
}

impl LayerInfo {
    /// The geometry column and its type.
    ///
    /// # Errors
    /// When its type is broken.
    pub fn geometry(&self) -> Result<Option<(&str, GeometryType)>> {
        for field in self.schema.fields() {
            if let Some(ty) = GeometryType::from_field(field)? {
                return Ok(Some((field.name(), ty)));
            }
        }
        Ok(None)
    }
}

/// The layers of a file, or one of them. Where a format has no summary of its geometries, as GeoJSON, they are
/// all read.
///
/// # Errors
/// As [`open`].
pub fn layers(path: &Path, format: FeatureFormat, layer: Option<&str>) -> Result<Vec<LayerInfo>> {
    let names: Vec<Option<String>> = match (format, layer) {
        (_, Some(layer)) => vec![Some(layer.to_owned())],
        (FeatureFormat::GeoPackage, None) => GeoPackage::open(path)?
            .layers()?
            .into_iter()
            .map(Some)
            .collect(),
        _ => vec![None],
    };
    names
        .into_iter()
        .map(|name| {
            let options = OpenOptions {
                layer: name.clone(),
                ..OpenOptions::default()
            };
            let source = open(path, format, &options)?;
            let mut info = LayerInfo {
                name,
                schema: Arc::clone(source.schema()),
                rows: source.rows(),
                geometry_types: source.geometry_types(),
                extent: source.extent(),
                has_index: source.has_index(),
            };
            if format == FeatureFormat::GeoJson {
                read_all(source.as_ref(), &mut info)?;
            }
            Ok(info)
        })
        .collect()
}

/// Looks at every geometry.
fn read_all(source: &dyn FeatureSource, info: &mut LayerInfo) -> Result<()> {
    let schema = source.schema();
    let mut geometry = None;
    for (at, field) in schema.fields().iter().enumerate() {
        if let Some(ty) = GeometryType::from_field(field)? {
            geometry = Some((at, ty));
        }
    }
    let Some((at, ty)) = geometry else {
        return Ok(());
    };
    let request = Request {
        columns: vec![at],
        rows: ROWS,
        ..Request::default()
    };
    let mut extent = Bounds::EMPTY;
    let mut types = BTreeSet::new();
    let mut rows = 0;
    let mut outcome = Ok(());
    source.read(&request, &mut |batch| {
        rows += batch.num_rows() as u64;
        outcome = look(batch.column(0), &ty, &mut extent, &mut types);
        outcome.is_ok()
    })?;
    outcome?;
    info.rows = Some(rows);
    info.extent = (!extent.is_empty()).then_some(extent);
    info.geometry_types = types.into_iter().collect();
    Ok(())
}

/// Looks at the geometries of a batch.
fn look(
    column: &ArrayRef,
    ty: &GeometryType,
    extent: &mut Bounds,
    types: &mut BTreeSet<String>,
) -> Result<()> {
    let array = GeometryArray::try_new(column, ty)?;
    for i in (0..array.len()).filter(|&i| !array.is_null(i)) {
        *extent = extent.union(&array.bounds(i)?);
        let header = array.wkb(i).map(|wkb| WkbCursor::new(wkb).header());
        if let Some(Ok(header)) = header {
            let suffix = if header.has_z { " Z" } else { "" };
            types.insert(format!("{}{suffix}", header.kind.name()));
        }
    }
    Ok(())
}

//! Parquet's own type GEOMETRY, which GeoParquet 2.0 stands on, and its statistics.

use std::sync::Arc;

use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::geospatial::bounding_box::BoundingBox;
use parquet::geospatial::statistics::GeospatialStatistics;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use serde_json::Value;

use super::write_column::ColumnWriter;
use super::write_file::failed;
use super::write_plan::{PlannedGeometry, WritePlan};
use crate::crs::Crs;
use crate::{Error, Result};

/// The schema of a file, its geometry columns of the type GEOMETRY.
pub(super) fn with_geometry_types(schema: &SchemaDescriptor, plan: &WritePlan) -> Result<TypePtr> {
    let root = schema.root_schema();
    let fields = root
        .get_fields()
        .iter()
        .map(|field| {
            let geometry = plan.geometry.iter().find(|g| g.name == field.name());
            geometry.map_or_else(|| Ok(Arc::clone(field)), |geometry| geometry_type(geometry))
        })
        .collect::<Result<Vec<TypePtr>>>()?;
    Type::group_type_builder(root.name())
        .with_fields(fields)
        .build()
        .map(Arc::new)
        .map_err(failed)
}

fn geometry_type(geometry: &PlannedGeometry) -> Result<TypePtr> {
    Type::primitive_type_builder(&geometry.name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::geometry(crs_text(geometry))))
        .build()
        .map(Arc::new)
        .map_err(failed)
}

/// The CRS as Parquet has it: nothing for longitude and latitude, PROJJSON for what is known.
fn crs_text(geometry: &PlannedGeometry) -> Option<String> {
    match (&geometry.ty.crs, &geometry.crs) {
        (None, _) => Some("srid:0".to_owned()),
        (Some(crs), _) if crs == &Crs::lon_lat() => None,
        (Some(_), Value::Null) => None,
        (Some(_), projjson) => Some(projjson.to_string()),
    }
}

/// Gives the chunk of a geometry column its bounds and types.
pub(super) fn add_statistics(chunks: &mut [ArrowColumnChunk], column: &ColumnWriter) -> Result<()> {
    let chunk = chunks.iter_mut().find(|chunk| {
        let path = chunk.close().metadata.column_path();
        matches!(path.parts(), [name] if name == column.name())
    });
    let Some(chunk) = chunk else {
        return Err(Error::Internal(format!(
            "the column \"{}\" has no chunk",
            column.name()
        )));
    };
    let bounds = column.bounds().map(|b| {
        let bounds = BoundingBox::new(b.min_x, b.max_x, b.min_y, b.max_y);
        match column.z() {
            Some((min, max)) => bounds.with_zrange(min, max),
            None => bounds,
        }
    });
    // `u32` codes up to 3007.
    let types: Vec<i32> = column.types().iter().map(|ty| ty.iso() as i32).collect();
    let statistics = GeospatialStatistics::new(bounds, Some(types));
    let close = chunk.close_mut();
    close.metadata = close
        .metadata
        .clone()
        .into_builder()
        .set_geo_statistics(Box::new(statistics))
        .build()
        .map_err(failed)?;
    Ok(())
}

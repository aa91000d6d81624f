//! A description for programs.

use arrow::datatypes::Schema;
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geoparquet::{Edges, FileInfo, GeometryColumnInfo, Pruning};
use serde_json::{Value, json};

use super::Described;
use crate::error::Result;

/// One array, an object for each file.
pub(super) fn describe(files: &[Described]) -> Result<String> {
    let files: Vec<Value> = files
        .iter()
        .map(|described| match described {
            Described::Parquet { name, info } => Ok(file(name, info)),
            Described::Other(other) => other.json(),
        })
        .collect::<Result<_>>()?;
    // A value of strings and numbers always serializes.
    let text = serde_json::to_string_pretty(&files).unwrap_or_default();
    Ok(format!("{text}\n"))
}

pub(super) fn columns(schema: &Schema) -> Vec<Value> {
    let columns = schema.fields().iter().map(|field| {
        json!({
            "name": field.name(),
            "type": field.data_type().to_string(),
            "nullable": field.is_nullable(),
        })
    });
    columns.collect()
}

fn file(name: &str, info: &FileInfo) -> Value {
    let row_groups: Vec<Value> = info
        .row_groups
        .iter()
        .map(|group| {
            json!({
                "rows": group.rows,
                "compressed_bytes": group.compressed_bytes,
                "uncompressed_bytes": group.uncompressed_bytes,
                "bounds": group.bounds.as_ref().map(bounds),
            })
        })
        .collect();
    json!({
        "path": name,
        "bytes": info.size,
        "created_by": info.created_by,
        "compression": info.compression,
        "rows": info.rows,
        "columns": columns(&info.schema),
        "geoparquet": info.geo.as_ref().map(|geo| json!({
            "version": geo.version,
            "primary_column": geo.primary_column,
            "columns": geo.columns.iter().map(geometry).collect::<Vec<_>>(),
        })),
        "row_groups": row_groups,
    })
}

fn geometry(column: &GeometryColumnInfo) -> Value {
    let (prunable, reason, overlap) = match column.pruning {
        Pruning::Possible { overlap } => (true, None, Some(overlap)),
        Pruning::SingleRowGroup => (false, Some("single_row_group"), None),
        Pruning::NoCovering => (false, Some("no_covering"), None),
        Pruning::NoStatistics => (false, Some("no_statistics"), None),
    };
    let crs = column.column.crs.as_ref();
    json!({
        "name": column.name,
        "encoding": column.column.encoding.name(),
        "geometry_types": column.column.geometry_types,
        "crs": crs.map(|crs| crs.name()),
        "projjson": crs.and_then(|crs| crs.projjson()),
        "edges": match column.column.edges {
            Edges::Planar => "planar",
            Edges::Spherical => "spherical",
        },
        "orientation": column.column.orientation,
        "bounds": column.bounds().as_ref().map(bounds),
        "pruning": { "possible": prunable, "reason": reason, "overlap": overlap },
    })
}

/// `[xmin, ymin, xmax, ymax]`
pub(super) fn bounds(bounds: &Bounds) -> Value {
    json!([bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y])
}

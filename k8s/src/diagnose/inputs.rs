//! The inputs of a job with their bounds, from the footers of their files.

use datafusion::execution::object_store::ObjectStoreRegistry;
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::geoparquet::read_info;
use geoflow_engine::{Error, Result};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use url::Url;

use super::Finding;
use super::result::{EmptySide, diagnose_empty};
use crate::plan::{Plan, TableInput};

/// More files of a table are not opened: bounds of some say enough.
const FILES: usize = 64;

/// Why a job may have no rows.
///
/// # Errors
/// [`Error::Environment`] when the inputs cannot be read any more.
pub async fn diagnose_result(
    plan: &Plan,
    registry: &dyn ObjectStoreRegistry,
) -> Result<Option<Finding>> {
    let mut sides = Vec::with_capacity(plan.tables.len());
    for table in &plan.tables {
        sides.push(side(table, registry).await?);
    }
    Ok((!sides.is_empty()).then(|| diagnose_empty(&sides)))
}

async fn side(table: &TableInput, registry: &dyn ObjectStoreRegistry) -> Result<EmptySide> {
    let mut side = EmptySide {
        table: table.name.clone(),
        rows: table.rows(),
        bounds: None,
        crs: None,
    };
    for file in table.files.iter().take(FILES) {
        let unreadable = |why: String| Error::Environment {
            message: format!("{}: {why}", file.url),
            retryable: true,
        };
        let url = Url::parse(&file.url).map_err(|e| unreadable(e.to_string()))?;
        let store = registry
            .get_store(&url)
            .map_err(|e| unreadable(e.to_string()))?;
        let path = Path::from_url_path(url.path()).map_err(|e| unreadable(e.to_string()))?;
        let meta = store
            .head(&path)
            .await
            .map_err(|e| unreadable(e.to_string()))?;
        let info = read_info(store, meta).await?;
        let Some(geo) = &info.geo else { continue };
        let primary = geo
            .columns
            .iter()
            .find(|column| column.name == geo.primary_column);
        if let Some(bounds) = primary.and_then(|column| column.bounds()) {
            let [x0, y0, x1, y1] = [bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y];
            side.bounds = Some(match side.bounds {
                None => [x0, y0, x1, y1],
                Some(b) => [b[0].min(x0), b[1].min(y0), b[2].max(x1), b[3].max(y1)],
            });
        }
        if side.crs.is_none()
            && let Ok(field) = info.schema.field_with_name(&geo.primary_column)
            && let Some(geometry) = GeometryType::from_field(field)?
        {
            side.crs = geometry.crs.map(|crs| crs.to_string());
        }
    }
    Ok(side)
}

//! Files of other formats than Parquet, on this machine.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use geoflow_engine::Result;
use geoflow_engine::formats::{FeatureTable, GeoPackage};

/// The table of a GeoPackage, `None` for any other path. A layer is named like a file within:
/// `a.gpkg/roads`.
pub(super) fn table(path: &Path) -> Result<Option<Arc<dyn TableProvider>>> {
    let (file, layer) = match path.parent() {
        _ if is_geopackage(path) => (path, None),
        Some(parent) if is_geopackage(parent) => (parent, path.file_name()),
        _ => return Ok(None),
    };
    let layer = layer.map(|name| name.to_string_lossy());
    let layer = GeoPackage::open(file)?.layer(layer.as_deref())?;
    Ok(Some(Arc::new(FeatureTable::new(Arc::new(layer)))))
}

fn is_geopackage(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "gpkg") && path.is_file()
}

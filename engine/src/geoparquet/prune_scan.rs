//! Giving a scan a filter by bounds.

use std::sync::Arc;

use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;

use super::prune_filter::BoundsFilter;
use super::prune_source::{ColumnFilter, PruningSource};
use crate::geometry::GeometryType;

/// Lets a scan of GeoParquet files leave out what `filter` excludes, by the bounds of files, of row
/// groups and of pages. `column` is the geometry among the columns of the scan's output.
///
/// The scan still yields rows that overlap no rectangle: whoever asks must filter. `None` if `scan`
/// is no scan of Parquet files, if the column is computed or is no geometry, or if the scan stops
/// after a number of rows, which must not become others.
///
/// # Errors
/// When the type of the column is a broken GeoArrow type.
pub fn prune_scan(
    scan: &Arc<dyn ExecutionPlan>,
    column: usize,
    filter: &Arc<BoundsFilter>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(config) = file_scan(scan) else {
        return Ok(None);
    };
    let source = config.file_source();
    let column = match source.projection() {
        None => column,
        Some(projection) => {
            let projected = projection.as_ref().get(column);
            match projected.and_then(|p| p.expr.downcast_ref::<Column>()) {
                Some(column) => column.index(),
                None => return Ok(None),
            }
        }
    };
    // Columns of the path come after those of the files.
    let Some(field) = source.table_schema().file_schema().fields().get(column) else {
        return Ok(None);
    };
    if GeometryType::from_field(field)?.is_none() {
        return Ok(None);
    }
    let filter = ColumnFilter {
        column: field.name().clone(),
        filter: Arc::clone(filter),
    };
    let Some(source) = PruningSource::add(source, filter) else {
        return Ok(None);
    };
    Ok(with_source(scan, source))
}

/// Lets a scan of Parquet files leave out what its predicate excludes: by conditions on fields of structs,
/// such as `bbox.xmin < 10`, row groups and pages; by spatial predicates rows, where that pays. Large row groups are read
/// in slices. `None` where there is nothing of the kind, and for a scan that has been told already.
pub fn prune_by_predicate(scan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let source = PruningSource::plain(file_scan(scan)?.file_source())?;
    with_source(scan, source)
}

/// Whether what a scan yields depends on bounds that are not known before the statement runs.
pub fn waits_for_bounds(scan: &Arc<dyn ExecutionPlan>) -> bool {
    let exec = scan.downcast_ref::<DataSourceExec>();
    let config = exec.and_then(|exec| exec.data_source().downcast_ref::<FileScanConfig>());
    let source = config.and_then(|c| c.file_source().downcast_ref::<PruningSource>());
    source.is_some_and(PruningSource::waits_for_bounds)
}

/// A scan of files that does not stop after a number of rows.
pub(super) fn file_scan(scan: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    let exec = scan.downcast_ref::<DataSourceExec>()?;
    let config = exec.data_source().downcast_ref::<FileScanConfig>()?;
    config.limit.is_none().then_some(config)
}

fn with_source(
    scan: &Arc<dyn ExecutionPlan>,
    source: PruningSource,
) -> Option<Arc<dyn ExecutionPlan>> {
    let exec = scan.downcast_ref::<DataSourceExec>()?;
    let config = exec.data_source().downcast_ref::<FileScanConfig>()?;
    let config = FileScanConfigBuilder::from(config.clone())
        .with_source(Arc::new(source))
        .build();
    Some(Arc::new(exec.clone().with_data_source(Arc::new(config))))
}

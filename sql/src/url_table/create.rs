//! `CREATE EXTERNAL TABLE ... STORED AS PARQUET`, with the errors of paths as tables.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::datasource::listing_table_factory::ListingTableFactory;
use datafusion::error::Result;
use datafusion::logical_expr::CreateExternalTable;
use geoflow_engine::Error;

use super::location::Location;
use super::missing::missing_path;
use crate::object_store::{explain_datafusion_error, without_queries};

/// DataFusion's factory of listing tables, after a look at the locations.
#[derive(Debug, Default)]
pub(crate) struct ParquetTableFactory {
    inner: ListingTableFactory,
}

#[async_trait]
impl TableProviderFactory for ParquetTableFactory {
    async fn create(
        &self,
        state: &dyn Session,
        command: &CreateExternalTable,
    ) -> Result<Arc<dyn TableProvider>> {
        let mut command = command.clone();
        // A table with columns of its own may be declared before it has files.
        let inferred = command.schema.fields().is_empty();
        for location in &mut command.locations {
            match Location::parse(location)? {
                Some(Location::Path(path)) => {
                    if inferred && !path.exists() {
                        return Err(missing_path(&path).into());
                    }
                    // With `~` and `file://` taken care of.
                    if let Some(path) = path.to_str()
                        && !path.is_empty()
                        && (location.starts_with('~') || location.starts_with("file:"))
                    {
                        *location = path.to_owned();
                    }
                }
                Some(_) => {}
                None if inferred => return Err(missing_path(Path::new(location.as_str())).into()),
                None => {}
            }
        }
        let shown = without_queries(&command.locations.join(", ")).into_owned();
        self.inner.create(state, &command).await.map_err(|error| {
            if let Some(explained) = explain_datafusion_error(&error, Some(&shown)) {
                return explained.into();
            }
            // DataFusion has no error of its own for it.
            if inferred && error.to_string().contains("No files found at") {
                return Error::Statement(format!("there is no .parquet file in {shown}")).into();
            }
            error
        })
    }
}

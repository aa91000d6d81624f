//! Paths, directories, globs and URLs resolved to files.

use std::sync::Arc;

use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::DataFusionError;
use futures::TryStreamExt;
use geoflow_engine::store::explain_datafusion_error;
use geoflow_sql::object_store::{hide, place};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::session::Session;

/// A file to be read.
pub(crate) struct FoundFile {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) meta: ObjectMeta,
    /// As the user wrote it, when that names this very file.
    pub(crate) name: Option<String>,
}

/// The files behind one argument, in the order of their names.
pub(crate) async fn find(path: &str, session: &Session) -> Result<Vec<FoundFile>> {
    let url = match place(path) {
        Some(place) => ListingTableUrl::try_new(place, None),
        None => ListingTableUrl::parse(path),
    };
    let url = url.map_err(|e| from_datafusion(&e))?;
    let hidden = hide(path);
    let path = hidden.as_deref().unwrap_or(path);
    let state = session.context().state();
    let store = state
        .runtime_env()
        .object_store(url.object_store())
        .map_err(|e| from_datafusion(&e))?;
    let failure = |error: &DataFusionError| match explain_datafusion_error(error, Some(path)) {
        Some(explained) => from_engine(&explained),
        None => from_datafusion(error),
    };
    if !url.is_collection() && url.get_glob().is_none() {
        match store.head(url.prefix()).await {
            Ok(meta) => {
                return Ok(vec![FoundFile {
                    store,
                    meta,
                    name: Some(path.to_string()),
                }]);
            }
            // Perhaps a "directory" of objects, written without the slash.
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failure(&error.into())),
        }
    }
    let mut metas: Vec<ObjectMeta> =
        match url.list_all_files(&state, store.as_ref(), ".parquet").await {
            Ok(listing) => listing.try_collect().await.map_err(|e| failure(&e))?,
            Err(error) => return Err(failure(&error)),
        };
    metas.sort_by(|a, b| a.location.cmp(&b.location));
    if metas.is_empty() {
        return Err(
            match std::path::Path::new(path).is_dir() || url.get_glob().is_some() {
                true => Failure::user(format!("\"{path}\" has no .parquet files")),
                false => Failure::user(format!("\"{path}\" does not exist")),
            },
        );
    }
    Ok(metas
        .into_iter()
        .map(|meta| FoundFile {
            store: Arc::clone(&store),
            meta,
            name: None,
        })
        .collect())
}

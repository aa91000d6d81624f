//! Objects of a store, copied to this machine to be read: the readers of these formats seek in files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

use super::source::{FeatureSource, Request};
use super::{FeatureFormat, OpenOptions, open};
use crate::geometry::Bounds;
use crate::store::{SteadyStore, explain_object_store_error};
use crate::{Error, Result as EngineResult};

/// Files beside a `.shp`; only the first must be there, which its reader says.
const BESIDE_SHAPES: [&str; 4] = ["dbf", "shx", "prj", "cpg"];

/// Copies an object into the folder for temporary files, where it stays as long as the source, and opens it.
/// `shown` is what messages call it.
///
/// # Errors
/// As [`open`]; [`Error::Environment`] when the object cannot be read or the disk is full.
pub async fn fetch(
    runtime: &RuntimeEnv,
    store: &Arc<dyn ObjectStore>,
    (location, shown): (&Location, &str),
    format: FeatureFormat,
    options: &OpenOptions,
) -> Result<Arc<dyn FeatureSource>> {
    let folder = scratch(runtime)?;
    let file = folder.path().join(location.filename().unwrap_or("object"));
    copy(store, location, &file, shown).await?;
    if format == FeatureFormat::Shapefile {
        for extension in BESIDE_SHAPES {
            beside(store, location, &file, extension, shown).await?;
        }
    }
    let place = Place {
        local: file.display().to_string(),
        shown: shown.to_owned(),
        _folder: folder,
    };
    let inner = open(&file, format, options).map_err(|error| place.named(error))?;
    Ok(Arc::new(Fetched {
        inner,
        place: Arc::new(place),
    }))
}

/// Copies an object into the folder for temporary files, where it is as long as the store that is returned, which
/// has it at the same place. `shown` is what messages call it.
///
/// # Errors
/// [`Error::Environment`] when the object cannot be read or the disk is full.
pub async fn copy_here(
    runtime: &RuntimeEnv,
    store: &Arc<dyn ObjectStore>,
    (location, shown): (&Location, &str),
) -> Result<Arc<dyn ObjectStore>> {
    let folder = scratch(runtime)?;
    let file = folder.path().join(location.as_ref());
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    copy(store, location, &file, shown).await?;
    let copied = SteadyStore::of_folder(folder, store.to_string())?;
    Ok(Arc::new(copied))
}

/// Copies the file of another extension that belongs to an object, if it is there.
async fn beside(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
    file: &Path,
    extension: &str,
    shown: &str,
) -> Result<()> {
    let Some((stem, own)) = location.as_ref().rsplit_once('.') else {
        return Ok(());
    };
    let is_upper = own.chars().all(|c| c.is_ascii_uppercase());
    let extension = match is_upper {
        true => extension.to_ascii_uppercase(),
        false => extension.to_owned(),
    };
    let other = Location::from(format!("{stem}.{extension}"));
    match store.head(&other).await {
        Ok(_) => copy(store, &other, &file.with_extension(&extension), shown).await,
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        // Who may not list a bucket, or has a signature for one file, is told nothing of what is missing.
        Err(object_store::Error::PermissionDenied { .. }) if extension != "dbf" => Ok(()),
        Err(error) => Err(explain_object_store_error(&error, shown).into()),
    }
}

async fn copy(store: &Arc<dyn ObjectStore>, from: &Location, to: &Path, shown: &str) -> Result<()> {
    let explain = |error| explain_object_store_error(&error, shown);
    let no_room = |error: std::io::Error| Error::Environment {
        message: format!(
            "{shown} could not be copied to this machine, where it is read ({}): {error}. --temp-dir names another folder",
            to.display()
        ),
        retryable: false,
    };
    let mut chunks = store.get(from).await.map_err(explain)?.into_stream();
    let mut file = File::create(to).map_err(no_room)?;
    while let Some(chunk) = chunks.try_next().await.map_err(explain)? {
        file.write_all(&chunk).map_err(no_room)?;
    }
    Ok(())
}

/// A folder for files on their way to or from a store, removed when dropped.
pub(super) fn scratch(runtime: &RuntimeEnv) -> Result<TempDir> {
    let spill = runtime.disk_manager.create_tmp_file("a file of a store")?;
    let parent: Option<PathBuf> = spill.path().and_then(Path::parent).map(Path::to_owned);
    let folder = match parent {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    folder.map_err(|e| {
        Error::Environment {
            message: format!("no temporary folder could be made: {e}"),
            retryable: false,
        }
        .into()
    })
}

/// Where an object lies while it is read.
#[derive(Debug)]
struct Place {
    local: String,
    shown: String,
    _folder: TempDir,
}

impl Place {
    /// An error that names the object.
    fn named(&self, error: Error) -> Error {
        error.reworded(|text| text.replace(&self.local, &self.shown))
    }
}

/// A source whose file goes with it.
#[derive(Debug)]
struct Fetched {
    inner: Arc<dyn FeatureSource>,
    place: Arc<Place>,
}

impl FeatureSource for Fetched {
    fn schema(&self) -> &SchemaRef {
        self.inner.schema()
    }

    fn name(&self) -> String {
        self.inner
            .name()
            .replace(&self.place.local, &self.place.shown)
    }

    fn rows(&self) -> Option<u64> {
        self.inner.rows()
    }

    fn rows_about(&self) -> Option<u64> {
        self.inner.rows_about()
    }

    fn bytes_about(&self) -> Option<u64> {
        self.inner.bytes_about()
    }

    fn extent(&self) -> Option<Bounds> {
        self.inner.extent()
    }

    fn geometry_types(&self) -> Vec<String> {
        self.inner.geometry_types()
    }

    fn has_index(&self) -> bool {
        self.inner.has_index()
    }

    fn parts(&self, most: usize) -> EngineResult<Vec<Arc<dyn FeatureSource>>> {
        let parts = self.inner.parts(most);
        let parts = parts.map_err(|error| self.place.named(error))?;
        let fetched = |inner| -> Arc<dyn FeatureSource> {
            Arc::new(Self {
                inner,
                place: Arc::clone(&self.place),
            })
        };
        Ok(parts.into_iter().map(fetched).collect())
    }

    fn read(
        &self,
        request: &Request,
        give: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> EngineResult<()> {
        let read = self.inner.read(request, give);
        read.map_err(|error| self.place.named(error))
    }
}

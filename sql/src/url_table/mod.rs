//! Paths and URLs as tables: `FROM 'testdata/cities.parquet'`, `FROM 's3://bucket/folder/'`.
//!
//! | name | table |
//! |---|---|
//! | `a.parquet`, `/x/a.parquet`, `~/a.parquet`, `file:///x/a.parquet` | one file |
//! | `folder`, `folder/` | all `.parquet` files in it; folders `key=value` become columns |
//! | `folder/*.parquet`, `**/x?.parquet` | the files that match |
//! | `s3://`, `gs://`, `az://` and a key, a prefix or a pattern | the same, from object storage |
//! | `https://host/a.parquet`, `https://host/a.parquet?signature=...` | one file; the query is never shown |
//! | `a.gpkg`, `a.gpkg/roads` | the only layer of a GeoPackage, or one of several |
//! | `a.geojson`, `a.geojsonl` | GeoJSON; `.json` and `.ndjson` where features begin the file |
//! | `a.shp`, `a.fgb` | a Shapefile, FlatGeobuf; these and those before also from object storage, copied here first |
//! | `a.csv`, `a.tsv`, `a.arrow`, `a.feather` | texts, with WKT in a column of a telling name; Arrow IPC |
//! | `read_csv('a.csv', x := 'lon', y := 'lat')` | a file, or a list of them, with options |
//!
//! A registered table of that name goes first. DataFusion's own factory returns "table not found"
//! for anything that goes wrong, and knows neither patterns on object stores nor `~`.

mod call;
mod create;
mod delimited;
mod features;
mod formats;
mod hive;
mod location;
mod missing;
mod named;
mod parts;
mod with_nulls;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::common::TableReference;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableConfigExt, ListingTableUrl,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::SessionState;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use geoflow_engine::Error;
use geoflow_engine::first_bytes::empty;
use geoflow_engine::formats::{FeatureFormat, FeatureTable, copy_here, fetch};
use geoflow_engine::geoparquet::{GeoParquetFormat, PartIndex};
use glob::{MatchOptions, Pattern};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parking_lot::{Mutex, RwLock};
use url::Url;

use crate::object_store::{
    alone, explain_datafusion_error, explain_object_store_error, gives_no_parts, hide,
};
use call::Call;
pub(crate) use call::{hide_queries, name_calls};
pub(crate) use create::ParquetTableFactory;
use formats::{As, Listed};
use location::{Location, absolute};
use named::NamedTable;
pub use with_nulls::FolderWithNulls;

/// Extensions of Parquet files, the usual one first.
const PARQUET: [&str; 3] = ["parquet", "geoparquet", "pq"];

/// Makes paths and URLs known to a session as tables.
pub fn enable_url_tables(context: SessionContext) -> SessionContext {
    let factory = Arc::new(UrlTables::default());
    let catalogs = Arc::new(DynamicFileCatalog::new(
        Arc::clone(context.state().catalog_list()),
        Arc::clone(&factory) as Arc<dyn UrlTableFactory>,
    ));
    let session_id = context.session_id();
    let context: SessionContext = context
        .into_state_builder()
        .with_session_id(session_id)
        .with_catalog_list(catalogs)
        .build()
        .into();
    *factory.state.lock() = context.state_weak_ref();
    context
}

/// Asks the session that holds it for formats and object stores, hence the weak reference.
#[derive(Debug, Default)]
struct UrlTables {
    state: Mutex<Weak<RwLock<SessionState>>>,
}

#[async_trait]
impl UrlTableFactory for UrlTables {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let state = self.state.lock().upgrade();
        let state = state
            .map(|state| state.read().clone())
            .ok_or_else(|| Error::Internal("the session of a URL table is gone".into()))?;
        url_table(&state, name).await
    }
}

/// The table at a path or URL, or of a call such as `read_csv('a.csv')`; `None` for a plain name that is no
/// path.
///
/// # Errors
/// [`Error::Statement`] when there is nothing there or it cannot be a table, [`Error::Data`] when a
/// file is of another format than it should be, [`Error::Environment`] when it cannot be read.
pub async fn url_table(state: &SessionState, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    if let Some(call) = Call::parse(name)? {
        return formats::table_of_call(state, call).await.map(Some);
    }
    table_at(state, name, &As::default()).await
}

/// The table at a path or URL, read as told.
async fn table_at(
    state: &SessionState,
    name: &str,
    read_as: &As,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(location) = Location::parse(name)? else {
        return Ok(None);
    };
    let hidden = hide(name);
    let name = hidden.as_deref().unwrap_or(name);
    if let Some(table) = read_as.features(&location)? {
        return Ok(Some(table));
    }
    let place = Place {
        state,
        name,
        read_as,
    };
    let found = match location {
        Location::Path(path) => place.local(&path).await,
        Location::Url(url) => place.remote(url).await,
        Location::Glob { base, pattern } => place.matching(base, &pattern).await,
    };
    match found {
        Ok(table) => Ok(Some(table)),
        Err(error) => Err(match explain_datafusion_error(&error, Some(name)) {
            Some(explained) => explained.into(),
            None => error,
        }),
    }
}

/// What a table is made with: the session, the name in the statement, and the format where it is told.
struct Place<'a> {
    state: &'a SessionState,
    name: &'a str,
    read_as: &'a As,
}

impl Place<'_> {
    async fn local(&self, path: &Path) -> Result<Arc<dyn TableProvider>> {
        let metadata = std::fs::metadata(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => missing::missing_path(path),
            _ => Error::Environment {
                message: format!("{} cannot be read: {e}", path.display()),
                retryable: false,
            },
        })?;
        let full = absolute(path)?;
        let url = if metadata.is_dir() {
            Url::from_directory_path(&full)
        } else {
            Url::from_file_path(&full)
        };
        // Parsed once more, `..` is resolved.
        let url = url
            .ok()
            .and_then(|url| Url::parse(url.as_str()).ok())
            .ok_or_else(|| Error::Statement(format!("\"{}\" is no path", self.name)))?;
        if metadata.is_dir() {
            self.folder(self.listing_url(url)?).await
        } else {
            let url = self.listing_url(url)?;
            let object = self.store(&url)?.head(url.prefix()).await?;
            self.file(url, object).await
        }
    }

    async fn remote(&self, url: Url) -> Result<Arc<dyn TableProvider>> {
        if url.path().ends_with('/') {
            return self.folder(self.listing_url(url)?).await;
        }
        let file = self.listing_url(url.clone())?;
        if let Some(package) = package_of(&url, self.read_as) {
            let layer = file.prefix().filename().map(str::to_owned);
            return self.fetched(&[self.listing_url(package)?], layer).await;
        }
        match self.store(&file)?.head(file.prefix()).await {
            Ok(object) => self.file(file, object).await,
            Err(error) if gives_no_parts(&error) => {
                let extension = file.file_extension().unwrap_or_default();
                match self.read_as.feature_format(extension) {
                    // It is copied to be read in any case.
                    Some(_) => self.fetched(&[file], None).await,
                    None => {
                        let (file, object) = self.copied(&url).await?;
                        self.file(file, object).await
                    }
                }
            }
            // A prefix may be written without the slash, where it can be listed.
            Err(object_store::Error::NotFound { .. }) if !url.scheme().starts_with("http") => {
                let mut folder = url;
                folder.set_path(&format!("{}/", folder.path()));
                let folder = self.listing_url(folder)?;
                if self.objects(&folder).await?.is_empty() {
                    return Err(Error::Statement(format!(
                        "{} does not exist, neither as a file nor as a folder",
                        self.name
                    ))
                    .into());
                }
                self.folder(folder).await
            }
            Err(error) => Err(explain_object_store_error(&error, self.name).into()),
        }
    }

    /// The copy here of a file of which a web server gives no parts. It is kept as long as the session.
    async fn copied(&self, url: &Url) -> Result<(ListingTableUrl, ObjectMeta)> {
        let url = alone(url)
            .ok_or_else(|| Error::Statement(format!("{} is no address of a file", self.name)))?;
        let file = self.listing_url(url.clone())?;
        let store = self.store(&file)?;
        if let Ok(object) = store.head(file.prefix()).await {
            return Ok((file, object));
        }
        let runtime = self.state.runtime_env();
        let copy = copy_here(runtime, &store, (file.prefix(), self.name)).await?;
        let object = copy.head(file.prefix()).await?;
        runtime.register_object_store(&url, copy);
        Ok((file, object))
    }

    async fn file(
        &self,
        url: ListingTableUrl,
        object: ObjectMeta,
    ) -> Result<Arc<dyn TableProvider>> {
        let extension = url.file_extension().unwrap_or_default().to_lowercase();
        if self.read_as.feature_format(&extension).is_some() {
            return self.fetched(&[url], None).await;
        }
        if self.read_as.is_open() && matches!(extension.as_str(), "dbf" | "shx") {
            return Err(Error::Statement(format!(
                "{} is a part of a Shapefile: name its .shp",
                self.name
            ))
            .into());
        }
        if self.read_as.is_open()
            && let Some(format) = geodata_format(&extension)
        {
            let remedy = match extension.as_str() {
                "zip" => "Unpack it, and name what is in it".to_owned(),
                _ => format!(
                    "Convert it to GeoParquet first, for example with `ogr2ogr -f Parquet out.parquet {}`",
                    self.name
                ),
            };
            return Err(Error::Statement(format!(
                "{}: {format} cannot be read. {remedy}",
                self.name
            ))
            .into());
        }
        match self.read_as.listed(&extension) {
            Listed::Delimited | Listed::Arrow => return self.listed(vec![url], &extension).await,
            Listed::Other if self.state.get_file_format_factory(&extension).is_some() => {
                // JSON and the like, as DataFusion reads them.
                if extension.contains("json") {
                    self.check_text(&url, "JSON").await?;
                }
                let config = ListingTableConfig::new(url)
                    .infer_options(self.state)
                    .await?
                    .infer_schema(self.state)
                    .await
                    .map_err(|e| named::say(self.name, e))?;
                let table = Arc::new(ListingTable::try_new(config)?);
                return Ok(Arc::new(NamedTable::new(self.name, table)));
            }
            Listed::Parquet | Listed::Other => {}
        }
        // Whatever it is called: what is no Parquet is told by its first bytes.
        self.table(vec![url], vec![object], "", vec![], PartIndex::default())
            .await
    }

    /// The table of files of a store that are read feature by feature, or of a layer of one.
    async fn fetched(
        &self,
        urls: &[ListingTableUrl],
        layer: Option<String>,
    ) -> Result<Arc<dyn TableProvider>> {
        let mut options = self.read_as.feature_options().clone();
        options.layer = layer.or(options.layer);
        let mut sources = vec![];
        for url in urls {
            let extension = url.file_extension().unwrap_or_default();
            let format = self
                .read_as
                .feature_format(extension)
                .ok_or_else(|| Error::Internal(format!("{} has no format", self.name)))?;
            let shown = match urls {
                [_] => self.name.to_owned(),
                _ => url.to_string(),
            };
            let object = (url.prefix(), shown.as_str());
            let runtime = self.state.runtime_env();
            sources.push(fetch(runtime, &self.store(url)?, object, format, &options).await?);
        }
        Ok(Arc::new(FeatureTable::of_all(sources)?))
    }

    async fn folder(&self, url: ListingTableUrl) -> Result<Arc<dyn TableProvider>> {
        let objects = self.objects(&url).await?;
        let in_folder: Vec<ObjectMeta> = objects
            .iter()
            .filter(|object| url.contains(&object.location, true))
            .cloned()
            .collect();
        let with = |extension: &str| -> Vec<ObjectMeta> {
            in_folder
                .iter()
                .filter(|object| object.location.as_ref().ends_with(extension))
                .cloned()
                .collect()
        };
        for extension in PARQUET {
            let extension = format!(".{extension}");
            let files = with(&extension);
            if !files.is_empty() {
                let columns = hive::partition_columns(&url, &files)?;
                let parts = parts::read(self.store(&url)?.as_ref(), &url, &objects).await;
                return self
                    .table(vec![url], files, &extension, columns, parts)
                    .await;
            }
        }
        let deeper = objects.iter().any(is_parquet);
        let hint = if deeper {
            format!(
                ", only in folders below: name one, or write '{}/**/*.parquet'",
                self.name.trim_end_matches('/')
            )
        } else {
            found_instead(&in_folder)
        };
        Err(Error::Statement(format!("there is no .parquet file in {}{hint}", self.name)).into())
    }

    async fn matching(&self, base: Url, pattern: &Pattern) -> Result<Arc<dyn TableProvider>> {
        if let Ok(folder) = base.to_file_path()
            && !folder.is_dir()
        {
            return Err(missing::missing_path(&folder).into());
        }
        let root = self.listing_url(base.clone())?;
        let listed = self.objects(&root).await?;
        // `dir/*` means the data in it, not its README.
        let last = pattern.as_str().rsplit('/').next().unwrap_or_default();
        let any_extension = last.contains('.');
        let options = MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..Default::default()
        };
        let matches = |object: &ObjectMeta| {
            root.strip_prefix(&object.location).is_some_and(|segments| {
                let path: Vec<&str> = segments.collect();
                pattern.matches_with(&path.join("/"), options)
            }) && (any_extension || is_parquet(object))
        };
        let files: Vec<ObjectMeta> = listed.iter().filter(|o| matches(o)).cloned().collect();
        if files.is_empty() {
            return Err(Error::Statement(format!("no file matches {}", self.name)).into());
        }
        let extensions: Vec<String> = files
            .iter()
            .map(|f| extension(f).unwrap_or_default())
            .collect();
        if let Some(first) = extensions.first()
            && extensions.iter().all(|other| other == first)
            && matches!(
                self.read_as.listed(first),
                Listed::Delimited | Listed::Arrow
            )
        {
            return self.listed(self.urls(&base, &files)?, first).await;
        }
        let features = |extension: &String| self.read_as.feature_format(extension).is_some();
        if extensions.iter().all(features) {
            return self.fetched(&self.urls(&base, &files)?, None).await;
        }
        // Where the folder and the last part of the pattern say the same, one listing is enough
        // for the scan, and folders `key=value` become columns.
        if any_extension {
            let whole = root.clone().with_glob(last)?;
            if listed
                .iter()
                .all(|o| whole.contains(&o.location, true) == matches(o))
            {
                let columns = hive::partition_columns(&whole, &files)?;
                return self
                    .table(vec![whole], files, "", columns, PartIndex::default())
                    .await;
            }
        }
        let urls = self.urls(&base, &files)?;
        self.table(urls, files, "", vec![], PartIndex::default())
            .await
    }

    /// The URL of each file of a store.
    fn urls(&self, base: &Url, files: &[ObjectMeta]) -> Result<Vec<ListingTableUrl>> {
        let urls = files.iter().map(|file| {
            let mut url = base.clone();
            url.set_path(&format!("/{}", file.location).replace('%', "%25"));
            self.listing_url(url)
        });
        urls.collect()
    }

    /// The table of `files`, which `urls` and `extension` find again when it is scanned.
    async fn table(
        &self,
        urls: Vec<ListingTableUrl>,
        files: Vec<ObjectMeta>,
        extension: &str,
        partition_columns: Vec<(String, DataType)>,
        parts: PartIndex,
    ) -> Result<Arc<dyn TableProvider>> {
        let Some(first) = urls.first() else {
            return Err(Error::Internal(format!("no URL for {}", self.name)).into());
        };
        let store = self.store(first)?;
        let files: Vec<ObjectMeta> = files.into_iter().filter(|file| file.size > 0).collect();
        if files.is_empty() {
            return Err(Error::Data(empty(self.name)).into());
        }
        let format = self.parquet()?;
        let format = match format.downcast_ref::<GeoParquetFormat>() {
            Some(ours) if !parts.is_empty() => {
                Arc::new(ours.clone().with_parts(parts)) as Arc<dyn FileFormat>
            }
            _ => format,
        };
        let schema = format.infer_schema(self.state, &store, &files).await?;
        // A key that the files hold as well is taken from the folder, which the scan can prune by.
        let fields: Vec<Arc<Field>> = schema
            .fields()
            .iter()
            .filter(|field| {
                !partition_columns
                    .iter()
                    .any(|(name, _)| name == field.name())
            })
            .cloned()
            .collect();
        let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        if let [url] = urls.as_slice()
            && files.iter().any(|file| hive::has_null(url, file))
        {
            let url = url.clone();
            let table = FolderWithNulls::try_new(url, format, schema, &partition_columns, files)?;
            return Ok(Arc::new(table));
        }
        let options = ListingOptions::new(format)
            .with_file_extension(extension)
            .with_table_partition_cols(partition_columns);
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(Arc::new(schema));
        Ok(Arc::new(ListingTable::try_new(config)?))
    }

    fn parquet(&self) -> Result<Arc<dyn FileFormat>> {
        self.state
            .get_file_format_factory("parquet")
            .ok_or_else(|| Error::Internal("the session knows no Parquet".into()))?
            .create(self.state, &Default::default())
    }

    fn store(&self, url: &ListingTableUrl) -> Result<Arc<dyn ObjectStore>> {
        self.state.runtime_env().object_store(url)
    }

    /// A URL whose listing nobody else shares: the session keeps listings by table and key, and
    /// would give those of another bucket, or of a statement before the files changed.
    fn listing_url(&self, url: Url) -> Result<ListingTableUrl> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let unique = format!("{}#{}", self.name, NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(ListingTableUrl::try_new(url, None)?.with_table_ref(TableReference::bare(unique)))
    }

    /// All objects below a folder.
    async fn objects(&self, folder: &ListingTableUrl) -> Result<Vec<ObjectMeta>> {
        let store = self.store(folder)?;
        let mut objects: Vec<ObjectMeta> = store
            .list(Some(folder.prefix()))
            .try_collect()
            .await
            .map_err(DataFusionError::from)?;
        objects.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(objects)
    }
}

/// The GeoPackage of `s3://bucket/a.gpkg/roads`.
fn package_of(url: &Url, read_as: &As) -> Option<Url> {
    let (file, layer) = url.path().rsplit_once('/')?;
    let (_, extension) = file.rsplit_once('.')?;
    let format = read_as.is_open().then(|| read_as.feature_format(extension));
    if layer.is_empty() || format.flatten() != Some(FeatureFormat::GeoPackage) {
        return None;
    }
    let mut package = url.clone();
    package.set_path(file);
    Some(package)
}

fn extension(object: &ObjectMeta) -> Option<String> {
    object.location.extension().map(str::to_lowercase)
}

fn is_parquet(object: &ObjectMeta) -> bool {
    extension(object).is_some_and(|extension| PARQUET.contains(&extension.as_str()))
}

fn found_instead(files: &[ObjectMeta]) -> String {
    const SHOWN: usize = 3;
    if files.is_empty() {
        return ": it is empty".to_owned();
    }
    let names: Vec<&str> = files
        .iter()
        .filter_map(|file| file.location.filename())
        .take(SHOWN)
        .collect();
    let more = if files.len() > SHOWN { ", …" } else { "" };
    format!(": it holds {}{more}", names.join(", "))
}

/// Formats of geodata that people have and that are not read.
fn geodata_format(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "gdb" => "a File Geodatabase",
        "kml" | "kmz" => "KML",
        "gml" => "GML",
        "zip" => "a ZIP archive",
        _ => return None,
    })
}

//! As what a file is read: by its extension, or by the function that names it.

use std::sync::Arc;

use datafusion::catalog::{TableProvider, default_table_source::provider_as_source};
use datafusion::datasource::ViewTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::Result;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlanBuilder;
use geoflow_engine::Error;
use geoflow_engine::crs::Crs;
use geoflow_engine::first_bytes::{FIRST_BYTES, empty, foreign, is_binary};
use geoflow_engine::formats::{FeatureFormat, OpenOptions};
use geoflow_engine::geoparquet::{GEO_KEY, GeoMetadata, label_geometry};
use object_store::ObjectStoreExt;

use super::call::{Call, Reader};
use super::delimited::DelimitedOptions;
use super::location::Location;
use super::named::{self, NamedTable};
use super::{PARQUET, Place, features, table_at};

/// As what a file is read, and how.
#[derive(Debug, Default)]
pub(super) struct As {
    /// `None`: by its extension.
    reader: Option<Reader>,
    delimited: DelimitedOptions,
    features: OpenOptions,
}

/// How files are read that a store lists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Listed {
    Parquet,
    Delimited,
    Arrow,
    Other,
}

impl As {
    /// Whether the extension decides.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.reader, None | Some(Reader::Any))
    }

    /// The format of a file of this extension in a store, if it is one that is read feature by feature.
    pub(super) fn feature_format(&self, extension: &str) -> Option<FeatureFormat> {
        match self.reader {
            Some(Reader::Features(format)) => Some(format),
            None | Some(Reader::Any) => FeatureFormat::of_extension(extension),
            Some(_) => None,
        }
    }

    /// How features are read.
    pub(super) fn feature_options(&self) -> &OpenOptions {
        &self.features
    }

    pub(super) fn listed(&self, extension: &str) -> Listed {
        match (self.reader, extension) {
            (Some(Reader::Parquet), _) => Listed::Parquet,
            (Some(Reader::Csv), _) => Listed::Delimited,
            (Some(Reader::Arrow), _) => Listed::Arrow,
            (_, extension) if PARQUET.contains(&extension) => Listed::Parquet,
            (_, "csv" | "tsv" | "tab") => Listed::Delimited,
            (_, "arrow" | "arrows" | "feather" | "ipc") => Listed::Arrow,
            _ => Listed::Other,
        }
    }

    /// The table of what is read feature by feature.
    pub(super) fn features(
        &self,
        location: &Location,
    ) -> geoflow_engine::Result<Option<Arc<dyn TableProvider>>> {
        match self.reader {
            None | Some(Reader::Any) => features::table(location, None, &self.features),
            Some(Reader::Features(format)) => {
                features::table(location, Some(format), &self.features)
            }
            Some(_) => Ok(None),
        }
    }
}

/// The table of a call.
pub(super) async fn table_of_call(
    state: &SessionState,
    mut call: Call,
) -> Result<Arc<dyn TableProvider>> {
    let mut read_as = As {
        reader: Some(call.reader),
        ..As::default()
    };
    match call.reader {
        Reader::Parquet | Reader::Arrow => call.no_more(&[])?,
        Reader::Csv => read_as.delimited = DelimitedOptions::of(&mut call)?,
        Reader::Features(_) | Reader::Any => read_as.features = feature_options(&mut call)?,
    }
    let mut tables = vec![];
    for path in &call.paths {
        let table = table_at(state, path, &read_as).await?;
        tables.push(table.ok_or_else(|| {
            Error::Statement(format!("{}: {path} does not exist", call.function))
        })?);
    }
    let mut all: Option<LogicalPlanBuilder> = None;
    if let ([_], Some(only)) = (tables.as_slice(), tables.first()) {
        return Ok(Arc::clone(only));
    }
    for (table, path) in tables.into_iter().zip(&call.paths) {
        let scan = LogicalPlanBuilder::scan(path.as_str(), provider_as_source(table), None)?;
        all = Some(match all {
            Some(before) => before.union(scan.build()?)?,
            None => scan,
        });
    }
    match all {
        Some(all) => Ok(Arc::new(ViewTable::new(all.build()?, None))),
        None => Err(Error::Statement(format!("{}: there is no path", call.function)).into()),
    }
}

fn feature_options(call: &mut Call) -> geoflow_engine::Result<OpenOptions> {
    let options = OpenOptions {
        layer: call.take(&["layer"]),
        sample_size: call.take_parsed(&["sample_size"], "a number of features")?,
        crs: match call.take(&["crs"]) {
            Some(crs) => Some(Crs::from_authority_code(&crs)?),
            None => None,
        },
        encoding: call.take(&["encoding"]),
    };
    call.no_more(&["layer", "sample_size", "crs", "encoding"])?;
    Ok(options)
}

impl Place<'_> {
    /// The table of texts or of Arrow IPC.
    pub(super) async fn listed(
        &self,
        urls: Vec<ListingTableUrl>,
        extension: &str,
    ) -> Result<Arc<dyn TableProvider>> {
        let is_delimited = self.read_as.listed(extension) == Listed::Delimited;
        let format: Arc<dyn FileFormat> = match is_delimited {
            true => {
                for url in &urls {
                    self.check_text(url, "CSV").await?;
                }
                Arc::new(self.read_as.delimited.format(extension))
            }
            false => {
                for url in &urls {
                    self.check_arrow(url).await?;
                }
                self.state
                    .get_file_format_factory("arrow")
                    .ok_or_else(|| Error::Internal("the session knows no Arrow".into()))?
                    .create(self.state, &Default::default())?
            }
        };
        let options = ListingOptions::new(format).with_file_extension("");
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .infer_schema(self.state)
            .await
            .map_err(|e| named::say(self.name, e))?;
        if is_delimited {
            let table = Arc::new(ListingTable::try_new(config)?);
            let table = Arc::new(NamedTable::new(self.name, table));
            let delimited = &self.read_as.delimited;
            return delimited.with_geometry(self.state, table, self.name).await;
        }
        // GeoPandas describes geometries as GeoParquet does, and has no GeoArrow types.
        let schema = config.file_schema.clone();
        let geo = schema
            .as_ref()
            .and_then(|schema| schema.metadata().get(GEO_KEY));
        let config = match (&schema, geo) {
            (Some(schema), Some(geo)) => {
                let geo = GeoMetadata::parse(geo, self.name)?;
                let labelled = label_geometry(schema, &geo, self.name, false)?;
                config.with_schema(Arc::new(labelled))
            }
            _ => config,
        };
        let table = Arc::new(ListingTable::try_new(config)?);
        Ok(Arc::new(NamedTable::new(self.name, table)))
    }

    /// The first bytes of a file and its size; `None` of a folder or a pattern.
    async fn first_bytes(&self, url: &ListingTableUrl) -> Result<Option<(Vec<u8>, u64)>> {
        if url.is_collection() || url.get_glob().is_some() {
            return Ok(None);
        }
        let store = self.store(url)?;
        let size = store.head(url.prefix()).await?.size;
        if size == 0 {
            return Err(Error::Data(empty(self.name)).into());
        }
        let range = 0..size.min(FIRST_BYTES as u64);
        let start = store.get_range(url.prefix(), range).await?;
        Ok(Some((start.to_vec(), size)))
    }

    /// That a file of texts is none of another format.
    pub(super) async fn check_text(&self, url: &ListingTableUrl, format: &str) -> Result<()> {
        let Some((start, _)) = self.first_bytes(url).await? else {
            return Ok(());
        };
        let is_json = start.starts_with(b"{") && format == "CSV";
        match is_binary(&start) || is_json {
            true => Err(Error::Data(foreign(self.name, format, &start)).into()),
            false => Ok(()),
        }
    }

    /// That a file begins as Arrow IPC does: a reader would believe any length that another begins with.
    async fn check_arrow(&self, url: &ListingTableUrl) -> Result<()> {
        let Some((start, size)) = self.first_bytes(url).await? else {
            return Ok(());
        };
        let length = |at: usize| {
            let bytes = start.get(at..at + 4).and_then(|b| b.try_into().ok());
            u64::from(u32::from_le_bytes(bytes.unwrap_or_default()))
        };
        // A file; a stream, whose first message follows a mark and its length; one of before Arrow 0.15.
        let is_arrow = start.starts_with(b"ARROW1")
            || match length(0) {
                0xffff_ffff => (1..size).contains(&length(4)),
                old => (8..size).contains(&old),
            };
        match is_arrow {
            true => Ok(()),
            false => Err(Error::Data(foreign(self.name, "Arrow IPC", &start)).into()),
        }
    }
}

//! GeoParquet as a file format of DataFusion.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{GetExt, Statistics};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::parquet::{ParquetFormat, ParquetFormatFactory};
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory, FileMeta};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSinkConfig, FileSource,
};
use datafusion::datasource::table_schema::TableSchema;

use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::{LexOrdering, LexRequirement};
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::ParquetMetaData;

use super::merge::{FileSchema, merge};
use super::named_geometry::{NamedGeometry, label_named};
use super::output_options::{OUTPUT_OPTIONS, take_option};
use super::part_index::{IndexedPart, PartIndex};
use super::sink_plan::write_plan;
use super::{
    GeoMetadata, OutputOptions, display_location, geometry_columns, label_geometry, read_footer,
};
use crate::Error;
use crate::formats::write::write_whole;

/// Of so many files all footers are read, for the statistics of their columns, though a job says their rows.
const MOST_FOOTERS: usize = 32;

/// Makes [`GeoParquetFormat`]s for `STORED AS PARQUET`.
///
/// Beside the options of Parquet it takes `edges`: `planar` reads lines and polygons with
/// spherical edges as if they were straight; `geometry` to name columns of WKB, with their CRS, in files
/// without `geo` metadata; and those of [`OUTPUT_OPTIONS`](super::OUTPUT_OPTIONS).
#[derive(Debug)]
pub struct GeoParquetFormatFactory {
    inner: ParquetFormatFactory,
}

impl GeoParquetFormatFactory {
    /// With the options of the session.
    pub fn new() -> Self {
        Self {
            inner: ParquetFormatFactory::new(),
        }
    }
}

impl Default for GeoParquetFormatFactory {
    fn default() -> Self {
        Self::new()
    }
}

impl GetExt for GeoParquetFormatFactory {
    fn get_ext(&self) -> String {
        self.inner.get_ext()
    }
}

impl FileFormatFactory for GeoParquetFormatFactory {
    fn create(
        &self,
        state: &dyn Session,
        options: &HashMap<String, String>,
    ) -> Result<Arc<dyn FileFormat>> {
        let mut options = options.clone();
        let spherical_as_planar = match take_option(&mut options, "edges").as_deref() {
            None => false,
            Some("planar") => true,
            Some(other) => {
                return Err(Error::Statement(format!(
                    "the option 'edges' is '{other}', its only value is 'planar'"
                ))
                .into());
            }
        };
        // Columns of WKB in files without metadata: `geometry 'pickup:EPSG:4326, dropoff'`.
        let geometry = take_option(&mut options, "geometry")
            .map_or(Ok(vec![]), |text| NamedGeometry::parse_all(&text))?;
        let output = OutputOptions::take(&mut options)?;
        with_level(&mut options);
        let inner = self.inner.create(state, &options).map_err(known_options)?;
        Ok(Arc::new(GeoParquetFormat {
            geometry,
            parts: None,
            output,
            inner,
            spherical_as_planar,
        }))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        Arc::new(GeoParquetFormat::default())
    }
}

/// `compression 'zstd'` is that codec at its usual level, which DataFusion wants to be told.
fn with_level(options: &mut HashMap<String, String>) {
    for name in ["compression", "format.compression"] {
        if let Some(codec) = options.get_mut(name) {
            match codec.trim().to_ascii_lowercase().as_str() {
                "zstd" => *codec = "zstd(1)".to_owned(),
                "gzip" => *codec = "gzip(6)".to_owned(),
                "brotli" => *codec = "brotli(1)".to_owned(),
                "none" => *codec = "uncompressed".to_owned(),
                _ => {}
            }
        }
    }
}

/// Of an option that there is not, all that there are.
fn known_options(error: DataFusionError) -> DataFusionError {
    let message = error.to_string();
    let unknown = message
        .split_once("Config value \"")
        .and_then(|(_, rest)| rest.split_once("\" not found on"));
    let Some((name, _)) = unknown else {
        return error;
    };
    let ours = OUTPUT_OPTIONS.iter().map(|(name, _)| *name);
    let names: Vec<&str> = ours.chain(["compression"]).collect();
    Error::Statement(format!(
        "Parquet has no option '{name}': to write, it has {}; to read, 'geometry' and 'edges'; and those of DataFusion's Parquet",
        names.join(", ")
    ))
    .into()
}

/// Parquet whose geometry columns are Arrow fields with GeoArrow types and their CRS.
///
/// A file without `geo` metadata keeps plain binary columns. Scans are left to DataFusion's
/// [`ParquetFormat`], and so is writing without geometry.
#[derive(Debug, Clone)]
pub struct GeoParquetFormat {
    inner: Arc<dyn FileFormat>,
    spherical_as_planar: bool,
    geometry: Vec<NamedGeometry>,
    output: OutputOptions,
    /// What jobs say of the files that they have written.
    parts: Option<Arc<PartIndex>>,
}

impl Default for GeoParquetFormat {
    fn default() -> Self {
        Self::new(ParquetFormat::default())
    }
}

impl GeoParquetFormat {
    /// GeoParquet read with the options of `inner`.
    pub fn new(inner: ParquetFormat) -> Self {
        Self {
            inner: Arc::new(inner),
            spherical_as_planar: false,
            geometry: vec![],
            output: OutputOptions::default(),
            parts: None,
        }
    }

    /// With an index of files, of which only one of each job is opened to know the schema of all, and those not
    /// at all that a filter excludes.
    #[must_use]
    pub fn with_parts(mut self, parts: PartIndex) -> Self {
        self.parts = (!parts.is_empty()).then(|| Arc::new(parts));
        self
    }

    /// Labels the files of a scan with their bounds.
    fn with_bounds(&self, conf: FileScanConfig) -> FileScanConfig {
        let label = |file: &PartitionedFile| {
            let bounds = self.part(&file.object_meta)?.bounds.clone()?;
            Some(file.clone().with_extension(bounds))
        };
        let groups = conf.file_groups.iter().map(|group| {
            let files = group.iter();
            FileGroup::new(
                files
                    .map(|f| label(f).unwrap_or_else(|| f.clone()))
                    .collect(),
            )
        });
        let groups = groups.collect();
        FileScanConfigBuilder::from(conf)
            .with_file_groups(groups)
            .build()
    }

    fn part(&self, object: &ObjectMeta) -> Option<&IndexedPart> {
        self.parts.as_ref()?.of(object)
    }

    /// The rows of a file of many, without a look at it. Of few files the footers are read, which say more.
    fn stats_of_part(&self, schema: &SchemaRef, object: &ObjectMeta) -> Option<Statistics> {
        let many = self.parts.as_ref()?.len() > MOST_FOOTERS;
        let part = self.part(object).filter(|_| many)?;
        let mut statistics = Statistics::new_unknown(schema);
        statistics.num_rows = Precision::Exact(usize::try_from(part.rows).ok()?);
        Some(statistics)
    }

    /// The files whose schemas are that of the table: the first of each job is like the others.
    fn telling<'a>(&self, objects: &'a [ObjectMeta]) -> Vec<&'a ObjectMeta> {
        let mut seen = vec![];
        let tells = |object: &&ObjectMeta| match self.part(object) {
            None => true,
            Some(part) if seen.contains(&part.job) => false,
            Some(part) => {
                seen.push(part.job);
                true
            }
        };
        objects.iter().filter(tells).collect()
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner
            .downcast_ref::<ParquetFormat>()
            .and_then(ParquetFormat::metadata_size_hint)
    }

    /// The footer, checked and put into the cache of the session, where the functions of
    /// [`ParquetFormat`] find it.
    async fn footer(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        object: &ObjectMeta,
    ) -> Result<Arc<ParquetMetaData>> {
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        read_footer(store, object, Some(&cache), self.size_hint()).await
    }

    async fn file_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        object: &ObjectMeta,
    ) -> Result<FileSchema> {
        let file = display_location(store.as_ref(), &object.location);
        let footer = self.footer(state, store, object).await?;
        // The footer is in the cache now, so this reads nothing.
        let schema = self
            .inner
            .infer_schema(state, store, std::slice::from_ref(object))
            .await?;
        let schema = match GeoMetadata::of_file(&footer, &file)? {
            Some(geo) => label_geometry(&schema, &geo, &file, self.spherical_as_planar)?,
            None => Schema::clone(&schema),
        };
        let schema = label_named(schema, &self.geometry, &file)?;
        Ok(FileSchema { file, schema })
    }
}

#[async_trait]
impl FileFormat for GeoParquetFormat {
    fn get_ext(&self) -> String {
        self.inner.get_ext()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        self.inner.get_ext_with_compression(compression)
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        self.inner.compression_type()
    }

    async fn infer_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        if objects.is_empty() {
            return Err(
                Error::Data("there is no Parquet file that is not empty".to_owned()).into(),
            );
        }
        let concurrency = state
            .config_options()
            .execution
            .meta_fetch_concurrency
            .get();
        let objects = self.telling(objects);
        let mut files: Vec<(usize, FileSchema)> = futures::stream::iter(objects.iter().enumerate())
            .map(|(i, object)| async move {
                let schema = self.file_schema(state, store, object).await?;
                Ok::<_, DataFusionError>((i, schema))
            })
            .boxed()
            .buffer_unordered(concurrency)
            .try_collect()
            .await?;
        // Stores list in any order; the order of columns must not depend on it.
        files.sort_by(|(a, _), (b, _)| objects[*a].location.cmp(&objects[*b].location));
        let files: Vec<FileSchema> = files.into_iter().map(|(_, schema)| schema).collect();
        Ok(Arc::new(merge(&files)?))
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        if let Some(statistics) = self.stats_of_part(&table_schema, object) {
            return Ok(statistics);
        }
        self.footer(state, store, object).await?;
        self.inner
            .infer_stats(state, store, table_schema, object)
            .await
    }

    async fn infer_ordering(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Option<LexOrdering>> {
        self.footer(state, store, object).await?;
        self.inner
            .infer_ordering(state, store, table_schema, object)
            .await
    }

    async fn infer_stats_and_ordering(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        table_schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<FileMeta> {
        if let Some(statistics) = self.stats_of_part(&table_schema, object) {
            return Ok(FileMeta::new(statistics));
        }
        self.footer(state, store, object).await?;
        self.inner
            .infer_stats_and_ordering(state, store, table_schema, object)
            .await
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        conf: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let conf = match &self.parts {
            None => conf,
            Some(_) => self.with_bounds(conf),
        };
        self.inner.create_physical_plan(state, conf).await
    }

    async fn create_writer_physical_plan(
        &self,
        input: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        conf: FileSinkConfig,
        order_requirements: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let parquet = self.inner.downcast_ref::<ParquetFormat>();
        // Of folders that stand for NULL DataFusion's writer makes others, of zero and of the empty text.
        let ours = !self.output.is_default()
            || !conf.table_partition_cols.is_empty()
            || !geometry_columns(&input.schema())?.is_empty();
        if let Some(parquet) = parquet.filter(|_| ours) {
            let options = parquet.options();
            return write_plan(input, &conf, options, &self.output, order_requirements);
        }
        let existing = self.output.existing;
        write_whole(
            &self.inner,
            existing,
            input,
            state,
            conf,
            order_requirements,
        )
        .await
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        self.inner.file_source(table_schema)
    }
}

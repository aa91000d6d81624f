//! The formats of [`FileFormat`] as formats that DataFusion writes: `COPY ... TO 'roads.gpkg'`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{GetExt, Statistics};
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::{FileFormat as DataFusionFormat, FileFormatFactory};
use datafusion::datasource::physical_plan::{FileScanConfig, FileSinkConfig, FileSource};
use datafusion::datasource::sink::DataSinkExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_expr::LexRequirement;
use datafusion::physical_plan::ExecutionPlan;
use object_store::{ObjectMeta, ObjectStore};

use super::FileFormat;
use super::sink::FeatureSink;
use super::whole::{WholeFormatFactory, write_whole};
use crate::Error;
use crate::geoparquet::{OutputOptions, geometry_columns, labelled_schema, take_option};
use crate::tiling::HilbertSortExec;

/// Names after `STORED AS` that are no extensions.
const NAMES: [(&str, FileFormat); 3] = [
    ("geopackage", FileFormat::GeoPackage),
    ("flatgeobuf", FileFormat::FlatGeobuf),
    ("shapefile", FileFormat::Shapefile),
];

/// Makes all formats known to a session, by their extensions and names.
///
/// # Errors
/// When DataFusion refuses one.
pub fn register_writers(state: &mut SessionState) -> Result<()> {
    let by_extension = FileFormat::ALL.into_iter().flat_map(|format| {
        format
            .extensions()
            .map(move |extension| (extension, format))
    });
    for (name, format) in by_extension.chain(NAMES) {
        let plain = matches!(format, FileFormat::Csv | FileFormat::Arrow)
            .then(|| state.get_file_format_factory(name))
            .flatten();
        let factory = FeatureFormatFactory {
            name,
            format,
            plain,
        };
        state.register_file_format(Arc::new(factory), true)?;
    }
    if let Some(inner) = state.get_file_format_factory("json") {
        state.register_file_format(Arc::new(WholeFormatFactory { inner }), true)?;
    }
    Ok(())
}

/// Makes formats for `COPY`.
///
/// Options: `layer`, the name of a layer; `if_exists`, `overwrite` and `sort_by` as for GeoParquet.
#[derive(Debug)]
pub struct FeatureFormatFactory {
    name: &'static str,
    format: FileFormat,
    /// DataFusion's own, for rows without geometry.
    plain: Option<Arc<dyn FileFormatFactory>>,
}

impl GetExt for FeatureFormatFactory {
    fn get_ext(&self) -> String {
        self.name.to_owned()
    }
}

impl FileFormatFactory for FeatureFormatFactory {
    fn create(
        &self,
        state: &dyn Session,
        options: &HashMap<String, String>,
    ) -> Result<Arc<dyn DataFusionFormat>> {
        let mut options = options.clone();
        let layer = take_option(&mut options, "layer");
        let output = OutputOptions::take(&mut options)?;
        // What belongs to COPY itself stays where it is.
        let unknown = options.keys().find(|name| !name.starts_with("execution."));
        let parquet_only = OutputOptions {
            existing: output.existing,
            hilbert: output.hilbert,
            ..OutputOptions::default()
        } != output;
        let plain = match &self.plain {
            Some(plain) => Some(plain.create(state, &options)?),
            None => None,
        };
        if parquet_only || (unknown.is_some() && plain.is_none()) {
            let which = unknown.map_or_else(String::new, |name| {
                format!(" '{}'", name.trim_start_matches("format."))
            });
            return Err(Error::Statement(format!(
                "{} has no option{which}{}: it has 'layer', 'if_exists', 'overwrite' and 'sort_by'",
                self.format.name(),
                if parquet_only {
                    " of those that GeoParquet has"
                } else {
                    ""
                },
            ))
            .into());
        }
        Ok(Arc::new(FeatureFormat {
            format: self.format,
            layer,
            output,
            more_options: unknown.cloned(),
            plain,
        }))
    }

    fn default(&self) -> Arc<dyn DataFusionFormat> {
        Arc::new(FeatureFormat {
            format: self.format,
            layer: None,
            output: OutputOptions::default(),
            more_options: None,
            plain: self.plain.as_ref().map(|plain| plain.default()),
        })
    }
}

/// A format as one statement writes it.
#[derive(Debug)]
struct FeatureFormat {
    format: FileFormat,
    layer: Option<String>,
    output: OutputOptions,
    /// An option that DataFusion's own format alone knows.
    more_options: Option<String>,
    plain: Option<Arc<dyn DataFusionFormat>>,
}

impl FeatureFormat {
    fn not_read(&self) -> datafusion::error::DataFusionError {
        Error::Statement(format!(
            "{} is no format of a listing: name one file, as FROM 'name.{}'",
            self.format.name(),
            self.format.extension()
        ))
        .into()
    }
}

#[async_trait]
impl DataFusionFormat for FeatureFormat {
    fn get_ext(&self) -> String {
        self.format.extension().to_owned()
    }

    fn get_ext_with_compression(&self, compression: &FileCompressionType) -> Result<String> {
        match &self.plain {
            Some(plain) => plain.get_ext_with_compression(compression),
            None => Ok(self.get_ext()),
        }
    }

    fn compression_type(&self) -> Option<FileCompressionType> {
        self.plain
            .as_ref()
            .and_then(|plain| plain.compression_type())
    }

    async fn infer_schema(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        objects: &[ObjectMeta],
    ) -> Result<SchemaRef> {
        match &self.plain {
            Some(plain) => plain.infer_schema(state, store, objects).await,
            None => Err(self.not_read()),
        }
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        match &self.plain {
            Some(plain) => plain.infer_stats(state, store, schema, object).await,
            None => Err(self.not_read()),
        }
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        config: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match &self.plain {
            Some(plain) => plain.create_physical_plan(state, config).await,
            None => Err(self.not_read()),
        }
    }

    async fn create_writer_physical_plan(
        &self,
        mut input: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        mut config: FileSinkConfig,
        mut order: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = labelled_schema(&input.schema(), &config);
        if let Some(plain) = &self.plain {
            let has_geometry = !geometry_columns(&schema)?.is_empty();
            if !has_geometry && !self.output.hilbert {
                let existing = self.output.existing;
                return write_whole(plain, existing, input, state, config, order).await;
            }
            if let Some(option) = &self.more_options {
                return Err(Error::Statement(format!(
                    "{} with geometry has no option '{}': write ST_AsText(...) for it to be text like any other",
                    self.format.name(),
                    option.trim_start_matches("format.")
                ))
                .into());
            }
        }
        if self.output.hilbert {
            let Some(geometry) = geometry_columns(&schema)?.first().copied() else {
                return Err(Error::Statement(
                    "sort_by 'hilbert' needs a geometry column, and the rows have none: make one with ST_GeomFromWKB or ST_Point"
                        .to_owned(),
                )
                .into());
            };
            input = Arc::new(HilbertSortExec::try_new(input, geometry, vec![])?);
            order = None;
        }
        config.output_schema = Arc::new(schema);
        let (layer, existing) = (self.layer.clone(), self.output.existing);
        let sink = FeatureSink::try_new(config, self.format, layer, existing)?;
        Ok(Arc::new(DataSinkExec::new(input, Arc::new(sink), order)))
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        match &self.plain {
            Some(plain) => plain.file_source(table_schema),
            // Nobody comes here: a table of this format is refused before.
            None => CsvFormat::default().file_source(table_schema),
        }
    }
}

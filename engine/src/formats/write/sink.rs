//! One file at the end of a plan: `COPY ... TO 'roads.gpkg'`.
//!
//! ```text
//!  rows ──channel──> RowWriter, on a thread that may wait ──> a file in the making
//!                                                              ├─ renamed      a local path
//!                                                              └─ uploaded     an object
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::datasource::physical_plan::FileSinkConfig;
use datafusion::datasource::sink::DataSink;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};
use futures::StreamExt;
use object_store::path::Path as Location;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use super::{FileFormat, FileOptions, StagedFile, open_file};
use crate::Error;
use crate::formats::fetch::scratch;
use crate::geoparquet::{Existing, display_location};
use crate::store::explain_object_store_error;
use crate::store::upload::{PART, Upload};

/// Batches that may wait for the writer.
const AHEAD: usize = 1;

/// Writes rows into one file.
#[derive(Debug)]
pub(super) struct FeatureSink {
    config: FileSinkConfig,
    format: FileFormat,
    layer: Option<String>,
    existing: Existing,
    metrics: ExecutionPlanMetricsSet,
}

/// What a writer hears.
enum Message {
    Rows(RecordBatch),
    /// There are no more. Without it the rows ended because something went wrong.
    End,
}

/// Where the file goes.
enum Place {
    Local(PathBuf),
    Object(Arc<dyn ObjectStore>, Location),
}

impl FeatureSink {
    /// A sink for the rows of the output schema of `config`.
    ///
    /// # Errors
    /// [`Error::Statement`] for a place that is no single file.
    pub(super) fn try_new(
        config: FileSinkConfig,
        format: FileFormat,
        layer: Option<String>,
        existing: Existing,
    ) -> Result<Self> {
        let (name, shown) = (format.name(), config.original_url.trim_end_matches('/'));
        if !config.table_partition_cols.is_empty() {
            return Err(Error::Statement(format!(
                "{name} is written as one file, not PARTITIONED BY columns: write STORED AS PARQUET, or one COPY for each"
            ))
            .into());
        }
        let url = config.table_paths.first();
        let single = url.is_some_and(|url| config.file_output_mode.single_file_output(url));
        if !single {
            let extension = format.extension();
            let place = match shown.ends_with(&format!(".{extension}")) {
                true => format!("{shown}/name"),
                false => shown.to_owned(),
            };
            return Err(Error::Statement(format!(
                "{} is a folder, and {name} is written as one file: name it, as '{place}.{extension}'",
                config.original_url
            ))
            .into());
        }
        if existing == Existing::Append && format != FileFormat::GeoPackage {
            return Err(Error::Statement(format!(
                "nothing can be added to a {name} file: write another, or a GeoPackage, which takes more layers"
            ))
            .into());
        }
        Ok(Self {
            config,
            format,
            layer,
            existing,
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn place(&self, context: &TaskContext) -> Result<Place> {
        let Some(url) = self.config.table_paths.first() else {
            return Err(Error::Internal("an output without a place".into()).into());
        };
        let url_of: &url::Url = url.as_ref();
        if url_of.scheme() == "file" {
            let path = url_of.to_file_path().map_err(|()| {
                Error::Statement(format!("{} is no path", self.config.original_url))
            })?;
            return Ok(Place::Local(path));
        }
        let store = context
            .runtime_env()
            .object_store(&self.config.object_store_url)?;
        Ok(Place::Object(store, url.prefix().clone()))
    }

    /// The name of the layer, that of the final file if none is given.
    fn layer(&self, file: &Path) -> Option<String> {
        let named = matches!(self.format, FileFormat::GeoPackage | FileFormat::FlatGeobuf);
        let stem = || Some(file.file_stem()?.to_string_lossy().into_owned());
        self.layer.clone().or_else(|| named.then(stem).flatten())
    }

    /// Runs the writer on a thread that may wait. Returns the file, complete but for its name, and its rows.
    async fn write_staged(
        &self,
        mut data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
        staged: StagedFile,
        added_to: Option<PathBuf>,
    ) -> Result<(StagedFile, u64)> {
        let (sender, mut receiver) = mpsc::channel::<Message>(AHEAD);
        let options = FileOptions {
            layer: self.layer(staged.target()),
            added_to,
        };
        let (format, schema) = (self.format, Arc::clone(self.config.output_schema()));
        let reservation = MemoryConsumer::new(format!("writer of {}", format.name()))
            .register(context.memory_pool());
        let writing = tokio::task::spawn_blocking(move || -> Result<Option<StagedFile>> {
            let named = |e: Error| DataFusionError::from(staged.named(e));
            let path = staged.path();
            let mut writer = open_file(format, &schema, &path, &options).map_err(named)?;
            while let Some(message) = receiver.blocking_recv() {
                match message {
                    Message::Rows(batch) => {
                        let batch = batch.with_schema(Arc::clone(&schema))?;
                        writer.write(&batch).map_err(named)?;
                        reservation.try_resize(writer.memory_size())?;
                    }
                    Message::End => {
                        writer.finish().map_err(named)?;
                        return Ok(Some(staged));
                    }
                }
            }
            Ok(None)
        });
        let rows_written = MetricBuilder::new(&self.metrics).global_counter("rows_written");
        let mut rows = 0;
        let failed = loop {
            match data.next().await {
                Some(Ok(batch)) => {
                    let n = batch.num_rows();
                    if sender.send(Message::Rows(batch)).await.is_err() {
                        // The writer has failed, and says why.
                        break None;
                    }
                    rows += n as u64;
                    rows_written.add(n);
                }
                Some(Err(error)) => break Some(error),
                None => {
                    drop(sender.send(Message::End).await);
                    break None;
                }
            }
        };
        drop(sender);
        let written = writing
            .await
            .map_err(|e| Error::Internal(format!("the writer ended early: {e}")))?;
        match (failed, written?) {
            (Some(error), _) => Err(error),
            (None, Some(staged)) => Ok((staged, rows)),
            (None, None) => Err(Error::Internal("the writer ended early".into()).into()),
        }
    }

    /// Refuses what is there, unless it may be replaced.
    async fn check_object(&self, store: &Arc<dyn ObjectStore>, path: &Location) -> Result<()> {
        let shown = &self.config.original_url;
        if self.existing == Existing::Append {
            return Err(Error::Statement(format!(
                "a layer can be added to a GeoPackage on this machine alone: copy {shown}, add to it, and copy it back"
            ))
            .into());
        }
        match store.head(path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Ok(_) if self.existing == Existing::Overwrite => Ok(()),
            Ok(_) => Err(Error::Statement(format!(
                "{shown} exists already: OPTIONS (overwrite 'true') replaces it"
            ))
            .into()),
            Err(error) => Err(explain_object_store_error(&error, shown).into()),
        }
    }
}

/// Sends all files of a folder to places beside `location`, the one of that name last.
async fn upload(store: &Arc<dyn ObjectStore>, folder: &Path, location: &Location) -> Result<u64> {
    let read = |e: std::io::Error| Error::Environment {
        message: format!("{} could not be read: {e}", folder.display()),
        retryable: false,
    };
    let entries = std::fs::read_dir(folder).map_err(read)?;
    let mut files: Vec<PathBuf> = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(read)?;
    let main = location.filename().unwrap_or_default().to_owned();
    files.sort_by_key(|file| file.file_name().is_some_and(|name| *name == *main));
    let mut bytes = 0;
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let parts: Vec<_> = location.parts().collect();
        let parent = parts.split_last().map_or(&[][..], |(_, parent)| parent);
        let to = Location::from_iter(parent.iter().cloned()).join(name.as_ref());
        let mut source = tokio::fs::File::open(&file).await.map_err(read)?;
        let replaced = match store.head(&to).await {
            Ok(there) => Some(there),
            Err(object_store::Error::NotFound { .. }) => None,
            // What is taken to be new is removed when the upload fails.
            Err(error) => {
                let shown = display_location(store.as_ref(), &to);
                return Err(explain_object_store_error(&error, &shown).into());
            }
        };
        let mut upload = Upload::new(store, to, replaced);
        match send(&mut source, &mut upload).await {
            Ok(Ok(sent)) => bytes += sent,
            Ok(Err(error)) => return Err(upload.give_up(read(error)).await.into()),
            Err(error) => return Err(upload.give_up(error).await.into()),
        }
    }
    Ok(bytes)
}

/// Returns the bytes that were sent; within, the error of reading them.
async fn send(
    source: &mut tokio::fs::File,
    upload: &mut Upload,
) -> Result<std::io::Result<u64>, Error> {
    let mut bytes = 0;
    loop {
        let mut part = Vec::with_capacity(PART);
        if let Err(error) = (&mut *source)
            .take(PART as u64)
            .read_to_end(&mut part)
            .await
        {
            return Ok(Err(error));
        }
        bytes += part.len() as u64;
        if part.len() < PART {
            upload.finish(part.into()).await?;
            return Ok(Ok(bytes));
        }
        upload.put(part.into()).await?;
    }
}

impl DisplayAs for FeatureSink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}Sink(path={})",
            self.format.name(),
            self.config.original_url
        )
    }
}

#[async_trait]
impl DataSink for FeatureSink {
    fn schema(&self) -> &SchemaRef {
        self.config.output_schema()
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    async fn write_all(
        &self,
        data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<u64> {
        let (bytes, rows) = match self.place(context)? {
            Place::Local(path) => {
                // A layer that is added comes with a new file, which takes the place of the old one.
                let added_to = Some(path.clone())
                    .filter(|path| self.existing == Existing::Append && path.is_file());
                let overwrite = self.existing == Existing::Overwrite || added_to.is_some();
                let staged = StagedFile::new(&path, self.format, overwrite)?;
                let (staged, rows) = self.write_staged(data, context, staged, added_to).await?;
                (staged.commit(overwrite)?, rows)
            }
            Place::Object(store, location) => {
                self.check_object(&store, &location).await?;
                let scratch = scratch(&context.runtime_env())?;
                let name = location.filename().unwrap_or("output");
                let staged = StagedFile::new(&scratch.path().join(name), self.format, false)?;
                let (staged, rows) = self.write_staged(data, context, staged, None).await?;
                staged.commit(false)?;
                (upload(&store, scratch.path(), &location).await?, rows)
            }
        };
        MetricBuilder::new(&self.metrics)
            .global_counter("files_written")
            .add(1);
        MetricBuilder::new(&self.metrics)
            .global_counter("bytes_written")
            .add(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(rows)
    }
}

//! GeoParquet at the end of a plan: `COPY ... TO`, `INSERT INTO`.

use std::fmt;
use std::future::poll_fn;
use std::io::Write;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::file_options::parquet_writer::parse_compression_string;
use datafusion::common::runtime::{JoinSet, SpawnedTask};
use datafusion::config::TableParquetOptions;
use datafusion::datasource::physical_plan::{FileSink, FileSinkConfig};
use datafusion::datasource::sink::DataSink;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

use super::write_plan::WritePlan;
use super::{ParallelWriter, WriteOptions, WriteSummary};
use crate::Error;
use crate::geometry::GeometryType;

/// The value of DataFusion's `max_row_group_size` that means that nobody set it.
const DATAFUSION_ROW_GROUP: usize = 1024 * 1024;

/// Writes files with [`ParallelWriter`], one task a file.
///
/// ```text
///  batches ──demux──> file 1: ParallelWriter   ──> buffer ──> parts of an upload
///            by key   file 2: ...
/// ```
#[derive(Debug)]
pub(super) struct GeoParquetSink {
    config: FileSinkConfig,
    /// The columns of the files: those of the input less the partition columns.
    schema: SchemaRef,
    options: WriteOptions,
}

impl GeoParquetSink {
    /// `None` when no column is geometry: plain Parquet has a sink of its own.
    ///
    /// # Errors
    /// What cannot be written is refused before anything runs.
    pub(super) fn try_new(
        config: &FileSinkConfig,
        input: &Schema,
        options: &TableParquetOptions,
    ) -> Result<Option<Self>> {
        let schema = file_schema(config, input);
        let mut has_geometry = false;
        for field in schema.fields() {
            has_geometry |= GeometryType::from_field(field)?.is_some();
        }
        if !has_geometry {
            return Ok(None);
        }
        let options = write_options(options)?;
        WritePlan::new(&schema, &options, None)?;
        Ok(Some(Self {
            config: config.clone(),
            schema: Arc::new(schema),
            options,
        }))
    }
}

/// The output schema keeps names; labels may stand only on the fields of the input.
fn file_schema(config: &FileSinkConfig, input: &Schema) -> Schema {
    let dropped = |field: &Field| {
        !config.keep_partition_by_columns
            && config
                .table_partition_cols
                .iter()
                .any(|(name, _)| name == field.name())
    };
    let fields: Vec<Field> = config
        .output_schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| !dropped(field))
        .map(|(i, field)| {
            let labels = input.fields().get(i).map(|f| f.metadata().clone());
            let mut field = field.as_ref().clone();
            for (key, value) in labels.unwrap_or_default() {
                field.metadata_mut().entry(key).or_insert(value);
            }
            field
        })
        .collect();
    Schema::new(fields)
}

fn write_options(options: &TableParquetOptions) -> Result<WriteOptions> {
    let mut own = WriteOptions::default();
    if options.global.max_row_group_size != DATAFUSION_ROW_GROUP {
        own.row_group_rows = options.global.max_row_group_size;
    }
    if let Some(compression) = &options.global.compression {
        own.compression = parse_compression_string(compression)?;
    }
    Ok(own)
}

impl DisplayAs for GeoParquetSink {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GeoParquetSink(path={})", self.config.original_url)
    }
}

#[async_trait]
impl DataSink for GeoParquetSink {
    fn schema(&self) -> &SchemaRef {
        self.config.output_schema()
    }

    async fn write_all(
        &self,
        data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<u64> {
        FileSink::write_all(self, data, context).await
    }
}

#[async_trait]
impl FileSink for GeoParquetSink {
    fn config(&self) -> &FileSinkConfig {
        &self.config
    }

    async fn spawn_writer_tasks_and_join(
        &self,
        context: &Arc<TaskContext>,
        demux_task: SpawnedTask<Result<()>>,
        mut files: UnboundedReceiver<(Path, Receiver<RecordBatch>)>,
        store: Arc<dyn ObjectStore>,
    ) -> Result<u64> {
        let mut tasks: JoinSet<Result<WriteSummary>> = JoinSet::new();
        while let Some((path, batches)) = files.recv().await {
            let file = OutputFile {
                schema: Arc::clone(&self.schema),
                options: self.options.clone(),
                store: Arc::clone(&store),
                context: Arc::clone(context),
                path,
            };
            tasks.spawn(file.write(batches));
        }
        let mut rows = 0;
        while let Some(done) = tasks.join_next().await {
            let summary = done.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
            rows += summary.rows;
        }
        demux_task
            .join_unwind()
            .await
            .map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))??;
        Ok(rows)
    }
}

struct OutputFile {
    schema: SchemaRef,
    options: WriteOptions,
    store: Arc<dyn ObjectStore>,
    context: Arc<TaskContext>,
    path: Path,
}

impl OutputFile {
    /// A file that fails is not left behind in part: its upload is given up.
    async fn write(self, batches: Receiver<RecordBatch>) -> Result<WriteSummary> {
        let execution = &self.context.session_config().options().execution;
        let capacity = execution.objectstore_writer_buffer_size;
        let mut upload =
            BufWriter::with_capacity(Arc::clone(&self.store), self.path.clone(), capacity);
        let written = self.encode(batches, &mut upload).await;
        if written.is_err() {
            // The first error is the one to tell.
            drop(upload.abort().await);
        }
        written
    }

    async fn encode(
        &self,
        mut batches: Receiver<RecordBatch>,
        upload: &mut BufWriter,
    ) -> Result<WriteSummary> {
        let reservation = MemoryConsumer::new(format!("GeoParquetSink[{}]", self.path))
            .register(self.context.memory_pool());
        let encoded = Encoded::default();
        let threads = self.context.session_config().target_partitions();
        let mut writer =
            ParallelWriter::try_new(encoded.clone(), &self.schema, &self.options, threads)?;
        while let Some(batch) = batches.recv().await {
            writer.write(&batch).await?;
            upload.put(encoded.take()).await?;
            reservation.try_resize(writer.memory_size())?;
        }
        let summary = writer.finish().await?;
        upload.put(encoded.take()).await?;
        poll_fn(|cx| Pin::new(&mut *upload).poll_shutdown(cx))
            .await
            .map_err(|e| Error::Environment {
                message: format!("{} could not be written: {e}", self.path),
                retryable: true,
            })?;
        Ok(summary)
    }
}

/// What the writer has encoded and the upload has not yet taken.
#[derive(Clone, Default)]
struct Encoded(Arc<Mutex<Vec<u8>>>);

impl Encoded {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock()).into()
    }
}

impl Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

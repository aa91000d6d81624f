//! GeoParquet at the end of a plan: `COPY ... TO`, `INSERT INTO`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::partition;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::common::file_options::parquet_writer::parse_compression_string;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::physical_plan::FileSinkConfig;
use datafusion::datasource::sink::DataSink;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::existing::Target;
use super::output_file::OutputFile;
use super::output_path::{FileNames, part, partition_folder, unique_prefix};
use super::write_plan::WritePlan;
use super::{OutputOptions, WriteOptions, display_location, geometry_columns};
use crate::store::upload::PART;
use crate::{Error, Unfinished};

/// The value of DataFusion's `max_row_group_size` that means that nobody set it.
const DATAFUSION_ROW_GROUP: usize = 1024 * 1024;

/// Most row groups of a file: they are numbered with 16 bits.
const MAX_ROW_GROUPS: usize = 30_000;

/// Writes rows into one file, or into the files of a folder.
///
/// ```text
///  rows, sorted by partition ──> cut where the partition changes ──> file, until it is full
///                                                                    file ...
/// ```
///
/// One file is open at a time, whose row groups are encoded at once. When the write fails, the files
/// that are complete are removed again.
#[derive(Debug)]
pub(super) struct GeoParquetSink {
    config: FileSinkConfig,
    /// The columns of the files: those of the input less the partition columns.
    schema: SchemaRef,
    /// Where in the input these columns are.
    columns: Vec<usize>,
    /// The columns of the input that rows are partitioned by.
    partition: Vec<usize>,
    write: WriteOptions,
    output: OutputOptions,
    metrics: ExecutionPlanMetricsSet,
}

impl GeoParquetSink {
    /// A sink for rows of the output schema, sorted by the columns `partition`.
    ///
    /// # Errors
    /// What cannot be written is refused before anything runs.
    pub(super) fn try_new(
        config: FileSinkConfig,
        partition: Vec<usize>,
        options: &TableParquetOptions,
        output: &OutputOptions,
    ) -> Result<Self> {
        let input = config.output_schema();
        let columns: Vec<usize> = (0..input.fields().len())
            .filter(|i| config.keep_partition_by_columns || !partition.contains(i))
            .collect();
        if columns.is_empty() {
            return Err(Error::Statement(
                "rows are partitioned by all of their columns, so that none is left for the files"
                    .to_owned(),
            )
            .into());
        }
        let schema = input.project(&columns)?;
        let write = write_options(options, output)?;
        WritePlan::new(&schema, &write, None)?;
        Ok(Self {
            config,
            schema: Arc::new(schema),
            columns,
            partition,
            write,
            output: output.clone(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn is_folder(&self) -> Result<bool> {
        let url = self.url()?;
        let single = self.config.file_output_mode.single_file_output(url);
        if single && !self.partition.is_empty() {
            return Err(Error::Statement(format!(
                "{} is one file, but rows that are partitioned go into many: write a folder, '{}/'",
                self.config.original_url,
                self.config.original_url.trim_end_matches(".parquet"),
            ))
            .into());
        }
        Ok(!single)
    }

    fn url(&self) -> Result<&datafusion::datasource::listing::ListingTableUrl> {
        let url = self.config.table_paths.first();
        url.ok_or_else(|| Error::Internal("an output without a place".into()).into())
    }
}

fn write_options(options: &TableParquetOptions, output: &OutputOptions) -> Result<WriteOptions> {
    let mut own = WriteOptions::default();
    if options.global.max_row_group_size != DATAFUSION_ROW_GROUP {
        own.row_group_rows = options.global.max_row_group_size;
    }
    if let Some(compression) = &options.global.compression {
        own.compression = parse_compression_string(compression)?;
    }
    if let Some(rows) = output.row_group_rows {
        own.row_group_rows = rows;
    }
    if let Some(bytes) = output.row_group_bytes {
        own.row_group_bytes = bytes;
    }
    own.version = output.version.unwrap_or(own.version);
    own.encoding = output.encoding.unwrap_or(own.encoding);
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

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    async fn write_all(
        &self,
        mut data: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<u64> {
        let store = context
            .runtime_env()
            .object_store(&self.config.object_store_url)?;
        let url = self.url()?;
        let base = url.prefix().clone();
        let folder = self.is_folder()?;
        let place = base.clone();
        let target = Target {
            store: store.as_ref(),
            base: &place,
            folder,
            extension: &self.config.file_extension,
            shown: &self.config.original_url,
        };
        let existing = self.output.existing.for_sink(&self.config);
        let (replaced, before) = target.check(existing).await?;
        let mut output = Output {
            sink: self,
            store: Arc::clone(&store),
            context,
            base,
            before,
            folder,
            write: self.fitted(context),
            prefix: match context.session_config().get_extension::<FileNames>() {
                Some(names) => names.prefix.clone(),
                None => unique_prefix(),
            },
            open: None,
            done: vec![],
            parts: vec![],
            rows: 0,
            metrics: Metrics::new(&self.metrics),
        };
        let written = output.run(&mut data).await;
        match written {
            Ok(()) => {
                output.parts.drain(..).for_each(Unfinished::keep);
                target.remove(&replaced).await?;
                Ok(output.rows)
            }
            Err(error) => Err(output.clean(error).await),
        }
    }
}

impl GeoParquetSink {
    /// The options, with row groups that memory has room for.
    fn fitted(&self, context: &TaskContext) -> WriteOptions {
        let mut write = self.write.clone();
        if let MemoryLimit::Finite(limit) = context.memory_pool().memory_limit() {
            // As many are under way at once; a sort before may hold half of the rest.
            let at_once = context.session_config().target_partitions() + 1;
            let room = (limit / 4 / at_once).max(1 << 20);
            write.row_group_bytes = write.row_group_bytes.min(room);
        }
        write
    }
}

/// What one run of the sink has written.
struct Output<'a> {
    sink: &'a GeoParquetSink,
    store: Arc<dyn ObjectStore>,
    context: &'a Arc<TaskContext>,
    base: Path,
    /// The file that a single new one takes the place of.
    before: Option<ObjectMeta>,
    folder: bool,
    write: WriteOptions,
    /// What the names of all files begin with.
    prefix: String,
    open: Option<Open>,
    /// Files that are complete.
    done: Vec<Path>,
    /// The same, on this machine: without the others they are of no use.
    parts: Vec<Unfinished>,
    rows: u64,
    metrics: Metrics,
}

struct Open {
    file: OutputFile,
    /// The values that the rows are partitioned by.
    partition: Vec<(String, Option<String>)>,
    /// The file as long as it is not complete, on this machine.
    unfinished: Option<Unfinished>,
}

struct Metrics {
    files: Count,
    bytes: Count,
    rows: Count,
}

impl Metrics {
    fn new(set: &ExecutionPlanMetricsSet) -> Self {
        Self {
            files: MetricBuilder::new(set).global_counter("files_written"),
            bytes: MetricBuilder::new(set).global_counter("bytes_written"),
            rows: MetricBuilder::new(set).global_counter("rows_written"),
        }
    }
}

impl Output<'_> {
    async fn run(&mut self, data: &mut SendableRecordBatchStream) -> Result<()> {
        let reservation =
            MemoryConsumer::new("GeoParquetSink").register(self.context.memory_pool());
        // Before the first row is asked for: a sort would take all there is.
        let least = self.least_memory();
        reservation.try_resize(least)?;
        while let Some(batch) = data.next().await.transpose()? {
            if self.sink.partition.is_empty() {
                self.rows_of(vec![], &batch).await?;
            } else {
                let keys: Vec<ArrayRef> = self
                    .sink
                    .partition
                    .iter()
                    .map(|i| Arc::clone(batch.column(*i)))
                    .collect();
                for range in partition(&keys)?.ranges() {
                    let values = self.partition_values(&keys, range.start)?;
                    let rows = batch.slice(range.start, range.len());
                    self.rows_of(values, &rows).await?;
                }
            }
            if let Some(open) = &mut self.open
                && reservation
                    .try_resize(least.max(open.file.memory_size()))
                    .is_err()
            {
                // What is left then is small, and would not become less by an error.
                open.file.settle().await?;
                let _ = reservation.try_resize(least.max(open.file.memory_size()));
            }
        }
        // Nothing is something, too: the columns.
        if self.open.is_none() && self.done.is_empty() && self.sink.partition.is_empty() {
            self.open(vec![])?;
        }
        self.close().await
    }

    /// What a row group under way and a part of an upload take, as far as others can do without it, if memory has a limit.
    fn least_memory(&self) -> usize {
        match self.context.memory_pool().memory_limit() {
            MemoryLimit::Finite(limit) => (self.write.row_group_bytes + PART).min(limit / 8),
            _ => 0,
        }
    }

    fn partition_values(
        &self,
        keys: &[ArrayRef],
        row: usize,
    ) -> Result<Vec<(String, Option<String>)>> {
        let schema = self.sink.config.output_schema();
        let options = FormatOptions::default();
        let names = self.sink.partition.iter();
        let names = names.map(|i| schema.field(*i).name().clone());
        names
            .zip(keys)
            .map(|(name, key)| {
                if key.is_null(row) {
                    return Ok((name, None));
                }
                let value = ArrayFormatter::try_new(key.as_ref(), &options)?;
                Ok((name, Some(value.value(row).try_to_string()?)))
            })
            .collect()
    }

    async fn rows_of(
        &mut self,
        partition: Vec<(String, Option<String>)>,
        rows: &RecordBatch,
    ) -> Result<()> {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.partition != partition || self.is_full(open))
        {
            self.close().await?;
        }
        if self.open.is_none() {
            self.open(partition)?;
        }
        let rows = rows.project(&self.sink.columns)?;
        if let Some(open) = &mut self.open {
            open.file.write(&rows).await?;
        }
        self.rows += rows.num_rows() as u64;
        self.metrics.rows.add(rows.num_rows());
        Ok(())
    }

    fn is_full(&self, open: &Open) -> bool {
        self.folder
            && (open.file.bytes_written() >= self.sink.output.file_bytes
                || open.file.row_groups() >= MAX_ROW_GROUPS)
    }

    fn open(&mut self, partition: Vec<(String, Option<String>)>) -> Result<()> {
        let before = self.before.take();
        let path = match self.folder {
            false => self.base.clone(),
            true => {
                let folder = partition_folder(&self.base, &partition);
                part(
                    &folder,
                    &self.prefix,
                    self.done.len(),
                    &self.sink.config.file_extension,
                )
            }
        };
        let threads = self.context.session_config().target_partitions();
        let mut file = OutputFile::try_new(
            &self.store,
            (path, before),
            &self.sink.schema,
            &self.write,
            threads,
        )?;
        file.count_from(self.rows);
        // The store calls it so until it is complete; given up, it may not get to removing it.
        let made = format!("/{}#1", file.path());
        let shown = self.sink.config.original_url.clone();
        let unfinished = self
            .is_local()
            .then(|| Unfinished::part(std::path::Path::new(&made), shown));
        self.open = Some(Open {
            file,
            partition,
            unfinished,
        });
        Ok(())
    }

    fn is_local(&self) -> bool {
        let store = self.sink.config.object_store_url.as_str();
        store.starts_with("file:")
    }

    async fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let path = open.file.path().clone();
        // Before the file is there: a thread of the store completes it, whether or not this goes on.
        let part = (self.folder && self.is_local()).then(|| {
            let shown = self.sink.config.original_url.clone();
            Unfinished::part(std::path::Path::new(&format!("/{path}")), shown)
        });
        let summary = open.file.finish().await?;
        open.unfinished.into_iter().for_each(Unfinished::keep);
        self.parts.extend(part);
        self.metrics.files.add(1);
        self.metrics
            .bytes
            .add(usize::try_from(summary.bytes).unwrap_or(usize::MAX));
        self.done.push(path);
        Ok(())
    }

    /// Removes what a failed write has completed, and says so.
    async fn clean(&mut self, error: DataFusionError) -> DataFusionError {
        let mut said = vec![];
        if let Some(open) = self.open.take()
            && let Err(left) = open.file.abort().await
        {
            said.push(left);
        }
        let (store, done) = (Arc::clone(&self.store), std::mem::take(&mut self.done));
        let mut left = vec![];
        for path in &done {
            match store.delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(_) => left.push(display_location(store.as_ref(), path)),
            }
        }
        // One file that failed was never there.
        match done.len() - left.len() {
            0 => {}
            1 => said.push("the file that was complete has been removed again".to_owned()),
            n => said.push(format!(
                "{n} files that were complete have been removed again"
            )),
        }
        if !left.is_empty() {
            said.push(format!(
                "these could not be removed and are still there: {}",
                left.join(", ")
            ));
        }
        if said.is_empty() {
            return error;
        }
        let said = said.join("; ");
        error.context(said)
    }
}

/// The positions of the columns that a statement partitions by.
///
/// # Errors
/// [`Error::Statement`] for a column that is not there, is named twice, or is geometry.
pub(super) fn partition_columns(config: &FileSinkConfig, input: &Schema) -> Result<Vec<usize>> {
    let geometry = geometry_columns(input)?;
    let mut found = vec![];
    for (name, _) in &config.table_partition_cols {
        let column = input.index_of(name).map_err(|_| -> DataFusionError {
            let names: Vec<&str> = input
                .fields()
                .iter()
                .map(|f: &Arc<Field>| f.name().as_str())
                .collect();
            Error::Statement(format!(
                "PARTITIONED BY ({name}): the rows have no such column, they have {}",
                names.join(", ")
            ))
            .into()
        })?;
        if geometry.contains(&column) {
            return Err(Error::Statement(format!(
                "PARTITIONED BY ({name}): a geometry is no name of a folder: OPTIONS (cells 'h3:5') puts neighbours into one"
            ))
            .into());
        }
        if found.contains(&column) {
            return Err(Error::Statement(format!(
                "PARTITIONED BY names the column \"{name}\" twice"
            ))
            .into());
        }
        found.push(column);
    }
    Ok(found)
}

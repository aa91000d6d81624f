//! The files that a task writes.
//!
//! ```text
//!  part-00003-<attempt>.parquet                      one file, or
//!  country=FI/part-00003-<attempt>-00000.parquet     one or more in each folder of partitions
//! ```

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileOutputMode, FileSinkConfig};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use futures::{StreamExt, TryStreamExt};
use geoflow_engine::Error;
use geoflow_engine::geometry::{Bounds, GeometryType};
use geoflow_engine::geoparquet::{FileNames, read_footer, summarize_row_groups};
use object_store::buffered::BufWriter;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use url::Url;

use super::Part;
use super::last_row::LastRow;
use super::sink::{is_many_files, plan_sink};
use super::store::{Recorded, RecordingStore};
use crate::plan::Sink;
use crate::storage::Folder;

/// Files whose footers are read at once.
const AT_ONCE: usize = 16;

/// What one attempt writes: files in a folder, not there before, that may be given up.
pub(super) struct NewFiles {
    folder: Folder,
    /// The name of the file; of several, what their names begin with.
    name: String,
    extension: &'static str,
    store: RecordingStore,
    /// Told when the last row is out, and nothing but writing is left.
    all_read: Arc<Notify>,
}

impl NewFiles {
    pub(super) fn new(
        folder: Folder,
        name: String,
        extension: &'static str,
        all_read: Arc<Notify>,
    ) -> Self {
        let store = RecordingStore::new(Arc::clone(folder.store()));
        Self {
            folder,
            name,
            extension,
            store,
            all_read,
        }
    }

    pub(super) fn store(&self) -> RecordingStore {
        self.store.clone()
    }

    fn file(&self) -> String {
        format!("{}.{}", self.name, self.extension)
    }

    /// Runs a plan and writes its rows as GeoParquet, by the same sink as `COPY`.
    pub(super) async fn write_parquet(
        &self,
        state: &SessionState,
        physical: Arc<dyn ExecutionPlan>,
        sink: &Sink,
    ) -> Result<Vec<Part>> {
        let geometry = first_geometry(&physical.schema())?;
        // The store that counts stands under a name of its own.
        let last = self.name.rsplit('/').next().unwrap_or_default();
        let url = format!("geoflow-part://{last}/");
        let root = Url::parse(&url).map_err(|e| Error::Internal(format!("{url}: {e}")))?;
        let registry = &state.runtime_env().object_store_registry;
        registry.register_store(&root, Arc::new(self.store.clone()));
        let many = is_many_files(sink);
        let path = match many {
            true => format!("/{}/", self.folder.path("")),
            false => format!("/{}", self.folder.path(&self.file())),
        };
        let mut place = root.clone();
        place.set_path(&path.replace('%', "%25"));
        let table = ListingTableUrl::try_new(place, None)?;
        let config = FileSinkConfig {
            original_url: match many {
                true => self.folder.display(),
                false => self.folder.display_object(&self.file()),
            },
            object_store_url: table.object_store(),
            table_paths: vec![table],
            file_group: FileGroup::default(),
            output_schema: physical.schema(),
            table_partition_cols: vec![],
            insert_op: InsertOp::Append,
            keep_partition_by_columns: false,
            file_extension: self.extension.into(),
            file_output_mode: FileOutputMode::SingleFile,
        };
        let writer = plan_sink(state, physical, sink, config).await?;
        let writer = LastRow::below(writer, &self.all_read)?;
        let written = run_to_end(writer, self.named(state)).await;
        registry.deregister_store(&root)?;
        written?;
        self.parts(geometry).await
    }

    /// The context of a task whose sink uses our names.
    fn named(&self, state: &SessionState) -> Arc<TaskContext> {
        let names = FileNames {
            prefix: self.name.clone(),
        };
        let context = TaskContext::from(state);
        let config = context.session_config().clone();
        Arc::new(context.with_session_config(config.with_extension(Arc::new(names))))
    }

    /// What was written, as it is there.
    async fn parts(&self, geometry: Option<String>) -> Result<Vec<Part>> {
        let reads: Vec<_> = self
            .store
            .written()
            .into_iter()
            .map(|recorded| self.parquet_part(recorded, geometry.as_deref()))
            .collect();
        futures::stream::iter(reads)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// A part with its rows and bounds, from the footer that was written.
    async fn parquet_part(&self, recorded: Recorded, geometry: Option<&str>) -> Result<Part> {
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let meta = self.check(&recorded).await?;
        let footer = read_footer(&store, &meta, None, None).await?;
        let bounds = geometry.and_then(|geometry| {
            let groups = summarize_row_groups(&footer, None, Some(geometry));
            let all = groups.iter().try_fold(Bounds::EMPTY, |all, group| {
                group.bounds.map(|bounds| all.union(&bounds))
            });
            all.filter(|bounds| !bounds.is_empty())
        });
        let rows = footer.file_metadata().num_rows().max(0) as u64;
        Ok(self.part(recorded, rows, bounds))
    }

    fn part(&self, recorded: Recorded, rows: u64, bounds: Option<Bounds>) -> Part {
        Part {
            file: self.folder.name_of(&recorded.path),
            rows,
            bytes: recorded.bytes,
            bounds: bounds.map(|b| [b.min_x, b.min_y, b.max_x, b.max_y]),
            sha256: recorded.sha256,
        }
    }

    /// Nothing is taken on trust.
    async fn check(&self, recorded: &Recorded) -> Result<object_store::ObjectMeta> {
        let there = self.store.head(&recorded.path).await;
        let there = there.map_err(DataFusionError::from)?;
        if there.size == recorded.bytes {
            return Ok(there);
        }
        Err(Error::Environment {
            message: format!(
                "{} has {} bytes, of {} that were written",
                self.folder
                    .display_object(&self.folder.name_of(&recorded.path)),
                there.size,
                recorded.bytes
            ),
            retryable: true,
        }
        .into())
    }

    /// Runs a plan and writes its rows as they are, for the last stage.
    pub(super) async fn write_state(
        &self,
        state: &SessionState,
        physical: Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<Part>> {
        let schema = physical.schema();
        let mut stream = execute_stream(one_partition(physical), state.task_ctx())?;
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let mut upload = BufWriter::new(store, self.folder.path(&self.file()));
        let written = async {
            let mut rows = 0;
            let mut writer = FileWriter::try_new(vec![], &schema)?;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                rows += batch.num_rows() as u64;
                writer.write(&batch)?;
                writer.flush()?;
                let encoded = std::mem::take(writer.get_mut());
                upload.put(encoded.into()).await?;
            }
            self.all_read.notify_one();
            writer.finish()?;
            let encoded = std::mem::take(writer.get_mut());
            upload.put(encoded.into()).await?;
            upload.shutdown().await?;
            Ok::<u64, DataFusionError>(rows)
        };
        let written = written.await;
        match written {
            Ok(rows) => {
                let mut parts = vec![];
                for recorded in self.store.written() {
                    self.check(&recorded).await?;
                    parts.push(self.part(recorded, rows, None));
                }
                Ok(parts)
            }
            Err(error) => {
                // The first error is the one to tell.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    /// Deletes them, however far they came.
    pub(super) async fn give_up(&self) {
        for recorded in self.store.written() {
            let name = self.folder.name_of(&recorded.path);
            if let Err(error) = self.folder.delete(&name).await {
                tracing::warn!("{error}");
            }
        }
    }
}

/// The first geometry column.
fn first_geometry(schema: &Schema) -> Result<Option<String>> {
    for field in schema.fields() {
        if GeometryType::from_field(field)?.is_some() {
            return Ok(Some(field.name().clone()));
        }
    }
    Ok(None)
}

async fn run_to_end(writer: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<()> {
    let mut counts = execute_stream(writer, context)?;
    while let Some(count) = counts.next().await {
        count?;
    }
    Ok(())
}

pub(super) fn one_partition(physical: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match physical.output_partitioning().partition_count() {
        1 => physical,
        _ => Arc::new(CoalescePartitionsExec::new(physical)),
    }
}

/// Whether a schema is that of the states that were written: names may differ, what is read by position
/// must not.
pub(super) fn same_types(a: &SchemaRef, b: &SchemaRef) -> bool {
    a.fields().len() == b.fields().len()
        && a.fields()
            .iter()
            .zip(b.fields())
            .all(|(a, b)| a.data_type() == b.data_type())
}

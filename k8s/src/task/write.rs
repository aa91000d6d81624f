//! The file that a task writes.

use std::collections::HashMap;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileOutputMode, FileSinkConfig};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use futures::StreamExt;
use geoflow_engine::Error;
use geoflow_engine::geometry::{Bounds, GeometryType};
use geoflow_engine::geoparquet::{GeoParquetWriter, read_footer, summarize_row_groups};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::Part;
use super::store::RecordingStore;
use crate::plan::Sink;
use crate::storage::Folder;

/// Refuses an output that cannot be written, before anything runs.
///
/// # Errors
/// What [`GeoParquetWriter`] says of the schema.
pub(crate) fn check_output(physical: &Arc<dyn ExecutionPlan>) -> Result<()> {
    GeoParquetWriter::try_new(std::io::sink(), physical.schema())?;
    Ok(())
}

/// A file in a folder, not there before, that may be given up.
pub(super) struct NewFile {
    pub(super) folder: Folder,
    pub(super) name: String,
    store: RecordingStore,
}

impl NewFile {
    pub(super) fn new(folder: Folder, name: String) -> Self {
        let store = RecordingStore::new(Arc::clone(folder.store()));
        Self {
            folder,
            name,
            store,
        }
    }

    pub(super) fn store(&self) -> RecordingStore {
        self.store.clone()
    }

    fn path(&self) -> Path {
        self.folder.path(&self.name)
    }

    async fn part(&self, rows: u64, bounds: Option<Bounds>) -> Result<Part> {
        let part = Part {
            file: self.name.clone(),
            rows,
            bytes: self.store.bytes(),
            bounds: bounds.map(|b| [b.min_x, b.min_y, b.max_x, b.max_y]),
            sha256: self.store.sha256(),
        };
        let there = self.store.head(&self.path()).await;
        let there = there.map_err(DataFusionError::from)?;
        if there.size != part.bytes {
            return Err(Error::Environment {
                message: format!(
                    "{} has {} bytes, of {} that were written",
                    self.folder.display_object(&self.name),
                    there.size,
                    part.bytes
                ),
                retryable: true,
            }
            .into());
        }
        Ok(part)
    }

    /// Runs a plan and writes its rows as GeoParquet, by the same sink as `COPY`.
    pub(super) async fn write_parquet(
        &self,
        state: &SessionState,
        physical: Arc<dyn ExecutionPlan>,
        sink: &Sink,
    ) -> Result<Part> {
        let options: HashMap<String, String> = sink
            .options
            .iter()
            .filter(|(key, _)| key.as_str() != "single_file_output")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let factory = state
            .get_file_format_factory("parquet")
            .ok_or_else(|| Error::Internal("no Parquet in the session".into()))?;
        let format = factory.create(state, &options)?;
        // The store that counts stands under a name of its own.
        let url = format!("geoflow-part://{}/", self.name.trim_end_matches(".parquet"));
        let root = Url::parse(&url).map_err(|e| Error::Internal(format!("{url}: {e}")))?;
        let registry = &state.runtime_env().object_store_registry;
        registry.register_store(&root, Arc::new(self.store.clone()));
        let mut file = root.clone();
        file.set_path(&format!("/{}", self.path()).replace('%', "%25"));
        let table = ListingTableUrl::try_new(file, None)?;
        let schema = physical.schema();
        let config = FileSinkConfig {
            original_url: self.folder.display_object(&self.name),
            object_store_url: table.object_store(),
            table_paths: vec![table],
            file_group: FileGroup::default(),
            output_schema: Arc::clone(&schema),
            table_partition_cols: vec![],
            insert_op: InsertOp::Append,
            keep_partition_by_columns: false,
            file_extension: "parquet".into(),
            file_output_mode: FileOutputMode::SingleFile,
        };
        let input = one_partition(physical);
        let writer = format
            .create_writer_physical_plan(input, state, config, None)
            .await?;
        let mut counts = execute_stream(writer, state.task_ctx())?;
        let mut rows = 0;
        while let Some(batch) = counts.next().await {
            rows += count(&batch?);
        }
        registry.deregister_store(&root)?;
        let bounds = self.bounds(&schema).await?;
        self.part(rows, bounds).await
    }

    /// The bounds of the first geometry column, from the footer that was written.
    async fn bounds(&self, schema: &Schema) -> Result<Option<Bounds>> {
        let mut geometry = None;
        for field in schema.fields() {
            if GeometryType::from_field(field)?.is_some() {
                geometry = Some(field.name());
                break;
            }
        }
        let Some(geometry) = geometry else {
            return Ok(None);
        };
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let meta = store.head(&self.path()).await?;
        let footer = read_footer(&store, &meta, None, None).await?;
        let groups = summarize_row_groups(&footer, None, Some(geometry));
        let all = groups.iter().try_fold(Bounds::EMPTY, |all, group| {
            group.bounds.map(|bounds| all.union(&bounds))
        });
        Ok(all.filter(|bounds| !bounds.is_empty()))
    }

    /// Runs a plan and writes its rows as they are, for the last stage.
    pub(super) async fn write_state(
        &self,
        state: &SessionState,
        physical: Arc<dyn ExecutionPlan>,
    ) -> Result<Part> {
        let schema = physical.schema();
        let mut stream = execute_stream(one_partition(physical), state.task_ctx())?;
        let store: Arc<dyn ObjectStore> = Arc::new(self.store.clone());
        let mut upload = BufWriter::new(store, self.path());
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
            writer.finish()?;
            let encoded = std::mem::take(writer.get_mut());
            upload.put(encoded.into()).await?;
            upload.shutdown().await?;
            Ok::<u64, DataFusionError>(rows)
        };
        let written = written.await;
        match written {
            Ok(rows) => self.part(rows, None).await,
            Err(error) => {
                // The first error is the one to tell.
                drop(upload.abort().await);
                Err(error)
            }
        }
    }

    /// Deletes it, however far it came.
    pub(super) async fn give_up(&self) {
        if let Err(error) = self.folder.delete(&self.name).await {
            tracing::warn!("{error}");
        }
    }
}

fn one_partition(physical: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    match physical.output_partitioning().partition_count() {
        1 => physical,
        _ => Arc::new(CoalescePartitionsExec::new(physical)),
    }
}

fn count(batch: &arrow::array::RecordBatch) -> u64 {
    let counts = batch
        .columns()
        .first()
        .and_then(|column| column.as_any().downcast_ref::<arrow::array::UInt64Array>());
    counts.map_or(0, |counts| counts.iter().flatten().sum())
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

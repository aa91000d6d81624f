//! The formats that DataFusion writes, with outputs that appear complete or not at all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{GetExt, Statistics};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::{FileScanConfig, FileSinkConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{LexRequirement, OrderingRequirements, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use crate::Error;
use crate::geoparquet::{Existing, OutputOptions, Target, display_location};
use crate::store::held::{HeldStore, WithStore};
use crate::store::{explain_datafusion_error, explain_object_store_error};

/// Makes a format of DataFusion's, whose files are written as a whole.
///
/// Options: those of the format; `if_exists` and `overwrite` as for GeoParquet.
#[derive(Debug)]
pub(super) struct WholeFormatFactory {
    pub(super) inner: Arc<dyn FileFormatFactory>,
}

impl GetExt for WholeFormatFactory {
    fn get_ext(&self) -> String {
        self.inner.get_ext()
    }
}

impl FileFormatFactory for WholeFormatFactory {
    fn create(
        &self,
        state: &dyn Session,
        options: &HashMap<String, String>,
    ) -> Result<Arc<dyn FileFormat>> {
        let mut options = options.clone();
        let existing = OutputOptions::take_existing(&mut options)?;
        let inner = self.inner.create(state, &options)?;
        Ok(Arc::new(WholeFormat { inner, existing }))
    }

    fn default(&self) -> Arc<dyn FileFormat> {
        let (inner, existing) = (self.inner.default(), Existing::default());
        Arc::new(WholeFormat { inner, existing })
    }
}

/// A format of DataFusion's.
#[derive(Debug)]
struct WholeFormat {
    inner: Arc<dyn FileFormat>,
    existing: Existing,
}

#[async_trait]
impl FileFormat for WholeFormat {
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
        self.inner.infer_schema(state, store, objects).await
    }

    async fn infer_stats(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        schema: SchemaRef,
        object: &ObjectMeta,
    ) -> Result<Statistics> {
        self.inner.infer_stats(state, store, schema, object).await
    }

    async fn create_physical_plan(
        &self,
        state: &dyn Session,
        config: FileScanConfig,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.inner.create_physical_plan(state, config).await
    }

    async fn create_writer_physical_plan(
        &self,
        input: Arc<dyn ExecutionPlan>,
        state: &dyn Session,
        config: FileSinkConfig,
        order: Option<LexRequirement>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = &self.inner;
        write_whole(inner, self.existing, input, state, config, order).await
    }

    fn file_source(&self, table_schema: TableSchema) -> Arc<dyn FileSource> {
        self.inner.file_source(table_schema)
    }
}

/// The plan by which `format` writes, as a whole.
pub(crate) async fn write_whole(
    format: &Arc<dyn FileFormat>,
    existing: Existing,
    input: Arc<dyn ExecutionPlan>,
    state: &dyn Session,
    config: FileSinkConfig,
    order: Option<LexRequirement>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(place) = config.table_paths.first().cloned() else {
        return Err(Error::Internal("an output without a place".into()).into());
    };
    let output = Output {
        folder: !config.file_output_mode.single_file_output(&place),
        store: config.object_store_url.clone(),
        extension: config.file_extension.clone(),
        shown: config.original_url.clone(),
        place,
        existing: existing.for_sink(&config),
    };
    let inner = format
        .create_writer_physical_plan(input, state, config, order)
        .await?;
    Ok(Arc::new(WholeOutputExec {
        inner,
        output: Arc::new(output),
    }))
}

#[derive(Debug)]
struct Output {
    store: ObjectStoreUrl,
    place: ListingTableUrl,
    folder: bool,
    extension: String,
    /// As the statement has it.
    shown: String,
    existing: Existing,
}

impl Output {
    /// Lets `run` write, given a store whose files wait, and makes them appear.
    async fn write(
        &self,
        store: Arc<dyn ObjectStore>,
        held: &HeldStore,
        rows: SendableRecordBatchStream,
    ) -> Result<Vec<RecordBatch>> {
        let target = Target {
            store: store.as_ref(),
            base: self.place.prefix(),
            folder: self.folder,
            extension: &self.extension,
            shown: &self.shown,
        };
        let (replaced, before) = target.check(self.existing).await?;
        let counted: Result<Vec<RecordBatch>> = rows.try_collect().await;
        let counted = match counted {
            Ok(counted) => counted,
            Err(error) => {
                let left = held.abort().await;
                return Err(self.failed(error, store.as_ref(), &left));
            }
        };
        if let Err((path, error)) = held.commit(before.is_none()).await {
            let file = display_location(store.as_ref(), &path);
            return Err(explain_object_store_error(&error, &file).into());
        }
        target.remove(&replaced).await?;
        Ok(counted)
    }

    /// An error of writing, with what is left of it.
    fn failed(
        &self,
        error: DataFusionError,
        store: &dyn ObjectStore,
        left: &[object_store::path::Path],
    ) -> DataFusionError {
        let error = match explain_datafusion_error(&error, Some(&self.shown)) {
            Some(explained) => explained.into(),
            None => error,
        };
        match left.first() {
            None => error,
            Some(path) => error.context(format!(
                "{} could not be removed and is there still",
                display_location(store, path)
            )),
        }
    }
}

/// Stands in the place of a plan that writes files, for the same input, and lets them appear when all are complete.
#[derive(Debug)]
struct WholeOutputExec {
    inner: Arc<dyn ExecutionPlan>,
    output: Arc<Output>,
}

impl DisplayAs for WholeOutputExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_as(t, f)
    }
}

impl ExecutionPlan for WholeOutputExec {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.inner.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inner.children()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        self.inner.benefits_from_input_partitioning()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.inner.input_distribution_requirements()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.inner.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.inner.maintains_input_order()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            inner: Arc::clone(&self.inner).replace_children(children, options)?,
            output: Arc::clone(&self.output),
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.inner.metrics()
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let runtime = context.runtime_env();
        let store = runtime.object_store(&self.output.store)?;
        let held = HeldStore::new(Arc::clone(&store));
        let registry = WithStore {
            others: Arc::clone(&runtime.object_store_registry),
            url: AsRef::<url::Url>::as_ref(&self.output.store).clone(),
            store: Arc::clone(&held) as Arc<dyn ObjectStore>,
        };
        let runtime = RuntimeEnv {
            object_store_registry: Arc::new(registry),
            ..runtime.as_ref().clone()
        };
        let context = TaskContext::new(
            context.task_id(),
            context.session_id(),
            context.session_config().clone(),
            context.scalar_functions().clone(),
            context.higher_order_functions().clone(),
            context.aggregate_functions().clone(),
            context.window_functions().clone(),
            Arc::new(runtime),
        );
        let rows = self.inner.execute(partition, Arc::new(context))?;
        let output = Arc::clone(&self.output);
        let written = async move {
            let batches = output.write(store, &held, rows).await?;
            Ok::<_, DataFusionError>(futures::stream::iter(batches.into_iter().map(Ok)))
        };
        let stream = futures::stream::once(written).try_flatten();
        let schema = self.inner.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

//! A file that is read from its beginning to its end, as a table.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

/// Batches that may wait for their reader.
const AHEAD: usize = 2;

/// Where the rows of a table come from.
pub trait FeatureSource: Debug + Send + Sync {
    /// All columns.
    fn schema(&self) -> &SchemaRef;

    /// Hands batches of about `rows` rows of the columns `projection` to `give`, until there are no more or
    /// it answers `false`. It runs on a thread where it may wait.
    ///
    /// # Errors
    /// When the file cannot be read; the message names it.
    fn read(
        &self,
        projection: &[usize],
        rows: usize,
        give: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> crate::Result<()>;
}

/// A [`FeatureSource`] as a table. Memory holds the few batches that are under way.
#[derive(Debug)]
pub struct FeatureTable(Arc<dyn FeatureSource>);

impl FeatureTable {
    /// A table of what `source` reads.
    pub fn new(source: Arc<dyn FeatureSource>) -> Self {
        Self(source)
    }
}

#[async_trait]
impl TableProvider for FeatureTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.0.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = (0..self.0.schema().fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.0.schema().project(&projection)?);
        let partition: Arc<dyn PartitionStream> = Arc::new(Features {
            source: Arc::clone(&self.0),
            projection,
            schema: Arc::clone(&schema),
        });
        let scan = StreamingTableExec::try_new(schema, vec![partition], None, [], false, limit)?;
        Ok(Arc::new(scan))
    }
}

#[derive(Debug)]
struct Features {
    source: Arc<dyn FeatureSource>,
    projection: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for Features {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = context.session_config().batch_size();
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), AHEAD);
        let (source, projection, sender) = (
            Arc::clone(&self.source),
            self.projection.clone(),
            stream.tx(),
        );
        stream.spawn_blocking(move || {
            let mut give = |batch| sender.blocking_send(Ok(batch)).is_ok();
            Ok(source.read(&projection, rows, &mut give)?)
        });
        stream.build()
    }
}

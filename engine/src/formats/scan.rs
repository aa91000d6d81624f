//! The scan of files that are read from their beginning to their end.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExprRef};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use futures::{TryStreamExt, stream};

use super::source::{FeatureSource, Request, Within};
use super::views::{viewed, viewed_schema};
use crate::geometry::GeometryType;
use crate::geoparquet::BoundsFilter;

/// Batches that may wait for their reader.
const AHEAD: usize = 1;

/// Files named one by one in a plan.
const NAMED: usize = 3;

/// Reads [`FeatureSource`]s, each on one thread: the next is begun when the one before has ended, or by
/// another partition. A source that can be cut is read by all of them.
#[derive(Debug, Clone)]
pub struct FeatureScanExec {
    /// Of each partition.
    groups: Vec<Vec<Arc<dyn FeatureSource>>>,
    projection: Vec<usize>,
    schema: SchemaRef,
    filters: Vec<Arc<BoundsFilter>>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FeatureScanExec {
    pub(super) fn try_new(
        sources: Vec<Arc<dyn FeatureSource>>,
        projection: Vec<usize>,
        limit: Option<usize>,
        partitions: usize,
    ) -> Result<Self> {
        let Some(first) = sources.first() else {
            return internal_err!("a scan of no source");
        };
        let schema = viewed_schema(&first.schema().project(&projection)?);
        // Of one file each partition reads a part; the first rows are had from the first part alone.
        let sources = match (sources.as_slice(), limit) {
            ([only], None) if partitions > 1 => match only.parts(partitions)? {
                parts if parts.is_empty() => sources,
                parts => parts,
            },
            _ => sources,
        };
        let each = sources.len().div_ceil(partitions.max(1));
        let groups: Vec<Vec<_>> = sources.chunks(each).map(<[_]>::to_vec).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(groups.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            groups,
            projection,
            schema,
            filters: vec![],
            limit,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same scan, that leaves out what it can of what `filter` excludes. `None` where `column` of the
    /// output is no geometry, or the scan stops after a number of rows, which must not become others.
    ///
    /// # Errors
    /// When the type of the column is a broken GeoArrow type.
    pub fn with_bounds(
        &self,
        column: usize,
        filter: &Arc<BoundsFilter>,
    ) -> crate::Result<Option<Self>> {
        let Some(field) = self.schema.fields().get(column) else {
            return Ok(None);
        };
        if self.limit.is_some() || GeometryType::from_field(field)?.is_none() {
            return Ok(None);
        }
        let mut scan = self.clone();
        scan.filters.push(Arc::clone(filter));
        Ok(Some(scan))
    }

    fn sources(&self) -> impl Iterator<Item = &Arc<dyn FeatureSource>> {
        self.groups.iter().flatten()
    }
}

impl DisplayAs for FeatureScanExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = self.sources().map(|s| s.name()).collect();
        // Parts of one file have one name.
        names.dedup();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        if matches!(format, DisplayFormatType::TreeRender) {
            return write!(f, "{}", names.join(", "));
        }
        let columns: Vec<&str> = self
            .schema
            .fields()
            .iter()
            .map(|c| c.name().as_str())
            .collect();
        write!(
            f,
            "FeatureScanExec: {}, projection=[{}]",
            names.join(", "),
            columns.join(", ")
        )?;
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        for filter in &self.filters {
            write!(f, ", bounds={filter}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for FeatureScanExec {
    fn name(&self) -> &'static str {
        "FeatureScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => internal_err!("a scan has no children"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(sources) = self.groups.get(partition).cloned() else {
            return internal_err!("the scan has no partition {partition}");
        };
        let run = Run {
            sources,
            columns: self.projection.clone(),
            rows: context.session_config().batch_size(),
            filters: self.filters.clone(),
            limit: self.limit.unwrap_or(usize::MAX),
            schema: Arc::clone(&self.schema),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        // Begun when it is first asked: by then a join knows where its build side lies.
        let lazy = stream::once(async move { Ok::<_, DataFusionError>(run.start()) }).try_flatten();
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, lazy)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let sources: Vec<_> = match args.partition() {
            Some(partition) => self.groups.get(partition).into_iter().flatten().collect(),
            None => self.sources().collect(),
        };
        let rows: Option<u64> = sources.iter().map(|source| source.rows_about()).sum();
        if let Some(rows) = rows.and_then(|rows| usize::try_from(rows).ok()) {
            statistics.num_rows = Precision::Inexact(rows.min(self.limit.unwrap_or(usize::MAX)));
        }
        // Most of a file is geometries.
        let with_geometry = (self.schema.fields().iter())
            .any(|field| matches!(GeometryType::from_field(field), Ok(Some(_))));
        let bytes: Option<u64> = sources.iter().map(|source| source.bytes_about()).sum();
        if let (Some(bytes), true, None) = (bytes, with_geometry, self.limit) {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            statistics.total_byte_size = Precision::Inexact(bytes);
        }
        Ok(Arc::new(statistics))
    }
}

/// One partition's reading.
struct Run {
    sources: Vec<Arc<dyn FeatureSource>>,
    columns: Vec<usize>,
    rows: usize,
    filters: Vec<Arc<BoundsFilter>>,
    limit: usize,
    /// Of the batches that are sent.
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Run {
    /// Begins to read, on a thread where it may wait.
    fn start(self) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&schema), AHEAD);
        let sender = stream.tx();
        stream.spawn_blocking(move || {
            let send = |batch| sender.blocking_send(viewed(batch, &schema)).is_ok();
            Ok(self.read(&mut { send })?)
        });
        stream.build()
    }

    fn read(self, send: &mut dyn FnMut(RecordBatch) -> bool) -> crate::Result<()> {
        let mut left = self.limit;
        let lists = self.filters.iter().filter_map(|filter| filter.rectangles());
        let request = Request {
            columns: self.columns,
            rows: self.rows.min(left).max(1),
            within: Within(lists.collect()),
        };
        if request.within.is_nothing() {
            return Ok(());
        }
        let mut goes_on = true;
        for source in self.sources {
            if !goes_on {
                break;
            }
            source.read(&request, &mut |batch| {
                let batch = match batch.num_rows() > left {
                    true => batch.slice(0, left),
                    false => batch,
                };
                left -= batch.num_rows();
                self.metrics.output_rows().add(batch.num_rows());
                goes_on = send(batch) && left > 0;
                goes_on
            })?;
        }
        Ok(())
    }
}

//! A Parquet source that leaves out what bounds exclude, when a file is opened.
//!
//! ```text
//!  FileStream ── next file ──> PruningMorselizer ── footer, from the cache ──> access plan
//!                                     |                                            |
//!                                nothing wanted: no planner          file + access plan of a slice, one after the other
//!                                                                                  |
//!                                                        DataFusion's Parquet opener, as it is
//! ```

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    DefaultParquetFileReaderFactory, ParquetAccessPlan, ParquetFileReaderFactory,
    ParquetRowSelection,
};
use datafusion::datasource::physical_plan::{
    FileOpener, FileScanConfig, FileSource, ParquetSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExprRef, PhysicalSortExpr,
};
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{MorselPlan, MorselPlanner, Morselizer};
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use super::page_scan::{GivenFooter, GivenFooters, with_pages};
use super::part_index::PartBounds;
use super::prune_access::{Wanted, in_range, initial, narrow};
use super::prune_fields::FieldRange;
use super::prune_filter::BoundsFilter;
use super::prune_metrics::PruneMetrics;
use super::prune_rows::RowPruning;
use super::slices::{InTurn, Slice, slices};

/// A filter on one geometry column of a table.
#[derive(Debug, Clone)]
pub(super) struct ColumnFilter {
    /// Name of the column.
    pub column: String,
    pub filter: Arc<BoundsFilter>,
}

/// DataFusion's Parquet source, and filters that say which parts of its files are wanted.
#[derive(Clone)]
pub(super) struct PruningSource {
    inner: Arc<dyn FileSource>,
    filters: Vec<ColumnFilter>,
    /// What the predicate of the source asks of fields.
    fields: Vec<FieldRange>,
}

impl PruningSource {
    /// Adds a filter to a source of Parquet files; `None` for any other source.
    pub(super) fn add(source: &Arc<dyn FileSource>, filter: ColumnFilter) -> Option<Self> {
        if let Some(pruning) = source.downcast_ref::<Self>() {
            let mut pruning = pruning.clone();
            pruning.filters.push(filter);
            return Some(pruning);
        }
        let mut pruning = Self::plain(source)?;
        pruning.filters.push(filter);
        Some(pruning)
    }

    /// Prunes a source of Parquet files by what its predicate asks of fields and geometries, if it asks
    /// anything, and reads large row groups in slices.
    pub(super) fn plain(source: &Arc<dyn FileSource>) -> Option<Self> {
        let parquet = source.downcast_ref::<ParquetSource>()?;
        Some(Self {
            inner: match parquet.parquet_file_reader_factory() {
                Some(readers) => {
                    let readers = Arc::new(GivenFooters(Arc::clone(readers)));
                    Arc::new((parquet.clone()).with_parquet_file_reader_factory(readers))
                }
                None => Arc::clone(source),
            },
            filters: vec![],
            fields: parquet.filter().map_or(vec![], |p| FieldRange::all(&p)),
        })
    }

    fn wrap(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self {
            inner,
            filters: self.filters.clone(),
            fields: self.fields.clone(),
        })
    }

    pub(super) fn waits_for_bounds(&self) -> bool {
        let mut filters = self.filters.iter();
        filters.any(|filter| filter.filter.rectangles().is_none())
    }

    /// Names of the table's columns that are read.
    fn columns(&self) -> Vec<String> {
        let columns = self.inner.projection().into_iter().flatten();
        let columns = columns.flat_map(|projected| collect_columns(&projected.expr));
        columns.map(|column| column.name().to_owned()).collect()
    }
}

impl FileSource for PruningSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner
            .create_file_opener(object_store, base_config, partition)
    }

    fn create_morselizer(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner =
            self.inner
                .create_morselizer(Arc::clone(&object_store), base_config, partition)?;
        let rows = self.inner.downcast_ref::<ParquetSource>();
        let rows = rows.and_then(|p| RowPruning::new(p, &object_store, base_config, partition));
        // The factory that the opener will use, and with it the same cache of footers.
        let readers = self
            .inner
            .downcast_ref::<ParquetSource>()
            .and_then(ParquetSource::parquet_file_reader_factory)
            .cloned()
            .unwrap_or_else(|| Arc::new(DefaultParquetFileReaderFactory::new(object_store)));
        Ok(Box::new(PruningMorselizer(Arc::new(Pruner {
            inner: Arc::from(inner),
            filters: self.filters.clone(),
            fields: self.fields.clone(),
            columns: self.columns(),
            rows,
            slice: Slice::of_store(&base_config.object_store_url),
            readers,
            is_local: base_config.object_store_url.as_str().starts_with("file:"),
            partition,
            metrics: PruneMetrics::new(self.metrics(), partition),
        }))))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.wrap(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<PhysicalExprRef> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(t, f)?;
        let filters: Vec<String> = self
            .filters
            .iter()
            .map(|ColumnFilter { column, filter }| format!("{column} overlaps {filter}"))
            .chain(self.fields.iter().map(ToString::to_string))
            .collect();
        if filters.is_empty() {
            return Ok(());
        }
        let filters = filters.join(", ");
        match t {
            DisplayFormatType::TreeRender => writeln!(f, "bounds_filter={filters}"),
            _ => write!(f, ", bounds_filter=[{filters}]"),
        }
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        // The inner source changes the file groups of `config` alone, whose source is this one.
        self.inner.repartitioned(
            target_partitions,
            repartition_file_min_size,
            output_ordering,
            config,
        )
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<PhysicalExprRef>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut pushed = self.inner.try_pushdown_filters(filters, config)?;
        pushed.updated_node = pushed.updated_node.map(|inner| self.wrap(inner));
        Ok(pushed)
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        eq_properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_sort(order, eq_properties)?;
        Ok(pushed.map(|inner| self.wrap(inner)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.inner.try_pushdown_projection(projection)?;
        Ok(pushed.map(|inner| self.wrap(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&PhysicalExprRef) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

#[derive(Debug)]
struct PruningMorselizer(Arc<Pruner>);

impl Morselizer for PruningMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        Ok(Box::new(FilePlanner {
            pruner: Arc::clone(&self.0),
            file: Box::new(file),
        }))
    }
}

/// Opens the files of one partition of a scan.
#[derive(Debug)]
struct Pruner {
    inner: Arc<dyn Morselizer>,
    filters: Vec<ColumnFilter>,
    fields: Vec<FieldRange>,
    /// Columns that are read.
    columns: Vec<String>,
    rows: Option<RowPruning>,
    slice: Slice,
    readers: Arc<dyn ParquetFileReaderFactory>,
    /// Whether files are on this machine.
    is_local: bool,
    partition: usize,
    metrics: PruneMetrics,
}

impl Pruner {
    /// What is known to be wanted by now.
    fn wanted(&self) -> Vec<Wanted> {
        let known = self.filters.iter().filter_map(|filter| {
            Some(Wanted {
                column: filter.column.clone(),
                rectangles: filter.filter.rectangles()?,
            })
        });
        known.collect()
    }

    /// Plans what is wanted of a file.
    async fn plan(
        &self,
        file: PartitionedFile,
        wanted: Vec<Wanted>,
    ) -> Result<Box<dyn MorselPlanner>> {
        // What wrote the file has said where its rows lie: it need not be opened.
        if let Some(part) = file.extensions.get::<PartBounds>()
            && wanted.iter().any(|wanted| {
                wanted.column.as_str() == part.column.as_ref()
                    && !wanted.may_hold(Some(&part.bounds))
            })
        {
            self.metrics.files.add_pruned(1);
            return Ok(Box::new(Nothing));
        }
        // Its metrics are not shown: those of the reader that reads rows are.
        let unseen = ExecutionPlanMetricsSet::new();
        let mut reader = self.readers.create_reader(
            self.partition,
            file.clone(),
            file.metadata_size_hint,
            &unseen,
        )?;
        let failed = |e| DataFusionError::ParquetError(Box::new(e));
        // Where pages are not pruned, their index is fetched for large row groups alone.
        let policy = match self.asks(&wanted) {
            true => PageIndexPolicy::Optional,
            false => PageIndexPolicy::Skip,
        };
        let options = |policy| ArrowReaderOptions::new().with_page_index_policy(policy);
        let footer = reader.get_metadata(Some(&options(policy))).await;
        let mut footer = footer.map_err(failed)?;
        if self.slice.wants_index(&footer, &self.columns) {
            let options = options(PageIndexPolicy::Optional);
            footer = reader.get_metadata(Some(&options)).await.map_err(failed)?;
        }
        let given = file.extensions.get::<ParquetAccessPlan>();
        let Some(mut plan) = initial(given, footer.num_row_groups()) else {
            return self.inner.plan_file(file);
        };
        let mut readers = Arc::clone(&self.inner);
        if self.asks(&wanted) {
            let range = file.range.as_ref();
            let asked = (wanted.as_slice(), self.fields.as_slice());
            let narrowed = narrow(plan, &footer, asked, range, &self.columns, &self.metrics);
            let Some(narrowed) = narrowed else {
                return Ok(Box::new(Nothing));
            };
            plan = narrowed;
            if let Some(rows) = &self.rows
                && let Some(by_rows) = rows.reader(&footer, &plan, &wanted, &self.columns)?
            {
                readers = Arc::from(by_rows);
            }
        }
        let mut file = file;
        if self.is_local
            && let Some(indexed) = self.with_pages(&file, &footer, &plan).await
        {
            footer = Arc::new(indexed);
            file = file.with_extension(GivenFooter(Arc::clone(&footer)));
        }
        let range = file.range.as_ref();
        let mut slices = slices(plan, &footer, range, &self.columns, self.slice);
        if slices.len() == 1
            && let Some(whole) = slices.pop()
        {
            return readers.plan_file(file.with_extension(whole));
        }
        let files = slices
            .into_iter()
            .map(|plan| file.clone().with_extension(plan));
        Ok(Box::new(InTurn {
            readers,
            files: files.collect(),
        }))
    }

    /// The footer with an index of pages, where it has none and row groups that are read are worth cutting.
    async fn with_pages(
        &self,
        file: &PartitionedFile,
        footer: &Arc<ParquetMetaData>,
        plan: &ParquetAccessPlan,
    ) -> Option<ParquetMetaData> {
        let range = file.range.as_ref();
        let is_read: Vec<bool> = (footer.row_groups().iter().enumerate())
            .map(|(number, group)| plan.should_scan(number) && in_range(group, range))
            .collect();
        if !self.slice.lacks_index(footer, &is_read, &self.columns) {
            return None;
        }
        let path = PathBuf::from(format!("/{}", file.object_meta.location));
        let footer = Arc::clone(footer);
        let scan = move || {
            let is_read = |group: usize| is_read.get(group) == Some(&true);
            with_pages(&path, &footer, is_read)
        };
        SpawnedTask::spawn_blocking(scan).join().await.ok()?
    }

    /// Whether anything is asked of a file besides its rows.
    fn asks(&self, wanted: &[Wanted]) -> bool {
        let asks_rows = self.rows.as_ref().is_some_and(RowPruning::asks);
        !wanted.is_empty() || !self.fields.is_empty() || asks_rows
    }
}

struct FilePlanner {
    pruner: Arc<Pruner>,
    file: Box<PartitionedFile>,
}

impl fmt::Debug for FilePlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.file.object_meta.location;
        f.debug_tuple("FilePlanner").field(path).finish()
    }
}

impl MorselPlanner for FilePlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { pruner, file } = *self;
        let wanted = pruner.wanted();
        // A selection of rows and an access plan exclude each other.
        let as_it_is = !pruner.asks(&wanted) && !pruner.slice.may_cut(&file);
        if as_it_is || file.extensions.get::<ParquetRowSelection>().is_some() {
            return pruner.inner.plan_file(*file)?.plan();
        }
        let plan = async move { pruner.plan(*file, wanted).await };
        Ok(Some(MorselPlan::new().with_pending_planner(plan)))
    }
}

/// Yields no rows.
#[derive(Debug)]
struct Nothing;

impl MorselPlanner for Nothing {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(None)
    }
}

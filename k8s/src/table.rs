//! A table of Parquet files as a plan knows it, or a fragment's part of one.
//!
//! ```text
//!  TableInput ── files, schema ──> PartTable ── scan ──> DataSourceExec
//!  ScanSlice  ── row groups  ─────────┘                    partition 0: file 0 [row groups 0-3]
//!                                                          partition 1: file 0 [4, 5], file 1 [0]
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::{ListingTableUrl, PartitionedFile};
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use geoflow_engine::Error;
use object_store::ObjectMeta;
use object_store::path::Path;
use url::Url;

use crate::plan::{FileSlice, InputFile, RowRange, ScanSlice, TableInput};
use crate::planner::scan_of;

/// Says which scan of the statement a scan of files is; an extension of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanTag(pub(crate) usize);

/// Parquet files, of which a fragment may read some row groups only.
#[derive(Debug)]
pub(crate) struct PartTable {
    schema: SchemaRef,
    files_schema: TableSchema,
    store: Option<ObjectStoreUrl>,
    files: Vec<PartFile>,
    statistics: Statistics,
}

/// A file of the table, as far as it is read.
#[derive(Debug)]
struct PartFile {
    file: PartitionedFile,
    row_groups: Vec<u32>,
    of: u32,
    rows: Vec<RowRange>,
    rows_per_group: u64,
}

impl PartTable {
    /// The table as scan `scan`, whole or as far as `slice` goes.
    pub(crate) fn try_new(
        table: &TableInput,
        scan: usize,
        slice: Option<&ScanSlice>,
    ) -> geoflow_engine::Result<Self> {
        let schema = table
            .decode_schema()
            .map_err(|e| Error::Statement(e.to_string()))?;
        let (partition, own): (Vec<_>, Vec<_>) = schema
            .fields()
            .iter()
            .cloned()
            .partition(|field| table.partition_columns.contains(field.name()));
        let own = Schema::new_with_metadata(own, schema.metadata().clone());
        let files_schema = TableSchema::builder(Arc::new(own))
            .with_table_partition_cols(partition.clone())
            .build();
        let mut files = vec![];
        let mut store = None;
        let mut add =
            |input: &InputFile, slice: Option<&FileSlice>| -> geoflow_engine::Result<()> {
                let (url, file) = open(input, &partition, scan)?;
                store.get_or_insert(url);
                let groups = u64::from(input.row_groups.max(1));
                files.push(PartFile {
                    file,
                    row_groups: match slice.and_then(|slice| slice.row_groups.clone()) {
                        Some(some) => some,
                        None => (0..input.row_groups).collect(),
                    },
                    of: input.row_groups,
                    rows: slice.map(|slice| slice.rows.clone()).unwrap_or_default(),
                    rows_per_group: input.rows.div_ceil(groups),
                });
                Ok(())
            };
        match slice {
            None => {
                for input in &table.files {
                    add(input, None)?;
                }
            }
            Some(slice) => {
                for file in &slice.files {
                    let input = table.files.get(file.file).ok_or_else(|| {
                        Error::Internal(format!("{} has no file {}", table.name, file.file))
                    })?;
                    add(input, Some(file))?;
                }
                if let (true, Some(first)) = (slice.files.is_empty(), table.files.first()) {
                    let nothing = FileSlice {
                        file: 0,
                        row_groups: Some(vec![]),
                        rows: vec![],
                    };
                    add(first, Some(&nothing))?;
                }
            }
        }
        let rows = files.iter().map(|file| file.rows(..)).sum();
        Ok(Self {
            statistics: estimates(table, &schema, rows),
            schema,
            files_schema,
            store,
            files,
        })
    }

    /// Says that it holds all of its table, whatever is read of it, and rows enough for so many bytes.
    #[must_use]
    pub(crate) fn with_whole_size(self, table: &TableInput, least: u64) -> Self {
        let whole = estimates(table, &self.schema, table.rows());
        let times = least.div_ceil(column_bytes(&whole).max(1)).max(1);
        let rows = table.rows().saturating_mul(times);
        Self {
            statistics: estimates(table, &self.schema, rows),
            ..self
        }
    }

    /// The rows that are read.
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows(..)).sum()
    }

    /// Bytes of all columns of these rows, before compression.
    pub(crate) fn bytes(&self) -> u64 {
        column_bytes(&self.statistics)
    }

    /// Consecutive row groups, in as many parts as there are threads.
    fn groups(&self, partitions: usize) -> Vec<FileGroup> {
        let total: u64 = self.files.iter().map(|file| file.rows(..)).sum();
        let target = total.div_ceil(partitions.max(1) as u64).max(1);
        let mut groups: Vec<Vec<PartitionedFile>> = vec![vec![]];
        let mut rows = 0;
        for file in &self.files {
            let mut start = 0;
            for (i, &group) in file.row_groups.iter().enumerate() {
                rows += file.rows_of(group);
                if rows >= target && groups.len() < partitions {
                    if let Some(last) = groups.last_mut() {
                        last.push(file.part(start..i + 1));
                    }
                    groups.push(vec![]);
                    (start, rows) = (i + 1, 0);
                }
            }
            if start < file.row_groups.len()
                && let Some(last) = groups.last_mut()
            {
                last.push(file.part(start..file.row_groups.len()));
            }
        }
        groups.retain(|group| !group.is_empty());
        if let (true, Some(first)) = (groups.is_empty(), self.files.first()) {
            // A scan without rows is still a scan, by which plans are told apart.
            groups.push(vec![first.part(0..0)]);
        }
        groups.into_iter().map(FileGroup::new).collect()
    }
}

fn column_bytes(statistics: &Statistics) -> u64 {
    let columns = statistics.column_statistics.iter();
    let bytes = columns.filter_map(|column| column.byte_size.get_value());
    bytes.fold(0, |sum: u64, bytes| sum.saturating_add(*bytes as u64))
}

/// Estimates for so many rows of a table. Of the values of its columns nothing is said, so that plans do not depend on
/// which rows they are.
fn estimates(table: &TableInput, schema: &Schema, rows: u64) -> Statistics {
    let share = |bytes: u64| {
        let part = rows as f64 / table.rows().max(1) as f64;
        Precision::Inexact((bytes as f64 * part) as usize)
    };
    let mut statistics = Statistics::new_unknown(schema);
    statistics.num_rows = Precision::Inexact(rows as usize);
    statistics.total_byte_size = share(table.bytes());
    let columns = statistics.column_statistics.iter_mut();
    let bytes = table.column_bytes.iter().zip(schema.fields());
    for (column, (&bytes, field)) in columns.zip(bytes) {
        column.byte_size = match field.data_type().primitive_width() {
            Some(width) => Precision::Inexact((rows as usize).saturating_mul(width)),
            None => share(bytes),
        };
    }
    statistics
}

/// The same plan, with the rows that some scans yield in place of those that they were planned for: what pays for all
/// rows of a table may not pay for these.
pub(crate) fn with_rows(
    physical: Arc<dyn ExecutionPlan>,
    rows: &BTreeMap<usize, u64>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let own = |node: Arc<dyn ExecutionPlan>| {
        let Some((scan, config)) = scan_of(&node) else {
            return Ok(Transformed::no(node));
        };
        let exec = node.downcast_ref::<DataSourceExec>();
        let (Some(exec), Some(&rows)) = (exec, rows.get(&scan)) else {
            return Ok(Transformed::no(node));
        };
        let mut statistics = config.statistics();
        statistics.num_rows = Precision::Inexact(rows as usize);
        let config = FileScanConfigBuilder::from(config.clone())
            .with_statistics(statistics)
            .build();
        let exec = exec.clone().with_data_source(Arc::new(config));
        Ok(Transformed::yes(Arc::new(exec) as Arc<dyn ExecutionPlan>))
    };
    physical.transform_up(own).data()
}

impl PartFile {
    fn rows_of(&self, group: u32) -> u64 {
        let ranges = || self.rows.iter().filter(|range| range.row_group == group);
        match ranges().next() {
            None => self.rows_per_group,
            Some(_) => ranges().map(|range| range.count).sum(),
        }
    }

    fn rows(&self, groups: impl std::slice::SliceIndex<[u32], Output = [u32]>) -> u64 {
        let groups = self.row_groups.get(groups).unwrap_or_default();
        groups.iter().map(|&group| self.rows_of(group)).sum()
    }

    fn part(&self, groups: Range<usize>) -> PartitionedFile {
        let mut access = ParquetAccessPlan::new(vec![RowGroupAccess::Skip; self.of as usize]);
        for &group in self.row_groups.get(groups).unwrap_or_default() {
            access.scan(group as usize);
            let ranges = self.rows.iter().filter(|range| range.row_group == group);
            let mut selectors = vec![];
            let mut at = 0;
            for range in ranges {
                selectors.push(RowSelector::skip((range.first - at) as usize));
                selectors.push(RowSelector::select(range.count as usize));
                at = range.first + range.count;
            }
            if !selectors.is_empty() {
                // The selection of a row group covers all its rows.
                let rest = self.total_rows(group).saturating_sub(at);
                selectors.push(RowSelector::skip(rest as usize));
                selectors.retain(|selector| selector.row_count > 0);
                access.scan_selection(group as usize, RowSelection::from(selectors));
            }
        }
        let size = i64::try_from(self.file.object_meta.size).unwrap_or(i64::MAX);
        // A file with a range is not cut again by those who balance partitions.
        self.file.clone().with_range(0, size).with_extension(access)
    }

    fn total_rows(&self, group: u32) -> u64 {
        self.rows
            .iter()
            .find(|range| range.row_group == group)
            .map_or(0, |range| range.of)
    }
}

/// A file with its partition values and its tag.
fn open(
    input: &InputFile,
    partition: &[Arc<Field>],
    scan: usize,
) -> geoflow_engine::Result<(ObjectStoreUrl, PartitionedFile)> {
    let (url, location) = locate(&input.url)?;
    let meta = object_meta(input, location);
    let values = partition
        .iter()
        .zip(&input.partition_values)
        .map(|(field, value)| partition_value(value.as_deref(), field.data_type()))
        .collect::<Result<Vec<_>>>()
        .map_err(|e| Error::Statement(format!("{}: {e}", input.url)))?;
    let file = PartitionedFile::new_from_meta(meta)
        .with_partition_values(values)
        .with_extension(ScanTag(scan));
    Ok((url, file))
}

/// A file as its store described it when it was planned.
pub(crate) fn object_meta(input: &InputFile, location: Path) -> ObjectMeta {
    let modified = DateTime::parse_from_rfc3339(&input.modified);
    ObjectMeta {
        location,
        last_modified: modified.map_or_else(
            |_| DateTime::<Utc>::default(),
            |time| time.with_timezone(&Utc),
        ),
        size: input.size,
        e_tag: input.e_tag.clone(),
        version: None,
    }
}

fn partition_value(value: Option<&str>, ty: &DataType) -> Result<ScalarValue> {
    match value {
        Some(value) => ScalarValue::try_from_string(value.to_owned(), ty),
        None => ScalarValue::try_from(ty),
    }
}

/// The store and the key of an object's URL.
pub(crate) fn locate(url: &str) -> geoflow_engine::Result<(ObjectStoreUrl, Path)> {
    let bad = |why: String| Error::Statement(format!("{url} is no URL of a file: {why}"));
    let url = Url::parse(url).map_err(|e| bad(e.to_string()))?;
    let path = Path::from_url_path(url.path()).map_err(|e| bad(e.to_string()))?;
    let store = ListingTableUrl::try_new(url.clone(), None).map_err(|e| bad(e.to_string()))?;
    Ok((store.object_store(), path))
}

#[async_trait]
impl TableProvider for PartTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let groups = self.groups(state.config().target_partitions());
        let Some(store) = self.store.clone().filter(|_| !groups.is_empty()) else {
            let schema = datafusion::common::project_schema(&self.schema, projection)?;
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        let format = parquet(state)?;
        let source = format.file_source(self.files_schema.clone());
        let config = FileScanConfigBuilder::new(store, source)
            .with_file_groups(groups)
            .with_statistics(self.statistics.clone())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        format.create_physical_plan(state, config).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// The session's format of Parquet, with its options.
fn parquet(state: &dyn Session) -> Result<Arc<dyn FileFormat>> {
    let state = state
        .as_any()
        .downcast_ref::<datafusion::execution::SessionState>()
        .ok_or_else(|| Error::Internal("a session of an unknown kind".into()))?;
    let factory = state.get_file_format_factory("parquet").ok_or_else(|| {
        DataFusionError::from(Error::Internal("no Parquet in the session".into()))
    })?;
    factory.create(state, &Default::default())
}

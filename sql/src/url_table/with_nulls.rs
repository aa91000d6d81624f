//! Folders of Parquet files where a value that stands in the name of a folder is missing:
//! `country=__HIVE_DEFAULT_PARTITION__/part-0.parquet`.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::helpers::parse_partitions_for_path;
use datafusion::datasource::listing::{ListingTableUrl, PartitionedFile};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use geoflow_engine::geoparquet::HIVE_NULL;
use object_store::ObjectMeta;

/// Whether the folder `segment` says that its column is missing.
pub(super) fn is_null(segment: &str) -> bool {
    segment
        .split_once('=')
        .is_some_and(|(_, value)| value == HIVE_NULL)
}

/// The files of such a table. DataFusion's own table takes the name that stands for NULL for a text, and for no number.
///
/// Files are chosen by their values when they are opened, not when they are listed.
#[derive(Debug)]
pub struct FolderWithNulls {
    url: ListingTableUrl,
    format: Arc<dyn FileFormat>,
    schema: SchemaRef,
    files_schema: TableSchema,
    files: Vec<PartitionedFile>,
}

impl FolderWithNulls {
    /// The table of `files` below `url`, with columns of their own (`schema`) and of their folders.
    pub(super) fn try_new(
        url: ListingTableUrl,
        format: Arc<dyn FileFormat>,
        schema: Schema,
        columns: &[(String, DataType)],
        files: Vec<ObjectMeta>,
    ) -> Result<Self> {
        let values = |file: &ObjectMeta| {
            let names = columns.iter().map(|(name, _)| name.as_str());
            let values = parse_partitions_for_path(&url, &file.location, names)?;
            // Decoded, a text may look like NULL.
            let nulls = url.strip_prefix(&file.location)?.map(is_null);
            let typed = values.into_iter().zip(nulls).zip(columns).map(
                |((value, null), (_, ty))| match null {
                    true => ScalarValue::try_from(ty),
                    false => ScalarValue::try_from_string(value.into_owned(), ty),
                },
            );
            Some(typed.collect::<Result<Vec<_>>>())
        };
        let mut found = vec![];
        for file in files {
            let Some(values) = values(&file) else {
                continue;
            };
            let file = PartitionedFile::new_from_meta(file);
            found.push(file.with_partition_values(values?));
        }
        let partition = columns.iter().map(|(name, ty)| {
            let field = Field::new(name, ty.clone(), true);
            Arc::new(field)
        });
        let files_schema = TableSchema::builder(Arc::new(schema))
            .with_table_partition_cols(partition.collect::<Vec<_>>())
            .build();
        Ok(Self {
            schema: Arc::clone(files_schema.table_schema()),
            url,
            format,
            files_schema,
            files: found,
        })
    }

    /// Where the files are.
    pub fn url(&self) -> &ListingTableUrl {
        &self.url
    }

    /// The files, with the values that they have from their folders.
    pub fn files(&self) -> &[PartitionedFile] {
        &self.files
    }

    /// Names of the columns that stand in the names of folders.
    pub fn partition_columns(&self) -> Vec<String> {
        let columns = self.files_schema.table_partition_cols().iter();
        columns.map(|field| field.name().clone()).collect()
    }
}

#[async_trait]
impl TableProvider for FolderWithNulls {
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
        let partitions = state.config().target_partitions();
        let source = self.format.file_source(self.files_schema.clone());
        let config = FileScanConfigBuilder::new(self.url.object_store(), source)
            .with_file_groups(FileGroup::new(self.files.clone()).split_files(partitions))
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        self.format.create_physical_plan(state, config).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

//! The files of a table, and what their footers say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::listing::{ListingTable, ListingTableUrl, PartitionedFile};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use futures::{StreamExt, TryStreamExt};
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geoparquet::{RowGroupSummary, read_footer, summarize_row_groups};
use geoflow_sql::url_table::FolderWithNulls;
use object_store::ObjectStore;
use parquet::file::metadata::ParquetMetaData;
use url::Url;

use crate::plan::{InputFile, TableInput};
use crate::session::is_parquet;

/// Footers read at once.
const AT_ONCE: usize = 32;

/// The table of Parquet files behind a name; `None` for any other table.
pub(crate) async fn table_input(
    state: &SessionState,
    name: &TableReference,
    table: &Arc<dyn TableProvider>,
) -> Result<Option<TableInput>> {
    let Some(Listed {
        url,
        mut files,
        partition_columns,
    }) = listed(state, table).await?
    else {
        return Ok(None);
    };
    let base: &Url = url.as_ref();
    // A copy that this process has made is known to no other.
    if base.scheme().starts_with("http") && !base.username().is_empty() {
        return Err(geoflow_engine::Error::Statement(format!(
            "{name} cannot be read by a job: its server gives no parts of files. Copy it to object storage first"
        ))
        .into());
    }
    let store = state.runtime_env().object_store(&url)?;
    files.retain(|file| file.object_meta.size > 0);
    files.sort_by(|a, b| a.object_meta.location.cmp(&b.object_meta.location));
    let reads: Vec<_> = files
        .into_iter()
        .map(|file| input_file(state, &store, base, file))
        .collect();
    let schema = table.schema();
    let mut files: Vec<InputFile> = vec![];
    let mut column_bytes = vec![0; schema.fields().len()];
    let mut read = futures::stream::iter(reads).buffered(AT_ONCE);
    while let Some((file, footer)) = read.try_next().await? {
        files.push(file);
        add_column_bytes(&footer, &schema, &mut column_bytes);
    }
    Ok(Some(TableInput {
        name: name.to_string(),
        reference: name.to_quoted_string(),
        schema: TableInput::encode_schema(&schema)
            .map_err(|e| geoflow_engine::Error::Statement(e.to_string()))?,
        partition_columns,
        column_bytes,
        files,
    }))
}

/// The Parquet files of a table.
struct Listed {
    url: ListingTableUrl,
    files: Vec<PartitionedFile>,
    partition_columns: Vec<String>,
}

async fn listed(state: &SessionState, table: &Arc<dyn TableProvider>) -> Result<Option<Listed>> {
    if let Some(folder) = table.downcast_ref::<FolderWithNulls>() {
        return Ok(Some(Listed {
            url: folder.url().clone(),
            files: folder.files().to_vec(),
            partition_columns: folder.partition_columns(),
        }));
    }
    let Some(listing) = table.downcast_ref::<ListingTable>() else {
        return Ok(None);
    };
    let Some(first) = listing.table_paths().first() else {
        return Ok(None);
    };
    if !is_parquet(listing.options().format.as_ref()) {
        return Ok(None);
    }
    let found = listing.list_files_for_scan(state, &[], None).await?;
    let groups = found.file_groups.into_iter();
    let columns = listing.options().table_partition_cols.iter();
    Ok(Some(Listed {
        url: first.clone(),
        files: groups.flat_map(|group| group.into_inner()).collect(),
        partition_columns: columns.map(|(name, _)| name.clone()).collect(),
    }))
}

async fn input_file(
    state: &SessionState,
    store: &Arc<dyn ObjectStore>,
    base: &Url,
    file: PartitionedFile,
) -> Result<(InputFile, Arc<ParquetMetaData>)> {
    let meta = &file.object_meta;
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let footer = read_footer(store, meta, Some(&cache), None).await?;
    let mut url = base.clone();
    url.set_path(&format!("/{}", meta.location).replace('%', "%25"));
    url.set_query(None);
    let values = file.partition_values.iter();
    let input = InputFile {
        url: url.into(),
        size: meta.size,
        e_tag: meta.e_tag.clone(),
        modified: meta.last_modified.to_rfc3339(),
        rows: footer.file_metadata().num_rows().max(0) as u64,
        row_groups: footer.num_row_groups() as u32,
        partition_values: values
            .map(|value| (!value.is_null()).then(|| value.to_string()))
            .collect(),
    };
    Ok((input, footer))
}

/// Adds what the columns of a file take before compression.
fn add_column_bytes(footer: &ParquetMetaData, schema: &Schema, bytes: &mut [u64]) {
    let leaves = footer.row_groups().iter().flat_map(|group| group.columns());
    let by_name: HashMap<&str, usize> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| (field.name().as_str(), i))
        .collect();
    for leaf in leaves {
        let root = leaf.column_path().parts().first();
        let column = root.and_then(|root| by_name.get(root.as_str()));
        if let Some(bytes) = column.and_then(|&i| bytes.get_mut(i)) {
            *bytes += leaf.uncompressed_size().max(0) as u64;
        }
    }
}

/// A row group of a table, as the planner weighs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Group {
    pub(crate) file: u32,
    pub(crate) group: u32,
    pub(crate) rows: u64,
    /// Compressed bytes of the columns that are read.
    pub(crate) bytes: u64,
    pub(crate) geometry_bytes: u64,
}

/// What the footers of a table say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Groups {
    /// In the order of the files.
    pub(crate) all: Vec<Group>,
    /// The bounds of the groups, by geometry column.
    pub(crate) bounds: BTreeMap<String, Vec<Option<Bounds>>>,
}

impl Groups {
    pub(crate) fn bytes(&self) -> u64 {
        self.all.iter().map(|group| group.bytes).sum()
    }
}

/// The row groups of a table, with the sizes of `columns` and the bounds of some geometry columns.
pub(crate) async fn row_groups(
    state: &SessionState,
    table: &TableInput,
    columns: Option<&[String]>,
    geometry: &BTreeSet<String>,
) -> Result<Groups> {
    let mut found = Groups::default();
    let reads: Vec<_> = table
        .files
        .iter()
        .map(|file| summaries(state, file, columns, geometry))
        .collect();
    let mut read = futures::stream::iter(reads).buffered(AT_ONCE);
    let mut file = 0;
    while let Some((groups, by_column)) = read.try_next().await? {
        let start = found.all.len();
        for (group, summary) in (0..).zip(groups) {
            found.all.push(Group {
                file,
                group,
                rows: summary.rows,
                bytes: summary.bytes,
                geometry_bytes: 0,
            });
        }
        for (name, summaries) in by_column {
            for (i, summary) in summaries.iter().enumerate() {
                if let Some(group) = found.all.get_mut(start + i) {
                    group.geometry_bytes += summary.geometry_bytes;
                }
            }
            let bounds = found.bounds.entry(name).or_default();
            bounds.extend(summaries.iter().map(|summary| summary.bounds));
        }
        file += 1;
    }
    Ok(found)
}

/// The row groups of a file, and the same for every geometry column.
async fn summaries(
    state: &SessionState,
    file: &InputFile,
    columns: Option<&[String]>,
    geometry: &BTreeSet<String>,
) -> Result<(Vec<RowGroupSummary>, Vec<(String, Vec<RowGroupSummary>)>)> {
    let (url, location) = crate::table::locate(&file.url)?;
    let store = state.runtime_env().object_store(url)?;
    let meta = crate::table::object_meta(file, location);
    let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
    let footer = read_footer(&store, &meta, Some(&cache), None).await?;
    let mut by_column = vec![];
    for name in geometry {
        let groups = summarize_row_groups(&footer, columns, Some(name));
        by_column.push((name.clone(), groups));
    }
    Ok((summarize_row_groups(&footer, columns, None), by_column))
}

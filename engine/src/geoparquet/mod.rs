//! GeoParquet: Parquet files whose `geo` metadata say which columns hold geometry.
//!
//! ```text
//!  footer ──> GeoMetadata ──> Arrow fields with GeoArrow types and CRS   (metadata, schema)
//!     │                              │
//!     │            merged over all files of a table, one CRS a column    (merge)
//!     │                              │
//!     └──> FileInfo: rows, bounds    └──> GeoParquetFormat: scans        (info, format)
//!
//!  BoundsFilter (rectangles of a join or a constant) ──> which row groups and pages a scan
//!  and rows a scan reads                                      (prune_*)
//!
//!  RecordBatches ──> GeoParquetWriter ──> geometry, covering, bounds, `geo`     (write_*)
//!  plans ──> order, partitions ──> files, complete or not at all      (sink_*, output_*)
//! ```

mod bounds;
mod existing;
mod footer;
mod format;
mod info;
mod location;
mod merge;
mod metadata;
mod named_geometry;
mod native_types;
mod output_file;
mod output_options;
mod output_path;
mod page_scan;
mod part_index;
mod prune_access;
mod prune_fields;
mod prune_filter;
mod prune_hint;
mod prune_metrics;
mod prune_rows;
mod prune_scan;
mod prune_source;
mod prune_statistics;
mod row_groups;
mod schema;
mod sink;
mod sink_plan;
mod slices;
mod split;
mod validate;
mod validate_rules;
mod write_column;
mod write_dictionary;
mod write_file;
mod write_geometry_type;
mod write_group;
mod write_native;
mod write_options;
mod write_parallel;
mod write_plan;
mod writer;

pub(crate) use existing::Target;
pub use footer::read_footer;
pub use format::{GeoParquetFormat, GeoParquetFormatFactory};
pub use info::{FileInfo, GeoInfo, GeometryColumnInfo, Pruning, RowGroupInfo, read_info};
pub use location::display_location;
pub use metadata::{ColumnEncoding, Covering, Edges, GEO_KEY, GeoColumn, GeoMetadata};
pub(crate) use output_options::take_option;
pub use output_options::{Existing, OUTPUT_OPTIONS, OutputOptions};
pub use output_path::{FileNames, HIVE_NULL};
pub use part_index::PartIndex;
pub use prune_filter::BoundsFilter;
pub use prune_scan::{prune_by_predicate, prune_scan, waits_for_bounds};
pub use row_groups::{RowGroupSummary, summarize_row_groups};
pub use schema::label_geometry;
pub(crate) use sink_plan::labelled_schema;
pub use split::cut_between_row_groups;
pub use validate::{Finding, Level, validate};
pub use write_options::{GeoParquetVersion, GeometryEncoding, WriteOptions};
pub use write_parallel::ParallelWriter;
pub use write_plan::{covering_columns, geometry_columns};
pub use writer::{GeoParquetWriter, WriteSummary};

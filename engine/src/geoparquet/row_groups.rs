//! What the footer of a file says of its row groups, for those who plan which of them to read.

use parquet::file::metadata::ParquetMetaData;

use super::GeoMetadata;
use super::prune_statistics::{BoundsStatistics, file_bounds};
use crate::geometry::Bounds;

/// A row group as a plan sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowGroupSummary {
    /// Its rows.
    pub rows: u64,
    /// Compressed bytes of the columns that are read.
    pub bytes: u64,
    /// Bytes of the geometry column before compression, without its encoding.
    pub geometry_bytes: u64,
    /// Bounds that hold all geometries of the column, those without a place (NULL, EMPTY) aside;
    /// [`Bounds::EMPTY`] if there are no others, `None` if the file does not say.
    pub bounds: Option<Bounds>,
}

/// The row groups of a file in their order, with the sizes of `columns` (all if `None`) and the bounds
/// of the geometry column of that name.
pub fn summarize_row_groups(
    footer: &ParquetMetaData,
    columns: Option<&[String]>,
    geometry: Option<&str>,
) -> Vec<RowGroupSummary> {
    // Metadata that cannot be read bound nothing; it is the scan that says what is wrong.
    let geo = GeoMetadata::from_footer(footer, "").ok().flatten();
    let column = geometry.and_then(|name| Some((name, geo.as_ref()?.columns.get(name)?)));
    let schema = footer.file_metadata().schema_descr();
    let statistics = column.and_then(|(name, c)| BoundsStatistics::find(schema, name, c));
    // One rectangle around both where the file crosses the antimeridian: too much is never wrong.
    let around = |boxes: Vec<Bounds>| boxes.iter().fold(Bounds::EMPTY, |all, b| all.union(b));
    let whole = column.and_then(|(_, column)| file_bounds(column).map(around));
    let summarize = |group: &parquet::file::metadata::RowGroupMetaData| {
        let mut summary = RowGroupSummary {
            rows: group.num_rows().max(0) as u64,
            bytes: 0,
            geometry_bytes: 0,
            bounds: statistics
                .as_ref()
                .and_then(|s| s.row_group(group))
                .or(whole),
        };
        for leaf in group.columns() {
            let Some(root) = leaf.column_path().parts().first() else {
                continue;
            };
            if columns.is_none_or(|columns| columns.contains(root)) {
                summary.bytes += leaf.compressed_size().max(0) as u64;
            }
            if geometry == Some(root.as_str()) {
                summary.geometry_bytes += leaf.uncompressed_size().max(0) as u64;
            }
        }
        summary
    };
    footer.row_groups().iter().map(summarize).collect()
}

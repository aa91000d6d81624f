//! What a file holds, from its footer alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaData;

use super::bounds::BoundsColumns;
use super::native_types::{native_bounds, native_leaf};
use super::{GeoColumn, GeoMetadata, display_location, label_geometry, read_footer};
use crate::geometry::Bounds;
use crate::{Error, Result};

/// A summary of one Parquet file.
#[derive(Debug, Clone)]
pub struct FileInfo {
    /// Local path or URL.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Arrow schema, its geometry columns labelled.
    pub schema: SchemaRef,
    /// Rows of all row groups.
    pub rows: u64,
    /// Who wrote the file.
    pub created_by: Option<String>,
    /// The codecs in use, such as `ZSTD` or `UNCOMPRESSED`.
    pub compression: Vec<String>,
    /// What the `geo` metadata say; `None` for plain Parquet.
    pub geo: Option<GeoInfo>,
    /// The row groups in file order.
    pub row_groups: Vec<RowGroupInfo>,
}

/// What makes a Parquet file GeoParquet.
#[derive(Debug, Clone)]
pub struct GeoInfo {
    /// Version of the standard; empty for Parquet's own geometry types without GeoParquet metadata.
    pub version: String,
    /// Name of the primary geometry column.
    pub primary_column: String,
    /// The geometry columns: the primary one first, then by name.
    pub columns: Vec<GeometryColumnInfo>,
}

/// One geometry column.
#[derive(Debug, Clone)]
pub struct GeometryColumnInfo {
    /// Its name.
    pub name: String,
    /// What the metadata say of it.
    pub column: GeoColumn,
    /// Its bounds in each row group; `None` where the file does not say.
    pub row_group_bounds: Vec<Option<Bounds>>,
    /// Whether row groups can be skipped by bounds.
    pub pruning: Pruning,
}

impl GeometryColumnInfo {
    /// The bounds of the column: those of the metadata, else the union of its row groups', when
    /// all of them are known.
    pub fn bounds(&self) -> Option<Bounds> {
        if let Some([x0, y0, x1, y1]) = self.column.bbox_xy() {
            return Some(Bounds::new(x0, y0, x1, y1));
        }
        self.row_group_bounds
            .iter()
            .try_fold(Bounds::EMPTY, |all, bounds| bounds.map(|b| all.union(&b)))
            .filter(|bounds| !bounds.is_empty())
    }
}

/// Whether a query over a small area can skip row groups.
#[derive(Debug, Clone, PartialEq)]
pub enum Pruning {
    /// It can. `overlap` is the share of the file's extent that a row group covers on average:
    /// near 0 when neighbours are stored together, 1 when every row group spans everything.
    Possible {
        /// Between 0 and 1.
        overlap: f64,
    },
    /// There is one row group or none: all or nothing.
    SingleRowGroup,
    /// WKB without a covering column: nothing bounds a row group.
    NoCovering,
    /// There are columns with bounds, but the writer kept no statistics of them.
    NoStatistics,
}

/// One row group.
#[derive(Debug, Clone, PartialEq)]
pub struct RowGroupInfo {
    /// Its rows.
    pub rows: u64,
    /// Its size in the file.
    pub compressed_bytes: u64,
    /// Its size after decompression.
    pub uncompressed_bytes: u64,
    /// The bounds of the primary geometry column.
    pub bounds: Option<Bounds>,
}

/// Reads the footer of a file and says what it holds.
///
/// # Errors
/// [`Error::Data`] for a file that is no (intact) GeoParquet or Parquet, [`Error::Environment`] when
/// it cannot be read.
pub async fn read_info(store: Arc<dyn ObjectStore>, meta: ObjectMeta) -> Result<FileInfo> {
    let path = display_location(store.as_ref(), &meta.location);
    let footer = read_footer(&store, &meta, None, None)
        .await
        .map_err(|error| plain_error(error, &path))?;
    let file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
        .map_err(|e| Error::Data(format!("{path}: its schema cannot be read: {e}")))?;
    let geo = GeoMetadata::of_file(&footer, &path)?;
    let schema = match &geo {
        // What is in the file is shown whether or not it can be computed with.
        Some(geo) => label_geometry(&schema, geo, &path, true)?,
        None => schema,
    };
    let geo = geo.map(|geo| geo_info(&footer, geo));
    let primary: &[Option<Bounds>] = geo
        .as_ref()
        .and_then(|geo| geo.columns.first())
        .map_or(&[], |column| &column.row_group_bounds);
    let row_groups: Vec<RowGroupInfo> = footer
        .row_groups()
        .iter()
        .enumerate()
        .map(|(i, group)| RowGroupInfo {
            rows: group.num_rows().max(0) as u64,
            compressed_bytes: group.compressed_size().max(0) as u64,
            uncompressed_bytes: group.total_byte_size().max(0) as u64,
            bounds: primary.get(i).copied().flatten(),
        })
        .collect();
    Ok(FileInfo {
        size: meta.size,
        schema: Arc::new(schema),
        rows: row_groups.iter().map(|group| group.rows).sum(),
        created_by: file.created_by().map(str::to_owned),
        compression: codecs(&footer),
        geo,
        row_groups,
        path,
    })
}

fn codecs(footer: &ParquetMetaData) -> Vec<String> {
    let names: BTreeSet<String> = footer
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
        // A codec is displayed with its level, which readers do not know: ZSTD(ZstdLevel(1)).
        .map(|column| column.compression().to_string())
        .map(|name| name.split('(').next().unwrap_or_default().to_owned())
        .collect();
    names.into_iter().collect()
}

fn geo_info(footer: &ParquetMetaData, geo: GeoMetadata) -> GeoInfo {
    let descriptor = footer.file_metadata().schema_descr();
    let mut columns: Vec<GeometryColumnInfo> = geo
        .columns
        .into_iter()
        .map(|(name, column)| {
            let sources = BoundsColumns::find(descriptor, &name, &column);
            let row_group_bounds = match &sources {
                Some(sources) => sources.of_all(footer),
                None => native_group_bounds(footer, &name, &column),
            };
            let native = native_leaf(descriptor, &name).is_some();
            let pruning = pruning(sources.is_some() || native, &row_group_bounds);
            GeometryColumnInfo {
                name,
                column,
                row_group_bounds,
                pruning,
            }
        })
        .collect();
    // The sort is stable, so that the others stay in the order of their names.
    columns.sort_by_key(|column| column.name != geo.primary_column);
    GeoInfo {
        version: geo.version,
        primary_column: geo.primary_column,
        columns,
    }
}

/// The bounds of row groups by native statistics; a box over the antimeridian is shown as one around the Earth.
fn native_group_bounds(
    footer: &ParquetMetaData,
    name: &str,
    column: &GeoColumn,
) -> Vec<Option<Bounds>> {
    let leaf = native_leaf(footer.file_metadata().schema_descr(), name);
    let groups = footer.row_groups().iter();
    groups
        .map(
            |group| match native_bounds(group, leaf?, column)?.as_slice() {
                [one] => Some(*one),
                [east, west] => Some(
                    Bounds::new(-180.0, east.min_y, 180.0, east.max_y)
                        .union(&Bounds::point(west.max_x, west.max_y)),
                ),
                _ => None,
            },
        )
        .collect()
}

fn pruning(has_sources: bool, bounds: &[Option<Bounds>]) -> Pruning {
    if !has_sources {
        return Pruning::NoCovering;
    }
    let known: Vec<&Bounds> = bounds.iter().flatten().collect();
    if known.is_empty() && !bounds.is_empty() {
        return Pruning::NoStatistics;
    }
    if bounds.len() <= 1 {
        return Pruning::SingleRowGroup;
    }
    let all = known
        .iter()
        .fold(Bounds::EMPTY, |all, bounds| all.union(bounds));
    // A side of no length (all points on a line) is shared by all.
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
    let covered: f64 = bounds
        .iter()
        .map(|bounds| match bounds {
            Some(b) if b.is_empty() => 0.0,
            Some(b) => {
                share(b.max_x - b.min_x, all.max_x - all.min_x)
                    * share(b.max_y - b.min_y, all.max_y - all.min_y)
            }
            // What is not known must be read.
            None => 1.0,
        })
        .sum();
    Pruning::Possible {
        overlap: covered / bounds.len() as f64,
    }
}

fn plain_error(error: DataFusionError, path: &str) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::Environment {
                message: format!("{path} cannot be read: {other}"),
                retryable: false,
            },
        },
        DataFusionError::ObjectStore(inner)
            if matches!(*inner, object_store::Error::NotFound { .. }) =>
        {
            Error::Statement(format!("{path} does not exist"))
        }
        other => Error::Environment {
            message: format!("{path} cannot be read: {}", other.strip_backtrace()),
            retryable: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_mean_share_of_the_extent() {
        let quarters = [
            Some(Bounds::new(0.0, 0.0, 1.0, 1.0)),
            Some(Bounds::new(1.0, 1.0, 2.0, 2.0)),
        ];
        assert_eq!(
            pruning(true, &quarters),
            Pruning::Possible { overlap: 0.25 }
        );
        let unknown = [Some(Bounds::new(0.0, 0.0, 1.0, 1.0)), None];
        assert_eq!(pruning(true, &unknown), Pruning::Possible { overlap: 1.0 });
        let line = [
            Some(Bounds::new(0.0, 5.0, 1.0, 5.0)),
            Some(Bounds::new(1.0, 5.0, 2.0, 5.0)),
        ];
        assert_eq!(pruning(true, &line), Pruning::Possible { overlap: 0.5 });
    }

    #[test]
    fn why_pruning_is_not_possible() {
        let one = [Some(Bounds::new(0.0, 0.0, 1.0, 1.0))];
        assert_eq!(pruning(true, &one), Pruning::SingleRowGroup);
        assert_eq!(pruning(true, &[None, None]), Pruning::NoStatistics);
        assert_eq!(pruning(false, &[None, None]), Pruning::NoCovering);
        assert_eq!(pruning(true, &[]), Pruning::SingleRowGroup);
    }
}

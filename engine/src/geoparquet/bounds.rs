//! The bounds of row groups, from the statistics of covering columns or native coordinates.

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use super::{ColumnEncoding, GeoColumn};
use crate::geometry::Bounds;

/// The leaf columns whose statistics bound a geometry column, by their position in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoundsColumns {
    pub(super) xmin: usize,
    pub(super) ymin: usize,
    pub(super) xmax: usize,
    pub(super) ymax: usize,
}

impl BoundsColumns {
    /// The covering of the column, or the coordinates of a native encoding. `None` for WKB without
    /// a covering, and for a covering whose columns are not in the file or are no numbers.
    pub(super) fn find(schema: &SchemaDescriptor, name: &str, column: &GeoColumn) -> Option<Self> {
        if let Some(covering) = &column.covering {
            let [xmin, ymin, xmax, ymax] = covering.paths().map(|path| leaf(schema, path));
            if let (Some(xmin), Some(ymin), Some(xmax), Some(ymax)) = (xmin, ymin, xmax, ymax) {
                return Some(Self {
                    xmin,
                    ymin,
                    xmax,
                    ymax,
                });
            }
        }
        if column.encoding == ColumnEncoding::Wkb {
            return None;
        }
        let ordinate = |ordinate: &str| {
            schema.columns().iter().position(|leaf| {
                let parts = leaf.path().parts();
                parts.first().map(String::as_str) == Some(name)
                    && parts.last().map(String::as_str) == Some(ordinate)
            })
        };
        let (x, y) = (ordinate("x")?, ordinate("y")?);
        Some(Self {
            xmin: x,
            ymin: y,
            xmax: x,
            ymax: y,
        })
    }

    /// The bounds of the geometries of a row group; [`Bounds::EMPTY`] when it holds none. `None`
    /// when the statistics do not say: nothing can be concluded then.
    pub(super) fn of(&self, group: &RowGroupMetaData) -> Option<Bounds> {
        let statistics = |column: usize| group.columns().get(column)?.statistics();
        if statistics(self.xmin)?.null_count_opt() == Some(group.num_rows() as u64) {
            return Some(Bounds::EMPTY);
        }
        let bounds = Bounds::new(
            min(statistics(self.xmin)?)?,
            min(statistics(self.ymin)?)?,
            max(statistics(self.xmax)?)?,
            max(statistics(self.ymax)?)?,
        );
        // Boxes that cross the antimeridian have xmin > xmax, and say nothing for the group.
        (!bounds.is_empty()).then_some(bounds)
    }

    /// The bounds of all row groups, `None` where one does not say.
    pub(super) fn of_all(&self, footer: &ParquetMetaData) -> Vec<Option<Bounds>> {
        footer
            .row_groups()
            .iter()
            .map(|group| self.of(group))
            .collect()
    }
}

fn leaf(schema: &SchemaDescriptor, path: &[String]) -> Option<usize> {
    use parquet::basic::Type;

    schema.columns().iter().position(|leaf| {
        leaf.path().parts() == path && matches!(leaf.physical_type(), Type::DOUBLE | Type::FLOAT)
    })
}

fn min(statistics: &Statistics) -> Option<f64> {
    match statistics {
        Statistics::Double(s) => s.min_opt().copied(),
        Statistics::Float(s) => s.min_opt().map(|v| f64::from(*v)),
        _ => None,
    }
    .filter(|v| !v.is_nan())
}

fn max(statistics: &Statistics) -> Option<f64> {
    match statistics {
        Statistics::Double(s) => s.max_opt().copied(),
        Statistics::Float(s) => s.max_opt().map(|v| f64::from(*v)),
        _ => None,
    }
    .filter(|v| !v.is_nan())
}

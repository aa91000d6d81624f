//! What the statistics of a file say about where its geometries lie.
//!
//! Every function here answers with bounds that hold all geometries of some rows, or with `None`:
//! the statistics do not say, and the rows must be read.

use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use super::bounds::BoundsColumns;
use super::native_types::boxes;
use super::{Edges, GeoColumn};
use crate::geometry::Bounds;

/// Degrees of longitude beyond which a box may be the complement of one that crosses the antimeridian.
const HALF_TURN: f64 = 180.0;

/// The bounds of all rows of a file, from the metadata of the column: two boxes where they cross the
/// antimeridian.
pub(super) fn file_bounds(column: &GeoColumn) -> Option<Vec<Bounds>> {
    // Numbers in JSON may have been rounded to the nearest, hence outward.
    boxes(
        column.bbox_xy()?,
        column.edges == Edges::Planar || column.only_points(),
    )
}

/// Where the bounds of a geometry column are found in the statistics of one file.
#[derive(Debug, Clone)]
pub(super) struct BoundsStatistics {
    columns: BoundsColumns,
    /// The leaf of a geometry stored in one column, as WKB is.
    geometry: Option<usize>,
    /// Whether each row has one value in each column, so that pages are ranges of rows.
    flat: bool,
}

impl BoundsStatistics {
    /// `None` for a column that nothing bounds: WKB without a covering.
    pub(super) fn find(schema: &SchemaDescriptor, name: &str, column: &GeoColumn) -> Option<Self> {
        let columns = BoundsColumns::find(schema, name, column)?;
        let leaves = schema.columns();
        let geometry = leaves.iter().position(|leaf| leaf.path().parts() == [name]);
        let flat = [columns.xmin, columns.ymin, columns.xmax, columns.ymax]
            .iter()
            .all(|&leaf| leaves.get(leaf).is_some_and(|l| l.max_rep_level() == 0));
        Some(Self {
            columns,
            geometry,
            flat,
        })
    }

    fn leaves(&self) -> [usize; 4] {
        let c = &self.columns;
        [c.xmin, c.ymin, c.xmax, c.ymax]
    }

    /// Coordinates themselves, not boxes that may cross the antimeridian.
    fn are_coordinates(&self) -> bool {
        self.columns.xmin == self.columns.xmax
    }

    /// The bounds of the geometries of a row group; [`Bounds::EMPTY`] when all are NULL.
    pub(super) fn row_group(&self, group: &RowGroupMetaData) -> Option<Bounds> {
        let statistics = |leaf: usize| group.columns().get(leaf)?.statistics();
        if !self.are_coordinates() {
            let nulls = self
                .leaves()
                .map(|leaf| statistics(leaf).and_then(Statistics::null_count_opt));
            let [Some(xmin), Some(ymin), Some(xmax), Some(ymax)] = nulls else {
                return None;
            };
            if [ymin, xmax, ymax].iter().any(|&nulls| nulls != xmin) {
                return None;
            }
            // A geometry without a box may lie anywhere. Where the file does not count the NULLs
            // of the geometry, the standard is taken at its word: NULL for NULL and EMPTY.
            let geometries = self
                .geometry
                .and_then(statistics)
                .and_then(Statistics::null_count_opt);
            if geometries.is_some_and(|nulls| nulls < xmin) {
                return None;
            }
            if i64::try_from(xmin) == Ok(group.num_rows()) {
                return Some(Bounds::EMPTY);
            }
        }
        let spans = self
            .leaves()
            .map(|leaf| statistics(leaf).and_then(Span::of_statistics));
        self.bounds(spans)
    }

    /// The stretches of rows of a row group for which the page index has bounds of their own: their
    /// first rows and their bounds. `None` without such an index.
    ///
    /// It is to be asked only of row groups whose bounds are known as a whole.
    pub(super) fn pages(
        &self,
        footer: &ParquetMetaData,
        group: usize,
    ) -> Option<Vec<(usize, Option<Bounds>)>> {
        if !self.flat {
            return None;
        }
        let mut columns = Vec::with_capacity(4);
        for leaf in self.leaves() {
            columns.push(column_pages(footer, group, leaf)?);
        }
        let mut starts: Vec<usize> = columns.iter().flatten().map(|(row, _)| *row).collect();
        starts.sort_unstable();
        starts.dedup();
        let mut at = [0; 4];
        let mut stretches = Vec::with_capacity(starts.len());
        for start in starts {
            let mut spans = [None; 4];
            for ((span, pages), at) in spans.iter_mut().zip(&columns).zip(&mut at) {
                while pages.get(*at + 1).is_some_and(|(row, _)| *row <= start) {
                    *at += 1;
                }
                *span = pages.get(*at).and_then(|(_, span)| *span);
            }
            stretches.push((start, self.bounds(spans)));
        }
        Some(stretches)
    }

    fn bounds(&self, [xmin, ymin, xmax, ymax]: [Option<Span>; 4]) -> Option<Bounds> {
        let (xmin, ymin, xmax, ymax) = (xmin?, ymin?, xmax?, ymax?);
        if ymin.min > ymax.max {
            return None;
        }
        let (min_x, max_x) = if !self.are_coordinates() && may_wrap(&xmin, &xmax) {
            (f64::NEG_INFINITY, f64::INFINITY)
        } else {
            (xmin.min, xmax.max)
        };
        Some(Bounds::new(min_x, ymin.min, max_x, ymax.max))
    }
}

/// Whether one of some boxes may have `xmin > xmax`, which means that it crosses the antimeridian.
///
/// Such a box betrays itself when no other has an `xmin` as small as its `xmax`, or an `xmax` as great
/// as its `xmin`. Otherwise the boxes together span more than half the Earth.
fn may_wrap(xmin: &Span, xmax: &Span) -> bool {
    let degrees =
        xmin.min >= -HALF_TURN.next_up() * 1.000_001 && xmax.max <= HALF_TURN.next_up() * 1.000_001;
    xmin.min > xmax.min || xmin.max > xmax.max || (degrees && xmax.max - xmin.min > HALF_TURN)
}

/// The least and the greatest value of a column in some rows, or less and more than that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub min: f64,
    pub max: f64,
}

impl Span {
    fn new(min: f64, max: f64) -> Option<Self> {
        // NaN tells nothing; the wrong way round is damage.
        (min <= max).then_some(Self { min, max })
    }

    /// Boxes of `f32` should have been rounded outward, but there are writers that round to the
    /// nearest.
    fn outward(min: f32, max: f32) -> Option<Self> {
        Self::new(min.next_down().into(), max.next_up().into())
    }

    pub(super) fn of_statistics(statistics: &Statistics) -> Option<Self> {
        match statistics {
            Statistics::Double(s) => Self::new(*s.min_opt()?, *s.max_opt()?),
            Statistics::Float(s) => Self::outward(*s.min_opt()?, *s.max_opt()?),
            _ => None,
        }
    }
}

/// First row and span of every page of a column without lists; `None` if the index is damaged or
/// missing.
pub(super) fn column_pages(
    footer: &ParquetMetaData,
    group: usize,
    leaf: usize,
) -> Option<Vec<(usize, Option<Span>)>> {
    let rows = usize::try_from(footer.row_groups().get(group)?.num_rows()).ok()?;
    let statistics = footer.column_index()?.get(group)?.get(leaf)?;
    let locations = footer.offset_index()?.get(group)?.get(leaf)?;
    pages_of(statistics, locations, rows)
}

fn pages_of(
    statistics: &ColumnIndexMetaData,
    locations: &OffsetIndexMetaData,
    rows: usize,
) -> Option<Vec<(usize, Option<Span>)>> {
    let locations = locations.page_locations();
    let span = |page: usize| match statistics {
        ColumnIndexMetaData::DOUBLE(index) => {
            Span::new(*index.min_value(page)?, *index.max_value(page)?)
        }
        ColumnIndexMetaData::FLOAT(index) => {
            Span::outward(*index.min_value(page)?, *index.max_value(page)?)
        }
        _ => None,
    };
    let pages = match statistics {
        ColumnIndexMetaData::DOUBLE(index) => index.num_pages(),
        ColumnIndexMetaData::FLOAT(index) => index.num_pages(),
        _ => return None,
    };
    if pages != locations.len() as u64 {
        return None;
    }
    let mut found: Vec<(usize, Option<Span>)> = Vec::with_capacity(locations.len());
    for (page, location) in locations.iter().enumerate() {
        let row = usize::try_from(location.first_row_index).ok()?;
        let follows = match found.last() {
            None => row == 0,
            Some((before, _)) => row > *before,
        };
        if !follows || row >= rows {
            return None;
        }
        found.push((row, span(page)));
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "prune_statistics_tests.rs"]
mod tests;

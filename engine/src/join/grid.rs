//! A grid over the build side that answers for points what an R-tree answers for rectangles, and
//! more: for most points it knows the answer without looking at an edge.
//!
//! ```text
//!   . . . . .     cell ──> references: row, and whether the cell lies wholly inside it
//!   . b b b .
//!   . b i b .     i  inside: a point here is in the polygon, no edge is touched
//!   . b b b .     b  boundary (or near): the candidate is refined
//!   . . . . .     .  nothing
//! ```
//!
//! Polygons are rasterised from their WKB, without decoding them. A cell with very many references
//! is crowded: the grid is too coarse there, and the R-tree is asked.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::raster::{Raster, Span};
use crate::geometry::{Bounds, CellFrame, GeometryArray};
use crate::{Error, Result};

/// Cells at most, however large the build side.
const MOST_CELLS: usize = 1 << 22;
/// Cells at least: fewer would not be worth the trouble.
const FEWEST_CELLS: usize = 1 << 12;
/// Cells a row of the build side.
const CELLS_PER_ROW: usize = 64;
/// Cells at most for each point that will be looked up: finer than that, most are never looked at.
const CELLS_PER_POINT: usize = 4;
/// References of a cell beyond which it is crowded.
const CROWDED: u32 = 48;
/// Runs of cells that are kept while building, before the grid is given up as too fine.
const MOST_SPANS: usize = 1 << 24;
/// Bytes that the memory for a grid must have for each of its cells.
const BYTES_PER_CELL: usize = 16;
/// Rows that a building thread takes at a time.
const MORSEL: usize = 64;

/// What the grid's cells say of a row of the build side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Cells within the geometry are told from those on its boundary.
    Geometry,
    /// All cells that the (expanded) rectangle of a row touches, as boundary.
    Rectangle,
}

/// What the grid knows of a point.
pub(super) enum Cell<'a> {
    /// These references and no others: see [`is_inside`] and [`row_of`].
    References(&'a [u32]),
    /// Ask the R-tree.
    Crowded,
}

/// Whether a reference says that the whole cell lies in the interior of the row's geometry.
#[inline]
pub(super) fn is_inside(reference: u32) -> bool {
    reference & 1 == 1
}

/// The row of a reference.
#[inline]
pub(super) fn row_of(reference: u32) -> u32 {
    reference >> 1
}

/// The grid.
#[derive(Debug)]
pub(super) struct PointGrid {
    frame: CellFrame,
    /// Where the references of a cell start. A crowded cell has none, and its bit set in `crowded`.
    offsets: Vec<u32>,
    references: Vec<u32>,
    crowded: Vec<u64>,
}

impl PointGrid {
    /// Rasterises `entries`, rows and their (expanded) rectangles, on `threads` threads. `None`
    /// where a grid would not help: coordinates too close together for its cells, or geometries
    /// that all overlap; and where it would take more than `budget` bytes, finished or in the making. `points`: how many
    /// will be looked up, [`usize::MAX`] if nobody knows.
    ///
    /// # Errors
    /// Those of [`GeometryArray::geometry`].
    pub(super) fn build(
        geometries: &GeometryArray,
        entries: &[(u32, Bounds)],
        coverage: Coverage,
        vertices: usize,
        points: usize,
        threads: usize,
        budget: usize,
    ) -> Result<Option<Self>> {
        let rows_fit = entries.iter().all(|(row, _)| *row < u32::MAX / 2);
        let whole = entries
            .iter()
            .fold(Bounds::EMPTY, |all, (_, b)| all.union(b));
        let wanted = (entries.len().saturating_mul(CELLS_PER_ROW))
            .max(vertices.saturating_mul(2))
            .min(points.saturating_mul(CELLS_PER_POINT))
            .clamp(FEWEST_CELLS, MOST_CELLS)
            .min(budget / BYTES_PER_CELL);
        if wanted < FEWEST_CELLS {
            return Ok(None);
        }
        let (columns, rows) = shape(&whole, wanted);
        let Some(frame) = CellFrame::new(&whole, columns, rows).filter(|_| rows_fit) else {
            return Ok(None);
        };
        // Vectors grow by doubling: half of the memory for runs may stand empty.
        let most_spans = MOST_SPANS.min(budget / 4 / size_of::<Span>());
        let spans = rasterise(&frame, geometries, entries, coverage, threads, most_spans)?;
        Ok(spans.and_then(|spans| Self::gather(frame, &spans, budget)))
    }

    /// Sorts runs of cells into lists by cell; `None` if the lists take more than half of `budget`.
    fn gather(frame: CellFrame, spans: &[Vec<Span>], budget: usize) -> Option<Self> {
        let cells = frame.columns() * frame.rows();
        let mut offsets = vec![0u32; cells + 1];
        let all = || spans.iter().flatten();
        for span in all() {
            for count in &mut offsets[span.start as usize..(span.start + span.len) as usize] {
                *count = count.saturating_add(1);
            }
        }
        let mut crowded = vec![0u64; cells.div_ceil(64)];
        let mut sum = 0u32;
        for (cell, offset) in offsets.iter_mut().enumerate() {
            let count = std::mem::replace(offset, sum);
            if count > CROWDED {
                crowded[cell / 64] |= 1 << (cell % 64);
            } else {
                sum += count;
            }
        }
        let bytes = (offsets.len() + sum as usize) * size_of::<u32>();
        if bytes > budget / 2 {
            return None;
        }
        let mut references = vec![0u32; sum as usize];
        // Each cell's offset runs to the next one's while it is filled, and is set back after.
        for span in all() {
            for cell in span.start..span.start + span.len {
                let cell = cell as usize;
                if crowded[cell / 64] & (1 << (cell % 64)) == 0 {
                    references[offsets[cell] as usize] = span.reference;
                    offsets[cell] += 1;
                }
            }
        }
        offsets.copy_within(0..cells, 1);
        offsets[0] = 0;
        Some(Self {
            frame,
            offsets,
            references,
            crowded,
        })
    }

    /// What is known of a point; nothing is near a point outside or one that is NaN.
    #[inline]
    pub(super) fn at(&self, x: f64, y: f64) -> Cell<'_> {
        let Some(cell) = self.frame.index(x, y) else {
            return Cell::References(&[]);
        };
        let (from, to) = (self.offsets[cell] as usize, self.offsets[cell + 1] as usize);
        if from == to && self.crowded[cell / 64] & (1 << (cell % 64)) != 0 {
            return Cell::Crowded;
        }
        Cell::References(&self.references[from..to])
    }

    /// Bytes that no grid takes more of, finished or in the making.
    pub(super) const MOST_BYTES: usize = 4 * MOST_SPANS * size_of::<Span>();

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        (self.offsets.capacity() + self.references.capacity()) * 4 + self.crowded.capacity() * 8
    }
}

/// Columns and rows of about `cells` square cells.
fn shape(bounds: &Bounds, cells: usize) -> (usize, usize) {
    let ratio = (bounds.max_x - bounds.min_x) / (bounds.max_y - bounds.min_y);
    let columns = (cells as f64 * ratio).sqrt();
    let columns = if columns.is_finite() {
        columns as usize
    } else {
        cells
    };
    let columns = columns.clamp(1, cells);
    (columns, (cells / columns).max(1))
}

/// The runs of cells of all entries, found by `threads` threads that take rows as they go; `None`
/// if there are more than `most`.
fn rasterise(
    frame: &CellFrame,
    geometries: &GeometryArray,
    entries: &[(u32, Bounds)],
    coverage: Coverage,
    threads: usize,
    most: usize,
) -> Result<Option<Vec<Vec<Span>>>> {
    let next = AtomicUsize::new(0);
    let total = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let work = || -> Result<Vec<Span>> {
        let mut raster = Raster::new(frame);
        let mut spans = vec![];
        while !stopped.load(Ordering::Relaxed) {
            let from = next.fetch_add(MORSEL, Ordering::Relaxed);
            let Some(morsel) = entries.get(from..(from + MORSEL).min(entries.len())) else {
                break;
            };
            let before = spans.len();
            for (row, bounds) in morsel {
                match coverage {
                    Coverage::Geometry => raster.geometry(geometries, bounds, *row, &mut spans)?,
                    Coverage::Rectangle => raster.rectangle(bounds, *row, &mut spans),
                }
            }
            let added = spans.len() - before;
            if total.fetch_add(added, Ordering::Relaxed) + added > most {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        Ok(spans)
    };
    let results: Vec<Result<Vec<Span>>> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = vec![work()];
        for helper in helpers {
            all.push(helper.join().unwrap_or_else(|_| {
                Err(Error::Internal(
                    "a thread that builds the grid panicked".into(),
                ))
            }));
        }
        all
    });
    let spans = results.into_iter().collect::<Result<Vec<_>>>()?;
    Ok((!stopped.into_inner()).then_some(spans))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray};
    use geo_types::{Geometry, LineString, MultiPolygon, Point, Polygon};
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::GeometryType;
    use crate::geometry::wkb_writer::write_geometry;
    use crate::predicate::SpatialPredicate;

    /// A star around a point: simple whatever its radii, with a hole of the same form.
    fn star() -> impl Strategy<Value = Polygon<f64>> {
        let radii = prop::collection::vec(0.05..1.0f64, 3..40);
        (
            -5.0..5.0f64,
            -5.0..5.0f64,
            0.01..3.0f64,
            radii,
            any::<bool>(),
        )
            .prop_map(|(x, y, size, radii, hole)| {
                let ring = |scale: f64| {
                    let n = radii.len() as f64;
                    let corners = radii.iter().enumerate().map(|(i, r)| {
                        let angle = i as f64 / n * std::f64::consts::TAU;
                        (x + angle.cos() * r * scale, y + angle.sin() * r * scale)
                    });
                    LineString::from(corners.collect::<Vec<_>>())
                };
                let holes = if hole { vec![ring(size / 2.0)] } else { vec![] };
                Polygon::new(ring(size), holes)
            })
    }

    fn geometry() -> impl Strategy<Value = Geometry<f64>> {
        prop_oneof![
            4 => star().prop_map(Geometry::from),
            // On whole numbers, so that edges run along the borders of cells.
            2 => (-4i32..4, -4i32..4, 1i32..4, 1i32..4).prop_map(|(x, y, w, h)| {
                let (x, y, w, h) = (f64::from(x), f64::from(y), f64::from(w), f64::from(h));
                geo_types::Rect::new((x, y), (x + w, y + h)).to_polygon().into()
            }),
            1 => star().prop_map(|p| MultiPolygon(vec![p]).into()),
            1 => star().prop_map(|p| p.exterior().clone().into()),
        ]
    }

    proptest! {
        #[test]
        fn cells_say_of_points_what_the_predicate_says(
            geometries in prop::collection::vec(geometry(), 1..12),
            points in prop::collection::vec((-9.0..9.0f64, -9.0..9.0f64), 200),
            threads in 1usize..3,
        ) {
            let values: Vec<Vec<u8>> = geometries.iter().map(|g| {
                let mut bytes = vec![];
                write_geometry(g, &mut bytes);
                bytes
            }).collect();
            let array: ArrayRef = Arc::new(BinaryArray::from_iter_values(&values));
            let array = GeometryArray::try_new(&array, &GeometryType::wkb(None)).unwrap();
            let entries: Vec<_> = (0..values.len())
                .map(|row| (row as u32, array.bounds(row).unwrap()))
                .collect();
            let grid = PointGrid::build(&array, &entries, Coverage::Geometry, 100, usize::MAX, threads, usize::MAX)
                .unwrap()
                .unwrap();
            let corners = geometries.iter().flat_map(geo::CoordsIter::coords_iter).map(|c| (c.x, c.y));
            for (x, y) in points.into_iter().chain(corners) {
                let Cell::References(references) = grid.at(x, y) else {
                    continue;
                };
                for (row, geometry) in geometries.iter().enumerate() {
                    let found = references.iter().find(|r| row_of(**r) as usize == row);
                    let point = Geometry::Point(Point::new(x, y));
                    match found {
                        Some(reference) if is_inside(*reference) => prop_assert!(
                            SpatialPredicate::Contains.evaluate(geometry, &point, 0.0)
                        ),
                        Some(_) => {}
                        None => prop_assert!(
                            !SpatialPredicate::Intersects.evaluate(geometry, &point, 0.0)
                        ),
                    }
                }
            }
        }
    }
}

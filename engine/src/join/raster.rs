//! Drawing geometries into the cells of a frame.

use geo_types::Coord;

use crate::geometry::wkb::{WkbError, WkbHeader, WkbKind, for_each_run};
use crate::geometry::wkb_writer::write_geometry;
use crate::geometry::{Bounds, CellFrame, GeometryArray};
use crate::{Error, Result};

/// A run of cells of one row of the frame that says the same of one geometry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The first cell.
    pub start: u32,
    /// How many.
    pub len: u32,
    /// The geometry's row, shifted left by one, and whether the cells lie in its interior.
    pub reference: u32,
}

/// Draws one geometry after the other, reusing its buffers.
pub(super) struct Raster<'a> {
    frame: &'a CellFrame,
    /// Runs of cells near an edge: row of the frame, first column, last column.
    near: Vec<(u32, u32, u32)>,
    /// Where edges cross the middle line of a row of cells.
    crossings: Vec<(u32, f64)>,
    wkb: Vec<u8>,
}

/// What has been drawn of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drawn {
    /// Points and lines.
    Thin,
    /// Polygons that share no interior.
    Area,
    /// A collection, whose parts may overlap: parity does not tell inside from outside.
    Collection,
}

impl<'a> Raster<'a> {
    pub(super) fn new(frame: &'a CellFrame) -> Self {
        Self {
            frame,
            near: vec![],
            crossings: vec![],
            wkb: vec![],
        }
    }

    /// Appends the cells that a rectangle touches.
    pub(super) fn rectangle(&self, bounds: &Bounds, row: u32, spans: &mut Vec<Span>) {
        let (first, last) = (
            self.frame.column(bounds.min_x),
            self.frame.column(bounds.max_x),
        );
        for line in self.frame.row(bounds.min_y)..=self.frame.row(bounds.max_y) {
            spans.push(self.span(line, first, last, row << 1));
        }
    }

    /// Appends the cells of a geometry, which is neither NULL nor EMPTY.
    pub(super) fn geometry(
        &mut self,
        geometries: &GeometryArray,
        bounds: &Bounds,
        row: u32,
        spans: &mut Vec<Span>,
    ) -> Result<()> {
        let invalid = |e: WkbError| Error::Geometry {
            row: row as usize,
            reason: e.to_string(),
        };
        self.near.clear();
        self.crossings.clear();
        let drawn = match geometries.wkb(row as usize) {
            Some(bytes) => self.draw(bytes).map_err(invalid)?,
            None => {
                let Some(geometry) = geometries.geometry(row as usize)? else {
                    return Ok(());
                };
                let mut wkb = std::mem::take(&mut self.wkb);
                wkb.clear();
                write_geometry(&geometry, &mut wkb);
                let drawn = self.draw(&wkb).map_err(invalid)?;
                self.wkb = wkb;
                drawn
            }
        };
        match drawn {
            Drawn::Collection => self.rectangle(bounds, row, spans),
            _ => self.fill(drawn, row, spans),
        }
        Ok(())
    }

    fn draw(&mut self, bytes: &[u8]) -> Result<Drawn, WkbError> {
        let top = for_each_run(bytes, |header: &WkbHeader, run| {
            let area = header.kind == WkbKind::Polygon;
            let mut coords = run.iter().map(|(x, y)| Coord { x, y });
            let Some(first) = coords.next().filter(|c| !c.x.is_nan()) else {
                return Ok(());
            };
            let mut before = first;
            for next in coords {
                self.edge(before, next, area);
                before = next;
            }
            // A ring that was left open is closed; a point is drawn as a segment of no length.
            if (area && before != first) || header.kind == WkbKind::Point {
                self.edge(before, first, area);
            }
            Ok(())
        })?;
        Ok(match top.kind {
            WkbKind::Polygon | WkbKind::MultiPolygon => Drawn::Area,
            WkbKind::GeometryCollection => Drawn::Collection,
            _ => Drawn::Thin,
        })
    }

    fn edge(&mut self, a: Coord<f64>, b: Coord<f64>, area: bool) {
        let Self {
            frame,
            near,
            crossings,
            ..
        } = self;
        frame.trace(a, b, |line, first, last| {
            let run = (line as u32, first as u32, last as u32);
            // Most edges are far shorter than a cell.
            if near.last() != Some(&run) {
                near.push(run);
            }
            if area {
                let middle = frame.centre(0, line).y;
                if (a.y <= middle) != (b.y <= middle) {
                    let x = a.x + (middle - a.y) / (b.y - a.y) * (b.x - a.x);
                    crossings.push((line as u32, x));
                }
            }
        });
    }

    /// Turns what was drawn into runs of cells. Cells between two runs near edges are free of
    /// edges, so one point of them, on the middle line, tells whether all lie inside; its
    /// distance from any edge is above half a cell, far beyond rounding.
    fn fill(&mut self, drawn: Drawn, row: u32, spans: &mut Vec<Span>) {
        let area = drawn == Drawn::Area;
        self.near.sort_unstable();
        self.crossings
            .sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut crossings = &self.crossings[..];
        let mut runs = self.near.iter().copied().peekable();
        while let Some((line, first, mut last)) = runs.next() {
            while let Some((_, from, to)) = runs
                .peek()
                .filter(|(l, from, _)| *l == line && *from <= last + 1)
            {
                debug_assert!(*from >= first);
                last = last.max(*to);
                runs.next();
            }
            spans.push(self.span(line as usize, first as usize, last as usize, row << 1));
            let Some((_, from, _)) = runs.peek().filter(|(l, ..)| area && *l == line) else {
                continue;
            };
            // The crossings of this line to the left of the gap.
            let start = crossings.partition_point(|(l, _)| *l < line);
            crossings = &crossings[start..];
            let at = self.frame.centre(last as usize + 1, line as usize).x;
            let left = crossings.partition_point(|(l, x)| *l == line && *x < at);
            if left % 2 == 1 {
                spans.push(self.span(
                    line as usize,
                    last as usize + 1,
                    *from as usize - 1,
                    row << 1 | 1,
                ));
            }
        }
    }

    fn span(&self, line: usize, first: usize, last: usize, reference: u32) -> Span {
        Span {
            start: (line * self.frame.columns() + first) as u32,
            len: (last - first + 1) as u32,
            reference,
        }
    }
}

//! Aligned columns for people.

use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use geoflow_engine::formats::write::{GeometryColumn, find_geometries};
use geoflow_engine::geometry::wkb_to_shortened_wkt;
use unicode_width::UnicodeWidthStr;

use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_arrow, from_engine, from_io};

/// Rows that decide the widths of the columns. Later rows stream by with these widths, so that
/// `--max-rows all` over a huge result needs no huge memory.
const MEASURED_ROWS: usize = 10_000;

/// Characters of WKT shown.
const WKT_WIDTH: usize = 48;

/// Writes rows as a table.
pub(super) struct TableWriter {
    schema: SchemaRef,
    geometries: Vec<GeometryColumn>,
    max_rows: usize,
    /// Rows to show whose widths are not yet final.
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    shown: usize,
    total: usize,
    sink: Sink,
}

impl TableWriter {
    pub(super) fn new(schema: SchemaRef, sink: Sink, max_rows: Option<usize>) -> Result<Self> {
        Ok(TableWriter {
            geometries: find_geometries(&schema).map_err(|e| from_engine(&e))?,
            schema,
            max_rows: max_rows.unwrap_or(usize::MAX),
            waiting: Vec::new(),
            widths: None,
            shown: 0,
            total: 0,
            sink,
        })
    }

    /// The cells of the first `rows` rows, column by column.
    fn cells(&mut self, batch: &RecordBatch, rows: usize) -> Result<Vec<Vec<String>>> {
        let mut cells = vec![Vec::with_capacity(batch.num_columns()); rows];
        let options = FormatOptions::default()
            .with_display_error(true)
            .with_null("NULL");
        for (index, array) in batch.columns().iter().enumerate() {
            if let Some(geometry) = self
                .geometries
                .iter_mut()
                .find(|column| column.index == index)
            {
                let shorten =
                    |wkb: &[u8], out: &mut String| wkb_to_shortened_wkt(wkb, out, WKT_WIDTH);
                let texts = geometry
                    .texts(&array.slice(0, rows), shorten)
                    .map_err(|e| from_engine(&e))?;
                for (row, text) in cells.iter_mut().zip(texts.iter()) {
                    row.push(text.unwrap_or("NULL").to_string());
                }
                continue;
            }
            let formatter =
                ArrayFormatter::try_new(array.as_ref(), &options).map_err(|e| from_arrow(&e))?;
            for (i, row) in cells.iter_mut().enumerate() {
                row.push(visible(&formatter.value(i).to_string()));
            }
        }
        Ok(cells)
    }

    /// Fixes the widths and prints head and waiting rows.
    fn settle(&mut self) -> Result<Vec<usize>> {
        if let Some(widths) = &self.widths {
            return Ok(widths.clone());
        }
        let head: Vec<String> = self
            .schema
            .fields()
            .iter()
            .map(|f| visible(f.name()))
            .collect();
        let mut widths: Vec<usize> = head.iter().map(|name| name.width()).collect();
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        self.print(&rule(&widths))?;
        self.print_row(&head, &widths)?;
        self.print(&rule(&widths))?;
        self.widths = Some(widths.clone());
        for row in std::mem::take(&mut self.waiting) {
            self.print_row(&row, &widths)?;
        }
        Ok(widths)
    }

    fn print_row(&mut self, row: &[String], widths: &[usize]) -> Result<()> {
        let schema = &self.schema;
        let text = line(row, widths, |column| {
            schema.field(column).data_type().is_numeric()
        });
        self.print(&text)
    }

    fn print(&mut self, text: &str) -> Result<()> {
        self.sink
            .write_all(text.as_bytes())
            .map_err(|e| self.sink.failure_or(|| from_io("cannot write", &e)))
    }
}

impl BatchWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.total += batch.num_rows();
        let rows = batch.num_rows().min(self.max_rows - self.shown);
        if rows == 0 {
            return Ok(());
        }
        self.shown += rows;
        let cells = self.cells(batch, rows)?;
        match self.widths.clone() {
            Some(widths) => cells
                .iter()
                .try_for_each(|row| self.print_row(row, &widths))?,
            None => {
                self.waiting.extend(cells);
                if self.waiting.len() >= MEASURED_ROWS {
                    self.settle()?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Shown> {
        let widths = self.settle()?;
        self.print(&rule(&widths))?;
        Ok(match self.shown < self.total {
            true => Shown::Part {
                shown: self.shown,
                total: self.total,
            },
            false => Shown::All,
        })
    }
}

/// Control characters would move the cursor, or worse.
fn visible(text: &str) -> String {
    match text.chars().any(char::is_control) {
        true => text.chars().fold(String::new(), |mut out, c| {
            match c.is_control() {
                true => out.extend(c.escape_default()),
                false => out.push(c),
            }
            out
        }),
        false => text.to_string(),
    }
}

fn rule(widths: &[usize]) -> String {
    let mut text = String::from("+");
    for width in widths {
        text.push_str(&"-".repeat(width + 2));
        text.push('+');
    }
    text.push('\n');
    text
}

fn line(cells: &[String], widths: &[usize], to_the_right: impl Fn(usize) -> bool) -> String {
    let mut text = String::from("|");
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width.saturating_sub(cell.width()));
        text.push(' ');
        match to_the_right(column) {
            true => text.extend([&padding, cell.as_str()]),
            false => text.extend([cell.as_str(), &padding]),
        }
        text.push_str(" |");
    }
    text.push('\n');
    text
}

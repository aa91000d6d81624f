//! Rows on their way to the files of their cells.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use parking_lot::Mutex;

use super::compact::compact;
use super::file::{Run, RunWriter, SpillStore};
use crate::join::memory::batch_size;

/// The files of all cells, written by several tasks at once. A cell has no file before it has rows.
pub(super) struct CellWriters {
    store: SpillStore,
    schema: SchemaRef,
    cells: Vec<Mutex<CellWriter>>,
    /// Bytes that wait for a cell before they are written together.
    wait: usize,
    piece: usize,
}

#[derive(Default)]
struct CellWriter {
    waiting: Vec<RecordBatch>,
    bytes: usize,
    file: Option<RunWriter>,
}

impl CellWriters {
    /// Writers of `cells` cells that hold no more than about `memory` bytes together.
    pub(super) fn new(
        store: SpillStore,
        schema: SchemaRef,
        cells: usize,
        memory: usize,
        piece: usize,
    ) -> Self {
        Self {
            store,
            schema,
            cells: (0..cells).map(|_| Mutex::default()).collect(),
            wait: (memory / cells.max(1)).min(piece),
            piece,
        }
    }

    pub(super) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Gives `rows` of a batch to a cell.
    pub(super) fn push(&self, cell: usize, batch: &RecordBatch, rows: Vec<u32>) -> Result<()> {
        let Some(cell) = self.cells.get(cell).filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        let taken = compact(&take_record_batch(batch, &UInt32Array::from(rows))?)?;
        let bytes = batch_size(&taken);
        let mut cell = cell.lock();
        cell.bytes += bytes;
        cell.waiting.push(taken);
        if cell.bytes > self.wait {
            self.write(&mut cell)?;
        }
        Ok(())
    }

    fn write(&self, cell: &mut CellWriter) -> Result<()> {
        if cell.waiting.is_empty() {
            return Ok(());
        }
        if cell.file.is_none() {
            cell.file = Some(self.store.create(&self.schema, self.piece)?);
        }
        let batch = match &cell.waiting[..] {
            [one] => one.clone(),
            several => concat_batches(&several[0].schema(), several)?,
        };
        cell.waiting.clear();
        cell.bytes = 0;
        match &mut cell.file {
            Some(file) => file.write(&batch),
            None => Ok(()),
        }
    }

    /// Ends all files. `None` for cells without rows.
    pub(super) fn finish(self) -> Result<Vec<Option<Arc<Run>>>> {
        let mut runs = Vec::with_capacity(self.cells.len());
        for cell in &self.cells {
            let mut cell = cell.lock();
            self.write(&mut cell)?;
            let file = cell.file.take();
            runs.push(file.map(RunWriter::finish).transpose()?.map(Arc::new));
        }
        Ok(runs)
    }
}

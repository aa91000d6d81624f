//! What becomes of probe rows that are seen more than once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;

/// One bit a row, set by many.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<AtomicU64>);

impl Bits {
    pub(super) fn new(rows: usize) -> Self {
        Self((0..rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    fn set(&self, row: u64) {
        if let Some(word) = self.0.get((row / 64) as usize) {
            word.fetch_or(1 << (row % 64), Ordering::Relaxed);
        }
    }

    fn get(&self, row: u64) -> bool {
        let word = self.0.get((row / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (row % 64)) != 0)
    }
}

/// Decides which rows of a probe batch can be put out, once it is known who has a partner here.
#[derive(Debug)]
pub(in crate::join) struct Settle {
    /// By number of the rows that are in several cells.
    pub(super) border: Arc<Bits>,
    pub(super) stage: Stage,
}

/// Where the rows are seen.
#[derive(Debug)]
pub(super) enum Stage {
    /// In a pass over the probe rows of a cell.
    Cell {
        /// By position in the cell: who had a partner in an earlier pass. `None` if this pass is
        /// the only one.
        earlier: Option<Arc<Bits>>,
        /// Whether no pass follows.
        is_last: bool,
        /// The position of the next batch.
        position: u64,
    },
    /// At the end, when all cells are done.
    Border,
}

impl Settle {
    /// Completes `matched` by what is known from elsewhere; which rows are decided now (`None` for all).
    pub(in crate::join) fn settle(
        &mut self,
        batch: &RecordBatch,
        matched: &mut [bool],
    ) -> Option<Vec<bool>> {
        let columns = batch.columns();
        let number: &UInt64Array = columns.last()?.as_primitive_opt::<UInt64Type>()?;
        match &mut self.stage {
            Stage::Border => {
                for (row, matched) in matched.iter_mut().enumerate() {
                    *matched = self.border.get(number.value(row));
                }
                None
            }
            Stage::Cell {
                earlier,
                is_last,
                position,
            } => {
                if let Some(earlier) = earlier {
                    for (at, matched) in (*position..).zip(matched.iter_mut()) {
                        *matched |= earlier.get(at);
                        if *matched {
                            earlier.set(at);
                        }
                    }
                }
                *position += matched.len() as u64;
                if !*is_last {
                    return Some(vec![false; matched.len()]);
                }
                let decided = |(row, matched): (usize, &bool)| {
                    if number.is_null(row) {
                        return true;
                    }
                    if *matched {
                        self.border.set(number.value(row));
                    }
                    false
                };
                Some(matched.iter().enumerate().map(decided).collect())
            }
        }
    }
}

//! The plan of EXPLAIN as plain text, never cut: it is read, searched and compared.

use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::{BatchWriter, Shown, Sink};
use crate::error::{Result, from_arrow, from_io};

/// Writes the rows of EXPLAIN: each has the kind of a plan and its text.
pub(super) struct PlanWriter {
    sink: Sink,
}

impl PlanWriter {
    pub(super) fn new(sink: Sink) -> Self {
        PlanWriter { sink }
    }
}

impl BatchWriter for PlanWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut texts = Vec::new();
        for column in batch.columns() {
            texts.push(cast(column, &DataType::Utf8).map_err(|e| from_arrow(&e))?);
        }
        let mut out = String::new();
        for row in 0..batch.num_rows() {
            for (column, text) in texts.iter().enumerate() {
                let Some(text) = text.as_any().downcast_ref::<arrow::array::StringArray>() else {
                    continue;
                };
                let text = if text.is_null(row) {
                    ""
                } else {
                    text.value(row)
                };
                match column {
                    0 if texts.len() > 1 => out.push_str(&format!("{text}:\n")),
                    _ => out.push_str(&format!("{}\n", text.trim_end())),
                }
            }
        }
        self.sink
            .write_all(out.as_bytes())
            .map_err(|e| self.sink.failure_or(|| from_io("cannot write", &e)))
    }

    fn finish(self: Box<Self>) -> Result<Shown> {
        Ok(Shown::All)
    }
}

//! Files of spilled rows: Arrow IPC streams, compressed by LZ4.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::{SpillFile, SpillWriter};
use datafusion::physical_plan::metrics::SpillMetrics;
use datafusion::physical_plan::{SendableRecordBatchStream, SpillManager};

use super::compact::compact;
use crate::Error;
use crate::join::memory::{batch_size, indexed_size, largest_column};

/// Where a join spills to, and how much it may. Cheap to clone; clones share the account.
#[derive(Debug, Clone)]
pub(in crate::join) struct SpillStore {
    runtime: Arc<RuntimeEnv>,
    metrics: SpillMetrics,
    /// Bytes that may be on disk at a time.
    most: u64,
    used: Arc<AtomicU64>,
}

impl SpillStore {
    pub(in crate::join) fn new(
        runtime: Arc<RuntimeEnv>,
        metrics: SpillMetrics,
        most: Option<u64>,
    ) -> Self {
        Self {
            runtime,
            metrics,
            most: most.unwrap_or(u64::MAX),
            used: Arc::default(),
        }
    }

    /// A new file for rows of `schema`, written in pieces of about `piece` bytes: no more than one
    /// piece is in memory when it is read back.
    pub(in crate::join) fn create(&self, schema: &SchemaRef, piece: usize) -> Result<RunWriter> {
        let file = self
            .runtime
            .disk_manager
            .create_tmp_file("cutting a spatial join into cells")?;
        let metered = Metered {
            inner: file.open_writer()?,
            account: Account {
                used: Arc::clone(&self.used),
                bytes: 0,
            },
            most: self.most,
        };
        let options =
            IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
        let writer =
            StreamWriter::try_new_with_options(metered, schema, options).map_err(explain)?;
        self.metrics.spill_file_count.add(1);
        Ok(RunWriter {
            file,
            writer,
            rows: 0,
            memory: 0,
            largest_column: 0,
            piece,
            schema: Arc::clone(schema),
            store: self.clone(),
        })
    }
}

/// A file that is being written.
pub(in crate::join) struct RunWriter {
    file: Arc<dyn SpillFile>,
    writer: StreamWriter<Metered>,
    rows: usize,
    memory: usize,
    largest_column: usize,
    piece: usize,
    schema: SchemaRef,
    store: SpillStore,
}

impl RunWriter {
    /// Appends rows. Columns must be those of the file's schema; names and metadata need not.
    pub(in crate::join) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let batch = batch.clone().with_schema(Arc::clone(&self.schema))?;
        let bytes = batch_size(&batch);
        let step = (rows * self.piece / bytes.max(1)).clamp(1, rows);
        for from in (0..rows).step_by(step) {
            let piece = compact(&batch.slice(from, step.min(rows - from)))?;
            self.memory += batch_size(&piece);
            self.largest_column += largest_column(&piece);
            self.writer.write(&piece).map_err(explain)?;
        }
        self.rows += rows;
        self.store.metrics.spilled_rows.add(rows);
        Ok(())
    }

    /// Ends the file.
    pub(in crate::join) fn finish(mut self) -> Result<Run> {
        self.writer.finish().map_err(explain)?;
        let Metered {
            mut inner, account, ..
        } = self.writer.into_inner().map_err(explain)?;
        inner.finish()?;
        self.store.metrics.spilled_bytes.add(account.bytes as usize);
        Ok(Run {
            file: self.file,
            schema: self.schema,
            rows: self.rows,
            memory: self.memory,
            largest_column: self.largest_column,
            store: self.store,
            _account: account,
        })
    }
}

/// Rows in a file, which vanishes with this and all who read it.
pub(in crate::join) struct Run {
    file: Arc<dyn SpillFile>,
    schema: SchemaRef,
    /// How many rows there are.
    pub(in crate::join) rows: usize,
    memory: usize,
    largest_column: usize,
    store: SpillStore,
    _account: Account,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("rows", &self.rows)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// About the bytes that the rows take in memory, indexed for so many conditions.
    pub(in crate::join) fn indexed_size(&self, conditions: usize) -> usize {
        indexed_size(self.memory, self.largest_column, self.rows, conditions)
    }

    /// The rows, in the order in which they were written.
    pub(in crate::join) fn read(&self) -> Result<SendableRecordBatchStream> {
        let reader = SpillManager::new(
            Arc::clone(&self.store.runtime),
            self.store.metrics.clone(),
            Arc::clone(&self.schema),
        );
        reader.read_spill_as_stream_unbuffered(Arc::clone(&self.file), None)
    }
}

/// Bytes on disk, given back when the file goes.
struct Account {
    used: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Refuses what would go beyond the limit.
struct Metered {
    inner: Box<dyn SpillWriter>,
    account: Account,
    most: u64,
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = bytes.len() as u64;
        let used = self.account.used.fetch_add(more, Ordering::Relaxed) + more;
        self.account.bytes += more;
        if used > self.most {
            return Err(io::Error::other(Error::Environment {
                message: format!(
                    "the spatial join needs more than {} bytes on disk, which is all that \
                     geoflow.spill.max_size lets it take: raise it (SET geoflow.spill.max_size = \
                     '100GB'), give more memory (--memory-limit), or filter the inputs",
                    self.most
                ),
                retryable: false,
            }));
        }
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Finds the reason in an error of writing, and says what can be done.
fn explain(error: ArrowError) -> DataFusionError {
    let ArrowError::IoError(message, error) = error else {
        return error.into();
    };
    if is_full(&error) {
        return Error::Environment {
            message: format!(
                "no space is left on the disk that the spatial join spills to ({message}): free \
                 some, name another folder (--temp-dir), or give more memory (--memory-limit)"
            ),
            retryable: true,
        }
        .into();
    }
    if message.contains("max_temp_directory_size") {
        return Error::Environment {
            message: format!("the spatial join cannot spill more rows: {message}"),
            retryable: false,
        }
        .into();
    }
    match error.downcast::<Error>() {
        Ok(ours) => ours.into(),
        Err(error) => DataFusionError::IoError(error),
    }
}

fn is_full(error: &io::Error) -> bool {
    if error.kind() == io::ErrorKind::StorageFull {
        return true;
    }
    let inner = error.get_ref().and_then(|e| e.downcast_ref());
    matches!(inner, Some(DataFusionError::IoError(e)) if e.kind() == io::ErrorKind::StorageFull)
}

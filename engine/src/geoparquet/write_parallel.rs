//! Writing GeoParquet on several threads.

use std::collections::VecDeque;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::runtime::SpawnedTask;

use super::write_file::FileBuilder;
use super::write_group::{EncodedGroup, GroupJob};
use super::{WriteOptions, WriteSummary};
use crate::{Error, Result};

/// As [`GeoParquetWriter`](super::GeoParquetWriter), with several row groups encoded at once on the
/// blocking threads of the Tokio runtime that it is used in.
///
/// ```text
///  batches ──> row group 3 (filling)
///              row group 2 ──encode──┐ at once
///              row group 1 ──encode──┴──> in order ──> out
/// ```
///
/// Memory is bounded by the row groups under way: one more than there are threads.
pub struct ParallelWriter<W: Write + Send> {
    file: FileBuilder<W>,
    running: VecDeque<Running>,
    threads: usize,
}

struct Running {
    task: SpawnedTask<Result<EncodedGroup>>,
    bytes: usize,
}

impl<W: Write + Send> std::fmt::Debug for ParallelWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParallelWriter")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParallelWriter<W> {
    /// Starts a file, to be encoded by so many `threads`.
    ///
    /// # Errors
    /// As [`GeoParquetWriter::try_new`](super::GeoParquetWriter::try_new).
    pub fn try_new(
        out: W,
        schema: &Schema,
        options: &WriteOptions,
        threads: usize,
    ) -> Result<Self> {
        Ok(Self {
            file: FileBuilder::try_new(out, schema, options)?,
            running: VecDeque::new(),
            threads: threads.max(1),
        })
    }

    /// Errors count rows from here, where the file is one of several.
    pub(super) fn count_from(&mut self, row: u64) {
        self.file.count_from(row);
    }

    /// Appends the rows of a batch. Waits when all threads are busy.
    ///
    /// # Errors
    /// As [`GeoParquetWriter::write`](super::GeoParquetWriter::write).
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for job in self.file.push(batch)? {
            self.start(job).await?;
        }
        Ok(())
    }

    async fn start(&mut self, job: GroupJob) -> Result<()> {
        while self.running.len() >= self.threads {
            self.append_oldest().await?;
        }
        self.running.push_back(Running {
            bytes: job.bytes,
            task: SpawnedTask::spawn_blocking(move || job.encode()),
        });
        Ok(())
    }

    async fn append_oldest(&mut self) -> Result<()> {
        let Some(oldest) = self.running.pop_front() else {
            return Ok(());
        };
        let group = oldest
            .task
            .join()
            .await
            .map_err(|e| Error::Internal(format!("a thread that encodes has died: {e}")))??;
        self.file.append(group)
    }

    /// Waits until no row group is being encoded.
    ///
    /// # Errors
    /// As [`ParallelWriter::write`].
    pub(super) async fn settle(&mut self) -> Result<()> {
        while !self.running.is_empty() {
            self.append_oldest().await?;
        }
        Ok(())
    }

    /// Bytes of rows that are not in the file yet.
    pub fn memory_size(&self) -> usize {
        let running: usize = self.running.iter().map(|running| running.bytes).sum();
        running + self.file.pending_bytes()
    }

    /// Bytes of the file so far, without the row groups that are under way.
    pub fn bytes_written(&self) -> u64 {
        self.file.bytes_written()
    }

    /// Row groups that are full.
    pub(super) fn row_groups(&self) -> usize {
        self.file.row_groups()
    }

    /// Writes what is pending and the footer.
    ///
    /// # Errors
    /// As [`ParallelWriter::write`].
    pub async fn finish(mut self) -> Result<WriteSummary> {
        if let Some(job) = self.file.take_job()? {
            self.start(job).await?;
        }
        self.settle().await?;
        self.file.finish()
    }
}

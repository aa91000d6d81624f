//! An index of pages for files that were written without one.
//!
//! ```text
//!  column chunk ── header ── page ── header ── page ── ...
//!                  read      left    read      left       ──> where pages are, and their first rows
//! ```
//!
//! A reader without one holds the columns of a row group whole. On a disk the headers alone are soon read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::error::Result;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::{BoxFuture, FutureExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::column::page::PageReader;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{
    ColumnChunkMetaData, OffsetIndexBuilder, ParquetMetaData, ParquetMetaDataBuilder,
};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

/// The footer of `file` with an index of the pages of the row groups that are read, of all their columns. `None`
/// where pages do not say how many rows they have, as those of nested columns may not, and for a file that cannot be
/// read: its reader will say why.
pub(super) fn with_pages(
    file: &Path,
    footer: &ParquetMetaData,
    is_read: impl Fn(usize) -> bool,
) -> Option<ParquetMetaData> {
    let headers = Arc::new(Headers {
        file: File::open(file).ok()?,
        last: AtomicU64::new(0),
    });
    let groups = footer.row_groups().iter().enumerate();
    let index = groups
        .map(|(number, group)| match is_read(number) {
            true => (group.columns().iter())
                .map(|column| pages(&headers, column, group.num_rows()))
                .collect(),
            false => Some(vec![]),
        })
        .collect::<Option<_>>()?;
    let builder = ParquetMetaDataBuilder::new_from_metadata(footer.clone());
    Some(builder.set_offset_index(Some(index)).build())
}

/// The pages of a column of a row group.
fn pages(
    headers: &Arc<Headers>,
    column: &ColumnChunkMetaData,
    rows: i64,
) -> Option<OffsetIndexMetaData> {
    let start = (column.dictionary_page_offset()).unwrap_or_else(|| column.data_page_offset());
    let end = u64::try_from(start).ok()? + u64::try_from(column.compressed_size()).ok()?;
    let is_nested = column.column_descr().max_rep_level() > 0;
    let rows = usize::try_from(rows).ok()?;
    let mut reader = SerializedPageReader::new(Arc::clone(headers), column, rows, None).ok()?;
    let mut index = OffsetIndexBuilder::new();
    let mut counted = 0;
    // A page ends where the next one begins.
    let mut open: Option<(u64, usize)> = None;
    loop {
        let page = reader.peek_next_page().ok()?;
        let at = match page {
            Some(_) => headers.last.load(Ordering::Relaxed),
            None => end,
        };
        if let Some((from, rows)) = open.take() {
            counted += rows;
            index.append_row_count(i64::try_from(rows).ok()?);
            let size = i32::try_from(at.checked_sub(from)?).ok()?;
            index.append_offset_and_size(i64::try_from(from).ok()?, size);
        }
        let Some(page) = page else { break };
        if !page.is_dict {
            // Without repetition each level is a row.
            let levels = page.num_levels.filter(|_| !is_nested);
            open = Some((at, page.num_rows.or(levels)?));
        }
        reader.skip_next_page().ok()?;
    }
    (counted == rows).then(|| index.build())
}

/// A file of which headers of pages are read, one after the other.
struct Headers {
    file: File,
    /// Where the last one that was read begins.
    last: AtomicU64,
}

impl Length for Headers {
    fn len(&self) -> u64 {
        Length::len(&self.file)
    }
}

impl ChunkReader for Headers {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        self.last.store(start, Ordering::Relaxed);
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.file.get_bytes(start, length)
    }
}

/// A footer that a file comes with.
#[derive(Debug, Clone)]
pub(super) struct GivenFooter(pub Arc<ParquetMetaData>);

/// Makes readers that take the [`GivenFooter`] of a file for what is in it.
#[derive(Debug)]
pub(super) struct GivenFooters(pub Arc<dyn ParquetFileReaderFactory>);

impl ParquetFileReaderFactory for GivenFooters {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let given = file.extensions.get::<GivenFooter>().cloned();
        let inner = (self.0).create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(match given {
            Some(GivenFooter(footer)) => Box::new(GivenReader { inner, footer }),
            None => inner,
        })
    }
}

struct GivenReader {
    inner: Box<dyn AsyncFileReader + Send>,
    footer: Arc<ParquetMetaData>,
}

impl AsyncFileReader for GivenReader {
    fn get_bytes(&mut self, range: std::ops::Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.inner.get_bytes(range)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<std::ops::Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.inner.get_byte_ranges(ranges)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let footer = Arc::clone(&self.footer);
        async { Ok(footer) }.boxed()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, BinaryArray, Int64Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Int64Type;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ArrowReaderMetadata;
    use parquet::file::metadata::PageIndexPolicy;
    use parquet::file::properties::{WriterProperties, WriterVersion};
    use tempfile::NamedTempFile;

    use super::*;

    /// A file with many small pages: of values that repeat, of NULLs, of blobs, of nothing.
    fn write(nested: bool, version: WriterVersion) -> NamedTempFile {
        let rows = 5000;
        let blob = |i: usize| (!i.is_multiple_of(7)).then(|| vec![i as u8; i % 300]);
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
            (
                "name",
                Arc::new(StringArray::from_iter_values(
                    (0..rows).map(|i| ["a", "bb", "ccc"][i % 3]),
                )),
            ),
            (
                "blob",
                Arc::new((0..rows).map(blob).collect::<BinaryArray>()),
            ),
            ("none", Arc::new(Int64Array::new_null(rows))),
        ];
        if nested {
            let lists = (0..rows).map(|i| (!i.is_multiple_of(5)).then(|| vec![Some(1_i64); i % 4]));
            let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
            columns.push(("list", Arc::new(lists)));
        }
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_data_page_row_count_limit(300)
            .set_write_batch_size(100)
            .set_max_row_group_row_count(Some(2000))
            .build();
        let file = NamedTempFile::new().unwrap();
        let copy = file.reopen().unwrap();
        let mut writer = ArrowWriter::try_new(copy, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    fn footer(file: &NamedTempFile, policy: PageIndexPolicy) -> Arc<ParquetMetaData> {
        let options = ArrowReaderOptions::new().with_page_index_policy(policy);
        let loaded = ArrowReaderMetadata::load(&file.reopen().unwrap(), options).unwrap();
        Arc::clone(loaded.metadata())
    }

    #[test]
    fn the_index_is_that_of_the_writer() {
        for (nested, version) in [
            (false, WriterVersion::PARQUET_1_0),
            (false, WriterVersion::PARQUET_2_0),
            (true, WriterVersion::PARQUET_2_0),
        ] {
            let file = write(nested, version);
            let expected = footer(&file, PageIndexPolicy::Required);
            let without = footer(&file, PageIndexPolicy::Skip);
            assert!(without.offset_index().is_none());
            let made = with_pages(file.path(), &without, |_| true).unwrap();
            let expected = expected.offset_index().unwrap();
            for (made, expected) in made.offset_index().unwrap().iter().zip(expected) {
                assert_eq!(made.len(), expected.len());
                for (made, expected) in made.iter().zip(expected) {
                    assert_eq!(made.page_locations(), expected.page_locations());
                }
            }
            // Row groups that are not read are left alone.
            let some = with_pages(file.path(), &without, |group| group == 1).unwrap();
            let pages = some.offset_index().unwrap();
            assert!(pages[0].is_empty() && !pages[1].is_empty() && pages[2].is_empty());
        }
    }

    #[test]
    fn without_rows_there_is_none() {
        let file = write(true, WriterVersion::PARQUET_1_0);
        let without = footer(&file, PageIndexPolicy::Skip);
        assert!(with_pages(file.path(), &without, |_| true).is_none());
        let broken = write(false, WriterVersion::PARQUET_1_0);
        let without = footer(&broken, PageIndexPolicy::Skip);
        let mut bytes = std::fs::read(broken.path()).unwrap();
        bytes[4..2000].fill(0xee);
        std::fs::write(broken.path(), bytes).unwrap();
        assert!(with_pages(broken.path(), &without, |_| true).is_none());
    }
}

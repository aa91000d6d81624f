//! Writing GeoParquet, one batch after another.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::WriteOptions;
use super::write_file::FileBuilder;
use crate::Result;
use crate::geometry::Bounds;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WriteSummary {
    /// Rows in the file.
    pub rows: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Bounds of the primary geometry column; `None` without one, or when it holds only NULL and
    /// EMPTY.
    pub bounds: Option<Bounds>,
}

/// Writes batches as GeoParquet, or as plain Parquet when no column is geometry.
///
/// Geometry is stored as ISO WKB whatever it comes as, unless [`WriteOptions::encoding`] says otherwise;
/// each column with a covering (`bbox`, or `<name>_bbox`) of `f64` bounds for every row, NULL for NULL,
/// without sides for EMPTY; a covering among the input columns is replaced. The `geo` metadata name the geometry types
/// that occur, the bounds of the file, and the CRS as PROJJSON (`null` when unknown).
///
/// Memory is bounded by one row group ([`WriteOptions`]) and the batch at hand. It encodes on the
/// caller's thread; [`ParallelWriter`](super::ParallelWriter) encodes several row groups at once.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow::array::{ArrayRef, BinaryArray, RecordBatch};
/// # use arrow::datatypes::Schema;
/// # use geoflow_engine::{crs::Crs, geometry::GeometryType, geoparquet::GeoParquetWriter};
/// # fn main() -> geoflow_engine::Result<()> {
/// let field = GeometryType::wkb(Some(Crs::lon_lat())).to_field("geometry", true);
/// let schema = Arc::new(Schema::new(vec![field]));
/// let point = [&[1, 1, 0, 0, 0][..], &25.0_f64.to_le_bytes(), &60.2_f64.to_le_bytes()].concat();
/// let points: ArrayRef = Arc::new(BinaryArray::from_iter_values([point]));
/// # let batch = RecordBatch::try_new(Arc::clone(&schema), vec![points]).map_err(|e| geoflow_engine::Error::Internal(e.to_string()))?;
///
/// let mut file = Vec::new(); // or a std::fs::File
/// let mut writer = GeoParquetWriter::try_new(&mut file, schema)?;
/// writer.write(&batch)?;
/// let summary = writer.finish()?;
/// assert_eq!((summary.rows, summary.bytes), (1, file.len() as u64));
/// # Ok(())
/// # }
/// ```
pub struct GeoParquetWriter<W: Write + Send> {
    file: FileBuilder<W>,
}

impl<W: Write + Send> std::fmt::Debug for GeoParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoParquetWriter").finish_non_exhaustive()
    }
}

impl<W: Write + Send> GeoParquetWriter<W> {
    /// Starts a file for batches of `schema`, whose geometry columns are labelled with GeoArrow
    /// types.
    ///
    /// # Errors
    /// [`Error::Statement`](crate::Error::Statement) for two columns of one name, for types that Parquet
    /// has not and for options that the standard has not, [`Error::Crs`](crate::Error::Crs) for a CRS
    /// known by code alone, [`Error::Environment`](crate::Error::Environment) when `out` fails.
    pub fn try_new(out: W, schema: SchemaRef) -> Result<Self> {
        Self::try_new_with_options(out, &schema, &WriteOptions::default())
    }

    /// As [`GeoParquetWriter::try_new`], laid out as `options` say.
    ///
    /// # Errors
    /// As [`GeoParquetWriter::try_new`].
    pub fn try_new_with_options(out: W, schema: &Schema, options: &WriteOptions) -> Result<Self> {
        let file = FileBuilder::try_new(out, schema, options)?;
        Ok(Self { file })
    }

    /// Appends the rows of a batch, whose schema is the one the writer was made for.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a malformed geometry, with column and row, perhaps only
    /// when its row group is full; [`Error::Environment`](crate::Error::Environment) when the output
    /// fails. The file is useless then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        for job in self.file.push(batch)? {
            self.file.append(job.encode()?)?;
        }
        Ok(())
    }

    /// Writes what is pending and the footer.
    ///
    /// # Errors
    /// As [`GeoParquetWriter::write`].
    pub fn finish(mut self) -> Result<WriteSummary> {
        if let Some(job) = self.file.take_job()? {
            self.file.append(job.encode()?)?;
        }
        self.file.finish()
    }
}

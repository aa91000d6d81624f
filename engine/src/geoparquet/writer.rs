//! Writing GeoParquet 1.1.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Map, Value, json};

use super::GEO_KEY;
use super::write_column::ColumnWriter;
use super::write_plan::{Source, WritePlan};
use crate::geometry::Bounds;
use crate::{Error, Result};

/// The version that is written.
const VERSION: &str = "1.1.0";

/// Rows given to the Parquet writer at once.
const SLICE_ROWS: usize = 1024;

/// How a file is laid out.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Most rows in a row group. Small row groups are skipped more often, large ones are read with
    /// fewer requests: at the default of 65,536 points or buildings are a few MB, which is one
    /// good request to an object store, and a country has enough of them for a city to be found.
    pub row_group_rows: usize,
    /// A row group ends at about this size before compression of its last pages, whatever its
    /// rows: it bounds the memory of the writer when geometries are large. Default 128 MiB.
    pub row_group_bytes: usize,
    /// Codec of all columns. Default zstd at level 3, which costs little more than level 1.
    pub compression: Compression,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            row_group_rows: 65_536,
            row_group_bytes: 128 << 20,
            compression: Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()),
        }
    }
}

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

/// Writes batches as GeoParquet 1.1, or as plain Parquet when no column is geometry.
///
/// Geometry is stored as ISO WKB whatever it comes as, each column with a covering (`bbox`, or
/// `<name>_bbox`) of `f64` bounds for every row, NULL for NULL and EMPTY; a covering among the
/// input columns is replaced. The `geo` metadata name the geometry types that occur, the bounds of
/// the file, and the CRS as PROJJSON (`null` when unknown).
///
/// Memory is bounded by one row group ([`WriteOptions`]) and the batch at hand.
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
    inner: ArrowWriter<W>,
    schema: SchemaRef,
    sources: Vec<Source>,
    columns: Vec<ColumnWriter>,
    primary: Option<usize>,
    rows: u64,
}

impl<W: Write + Send> std::fmt::Debug for GeoParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoParquetWriter")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> GeoParquetWriter<W> {
    /// Starts a file for batches of `schema`, whose geometry columns are labelled with GeoArrow
    /// types.
    ///
    /// # Errors
    /// [`Error::Statement`] for two columns of one name and for types that Parquet has not,
    /// [`Error::Crs`] for a CRS known by code alone, [`Error::Environment`] when `out` fails.
    pub fn try_new(out: W, schema: SchemaRef) -> Result<Self> {
        Self::try_new_with_options(out, &schema, &WriteOptions::default())
    }

    /// As [`GeoParquetWriter::try_new`], laid out as `options` say.
    ///
    /// # Errors
    /// As [`GeoParquetWriter::try_new`].
    pub fn try_new_with_options(out: W, schema: &Schema, options: &WriteOptions) -> Result<Self> {
        let plan = WritePlan::new(schema)?;
        let mut properties = properties(&plan, options);
        add_encoded_arrow_schema_to_metadata(&plan.portable_schema(), &mut properties);
        let arrow_options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let inner = ArrowWriter::try_new_with_options(out, plan.schema.clone(), arrow_options)
            .map_err(failed)?;
        Ok(Self {
            inner,
            schema: plan.schema,
            sources: plan.sources,
            columns: plan.geometry.into_iter().map(ColumnWriter::new).collect(),
            primary: plan.primary,
            rows: 0,
        })
    }

    /// Appends the rows of a batch, whose schema is the one the writer was made for.
    ///
    /// # Errors
    /// [`Error::Data`] for a malformed geometry, with column and row; [`Error::Environment`] when
    /// the output fails. The file is useless then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut covering = vec![None; self.columns.len()];
        let mut geometry = vec![None; self.columns.len()];
        for source in &self.sources {
            if let Source::Geometry {
                input,
                geometry: at,
            } = *source
            {
                let (wkb, bounds) = self.columns[at].next(batch.column(input))?;
                geometry[at] = Some(wkb);
                covering[at] = Some(bounds);
            }
        }
        let columns = self
            .sources
            .iter()
            .map(|source| match *source {
                Source::Copy(input) => Some(batch.column(input).clone()),
                Source::Geometry { geometry: at, .. } => geometry[at].take(),
                Source::Covering { geometry: at } => covering[at].take(),
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| Error::Internal("a column of the file has no source".into()))?;
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let out = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|e| Error::Internal(format!("batch for the Parquet writer: {e}")))?;
        // Sizes are looked at between writes only, so that one batch of large geometries would
        // make a row group of any size.
        for start in (0..out.num_rows()).step_by(SLICE_ROWS) {
            let rows = SLICE_ROWS.min(out.num_rows() - start);
            self.inner.write(&out.slice(start, rows)).map_err(failed)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Bytes that the writer holds: what it has of the row group at hand.
    pub fn memory_size(&self) -> usize {
        self.inner.memory_size()
    }

    /// Writes what is pending and the footer.
    ///
    /// # Errors
    /// [`Error::Environment`] when the output fails.
    pub fn finish(mut self) -> Result<WriteSummary> {
        if let Some(geo) = self.geo_metadata() {
            self.inner
                .append_key_value_metadata(KeyValue::new(GEO_KEY.to_owned(), geo.to_string()));
        }
        self.inner.finish().map_err(failed)?;
        self.inner
            .inner_mut()
            .flush()
            .map_err(|e| failed(e.into()))?;
        Ok(WriteSummary {
            rows: self.rows,
            bytes: self.inner.bytes_written() as u64,
            bounds: self
                .primary
                .and_then(|at| self.columns.get(at))
                .and_then(ColumnWriter::bounds),
        })
    }

    fn geo_metadata(&self) -> Option<Value> {
        let primary = self.columns.get(self.primary?)?;
        let columns: Map<String, Value> = self
            .columns
            .iter()
            .map(|column| (column.name().to_owned(), column.metadata()))
            .collect();
        Some(json!({
            "version": VERSION,
            "primary_column": primary.name(),
            "columns": columns,
        }))
    }
}

fn properties(plan: &WritePlan, options: &WriteOptions) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(options.compression)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)))
        .set_created_by(concat!("geoflow ", env!("CARGO_PKG_VERSION")).to_owned());
    for geometry in &plan.geometry {
        // The least and greatest WKB bytes tell nothing, and geometries hardly ever repeat.
        let column = ColumnPath::new(vec![geometry.name.clone()]);
        builder = builder
            .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
            .set_column_dictionary_enabled(column, false);
        for side in ["xmin", "ymin", "xmax", "ymax"] {
            let column = ColumnPath::new(vec![geometry.covering.clone(), side.to_owned()]);
            builder = builder.set_column_dictionary_enabled(column, false);
        }
    }
    builder.build()
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(what) | ParquetError::ArrowError(what) => Error::Statement(format!(
            "a column cannot be stored in Parquet ({what}): cast it to another type"
        )),
        ParquetError::External(inner) => match inner.downcast_ref::<std::io::Error>() {
            Some(io) if io.kind() == std::io::ErrorKind::StorageFull => Error::Environment {
                message: "the disk is full: make room and write again".into(),
                retryable: false,
            },
            _ => Error::Environment {
                message: format!("writing Parquet failed: {inner}"),
                retryable: true,
            },
        },
        other => Error::Internal(format!("Parquet writer: {other}")),
    }
}

//! A file from its row groups: the order of things between the first batch and the footer, whoever
//! encodes.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use geoarrow_schema::GeoArrowType;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Encoding, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use serde_json::{Map, Value, json};

use super::write_column::ColumnWriter;
use super::write_dictionary::without_repeats;
use super::write_geometry_type::with_geometry_types;
use super::write_group::{EncodedGroup, GroupColumns, GroupJob, Pending};
use super::write_native::native_type;
use super::write_plan::WritePlan;
use super::{GEO_KEY, GeoParquetVersion, WriteOptions, WriteSummary};
use crate::{Error, Result};

/// Rows that are looked at for the size of a row group at once.
const SLICE_ROWS: usize = 1024;

/// Cuts batches into row groups and puts encoded row groups one after another.
///
/// ```text
///  batch ──> push ──> GroupJob ──encode──> EncodedGroup ──> append ──> file
///              │  (none, one or more)       anywhere, at once   in order
///            finish: the last job, then the footer
/// ```
pub(super) struct FileBuilder<W: Write + Send> {
    input: SchemaRef,
    options: WriteOptions,
    state: State<W>,
    pending: Pending,
    /// Rows of the jobs that were given out.
    rows: u64,
    /// The row of the result that is the first of the file.
    first_row: u64,
}

enum State<W: Write + Send> {
    /// How columns are stored depends on rows that are still to come.
    Undecided(Option<W>),
    Open(Box<OpenFile<W>>),
}

struct OpenFile<W: Write + Send> {
    plan: Arc<WritePlan>,
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    columns: GroupColumns,
    groups: usize,
}

impl<W: Write + Send> FileBuilder<W> {
    /// # Errors
    /// As [`WritePlan::new`]; [`Error::Statement`] for types that Parquet has not.
    pub(super) fn try_new(out: W, schema: &Schema, options: &WriteOptions) -> Result<Self> {
        let plan = WritePlan::new(schema, options, None)?;
        if !plan.is_undecided() {
            parquet_schema(&plan)?;
        }
        Ok(Self {
            input: Arc::new(schema.clone()),
            options: options.clone(),
            state: State::Undecided(Some(out)),
            pending: Pending::default(),
            rows: 0,
            first_row: 0,
        })
    }

    /// Errors count rows from here.
    pub(super) fn count_from(&mut self, row: u64) {
        self.first_row = row;
    }

    /// Takes the next rows. Gives the row groups that are full.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<Vec<GroupJob>> {
        let mut jobs = vec![];
        let mut start = 0;
        while start < batch.num_rows() {
            let room = self.options.row_group_rows.max(1) - self.pending.rows;
            let rows = SLICE_ROWS.min(room).min(batch.num_rows() - start);
            self.pending.push(batch.slice(start, rows));
            start += rows;
            if self.pending.rows >= self.options.row_group_rows
                || self.pending.bytes >= self.options.row_group_bytes
            {
                jobs.extend(self.take_job()?);
            }
        }
        Ok(jobs)
    }

    /// Bytes of rows that wait for their row group.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.bytes
    }

    /// The rows that wait, as the last row group.
    pub(super) fn take_job(&mut self) -> Result<Option<GroupJob>> {
        let pending = std::mem::take(&mut self.pending);
        if pending.rows == 0 {
            return Ok(None);
        }
        self.decide(&pending.batches)?;
        let first_row = self.first_row + self.rows;
        let open = self.open()?;
        let writers = open
            .factory
            .create_column_writers(open.groups)
            .map_err(failed)?;
        open.groups += 1;
        let columns = GroupColumns::new(&open.plan, first_row);
        self.rows += pending.rows as u64;
        Ok(Some(GroupJob {
            writers,
            columns,
            batches: pending.batches,
            bytes: pending.bytes,
            version: self.options.version,
        }))
    }

    /// Appends the row group of the oldest job that is not appended yet.
    pub(super) fn append(&mut self, group: EncodedGroup) -> Result<()> {
        let open = self.open()?;
        let mut writer = open.file.next_row_group().map_err(failed)?;
        for chunk in group.chunks {
            chunk.append_to_row_group(&mut writer).map_err(failed)?;
        }
        writer.close().map_err(failed)?;
        for (all, group) in open.columns.columns.iter_mut().zip(&group.columns) {
            all.merge(group);
        }
        Ok(())
    }

    /// Row groups that were given out as jobs.
    pub(super) fn row_groups(&self) -> usize {
        match &self.state {
            State::Open(open) => open.groups,
            State::Undecided(_) => 0,
        }
    }

    /// Bytes of the file so far.
    pub(super) fn bytes_written(&self) -> u64 {
        match &self.state {
            State::Open(open) => open.file.bytes_written() as u64,
            State::Undecided(_) => 0,
        }
    }

    /// Writes the footer. All jobs are appended by now.
    pub(super) fn finish(mut self) -> Result<WriteSummary> {
        self.decide(&[])?;
        let version = self.options.version;
        let rows = self.rows;
        let open = self.open()?;
        for entry in open.metadata(version) {
            open.file.append_key_value_metadata(entry);
        }
        open.file.finish().map_err(failed)?;
        open.file
            .inner_mut()
            .flush()
            .map_err(|e| failed(e.into()))?;
        Ok(WriteSummary {
            rows,
            bytes: open.file.bytes_written() as u64,
            bounds: open.primary().and_then(ColumnWriter::bounds),
        })
    }

    fn open(&mut self) -> Result<&mut OpenFile<W>> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            State::Undecided(_) => Err(Error::Internal("the file is not open yet".into())),
        }
    }

    /// Opens the file if that waited for its first rows.
    fn decide(&mut self, rows: &[RecordBatch]) -> Result<()> {
        let State::Undecided(out) = &mut self.state else {
            return Ok(());
        };
        let out = out
            .take()
            .ok_or_else(|| Error::Internal("a file is opened twice".into()))?;
        let mut plan = WritePlan::new(&self.input, &self.options, None)?;
        if plan.is_undecided() {
            let found = found_types(&self.input, &self.options, rows)?;
            plan = WritePlan::new(&self.input, &self.options, Some(&found))?;
        }
        let file = OpenFile::try_new(out, plan, &self.options, rows)?;
        self.state = State::Open(Box::new(file));
        Ok(())
    }
}

/// The native types of the geometries in the first rows.
fn found_types(
    input: &Schema,
    options: &WriteOptions,
    rows: &[RecordBatch],
) -> Result<Vec<GeoArrowType>> {
    let as_wkb = WriteOptions {
        encoding: Default::default(),
        ..options.clone()
    };
    let plan = Arc::new(WritePlan::new(input, &as_wkb, None)?);
    let mut columns = GroupColumns::new(&plan, 0);
    for batch in rows {
        columns.next(batch)?;
    }
    columns
        .columns
        .iter()
        .map(|column| native_type(column.name(), column.types()))
        .collect()
}

impl<W: Write + Send> OpenFile<W> {
    fn try_new(
        out: W,
        plan: WritePlan,
        options: &WriteOptions,
        rows: &[RecordBatch],
    ) -> Result<Self> {
        let schema = parquet_schema(&plan)?;
        let properties = properties(&plan, &schema, options, rows)?;
        let root = match options.version {
            GeoParquetVersion::V2_0 => with_geometry_types(&schema, &plan)?,
            GeoParquetVersion::V1_0 | GeoParquetVersion::V1_1 => schema.root_schema_ptr(),
        };
        let file = SerializedFileWriter::new(out, root, Arc::new(properties)).map_err(failed)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&plan.schema));
        let plan = Arc::new(plan);
        Ok(Self {
            file,
            factory,
            columns: GroupColumns::new(&plan, 0),
            plan,
            groups: 0,
        })
    }

    fn primary(&self) -> Option<&ColumnWriter> {
        self.columns.columns.get(self.plan.primary?)
    }

    /// What the footer says of the columns: for readers of geometries, and for those of Arrow. Arrow's own readers take what
    /// the second says for all there is, and so does GeoPandas for a folder of files: it holds the first once more.
    fn metadata(&self, version: GeoParquetVersion) -> Vec<KeyValue> {
        let mut schema = self.plan.portable_schema();
        let mut entries = vec![];
        if let Some(geo) = self.geo_metadata(version) {
            entries.push(KeyValue::new(GEO_KEY.to_owned(), geo.to_string()));
            schema = schema.with_metadata([(GEO_KEY.to_owned(), geo.to_string())].into());
        }
        let mut properties = WriterProperties::default();
        add_encoded_arrow_schema_to_metadata(&schema, &mut properties);
        entries.extend(
            properties
                .key_value_metadata()
                .into_iter()
                .flatten()
                .cloned(),
        );
        entries
    }

    fn geo_metadata(&self, version: GeoParquetVersion) -> Option<Value> {
        let columns: Map<String, Value> = self
            .columns
            .columns
            .iter()
            .map(|column| (column.name().to_owned(), column.metadata(version)))
            .collect();
        Some(json!({
            "version": version.name(),
            "primary_column": self.primary()?.name(),
            "columns": columns,
        }))
    }
}

fn parquet_schema(plan: &WritePlan) -> Result<SchemaDescriptor> {
    ArrowSchemaConverter::new()
        .convert(&plan.schema)
        .map_err(failed)
}

/// How the columns are stored; `rows` are the first of the file.
fn properties(
    plan: &WritePlan,
    schema: &SchemaDescriptor,
    options: &WriteOptions,
    rows: &[RecordBatch],
) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_compression(options.compression)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_created_by(concat!("geoflow ", env!("CARGO_PKG_VERSION")).to_owned());
    for leaf in schema.columns() {
        let Some(root) = leaf.path().parts().first() else {
            continue;
        };
        let of_geometry = plan.geometry.iter().any(|geometry| geometry.name == *root);
        let of_covering = (plan.geometry.iter()).any(|geometry| geometry.covering == *root);
        let is_number = matches!(leaf.physical_type(), Type::DOUBLE | Type::FLOAT);
        if (of_geometry || of_covering) && is_number {
            // Neighbours share the first bytes of their coordinates: put together, these compress to nothing.
            builder = builder
                .set_column_dictionary_enabled(leaf.path().clone(), false)
                .set_column_encoding(leaf.path().clone(), Encoding::BYTE_STREAM_SPLIT);
        } else if of_geometry {
            // The least and greatest WKB bytes tell nothing, and geometries hardly ever repeat.
            builder = builder
                .set_column_statistics_enabled(leaf.path().clone(), EnabledStatistics::None)
                .set_column_dictionary_enabled(leaf.path().clone(), false);
        }
    }
    for name in without_repeats(plan, rows)? {
        let column = ColumnPath::new(vec![name]);
        builder = builder.set_column_dictionary_enabled(column, false);
    }
    Ok(builder.build())
}

pub(super) fn failed(error: ParquetError) -> Error {
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

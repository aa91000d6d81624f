//! Batches put together feature by feature.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Float32Builder,
    Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder, TimestampMillisecondBuilder,
    UInt8Builder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

/// A batch is complete when its texts and geometries have so many bytes, whatever its rows: several batches
/// are under way at a time, and large geometries must not multiply what they take.
pub(super) const MOST_BYTES: usize = 1 << 20;

/// The values of one column, as many as there are rows so far.
pub(super) enum Column {
    Boolean(BooleanBuilder),
    Int8(Int8Builder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt8(UInt8Builder),
    UInt16(UInt16Builder),
    UInt32(UInt32Builder),
    UInt64(UInt64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Date(Date32Builder),
    Millis(TimestampMillisecondBuilder),
    Micros(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    /// Of geometries as well, as WKB.
    Bytes(BinaryBuilder),
}

/// Does the same with each kind of builder.
macro_rules! each {
    ($column:expr, $builder:ident => $do:expr) => {
        match $column {
            Column::Boolean($builder) => $do,
            Column::Int8($builder) => $do,
            Column::Int16($builder) => $do,
            Column::Int32($builder) => $do,
            Column::Int64($builder) => $do,
            Column::UInt8($builder) => $do,
            Column::UInt16($builder) => $do,
            Column::UInt32($builder) => $do,
            Column::UInt64($builder) => $do,
            Column::Float32($builder) => $do,
            Column::Float64($builder) => $do,
            Column::Date($builder) => $do,
            Column::Millis($builder) => $do,
            Column::Micros($builder) => $do,
            Column::Text($builder) => $do,
            Column::Bytes($builder) => $do,
        }
    };
}

impl Column {
    /// A column of a field's type; text for a type that no format has.
    fn new(field: &Field) -> Self {
        match field.data_type() {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int8 => Self::Int8(Int8Builder::new()),
            DataType::Int16 => Self::Int16(Int16Builder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::UInt8 => Self::UInt8(UInt8Builder::new()),
            DataType::UInt16 => Self::UInt16(UInt16Builder::new()),
            DataType::UInt32 => Self::UInt32(UInt32Builder::new()),
            DataType::UInt64 => Self::UInt64(UInt64Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                Self::Millis(TimestampMillisecondBuilder::new().with_timezone_opt(zone.clone()))
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Self::Micros(TimestampMicrosecondBuilder::new().with_timezone_opt(zone.clone()))
            }
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends NULL.
    pub(super) fn append_null(&mut self) {
        each!(self, builder => builder.append_null());
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        each!(self, builder => builder.len())
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(builder) => builder.values_slice().len(),
            Self::Bytes(builder) => builder.values_slice().len(),
            _ => 0,
        }
    }

    fn finish(&mut self) -> ArrayRef {
        each!(self, builder => Arc::new(builder.finish()) as Arc<dyn Array>)
    }
}

/// The rows of a batch under way.
pub(super) struct Rows {
    schema: SchemaRef,
    /// The columns, in the order of the schema.
    pub(super) columns: Vec<Column>,
    rows: usize,
    most: usize,
}

impl Rows {
    /// Batches of at most `most` rows of some columns of a schema. A number that is none is passed over.
    pub(super) fn new(all: &Schema, columns: &[usize], most: usize) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .filter_map(|i| all.fields().get(*i).cloned())
            .collect();
        let columns = fields.iter().map(|field| Column::new(field)).collect();
        Self {
            schema: Arc::new(Schema::new(fields)),
            columns,
            rows: 0,
            most: most.max(1),
        }
    }

    /// How many rows are complete.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Ends a row: columns without a value in it are NULL. Whether the batch is complete.
    pub(super) fn end_row(&mut self) -> bool {
        self.rows += 1;
        let mut bytes = 0;
        for column in &mut self.columns {
            while column.len() < self.rows {
                column.append_null();
            }
            bytes += column.bytes();
        }
        self.rows >= self.most || bytes >= MOST_BYTES
    }

    /// The batch of the rows so far.
    ///
    /// # Errors
    /// Where a value is NULL in a column that holds none.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }
}

/// A name that is not among `taken`: `name`, `name_1`, `name_2`.
pub(super) fn unique_name(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut unique = name.to_owned();
    let mut n = 0;
    while taken(&unique) {
        n += 1;
        unique = format!("{name}_{n}");
    }
    unique
}

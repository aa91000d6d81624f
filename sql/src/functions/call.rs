//! One call over one batch: its arguments, the rows to be computed, and how results are built.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::builder::{ArrayBuilder, BinaryViewBuilder, StringViewBuilder};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use geoflow_engine::Error;
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::InvalidPolicy;
use geoflow_engine::options::GeoflowOptions;

use super::args::{Arg, GeometryArg, read_text};
use super::definition::{Evaluate, Function, Kind};
use super::planning;

/// Bytes of results that are allocated at once. Blocks that double, as a builder's do by itself, are half empty at the
/// end, and a join may hold them for long.
const BLOCK: u32 = 64 << 10;

/// One call over one batch.
#[derive(Debug)]
pub(super) struct Call<'a> {
    function: &'a Function,
    args: Vec<Arg>,
    constant: Vec<bool>,
    nulls: Vec<Option<NullBuffer>>,
    rows: usize,
    /// Rows without a NULL argument, `None` if that is all.
    valid: Option<NullBuffer>,
    /// What becomes of invalid geometries.
    policy: InvalidPolicy,
}

impl<'a> Call<'a> {
    /// Evaluates a scalar function over a batch. Constants alone give a constant.
    pub(super) fn evaluate(
        function: &'a Function,
        args: &ScalarFunctionArgs,
    ) -> Result<ColumnarValue> {
        let (kernel, strict) = match function.evaluate {
            Evaluate::Scalar(kernel) => (kernel, true),
            Evaluate::ScalarOfNull(_, kernel) => (kernel, false),
            _ => return internal_err!("{} is no scalar function", function.name),
        };
        let null = |value: &ColumnarValue| match value {
            ColumnarValue::Scalar(value) => value.is_null(),
            ColumnarValue::Array(values) => values.data_type() == &DataType::Null,
        };
        if strict && args.args.iter().any(null) {
            let null = ScalarValue::try_from(args.return_field.data_type())?;
            return Ok(ColumnarValue::Scalar(null));
        }
        let scalar = args
            .args
            .iter()
            .all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let call = Self::try_new(function, args, scalar, strict)?;
        let mut values = kernel(&call)?;
        // Lists and structs are built without the labels of the geometries within.
        let data_type = args.return_field.data_type();
        if values.data_type() != data_type {
            values = cast(&values, data_type)?;
        }
        Ok(match scalar {
            true => ColumnarValue::Scalar(scalar_value(&values)?),
            false => ColumnarValue::Array(values),
        })
    }

    fn try_new(
        function: &'a Function,
        args: &ScalarFunctionArgs,
        scalar: bool,
        strict: bool,
    ) -> Result<Self> {
        let parameters = planning::matching_signature(function, &args.arg_fields)?;
        let mut converted = Vec::with_capacity(args.args.len());
        let mut constants = Vec::with_capacity(args.args.len());
        let mut nulls = Vec::with_capacity(args.args.len());
        let mut valid = None;
        let policy = InvalidPolicy::new(GeoflowOptions::of(&args.config_options));
        for ((parameter, value), field) in parameters.iter().zip(&args.args).zip(&args.arg_fields) {
            let (values, constant) = match value {
                ColumnarValue::Array(values) => {
                    let values = match parameter.kind {
                        Kind::Geometry | Kind::Binary => {
                            without_invalid(function, values, field, &policy)?
                        }
                        _ => Arc::clone(values),
                    };
                    (values, false)
                }
                ColumnarValue::Scalar(value) => (value.to_array_of_size(1)?, true),
            };
            let array_nulls = values.logical_nulls();
            if strict && !constant {
                valid = NullBuffer::union(valid.as_ref(), array_nulls.as_ref());
            }
            constants.push(constant);
            nulls.push(array_nulls);
            converted.push(match parameter.kind {
                Kind::Geometry | Kind::Binary => Arg::Geometry(
                    GeometryArg::try_new(&values, field, constant)
                        .map_err(|e| named(function, e))?,
                ),
                Kind::Geometries => {
                    Arg::geometries(&values, field, constant).map_err(|e| named(function, e))?
                }
                Kind::Number => Arg::number(&values)?,
                Kind::Integer => Arg::integer(&values)?,
                Kind::Text => Arg::text(&values)?,
                Kind::Boolean => Arg::boolean(&values)?,
            });
        }
        Ok(Self {
            function,
            args: converted,
            constant: constants,
            nulls,
            rows: if scalar { 1 } else { args.number_rows },
            valid,
            policy,
        })
    }

    /// How many arguments there are.
    pub(super) fn arity(&self) -> usize {
        self.args.len()
    }

    /// How many values are to be computed.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows without a NULL argument, `None` if that is all.
    pub(super) fn valid(&self) -> Option<&NullBuffer> {
        self.valid.as_ref()
    }

    /// Whether an argument is NULL in a row, for the functions that are asked in spite of it.
    pub(super) fn is_null(&self, i: usize, row: usize) -> bool {
        let row = if self.constant[i] { 0 } else { row };
        self.nulls[i]
            .as_ref()
            .is_some_and(|nulls| nulls.is_null(row))
    }

    /// Whether an argument is one value for all rows.
    pub(super) fn is_constant(&self, i: usize) -> bool {
        self.constant.get(i).copied().unwrap_or(false)
    }

    /// A geometry argument.
    pub(super) fn geometry(&self, i: usize) -> Result<&GeometryArg> {
        match self.args.get(i) {
            Some(Arg::Geometry(arg)) => Ok(arg),
            _ => Err(self.not_there(i)),
        }
    }

    /// A list of geometries, by row: which of the values of the argument it holds.
    pub(super) fn geometries(
        &self,
        i: usize,
    ) -> Result<(&GeometryArg, impl Fn(usize) -> Range<usize> + '_)> {
        match self.args.get(i) {
            Some(Arg::Geometries(offsets, values)) => {
                let constant = self.constant[i];
                let range = move |row: usize| {
                    let row = if constant { 0 } else { row };
                    offsets[row] as usize..offsets[row + 1] as usize
                };
                Ok((values, range))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// A boolean argument, by row.
    pub(super) fn boolean(&self, i: usize) -> Result<impl Fn(usize) -> bool + '_> {
        match self.args.get(i) {
            Some(Arg::Boolean(values)) => {
                let constant = self.constant[i];
                Ok(move |row| values.value(if constant { 0 } else { row }))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// A number argument, by row.
    pub(super) fn number(&self, i: usize) -> Result<impl Fn(usize) -> f64 + '_> {
        match self.args.get(i) {
            Some(Arg::Number(values)) => {
                let constant = self.constant[i];
                Ok(move |row| values.value(if constant { 0 } else { row }))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// A number argument that is a constant.
    pub(super) fn constant_number(&self, i: usize) -> Option<f64> {
        match self.args.get(i) {
            Some(Arg::Number(values)) if self.constant[i] => Some(values.value(0)),
            _ => None,
        }
    }

    /// A whole number argument, by row.
    pub(super) fn integer(&self, i: usize) -> Result<impl Fn(usize) -> i64 + '_> {
        match self.args.get(i) {
            Some(Arg::Integer(values)) => {
                let constant = self.constant[i];
                Ok(move |row| values.value(if constant { 0 } else { row }))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// A text argument, by row.
    pub(super) fn text<'s>(&'s self, i: usize) -> Result<impl Fn(usize) -> &'s str + 's> {
        match self.args.get(i) {
            Some(Arg::Text(values)) => {
                let constant = self.constant[i];
                Ok(move |row| values.value(if constant { 0 } else { row }))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// The CRS that a constant argument names.
    pub(super) fn constant_crs(&self, i: usize) -> Result<Option<Crs>> {
        let constant = self.constant.get(i).copied().unwrap_or(false);
        match self.args.get(i) {
            Some(Arg::Text(values)) if constant => {
                planning::crs_constant(&ScalarValue::from(values.value(0)))
            }
            Some(Arg::Integer(values)) if constant => {
                planning::crs_constant(&ScalarValue::from(values.value(0)))
            }
            _ => Err(self.not_there(i)),
        }
    }

    /// What is wrong with the value of a row, for arguments that are no geometries.
    pub(super) fn invalid(&self, row: usize, reason: impl std::fmt::Display) -> Error {
        match self.constant.iter().all(|constant| *constant) {
            true => Error::Data(reason.to_string()),
            false => Error::Data(format!("row {row} of its batch: {reason}")),
        }
    }

    /// Whether a text was read, for the functions that read geometries: one that cannot be read is an error,
    /// or NULL if that is what becomes of invalid geometries. A constant is always an error.
    pub(super) fn read(
        &self,
        row: usize,
        read: Result<(), impl std::fmt::Display>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        let Err(reason) = read else {
            return Ok(true);
        };
        let constants = self.constant.iter().all(|constant| *constant);
        let error = self.invalid(row, reason);
        if !constants && self.policy.sets_aside(|| error.to_string()) {
            out.clear();
            return Ok(false);
        }
        Err(error)
    }

    fn not_there(&self, i: usize) -> datafusion::error::DataFusionError {
        Error::Internal(format!(
            "argument {i} of {} has another kind than its definition says",
            self.function.name
        ))
        .into()
    }

    /// Computes every row without a NULL argument; the others are NULL.
    fn values<T, A>(
        &self,
        mut value: impl FnMut(usize) -> Result<Option<T>, Error>,
    ) -> Result<ArrayRef>
    where
        A: Array + FromIterator<Option<T>> + 'static,
    {
        let valid = |row| self.valid.as_ref().is_none_or(|valid| valid.is_valid(row));
        let values: Result<A, Error> = (0..self.rows)
            .map(|row| match valid(row) {
                true => value(row),
                false => Ok(None),
            })
            .collect();
        Ok(Arc::new(values.map_err(|e| self.named(e))?))
    }

    /// A column of booleans, NULL where there is none.
    pub(super) fn booleans(
        &self,
        value: impl FnMut(usize) -> Result<Option<bool>, Error>,
    ) -> Result<ArrayRef> {
        self.values::<_, BooleanArray>(value)
    }

    /// A column of numbers, NULL where there is none.
    pub(super) fn numbers(
        &self,
        value: impl FnMut(usize) -> Result<Option<f64>, Error>,
    ) -> Result<ArrayRef> {
        self.values::<_, Float64Array>(value)
    }

    /// A column of counts, NULL where there is none.
    pub(super) fn integers(
        &self,
        value: impl FnMut(usize) -> Result<Option<i32>, Error>,
    ) -> Result<ArrayRef> {
        self.values::<_, Int32Array>(value)
    }

    /// A column of identifiers, NULL where there is none.
    pub(super) fn big_integers(
        &self,
        value: impl FnMut(usize) -> Result<Option<i64>, Error>,
    ) -> Result<ArrayRef> {
        self.values::<_, Int64Array>(value)
    }

    /// A column of text: the closure writes a value into an empty buffer.
    pub(super) fn texts(
        &self,
        mut write: impl FnMut(usize, &mut String) -> Result<(), Error>,
    ) -> Result<ArrayRef> {
        let mut all = StringViewBuilder::with_capacity(self.rows).with_fixed_block_size(BLOCK);
        let mut buffer = String::new();
        for row in 0..self.rows {
            if self.valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
                all.append_null();
                continue;
            }
            buffer.clear();
            write(row, &mut buffer).map_err(|e| named(self.function, e))?;
            all.try_append_value(&buffer)?;
        }
        Ok(Arc::new(all.finish()))
    }

    /// A column of bytes or geometries: the closure writes a value into an empty buffer and says
    /// whether there is one.
    pub(super) fn binaries(
        &self,
        mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<bool, Error>,
    ) -> Result<ArrayRef> {
        let mut all = BinaryViewBuilder::with_capacity(self.rows).with_fixed_block_size(BLOCK);
        let mut buffer = Vec::new();
        for row in 0..self.rows {
            if self.valid.as_ref().is_some_and(|valid| valid.is_null(row)) {
                all.append_null();
                continue;
            }
            buffer.clear();
            match write(row, &mut buffer).map_err(|e| named(self.function, e))? {
                true => all.try_append_value(&buffer)?,
                false => all.append_null(),
            }
        }
        Ok(Arc::new(all.finish()))
    }

    /// A column of lists: the closure appends the items of a value.
    pub(super) fn lists<B: Items>(
        &self,
        mut items: B,
        mut write: impl FnMut(usize, &mut B) -> Result<(), Error>,
    ) -> Result<ArrayRef> {
        let mut lengths = Vec::with_capacity(self.rows);
        let mut nulls = Vec::with_capacity(self.rows);
        let mut end = 0;
        for row in 0..self.rows {
            let valid = self.valid.as_ref().is_none_or(|valid| valid.is_valid(row));
            if valid {
                write(row, &mut items).map_err(|e| named(self.function, e))?;
            }
            nulls.push(valid);
            lengths.push(items.count() - end);
            end = items.count();
        }
        if i32::try_from(end).is_err() {
            let many = format!("a batch has {end} items, more than its lists can hold");
            return Err(self.named(Error::Data(many)).into());
        }
        let values = items.into_array()?;
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = NullBuffer::from(nulls);
        let lists = ListArray::try_new(item, offsets, values, Some(nulls))?;
        Ok(Arc::new(lists))
    }

    /// Puts the name of the function before an error of the engine.
    pub(super) fn named(&self, error: Error) -> Error {
        named(self.function, error)
    }
}

/// The items of all lists of a column.
pub(super) trait Items {
    /// How many there are.
    fn count(&self) -> usize;
    /// All of them.
    fn into_array(self) -> Result<ArrayRef>;
}

impl<B: ArrayBuilder> Items for B {
    fn count(&self) -> usize {
        self.len()
    }

    fn into_array(mut self) -> Result<ArrayRef> {
        Ok(self.finish())
    }
}

/// The only value of an array. The scalar that DataFusion makes of a list forgets what its items
/// are labelled.
pub(crate) fn scalar_value(values: &ArrayRef) -> Result<ScalarValue> {
    Ok(match values.data_type() {
        DataType::List(_) => ScalarValue::List(Arc::new(values.as_list::<i32>().clone())),
        DataType::LargeList(_) => ScalarValue::LargeList(Arc::new(values.as_list::<i64>().clone())),
        DataType::FixedSizeList(..) => {
            ScalarValue::FixedSizeList(Arc::new(values.as_fixed_size_list().clone()))
        }
        _ => ScalarValue::try_from_array(values, 0)?,
    })
}

/// A column of geometries whose invalid values are NULL, where the settings ask for that.
pub(super) fn without_invalid(
    function: &Function,
    values: &ArrayRef,
    field: &Field,
    policy: &InvalidPolicy,
) -> Result<ArrayRef> {
    if !policy.is_lenient() {
        return Ok(Arc::clone(values));
    }
    Ok(match planning::geometry_type(field)? {
        Some(ty) => policy.to_null(values, &ty, field.name())?,
        None => read_text(values, field.name(), Some(policy)).map_err(|e| named(function, e))?,
    })
}

fn named(function: &Function, error: Error) -> Error {
    match error {
        Error::Data(message) => Error::Data(format!("{}: {message}", function.name)),
        other => other,
    }
}

//! Arguments of one batch. A constant is one value however many rows there are, and is decoded
//! once at most.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::builder::BinaryViewBuilder;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::error::Result;
use geo::Geometry;
use geoflow_engine::Error;
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{Bounds, GeometryArray, GeometryType, InvalidPolicy, wkt_to_wkb};

use super::planning;

/// One argument.
#[derive(Debug)]
pub(super) enum Arg {
    Geometry(GeometryArg),
    /// Where the lists begin and end among the values.
    Geometries(OffsetBuffer<i64>, GeometryArg),
    Number(Float64Array),
    Integer(Int64Array),
    Text(StringViewArray),
    Boolean(BooleanArray),
}

impl Arg {
    pub(super) fn number(values: &ArrayRef) -> Result<Self> {
        Ok(Arg::Number(
            cast(values, &DataType::Float64)?
                .as_primitive::<Float64Type>()
                .clone(),
        ))
    }

    pub(super) fn integer(values: &ArrayRef) -> Result<Self> {
        Ok(Arg::Integer(
            cast(values, &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
        ))
    }

    pub(super) fn boolean(values: &ArrayRef) -> Result<Self> {
        Ok(Arg::Boolean(
            cast(values, &DataType::Boolean)?.as_boolean().clone(),
        ))
    }

    /// Lists of geometries; NULL lists are empty here.
    pub(super) fn geometries(
        values: &ArrayRef,
        field: &Field,
        constant: bool,
    ) -> Result<Self, Error> {
        let item = match planning::list_item(field.data_type()) {
            Some(item) => Arc::clone(item),
            None => Arc::new(Field::new_list_field(DataType::BinaryView, true)),
        };
        let item = item.as_ref().clone().with_name(field.name());
        let lists = cast(values, &DataType::LargeList(Arc::new(item.clone()))).map_err(broken)?;
        let lists = lists.as_list::<i64>();
        let geometries = GeometryArg::try_new(lists.values(), &item, false)?;
        // Values of one list are not one value for all rows, but messages need no row.
        let place = match constant {
            true => " in a list".to_owned(),
            false => format!(" in the lists of column \"{}\"", field.name()),
        };
        Ok(Arg::Geometries(
            lists.offsets().clone(),
            GeometryArg {
                place,
                ..geometries
            },
        ))
    }

    pub(super) fn text(values: &ArrayRef) -> Result<Self> {
        Ok(Arg::Text(
            cast(values, &DataType::Utf8View)?.as_string_view().clone(),
        ))
    }
}

/// A geometry argument: a column of the batch, or a constant.
#[derive(Debug)]
pub(super) struct GeometryArg {
    array: GeometryArray,
    crs: Option<Crs>,
    constant: bool,
    /// What messages call it.
    place: String,
    /// The values as WKB, once a function asks for bytes.
    wkb: OnceCell<GeometryArray>,
    decoded: OnceCell<Option<Geometry<f64>>>,
}

impl GeometryArg {
    /// Takes a column, or a constant as an array of one.
    pub(super) fn try_new(values: &ArrayRef, field: &Field, constant: bool) -> Result<Self, Error> {
        let place = match constant {
            true => String::new(),
            false => format!(" in column \"{}\"", field.name()),
        };
        let ty = planning::geometry_type(field)?;
        let mut values = Arc::clone(values);
        let ty = match ty {
            Some(ty) => ty,
            None => {
                // Text that is read already is WKB by now.
                if !matches!(values.data_type(), DataType::BinaryView) {
                    values = text_to_wkb(&values, &place, None)?;
                }
                GeometryType::wkb(None)
            }
        };
        Ok(Self {
            array: GeometryArray::try_new(&values, &ty)?,
            crs: ty.crs,
            constant,
            place,
            wkb: OnceCell::new(),
            decoded: OnceCell::new(),
        })
    }

    /// The CRS of the column.
    pub(super) fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }

    /// The values, one for a constant.
    pub(super) fn array(&self) -> &GeometryArray {
        &self.array
    }

    /// Whether this is one value for all rows.
    pub(super) fn is_constant(&self) -> bool {
        self.constant
    }

    fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    /// Says in which column, or that it is the constant, a geometry is invalid.
    pub(super) fn placed(&self, error: Error) -> Error {
        match error {
            Error::Geometry { reason, .. } if self.constant => {
                Error::Data(format!("invalid geometry: {reason}"))
            }
            Error::Geometry { row, reason } => Error::Data(format!(
                "invalid geometry{}, row {row} of its batch: {reason}",
                self.place
            )),
            other => other,
        }
    }

    /// The same for a reason without a row.
    pub(super) fn invalid(&self, row: usize, reason: impl ToString) -> Error {
        self.placed(Error::Geometry {
            row,
            reason: reason.to_string(),
        })
    }

    /// The decoded value of a row that is not NULL.
    pub(super) fn geometry(&self, row: usize) -> Result<Cow<'_, Geometry<f64>>, Error> {
        let value = if self.constant {
            if self.decoded.get().is_none() {
                let value = self.array.geometry(0).map_err(|e| self.placed(e))?;
                // Nobody else can have set it: cells are not shared between threads.
                let _ = self.decoded.set(value);
            }
            self.decoded
                .get()
                .and_then(Option::as_ref)
                .map(Cow::Borrowed)
        } else {
            self.array
                .geometry(row)
                .map_err(|e| self.placed(e))?
                .map(Cow::Owned)
        };
        value.ok_or_else(|| Error::Internal("a NULL geometry was asked for".into()))
    }

    /// The WKB of a row that is not NULL. A native column is converted as a whole, once.
    pub(super) fn wkb(&self, row: usize) -> Result<&[u8], Error> {
        let array = match self.wkb.get() {
            Some(array) => array,
            None => {
                let array = self
                    .array
                    .to_wkb()
                    .map_err(|e| Error::Data(format!("invalid geometries{}: {e}", self.place)))?;
                self.wkb.get_or_init(|| array)
            }
        };
        array
            .wkb(self.at(row))
            .ok_or_else(|| Error::Internal("the WKB of a NULL geometry was asked for".into()))
    }

    /// The decoded values of some rows, without those that are NULL.
    pub(super) fn all(&self, rows: Range<usize>) -> Result<Vec<Geometry<f64>>, Error> {
        rows.filter(|row| !self.array.is_null(*row))
            .map(|row| Ok(self.geometry(row)?.into_owned()))
            .collect()
    }

    /// The rectangle of a row that is not NULL.
    pub(super) fn bounds(&self, row: usize) -> Result<Bounds, Error> {
        self.array.bounds(self.at(row)).map_err(|e| self.placed(e))
    }
}

fn broken(error: arrow::error::ArrowError) -> Error {
    Error::Internal(error.to_string())
}

/// The geometries of a column of WKT; NULL where they cannot be read, if a policy says so.
pub(super) fn read_text(
    values: &ArrayRef,
    column: &str,
    policy: Option<&InvalidPolicy>,
) -> Result<ArrayRef, Error> {
    text_to_wkb(values, &format!(" in column \"{column}\""), policy)
}

/// Text where a geometry is expected is WKT, as in PostGIS. NULL of no type stays NULL.
fn text_to_wkb(
    values: &ArrayRef,
    place: &str,
    policy: Option<&InvalidPolicy>,
) -> Result<ArrayRef, Error> {
    if values.data_type() == &DataType::Null {
        return cast(values, &DataType::BinaryView).map_err(broken);
    }
    let text = cast(values, &DataType::Utf8View).map_err(broken)?;
    let mut all = BinaryViewBuilder::with_capacity(text.len());
    let mut bytes = vec![];
    for (row, value) in text.as_string_view().iter().enumerate() {
        match value {
            None => all.append_null(),
            Some(value) => {
                bytes.clear();
                let read = wkt_to_wkb(value, &mut bytes).map_err(|e| match place {
                    "" => format!("invalid WKT {e}"),
                    _ => format!("invalid WKT{place}, row {row} of its batch, {e}"),
                });
                match read {
                    Ok(()) => all.try_append_value(&bytes).map_err(broken)?,
                    Err(e) if policy.is_some_and(|policy| policy.sets_aside(|| e.clone())) => {
                        all.append_null();
                    }
                    Err(e) => return Err(Error::Data(e)),
                }
            }
        }
    }
    Ok(Arc::new(all.finish()))
}

/// Puts an invalid geometry into the column that it comes from.
pub(super) fn whose(a: &GeometryArg, b: &GeometryArg, error: Error) -> Error {
    match &error {
        Error::Geometry { row, .. } if a.array().geometry(*row).is_err() => a.placed(error),
        _ => b.placed(error),
    }
}

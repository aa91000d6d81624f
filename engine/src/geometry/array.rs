//! A view on one geometry column of one batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, LargeBinaryArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use geo::CoordsIter;
use geo_types::{Coord, Geometry};
use geoarrow_array::GeoArrowArray;

use super::{Bounds, Encoding, GeometryType, is_iso, native, wkb};
use crate::{Error, Result};

/// A geometry column of one batch. Making it decodes nothing; values are read as kernels ask.
#[derive(Debug, Clone)]
pub struct GeometryArray {
    values: Values,
    nulls: Option<NullBuffer>,
}

#[derive(Debug, Clone)]
enum Values {
    Binary(BinaryArray),
    LargeBinary(LargeBinaryArray),
    BinaryView(BinaryViewArray),
    Native(Arc<dyn GeoArrowArray>),
}

impl GeometryArray {
    /// Views `array`, which has the type `ty`.
    ///
    /// # Errors
    /// [`Error::Data`] when the storage does not fit the type.
    pub fn try_new(array: &ArrayRef, ty: &GeometryType) -> Result<Self> {
        let values = match (&ty.encoding, array.data_type()) {
            (Encoding::Wkb, DataType::Binary) => Values::Binary(array.as_binary().clone()),
            (Encoding::Wkb, DataType::LargeBinary) => {
                Values::LargeBinary(array.as_binary().clone())
            }
            (Encoding::Wkb, DataType::BinaryView) => {
                Values::BinaryView(array.as_binary_view().clone())
            }
            (Encoding::Wkb, DataType::Null) => {
                Values::BinaryView(BinaryViewArray::new_null(array.len()))
            }
            (Encoding::Wkb, other) => {
                return Err(Error::Data(format!("{other} values are not WKB")));
            }
            (Encoding::Native(native), _) => {
                let field = GeometryType::bare_native_field(native);
                Values::Native(
                    geoarrow_array::array::from_arrow_array(array, &field)
                        .map_err(|e| Error::Data(e.to_string()))?,
                )
            }
        };
        Ok(Self {
            values,
            nulls: array.logical_nulls(),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Binary(a) => a.len(),
            Values::LargeBinary(a) => a.len(),
            Values::BinaryView(a) => a.len(),
            Values::Native(a) => a.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which rows are NULL, `None` when none is.
    pub fn nulls(&self) -> Option<&NullBuffer> {
        self.nulls.as_ref()
    }

    /// Whether row `i` is NULL.
    pub fn is_null(&self, i: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(i))
    }

    /// The WKB of row `i`; `None` for NULL and for native encodings.
    #[inline]
    pub fn wkb(&self, i: usize) -> Option<&[u8]> {
        if self.is_null(i) {
            return None;
        }
        match &self.values {
            Values::Binary(a) => Some(a.value(i)),
            Values::LargeBinary(a) => Some(a.value(i)),
            Values::BinaryView(a) => Some(a.value(i)),
            Values::Native(_) => None,
        }
    }

    /// Bytes of all values together; what native encodings take in memory.
    pub(crate) fn value_bytes(&self) -> usize {
        match &self.values {
            Values::Binary(a) => a.values().len(),
            Values::LargeBinary(a) => a.values().len(),
            Values::BinaryView(a) => a.lengths().map(|length| length as usize).sum(),
            Values::Native(a) => a.to_array_ref().get_array_memory_size(),
        }
    }

    /// The point in row `i`, read in place, if the value is a point of finite x and y in a plain
    /// layout (native, or WKB of 21 bytes); `None` says nothing about other values.
    #[inline]
    pub fn point(&self, i: usize) -> Option<Coord<f64>> {
        if self.is_null(i) {
            return None;
        }
        let (x, y) = match &self.values {
            Values::Binary(a) => wkb::point_xy(a.value(i))?,
            Values::LargeBinary(a) => wkb::point_xy(a.value(i))?,
            Values::BinaryView(a) => wkb::point_xy(a.value(i))?,
            Values::Native(a) => native::point(a.as_ref(), i)?,
        };
        (x.is_finite() && y.is_finite()).then_some(Coord { x, y })
    }

    /// The same values as WKB, with Z and M: a native layout is converted, WKB is shared.
    ///
    /// # Errors
    /// [`Error::Data`] when a native value cannot be converted.
    pub fn to_wkb(&self) -> Result<Self> {
        let Values::Native(array) = &self.values else {
            return Ok(self.clone());
        };
        let wkb = geoarrow_array::cast::to_wkb_view(array.as_ref())
            .map_err(|e| Error::Data(e.to_string()))?;
        Self::try_new(&wkb.to_array_ref(), &GeometryType::wkb(None))
    }

    /// The values as a `BinaryView` array that shares their bytes, if all are ISO WKB as
    /// [`wkb_to_iso`](super::wkb_to_iso) would write them; `None` for others and native layouts.
    pub fn iso_wkb(&self) -> Option<ArrayRef> {
        let array: ArrayRef = match &self.values {
            Values::Binary(a) => Arc::new(a.clone()),
            Values::LargeBinary(a) => Arc::new(a.clone()),
            Values::BinaryView(a) => Arc::new(a.clone()),
            Values::Native(_) => return None,
        };
        // After a join the same bytes come again and again, mostly close together.
        let mut checked = [(0, 0); 256];
        for row in 0..self.len() {
            let Some(bytes) = self.wkb(row) else {
                continue;
            };
            if bytes.len() == wkb::POINT_LEN {
                if !is_iso(bytes) {
                    return None;
                }
                continue;
            }
            let at = (bytes.as_ptr() as usize, bytes.len());
            let slot = &mut checked[(at.0 >> 3) % 256];
            if *slot != at {
                if !is_iso(bytes) {
                    return None;
                }
                *slot = at;
            }
        }
        arrow::compute::cast(&array, &DataType::BinaryView).ok()
    }

    /// Decodes row `i` to x and y (Z and M are dropped); `None` for NULL. POINT EMPTY becomes an
    /// empty MULTIPOINT.
    ///
    /// # Errors
    /// [`Error::Geometry`] for malformed WKB and for coordinates that are not finite.
    pub fn geometry(&self, i: usize) -> Result<Option<Geometry<f64>>> {
        if self.is_null(i) {
            return Ok(None);
        }
        let invalid = |reason: String| Error::Geometry { row: i, reason };
        match &self.values {
            Values::Native(array) => {
                let geometry = native::decode(array.as_ref(), i).map_err(invalid)?;
                let odd = geometry
                    .coords_iter()
                    .find(|c| !(c.x.is_finite() && c.y.is_finite()));
                if let Some(c) = odd {
                    return Err(invalid(format!(
                        "the coordinate ({}, {}) is not finite",
                        c.x, c.y
                    )));
                }
                Ok(Some(geometry))
            }
            _ => match self.wkb(i) {
                Some(bytes) => wkb::decode(bytes)
                    .map(Some)
                    .map_err(|e| invalid(e.to_string())),
                None => Ok(None),
            },
        }
    }

    /// The rectangle of row `i`: [`Bounds::EMPTY`] for NULL and EMPTY.
    ///
    /// # Errors
    /// As [`GeometryArray::geometry`].
    pub fn bounds(&self, i: usize) -> Result<Bounds> {
        if let Some(point) = self.point(i) {
            return Ok(Bounds::point(point.x, point.y));
        }
        match &self.values {
            Values::Native(_) => {
                let mut all = Bounds::EMPTY;
                if let Some(geometry) = self.geometry(i)? {
                    for c in geometry.coords_iter() {
                        all.add(c.x, c.y);
                    }
                }
                Ok(all)
            }
            _ => match self.wkb(i) {
                Some(bytes) => wkb::bounds(bytes).map_err(|e| Error::Geometry {
                    row: i,
                    reason: e.to_string(),
                }),
                None => Ok(Bounds::EMPTY),
            },
        }
    }

    /// x and y of every row, if every valid row is a point: native points, or WKB of 21 bytes.
    /// NULL and POINT EMPTY are NaN in both. The buffers are cleared first; `false` leaves them
    /// unspecified.
    ///
    /// # Errors
    /// [`Error::Geometry`] for coordinates of which one is finite and the other is not, and for
    /// infinite ones.
    pub fn points(&self, x: &mut Vec<f64>, y: &mut Vec<f64>) -> Result<bool> {
        x.clear();
        y.clear();
        match &self.values {
            Values::Native(array) => {
                if !native::point_coords(array.as_ref(), x, y) {
                    return Ok(false);
                }
                if let Some(nulls) = &self.nulls {
                    for i in (0..nulls.len()).filter(|&i| nulls.is_null(i)) {
                        (x[i], y[i]) = (f64::NAN, f64::NAN);
                    }
                }
            }
            Values::Binary(a) if !read_points(a.iter(), x, y) => return Ok(false),
            Values::LargeBinary(a) if !read_points(a.iter(), x, y) => return Ok(false),
            Values::BinaryView(a) if !read_points(a.iter(), x, y) => return Ok(false),
            _ => {}
        }
        // Zero times a finite number is zero, times any other NaN: one look at all mostly spares one
        // at each.
        let odd = x
            .iter()
            .zip(y.iter())
            .fold(0.0, |odd, (x, y)| odd + (x * 0.0 + y * 0.0));
        if odd == 0.0 {
            return Ok(true);
        }
        for (row, (px, py)) in x.iter().zip(y.iter()).enumerate() {
            let fine = (px.is_finite() && py.is_finite()) || (px.is_nan() && py.is_nan());
            if !fine {
                return Err(Error::Geometry {
                    row,
                    reason: format!("the coordinate ({px}, {py}) is not finite"),
                });
            }
        }
        Ok(true)
    }
}

/// Appends x and y of WKB points, NaN for NULL; `false` at the first value of another layout.
fn read_points<'a>(
    values: impl Iterator<Item = Option<&'a [u8]>>,
    x: &mut Vec<f64>,
    y: &mut Vec<f64>,
) -> bool {
    let (rows, _) = values.size_hint();
    x.reserve(rows);
    y.reserve(rows);
    for value in values {
        let (px, py) = match value {
            None => (f64::NAN, f64::NAN),
            Some(bytes) => match wkb::point_xy(bytes) {
                Some(xy) => xy,
                None => return false,
            },
        };
        x.push(px);
        y.push(py);
    }
    true
}

//! One geometry column on its way into a file: WKB, the covering, and what the metadata will say.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BinaryBuilder, Float32Array, NullBufferBuilder,
    StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use geoarrow_array::GeoArrowArray;
use geoarrow_array::array::from_arrow_array;
use geoarrow_array::cast::to_wkb;
use serde_json::{Value, json};

use super::GeoParquetVersion;
use super::write_native::native_array;
use super::write_plan::{PlannedGeometry, Stored, covering_sides};
use crate::geometry::wkb::{self, WkbCursor, WkbError, WkbHeader, WkbKind};
use crate::geometry::{Bounds, Encoding, round_down, round_up};
use crate::{Error, Result};

/// A type of geometry that occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeenType {
    /// The code of Simple Features, 1 to 7.
    pub(super) code: u32,
    pub(super) has_z: bool,
    pub(super) has_m: bool,
}

impl SeenType {
    /// The code of ISO WKB.
    pub(super) fn iso(self) -> u32 {
        self.code + if self.has_z { 1000 } else { 0 } + if self.has_m { 2000 } else { 0 }
    }
}

/// Sees the values of one geometry column, of a row group or of a whole file.
#[derive(Debug)]
pub(super) struct ColumnWriter {
    plan: Arc<PlannedGeometry>,
    bounds: Bounds,
    /// Range of z, empty (min > max) until there is one.
    z: (f64, f64),
    types: BTreeSet<SeenType>,
    /// That of the row before, which most rows are alike.
    last: Option<SeenType>,
    /// Rows before the next one, in the whole result.
    rows: u64,
}

impl ColumnWriter {
    /// For rows from `first_row` of the result on.
    pub(super) fn new(plan: Arc<PlannedGeometry>, first_row: u64) -> Self {
        Self {
            plan,
            bounds: Bounds::EMPTY,
            z: (f64::INFINITY, f64::NEG_INFINITY),
            types: BTreeSet::new(),
            last: None,
            rows: first_row,
        }
    }

    /// Takes over what another writer has seen of the same column.
    pub(super) fn merge(&mut self, other: &Self) {
        self.bounds = self.bounds.union(&other.bounds);
        self.z = (self.z.0.min(other.z.0), self.z.1.max(other.z.1));
        self.types.extend(&other.types);
    }

    /// The types that occur.
    pub(super) fn types(&self) -> &BTreeSet<SeenType> {
        &self.types
    }

    /// The range of z, `None` without one.
    pub(super) fn z(&self) -> Option<(f64, f64)> {
        (self.z.0 <= self.z.1).then_some(self.z)
    }

    pub(super) fn name(&self) -> &str {
        &self.plan.name
    }

    /// The bounds of all rows so far, `None` without a geometry that is not EMPTY.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        (!self.bounds.is_empty()).then_some(self.bounds)
    }

    /// Takes the next rows and gives them as they are stored, with their covering.
    ///
    /// # Errors
    /// [`Error::Data`] for a malformed value and for coordinates that are not finite, with column
    /// and row (counted from 1 over the whole result).
    pub(super) fn next(&mut self, array: &ArrayRef) -> Result<(ArrayRef, ArrayRef)> {
        let wkb = self.to_wkb(array)?;
        let (covering, extended) = match wkb.data_type() {
            DataType::Binary => self.look(wkb.as_binary::<i32>())?,
            DataType::LargeBinary => self.look(wkb.as_binary::<i64>())?,
            DataType::BinaryView => self.look(wkb.as_binary_view())?,
            other => return Err(Error::Internal(format!("WKB in an array of {other}"))),
        };
        let wkb = if extended { self.iso(&wkb)? } else { wkb };
        self.rows += wkb.len() as u64;
        let stored = match &self.plan.stored {
            Stored::Native(native) => native_array(&wkb, native, &self.plan.name)?,
            Stored::Wkb | Stored::Undecided => wkb,
        };
        Ok((stored, covering))
    }

    /// The covering of the next rows, and whether there is EWKB among them.
    fn look<'a>(&mut self, wkb: impl ArrayAccessor<Item = &'a [u8]>) -> Result<(ArrayRef, bool)> {
        if let Some((xs, ys)) = points(&wkb) {
            self.see(WkbKind::Point, false, false)
                .map_err(|error| self.invalid(0, &error))?;
            for (x, y) in xs.iter().zip(&ys) {
                self.bounds.add(*x, *y);
            }
            return Ok((covering_of_points(&xs, &ys)?, false));
        }
        let mut covering = CoveringBuilder::with_capacity(wkb.len());
        let mut extended = false;
        let nulls = wkb.logical_nulls();
        for row in 0..wkb.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                covering.push_null();
                continue;
            }
            let bytes = wkb.value(row);
            let bounds = self
                .observe(bytes)
                .map_err(|error| self.invalid(row, &error))?;
            extended |= is_ewkb(bytes);
            covering.push(bounds);
        }
        Ok((covering.finish()?, extended))
    }

    /// The entry under `columns` in the `geo` metadata.
    pub(super) fn metadata(&self, version: GeoParquetVersion) -> Value {
        let mut entry = json!({
            "encoding": self.encoding(),
            "geometry_types": self.geometry_types(version),
            "crs": self.plan.crs,
            "edges": "planar",
        });
        let Some(members) = entry.as_object_mut() else {
            return entry;
        };
        let side = |side: &str| json!([self.plan.covering, side]);
        let covering = json!({
            "xmin": side("xmin"),
            "ymin": side("ymin"),
            "xmax": side("xmax"),
            "ymax": side("ymax"),
        });
        members.insert("covering".into(), json!({ "bbox": covering }));
        if let Some(b) = self.bounds() {
            let bbox = match self.z() {
                Some((min, max)) => json!([b.min_x, b.min_y, min, b.max_x, b.max_y, max]),
                None => json!([b.min_x, b.min_y, b.max_x, b.max_y]),
            };
            members.insert("bbox".into(), bbox);
        }
        entry
    }

    fn encoding(&self) -> &'static str {
        match &self.plan.stored {
            Stored::Native(native) => super::write_native::encoding_name(native),
            Stored::Wkb | Stored::Undecided => "WKB",
        }
    }

    fn geometry_types(&self, version: GeoParquetVersion) -> Vec<String> {
        // Before 2.0 there is no name for types with a measure. An empty list says that readers must
        // look themselves.
        let measured = self.types.iter().any(|ty| ty.has_m);
        if measured && version != GeoParquetVersion::V2_0 {
            return Vec::new();
        }
        self.types
            .iter()
            .map(|ty| {
                let name = kind_name(ty.code);
                match (ty.has_z, ty.has_m) {
                    (false, false) => name.to_owned(),
                    (true, false) => format!("{name} Z"),
                    (false, true) => format!("{name} M"),
                    (true, true) => format!("{name} ZM"),
                }
            })
            .collect()
    }

    fn to_wkb(&self, array: &ArrayRef) -> Result<ArrayRef> {
        let native = match &self.plan.ty.encoding {
            Encoding::Wkb => return Ok(Arc::clone(array)),
            Encoding::Native(native) => native,
        };
        let failed = |e: geoarrow_schema::error::GeoArrowError| {
            Error::Data(format!(
                "column \"{}\" cannot be written as WKB: {e}",
                self.plan.name
            ))
        };
        let field: Field = native.to_field("", true);
        let geometries = from_arrow_array(array, &field).map_err(failed)?;
        let wkb = to_wkb::<i32>(geometries.as_ref()).map_err(failed)?;
        Ok(wkb.to_array_ref())
    }

    /// The bounds of a value, after a look at all of it.
    fn observe(&mut self, bytes: &[u8]) -> Result<Bounds, String> {
        if let Some((x, y)) = wkb::point_xy(bytes)
            && x.is_finite()
            && y.is_finite()
        {
            self.see(WkbKind::Point, false, false)?;
            self.bounds.add(x, y);
            return Ok(Bounds::point(x, y));
        }
        let text = |error: WkbError| error.to_string();
        let bounds = wkb::bounds(bytes).map_err(text)?;
        let header = WkbCursor::new(bytes).header().map_err(text)?;
        self.see(header.kind, header.has_z, header.has_m)?;
        self.bounds = self.bounds.union(&bounds);
        if header.has_z {
            wkb::for_each_run(bytes, |_, run| {
                for [_, _, z, _] in run.ordinates().filter(|c| c[2].is_finite()) {
                    self.z = (self.z.0.min(z), self.z.1.max(z));
                }
                Ok(())
            })
            .map_err(text)?;
        }
        Ok(bounds)
    }

    #[inline]
    fn see(&mut self, kind: WkbKind, has_z: bool, has_m: bool) -> Result<(), String> {
        let seen = SeenType {
            code: kind.code(),
            has_z,
            has_m,
        };
        if self.last == Some(seen) {
            return Ok(());
        }
        if let Stored::Native(native) = &self.plan.stored {
            super::write_native::check_fits(seen, native)?;
        }
        self.types.insert(seen);
        self.last = Some(seen);
        Ok(())
    }

    fn invalid(&self, row: usize, reason: &dyn std::fmt::Display) -> Error {
        Error::Data(format!(
            "invalid geometry in column \"{}\", row {} of the result: {reason}",
            self.plan.name,
            self.rows + row as u64 + 1
        ))
    }

    /// EWKB made ISO WKB, which is what GeoParquet holds.
    fn iso(&self, wkb: &ArrayRef) -> Result<ArrayRef> {
        let nulls = wkb.logical_nulls();
        let value = values(wkb)?;
        let mut builder = BinaryBuilder::with_capacity(wkb.len(), 0);
        for row in 0..wkb.len() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                builder.append_null();
            } else {
                let iso = to_iso(value(row)).map_err(|error| self.invalid(row, &error))?;
                builder.append_value(iso.as_ref());
            }
        }
        let iso: ArrayRef = Arc::new(builder.finish());
        arrow::compute::cast(&iso, wkb.data_type())
            .map_err(|e| Error::Internal(format!("WKB cast to {}: {e}", wkb.data_type())))
    }
}

/// The name of a Simple Features code.
pub(super) fn kind_name(code: u32) -> &'static str {
    match code {
        1 => "Point",
        2 => "LineString",
        3 => "Polygon",
        4 => "MultiPoint",
        5 => "MultiLineString",
        6 => "MultiPolygon",
        _ => "GeometryCollection",
    }
}

/// The bytes of each row, whichever array holds them.
fn values<'a>(array: &'a ArrayRef) -> Result<Box<dyn Fn(usize) -> &'a [u8] + 'a>> {
    match array.data_type() {
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Ok(Box::new(move |row| array.value(row)))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Ok(Box::new(move |row| array.value(row)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Ok(Box::new(move |row| array.value(row)))
        }
        other => Err(Error::Internal(format!("WKB in an array of {other}"))),
    }
}

/// Whether the type word carries the flags of EWKB.
fn is_ewkb(bytes: &[u8]) -> bool {
    // The flags are in the most significant byte of the type word.
    let most_significant = match bytes {
        [0, first, ..] => *first,
        [1, _, _, _, last, ..] => *last,
        _ => return false,
    };
    most_significant & 0xe0 != 0
}

fn to_iso(bytes: &[u8]) -> Result<Cow<'_, [u8]>, WkbError> {
    if !is_ewkb(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    copy_iso(bytes, &mut cursor, &header, &mut out, 0)?;
    Ok(Cow::Owned(out))
}

fn copy_iso(
    bytes: &[u8],
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), WkbError> {
    if depth > wkb::MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    let code = header.kind.code()
        + if header.has_z { 1000 } else { 0 }
        + if header.has_m { 2000 } else { 0 };
    out.push(u8::from(header.little_endian));
    out.extend(if header.little_endian {
        code.to_le_bytes()
    } else {
        code.to_be_bytes()
    });
    let start = cursor.position();
    match header.kind {
        WkbKind::Point => {
            cursor.coord(header)?;
        }
        WkbKind::LineString => {
            cursor.coords(header)?;
        }
        WkbKind::Polygon => {
            for _ in 0..cursor.count(header, 4)? {
                cursor.coords(header)?;
            }
        }
        _ => {
            let parts = cursor.count(header, 9)?;
            out.extend(&bytes[start..cursor.position()]);
            for _ in 0..parts {
                let part = cursor.part_header(header)?;
                copy_iso(bytes, cursor, &part, out, depth + 1)?;
            }
            return Ok(());
        }
    }
    out.extend(&bytes[start..cursor.position()]);
    Ok(())
}

/// The coordinates, where each row is a plain point of finite x and y.
fn points<'a>(wkb: &impl ArrayAccessor<Item = &'a [u8]>) -> Option<(Vec<f64>, Vec<f64>)> {
    if wkb.logical_null_count() > 0 {
        return None;
    }
    let rows = wkb.len();
    let (mut xs, mut ys) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in 0..rows {
        let (x, y) = wkb::point_xy(wkb.value(row))?;
        if !(x.is_finite() && y.is_finite()) {
            return None;
        }
        xs.push(x);
        ys.push(y);
    }
    Some((xs, ys))
}

fn covering_of_points(xs: &[f64], ys: &[f64]) -> Result<ArrayRef> {
    let side = |values: Vec<f32>| Arc::new(Float32Array::from(values)) as ArrayRef;
    let lower = |values: &[f64]| side(values.iter().map(|v| round_down(*v)).collect());
    let upper = |values: &[f64]| side(values.iter().map(|v| round_up(*v)).collect());
    covering(vec![lower(xs), lower(ys), upper(xs), upper(ys)], None)
}

fn covering(sides: Vec<ArrayRef>, boxes: Option<NullBuffer>) -> Result<ArrayRef> {
    StructArray::try_new(covering_sides(), sides, boxes)
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|e| Error::Internal(format!("covering column: {e}")))
}

/// The bounds of every row: NULL for NULL, and a box without sides for EMPTY, as the standard wants a box
/// where there is a geometry. In single precision rounded outward: what a reader skips is the same, and the
/// covering of a point takes no more bytes than the point.
struct CoveringBuilder {
    sides: [Vec<f32>; 4],
    boxes: NullBufferBuilder,
    bounded: NullBufferBuilder,
}

impl CoveringBuilder {
    fn with_capacity(rows: usize) -> Self {
        Self {
            sides: std::array::from_fn(|_| Vec::with_capacity(rows)),
            boxes: NullBufferBuilder::new(rows),
            bounded: NullBufferBuilder::new(rows),
        }
    }

    fn push_null(&mut self) {
        self.boxes.append(false);
        self.push_sides(Bounds::EMPTY);
    }

    fn push(&mut self, bounds: Bounds) {
        self.boxes.append(true);
        self.push_sides(bounds);
    }

    fn push_sides(&mut self, bounds: Bounds) {
        let empty = bounds.is_empty();
        self.bounded.append(!empty);
        let values = [
            round_down(bounds.min_x),
            round_down(bounds.min_y),
            round_up(bounds.max_x),
            round_up(bounds.max_y),
        ];
        for (side, value) in self.sides.iter_mut().zip(values) {
            side.push(if empty { 0.0 } else { value });
        }
    }

    fn finish(mut self) -> Result<ArrayRef> {
        let bounded = self.bounded.finish();
        let sides = self
            .sides
            .map(|side| Arc::new(Float32Array::new(side.into(), bounded.clone())) as ArrayRef)
            .to_vec();
        covering(sides, self.boxes.finish())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ewkb_becomes_iso() {
        let mut ewkb = vec![1];
        ewkb.extend(0xa000_0001_u32.to_le_bytes());
        ewkb.extend(4326_u32.to_le_bytes());
        let ordinates: Vec<u8> = [1.0_f64, 2.0, 3.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        ewkb.extend(&ordinates);
        let mut iso = vec![1];
        iso.extend(1001_u32.to_le_bytes());
        iso.extend(&ordinates);
        assert_eq!(to_iso(&ewkb).unwrap().as_ref(), iso);
        assert_eq!(to_iso(&iso).unwrap().as_ref(), iso);

        // MULTIPOINT Z of the point, big-endian with SRID outside.
        let mut multi = vec![0];
        multi.extend(0xa000_0004_u32.to_be_bytes());
        multi.extend(4326_u32.to_be_bytes());
        multi.extend(1_u32.to_be_bytes());
        let part_at = multi.len();
        multi.extend([1]);
        multi.extend(0x8000_0001_u32.to_le_bytes());
        multi.extend(&ordinates);
        let converted = to_iso(&multi).unwrap().into_owned();
        assert_eq!(&converted[..9], [0, 0, 0, 3, 0xec, 0, 0, 0, 1]);
        assert_eq!(&converted[9..], iso, "the part, {part_at} bytes in");
        assert_eq!(wkb::bounds(&converted).unwrap(), Bounds::point(1.0, 2.0));
    }
}

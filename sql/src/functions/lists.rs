//! One geometry from a list: `ST_Collect([a, b])`. The same names are aggregates of one geometry a row.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::Geometry;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Tree, wkb_to_iso};
use geoflow_engine::overlay::union_all;

use super::aggregates::{Part, collect};
use super::args::GeometryArg;
use super::call::Call;

/// Collects the geometries of each list.
pub(super) fn collect_list(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, range) = call.geometries(0)?;
    let mut parts: Vec<Vec<u8>> = vec![];
    call.binaries(|row, out| {
        parts.clear();
        if call.is_null(0, row) {
            return Ok(false);
        }
        for i in range(row).filter(|i| !values.array().is_null(*i)) {
            let mut part = vec![];
            wkb_to_iso(values.wkb(i)?, &mut part).map_err(|e| values.invalid(i, e))?;
            parts.push(part);
        }
        if !parts.is_empty() {
            collect(&mut parts.iter().map(|part| Part::Wkb(part)), out)?;
        }
        Ok(!out.is_empty())
    })
}

/// Unites the geometries of each list.
pub(super) fn union_list(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, range) = call.geometries(0)?;
    call.binaries(|row, out| {
        let all = values.all(range(row))?;
        let union: Option<Geometry<f64>> = union_all(&all);
        if let Some(union) = &union {
            super::overlay::write(union, out);
        }
        Ok(union.is_some())
    })
}

/// The line through the geometries of each list.
pub(super) fn line_list(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, range) = call.geometries(0)?;
    call.binaries(|row, out| {
        let (mut coords, mut dimensions) = (vec![], Dimensions::XY);
        let mut any = false;
        for i in range(row).filter(|i| !values.array().is_null(*i)) {
            any = true;
            let part = part_of_line(call, values, i)?;
            dimensions.z |= part.dimensions.z;
            dimensions.m |= part.dimensions.m;
            coords.extend(part.all_coords());
        }
        if any {
            if coords.len() < 2 {
                coords.clear();
            }
            Tree::line(coords, dimensions).write(out);
        }
        Ok(any)
    })
}

fn part_of_line(
    call: &Call<'_>,
    values: &GeometryArg,
    i: usize,
) -> Result<Tree, geoflow_engine::Error> {
    let part = super::trees::tree(values, i)?;
    match part.kind {
        WkbKind::Point | WkbKind::MultiPoint | WkbKind::LineString => Ok(part),
        other => Err(call.invalid(
            i,
            format!(
                "a line is made of points, multipoints and lines, not of a {}",
                other.tag()
            ),
        )),
    }
}

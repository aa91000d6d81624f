//! Coordinates from one CRS to another.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::crs::Transform;
use geoflow_engine::geometry::map_wkb;
use geoflow_engine::geometry::wkb_writer::write_point;

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, SRID, parameter,
};

const FROM: Parameter = parameter("from", Kind::Text);
const TO: Parameter = parameter("to", Kind::Text);
const FROM_SRID: Parameter = parameter("from", Kind::Integer);

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "ST_Transform",
    aliases: &[],
    signatures: &[
        &[GEOM, TO],
        &[GEOM, SRID],
        &[GEOM, FROM, TO],
        &[GEOM, FROM_SRID, SRID],
    ],
    returns: Returns::Geometry(CrsRule::Transformed),
    about: "The same place in another CRS, given as authority and code ('EPSG:3857', 'OGC:CRS84') or as EPSG code. Without `from` the column must know its CRS. x is the easting or longitude, whatever order the authority gives; Z and M stay. WGS 84, ETRS89, NAD83 and most other datums on GRS 80 count as one (they differ by two metres at most); other datums are shifted to and from these as PROJ does without grids, where it has the same parameters everywhere; any other shift is an error.",
    empty: "EMPTY stays EMPTY. Latitudes beyond the poles and coordinates without an image are errors. Coordinates are transformed one by one: a line or polygon across the antimeridian is not cut there.",
    examples: &[(
        "ST_AsText(ST_Transform(ST_Point(0, 0, 4326), 'EPSG:3857'))",
        "POINT(0 0)",
    )],
    evaluate: Scalar(transform),
}];

fn transform(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let source = match call.arity() {
        2 => geometry.crs().cloned(),
        _ => call.constant_crs(1)?,
    };
    let (Some(source), Some(target)) = (source, call.constant_crs(call.arity() - 1)?) else {
        return Err(Error::Internal("ST_Transform was planned without its CRS".into()).into());
    };
    let transform = Transform::try_new(&source, &target)?;
    let (mut x, mut y) = (vec![], vec![]);
    if plain_points(geometry, &mut x, &mut y).map_err(|e| call.named(geometry.placed(e)))? {
        if let Err(invalid) = points(&transform, &mut x, &mut y) {
            return Err(call.named(geometry.placed(invalid)).into());
        }
        return call.binaries(|row, out| {
            let i = if geometry.is_constant() { 0 } else { row };
            write_point(x[i], y[i], out);
            Ok(true)
        });
    }
    call.binaries(|row, out| {
        map_wkb(geometry.wkb(row)?, out, |x, y| transform.apply(x, y))
            .map_err(|reason| geometry.invalid(row, reason))?;
        Ok(true)
    })
}

/// x and y of a column of WKB points without Z and M; `false` for any other.
fn plain_points(geometry: &GeometryArg, x: &mut Vec<f64>, y: &mut Vec<f64>) -> Result<bool, Error> {
    // The points of a native layout may have a Z, which this way would be lost.
    let array = geometry.array();
    let is_wkb = (0..array.len())
        .find(|&i| !array.is_null(i))
        .is_some_and(|i| array.wkb(i).is_some());
    Ok(is_wkb && array.points(x, y)?)
}

/// Transforms all points at once. NULL and EMPTY are NaN before and after.
fn points(transform: &Transform, x: &mut [f64], y: &mut [f64]) -> Result<(), Error> {
    let rows: Vec<usize> = (0..x.len()).filter(|&i| !x[i].is_nan()).collect();
    let mut some_x: Vec<f64> = rows.iter().map(|&i| x[i]).collect();
    let mut some_y: Vec<f64> = rows.iter().map(|&i| y[i]).collect();
    if transform.apply(&mut some_x, &mut some_y).is_err() {
        // One of them is to blame: each by itself tells which.
        for &row in &rows {
            if let Err(reason) = transform.apply(&mut [x[row]], &mut [y[row]]) {
                return Err(Error::Geometry { row, reason });
            }
        }
    }
    for (i, row) in rows.into_iter().enumerate() {
        (x[row], y[row]) = (some_x[i], some_y[i]);
    }
    Ok(())
}

//! Coordinates from one CRS to another.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::crs::Transform;
use geoflow_engine::geometry::map_wkb;

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
    about: "The same place in another CRS, given as authority and code ('EPSG:3857', 'OGC:CRS84') or as EPSG code. Without `from` the column must know its CRS. x is the easting or longitude, whatever order the authority gives; Z and M stay. WGS 84, ETRS89, NAD83 and other datums on GRS 80 count as one (they differ by two metres at most); any other shift between datums is an error.",
    empty: "EMPTY stays EMPTY. Latitudes beyond the poles and coordinates without an image are errors.",
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
    call.binaries(|row, out| {
        map_wkb(geometry.wkb(row)?, out, |x, y| transform.apply(x, y))
            .map_err(|reason| geometry.invalid(row, reason))?;
        Ok(true)
    })
}

//! Lines that cut and bound.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Geometry, HasDimensions, MultiLineString};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::overlay::{SplitError, build_area, node_lines, polygonize, split};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, GEOMS, Kind, Returns, parameter,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Split",
        aliases: &[],
        signatures: &[&[
            parameter("input", Kind::Geometry),
            parameter("blade", Kind::Geometry),
        ]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The pieces into which the blade cuts a geometry, as a collection: lines by points, lines and the rings of polygons, polygons by lines. A point cuts a line on which it lies exactly. The parts of a multi geometry are cut one by one. A line that runs along the blade, and other types, are an error. Z and M are dropped.",
        empty: "EMPTY has no pieces; an EMPTY blade cuts nothing.",
        examples: &[(
            "ST_AsText(ST_Split('LINESTRING(0 0,4 0)', 'POINT(1 0)'))",
            "GEOMETRYCOLLECTION(LINESTRING(0 0,1 0),LINESTRING(1 0,4 0))",
        )],
        evaluate: Scalar(split_by),
    },
    Function {
        name: "ST_Node",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Lines cut where they meet, each piece once, as a MULTILINESTRING; rings count as lines. Z and M are dropped.",
        empty: "EMPTY, and points, give GEOMETRYCOLLECTION EMPTY.",
        examples: &[(
            "ST_NumGeometries(ST_Node('LINESTRING(0 0,2 2,2 0,0 2)'))",
            "3",
        )],
        evaluate: Scalar(node),
    },
    Function {
        name: "ST_Polygonize",
        aliases: &[],
        signatures: &[&[GEOMS]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The polygons that the lines and rings of a list bound, as a collection. Lines are cut where they cross first (PostGIS asks for lines that are cut already: ST_Node). Z and M are dropped.",
        empty: "Lines that bound nothing give GEOMETRYCOLLECTION EMPTY. NULL in a list is left out.",
        examples: &[(
            "ST_AsText(ST_Polygonize(['MULTILINESTRING((0 0,4 0),(4 0,4 4,0 0))']))",
            "GEOMETRYCOLLECTION(POLYGON((0 0,4 4,4 0,0 0)))",
        )],
        evaluate: Scalar(polygons),
    },
    Function {
        name: "ST_BuildArea",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The area that lines and rings bound: what fills a hole of it is no area, what fills a hole of that is area again. Lines are cut where they cross first. Z and M are dropped.",
        empty: "EMPTY gives POLYGON EMPTY; lines that bound nothing give NULL.",
        examples: &[(
            "ST_Area(ST_BuildArea('MULTILINESTRING((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))'))",
            "15.0",
        )],
        evaluate: Scalar(area),
    },
];

fn collection(parts: impl IntoIterator<Item = Geometry<f64>>) -> Geometry<f64> {
    Geometry::GeometryCollection(parts.into_iter().collect::<Vec<_>>().into())
}

fn split_by(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, blade) = (call.geometry(0)?, call.geometry(1)?);
    call.binaries(|row, out| {
        let (value, blade) = (geometry.geometry(row)?, blade.geometry(row)?);
        let pieces = match (value.is_empty(), blade.is_empty()) {
            (true, _) => vec![],
            (_, true) => vec![value.as_ref().clone()],
            _ => split(&value, &blade).map_err(|e| refused(call, row, e))?,
        };
        write_geometry(&collection(pieces), out);
        Ok(true)
    })
}

fn refused(call: &Call<'_>, row: usize, error: SplitError) -> Error {
    call.invalid(
        row,
        match error {
            SplitError::Types => {
                "lines are split by points, lines and polygons, polygons by lines; nothing else is split"
            }
            SplitError::Along => "the line runs along the blade, which does not say where to cut",
        },
    )
}

fn node(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let lines = node_lines(geometry.geometry(row)?.as_ref());
        match lines.is_empty() {
            true => write_geometry(&collection([]), out),
            false => write_geometry(&Geometry::MultiLineString(MultiLineString(lines)), out),
        }
        Ok(true)
    })
}

fn polygons(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, range) = call.geometries(0)?;
    call.binaries(|row, out| {
        let made = polygonize(&values.all(range(row))?);
        write_geometry(&collection(made.into_iter().map(Geometry::Polygon)), out);
        Ok(true)
    })
}

fn area(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let value = geometry.geometry(row)?;
        if value.is_empty() {
            let none = geo::Polygon::new(geo::LineString(vec![]), vec![]);
            write_geometry(&Geometry::Polygon(none), out);
            return Ok(true);
        }
        match build_area(&value) {
            Some(area) => write_geometry(&area, out),
            None => return Ok(false),
        }
        Ok(true)
    })
}

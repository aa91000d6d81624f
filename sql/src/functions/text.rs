//! Geometries from and to WKT, WKB and GeoJSON.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::{
    RingOrder, geojson_to_wkb, wkb_to_geojson, wkb_to_iso, wkb_to_wkt, wkt_to_wkb,
};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, SRID, parameter,
};

const WKT: Parameter = parameter("wkt", Kind::Text);
const WKB: Parameter = parameter("wkb", Kind::Binary);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_GeomFromText",
        aliases: &["ST_GeomFromWKT", "ST_GeometryFromText", "ST_WKTToSQL"],
        signatures: &[&[WKT], &[WKT, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about: "The geometry that a WKT text describes, with Z and M, in the CRS of the EPSG code `srid`, of unknown CRS without it.",
        empty: "Text that is no WKT is an error with the position.",
        examples: &[(
            "ST_AsText(ST_GeomFromText('POINT(1 2)', 4326))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(from_wkt),
    },
    Function {
        name: "ST_GeomFromWKB",
        aliases: &["ST_WKBToSQL"],
        signatures: &[&[WKB], &[WKB, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about: "The geometry of a WKB value (ISO or EWKB, in either byte order), in the CRS of the EPSG code `srid`, of unknown CRS without it. An SRID within the value is dropped.",
        empty: "Bytes that are no WKB are an error with the position.",
        examples: &[(
            "ST_AsText(ST_GeomFromWKB(ST_AsBinary(ST_Point(1, 2))))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(to_iso),
    },
    Function {
        name: "ST_GeomFromGeoJSON",
        aliases: &[],
        signatures: &[&[parameter("json", Kind::Text)]],
        returns: Returns::Geometry(CrsRule::LonLat),
        about: "The geometry of a GeoJSON geometry object or Feature, in longitude and latitude (OGC:CRS84).",
        empty: "Text that is no GeoJSON is an error with the position or the member.",
        examples: &[(
            "ST_AsText(ST_GeomFromGeoJSON('{\"type\":\"Point\",\"coordinates\":[1,2]}'))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(from_geojson),
    },
    Function {
        name: "ST_AsText",
        aliases: &["ST_AsWKT"],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The WKT of a geometry in PostGIS' form, with Z and M; numbers have the fewest digits that read back the same.",
        empty: "EMPTY is written as such: POINT EMPTY.",
        examples: &[("ST_AsText('POINT Z (1.50 2 3)')", "POINT Z (1.5 2 3)")],
        evaluate: Scalar(as_text),
    },
    Function {
        name: "ST_AsBinary",
        aliases: &["ST_AsWKB"],
        signatures: &[&[GEOM]],
        returns: Returns::Binary,
        about: "The ISO WKB of a geometry, little-endian, with Z and M and without SRID.",
        empty: "POINT EMPTY has NaN as coordinates.",
        examples: &[(
            "encode(ST_AsBinary(ST_Point(1, 2)), 'hex')",
            "0101000000000000000000f03f0000000000000040",
        )],
        evaluate: Scalar(to_iso),
    },
    Function {
        name: "ST_AsGeoJSON",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The GeoJSON geometry object of a geometry. Coordinates are written as they are: transform to OGC:CRS84 first where the RFC matters. M is dropped.",
        empty: "EMPTY has an empty array of coordinates.",
        examples: &[(
            "ST_AsGeoJSON(ST_Point(1, 2))",
            "{\"type\":\"Point\",\"coordinates\":[1,2]}",
        )],
        evaluate: Scalar(as_geojson),
    },
];

fn from_wkt(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let read = wkt_to_wkb(text(row), out).map_err(|e| format!("invalid WKT {e}"));
        call.read(row, read, out)
    })
}

fn from_geojson(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let read = geojson_to_wkb(text(row), out).map_err(|e| format!("invalid GeoJSON: {e}"));
        call.read(row, read, out)
    })
}

fn to_iso(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    if geometry.array().len() == call.rows()
        && let Some(shared) = geometry.array().iso_wkb()
    {
        return Ok(shared);
    }
    call.binaries(|row, out| {
        wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}

fn as_text(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.texts(|row, out| wkb_to_wkt(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e)))
}

fn as_geojson(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.texts(|row, out| {
        wkb_to_geojson(geometry.wkb(row)?, RingOrder::AsStored, out)
            .map_err(|e| geometry.invalid(row, e))
    })
}

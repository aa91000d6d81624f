//! Geometries from and to WKT, WKB and GeoJSON.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::{
    Ordinates, RingOrder, Tree, geojson_to_wkb, rounded, wkb_to_geojson, wkb_to_iso, wkb_to_wkt,
    wkt_to_wkb,
};

use super::call::Call;
use super::crs::epsg_code;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, SRID, parameter,
};
use super::forms::{ByteOrder, Form};
use super::trees::tree;

const WKT: Parameter = parameter("wkt", Kind::Text);
const WKB: Parameter = parameter("wkb", Kind::Binary);
/// How many decimals numbers have at most.
pub(super) const DIGITS: Parameter = parameter("max_decimal_digits", Kind::Integer);
/// `NDR` or `XDR`.
pub(super) const BYTE_ORDER: Parameter = parameter("byte_order", Kind::Text);

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
        signatures: &[&[GEOM], &[GEOM, DIGITS]],
        returns: Returns::Text,
        about: "The WKT of a geometry in PostGIS' form, with Z and M; numbers have the fewest digits that read back the same, or no more than `max_decimal_digits` behind the point.",
        empty: "EMPTY is written as such: POINT EMPTY.",
        examples: &[("ST_AsText('POINT Z (1.50 2 3)')", "POINT Z (1.5 2 3)")],
        evaluate: Scalar(as_text),
    },
    Function {
        name: "ST_AsBinary",
        aliases: &["ST_AsWKB"],
        signatures: &[&[GEOM], &[GEOM, BYTE_ORDER]],
        returns: Returns::Binary,
        about: "The ISO WKB of a geometry with Z and M and without SRID; little-endian ('NDR'), or big-endian where `byte_order` is 'XDR'.",
        empty: "POINT EMPTY has NaN as coordinates.",
        examples: &[(
            "encode(ST_AsBinary(ST_Point(1, 2)), 'hex')",
            "0101000000000000000000f03f0000000000000040",
        )],
        evaluate: Scalar(as_binary),
    },
    Function {
        name: "ST_AsGeoJSON",
        aliases: &[],
        signatures: &[
            &[GEOM],
            &[GEOM, DIGITS],
            &[GEOM, DIGITS, parameter("options", Kind::Integer)],
        ],
        returns: Returns::Text,
        about: "The GeoJSON geometry object of a geometry. Coordinates are written as they are: transform to OGC:CRS84 first where the RFC matters. M is dropped. Numbers have no more than `max_decimal_digits` behind the point, all their digits without it (PostGIS has 9). `options` is a sum: 1 adds the `bbox`, 2 the CRS as EPSG:3857, 4 the CRS as urn:ogc:def:crs:EPSG::3857, 8 the CRS as with 2 unless it is that of longitude and latitude; without it there is no CRS, as the RFC wants.",
        empty: "EMPTY has an empty array of coordinates.",
        examples: &[
            (
                "ST_AsGeoJSON(ST_Point(1, 2))",
                "{\"type\":\"Point\",\"coordinates\":[1,2]}",
            ),
            (
                "ST_AsGeoJSON(ST_Point(1.2345, 2, 3857), 2, 9)",
                "{\"type\":\"Point\",\"crs\":{\"type\":\"name\",\"properties\":{\"name\":\"EPSG:3857\"}},\"bbox\":[1.23,2.00,1.23,2.00],\"coordinates\":[1.23,2]}",
            ),
        ],
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

/// A geometry whose numbers have so many decimals at most.
pub(super) fn with_decimals(
    call: &Call<'_>,
    row: usize,
    decimals: i64,
    mut tree: Tree,
) -> Result<Tree, Error> {
    let decimals = usize::try_from(decimals).map_err(|_| {
        call.invalid(
            row,
            format!("max_decimal_digits is {decimals}: it is 0 or more"),
        )
    })?;
    tree.each_run_mut(&mut |_, run| {
        for c in run {
            *c = Ordinates {
                x: rounded(c.x, decimals),
                y: rounded(c.y, decimals),
                z: rounded(c.z, decimals),
                m: rounded(c.m, decimals),
            };
        }
    });
    Ok(tree)
}

fn as_binary(call: &Call<'_>) -> Result<ArrayRef> {
    if call.arity() == 1 {
        return to_iso(call);
    }
    let (geometry, order) = (call.geometry(0)?, call.text(1)?);
    call.binaries(|row, out| {
        let order = ByteOrder::read(call, row, order(row))?;
        Form::Iso.write(&tree(geometry, row)?, 0, order, out);
        Ok(true)
    })
}

fn as_text(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    if call.arity() == 2 {
        let decimals = call.integer(1)?;
        let mut bytes = vec![];
        return call.texts(|row, out| {
            bytes.clear();
            with_decimals(call, row, decimals(row), tree(geometry, row)?)?.write(&mut bytes);
            wkb_to_wkt(&bytes, out).map_err(|e| geometry.invalid(row, e))
        });
    }
    call.texts(|row, out| wkb_to_wkt(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e)))
}

fn as_geojson(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    if call.arity() == 1 {
        return call.texts(|row, out| {
            wkb_to_geojson(geometry.wkb(row)?, RingOrder::AsStored, out)
                .map_err(|e| geometry.invalid(row, e))
        });
    }
    let decimals = call.integer(1)?;
    let options = match call.arity() {
        3 => Some(call.integer(2)?),
        _ => None,
    };
    let code = geometry.crs().map_or(0, epsg_code);
    let mut bytes = vec![];
    call.texts(|row, out| {
        let whole = tree(geometry, row)?;
        let options = options.as_ref().map_or(0, |options| options(row));
        if !(0..16).contains(&options) {
            return Err(call.invalid(
                row,
                format!("the options {options} are no sum of 1, 2, 4 and 8"),
            ));
        }
        // No number has more.
        let digits = usize::try_from(decimals(row)).unwrap_or(0).min(20);
        let members = members(&whole, options, code, digits);
        bytes.clear();
        with_decimals(call, row, decimals(row), whole)?.write(&mut bytes);
        let start = out.len();
        wkb_to_geojson(&bytes, RingOrder::AsStored, out).map_err(|e| geometry.invalid(row, e))?;
        // Behind the type.
        if let Some(at) = out[start..].find(',') {
            out.insert_str(start + at + 1, &members);
        }
        Ok(())
    })
}

/// What PostGIS puts into a GeoJSON object beside type and coordinates.
fn members(tree: &Tree, options: i64, code: i32, decimals: usize) -> String {
    let mut members = String::new();
    let name = match () {
        () if code == 0 => None,
        () if options & 4 != 0 => Some(format!("urn:ogc:def:crs:EPSG::{code}")),
        () if options & 2 != 0 || (options & 8 != 0 && code != 4326) => {
            Some(format!("EPSG:{code}"))
        }
        () => None,
    };
    if let Some(name) = name {
        members +=
            &format!("\"crs\":{{\"type\":\"name\",\"properties\":{{\"name\":\"{name}\"}}}},");
    }
    let all = tree.all_coords();
    if options & 1 != 0 && !all.is_empty() {
        let ordinates: &[fn(&Ordinates) -> f64] = match tree.dimensions.z {
            true => &[|c| c.x, |c| c.y, |c| c.z],
            false => &[|c| c.x, |c| c.y],
        };
        let corner = |start: f64, pick: fn(f64, f64) -> f64| {
            let all = &all;
            let fold = move |of: &fn(&Ordinates) -> f64| all.iter().map(of).fold(start, pick);
            ordinates.iter().map(fold).collect::<Vec<f64>>()
        };
        let low = corner(f64::INFINITY, f64::min);
        let corners = low.into_iter().chain(corner(f64::NEG_INFINITY, f64::max));
        let mut numbers = String::new();
        for number in corners {
            if !numbers.is_empty() {
                numbers.push(',');
            }
            numbers.push_str(&format!("{number:.decimals$}"));
        }
        members += &format!("\"bbox\":[{numbers}],");
    }
    members
}

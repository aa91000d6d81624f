//! The extended texts and bytes of PostGIS, which carry an SRID.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::{Tree, wkb_to_iso, wkb_to_wkt, wkt_to_wkb};

use super::call::Call;
use super::crs::epsg_code;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, SRID, parameter,
};
use super::forms::{ByteOrder, Form};
use super::text::{BYTE_ORDER, DIGITS, with_decimals};
use super::trees::tree;

const EWKT: Parameter = parameter("ewkt", Kind::Text);
const EWKB: Parameter = parameter("ewkb", Kind::Binary);
const HEX: Parameter = parameter("hex", Kind::Text);
const SHELL: Parameter = parameter("shell", Kind::Geometry);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_AsEWKT",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, DIGITS]],
        returns: Returns::Text,
        about: "The text of a geometry with the EPSG code of its column's CRS before it, as PostGIS writes it: Z is not announced, M is part of the type. Numbers have no more than `max_decimal_digits` behind the point.",
        empty: "EMPTY is written as such.",
        examples: &[(
            "ST_AsEWKT(ST_SetSRID('POINT Z (1 2 3)', 4326))",
            "SRID=4326;POINT(1 2 3)",
        )],
        evaluate: Scalar(as_ewkt),
    },
    Function {
        name: "ST_GeomFromEWKT",
        aliases: &[],
        signatures: &[&[EWKT], &[EWKT, SRID]],
        returns: Returns::Geometry(CrsRule::OfValue),
        about: "The geometry of a text that may begin with SRID=...;. A constant has the CRS of its SRID. A column has one CRS, which is known before its rows are read: a row with an SRID is an error unless it is `srid`.",
        empty: "Text that is no EWKT is an error with the position.",
        examples: &[(
            "ST_AsEWKT(ST_GeomFromEWKT('SRID=3067;POINT(1 2)'))",
            "SRID=3067;POINT(1 2)",
        )],
        evaluate: Scalar(from_ewkt),
    },
    Function {
        name: "ST_AsEWKB",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, BYTE_ORDER]],
        returns: Returns::Binary,
        about: "The extended WKB of a geometry with the EPSG code of its column's CRS if there is one; little-endian ('NDR'), or big-endian where `byte_order` is 'XDR'.",
        empty: "EMPTY is written as such.",
        examples: &[(
            "encode(ST_AsEWKB(ST_SetSRID('POINT(1 2)', 4326)), 'hex')",
            "0101000020e6100000000000000000f03f0000000000000040",
        )],
        evaluate: Scalar(as_ewkb),
    },
    Function {
        name: "ST_AsHEXEWKB",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, BYTE_ORDER]],
        returns: Returns::Text,
        about: "The EWKB of a geometry, as ST_AsEWKB writes it, in hexadecimal digits.",
        empty: "POINT EMPTY has NaN as coordinates.",
        examples: &[(
            "ST_AsHEXEWKB(ST_Point(1, 2))",
            "0101000000000000000000F03F0000000000000040",
        )],
        evaluate: Scalar(|call| as_hex(call, Form::Extended)),
    },
    Function {
        name: "ST_GeomFromEWKB",
        aliases: &[],
        signatures: &[&[EWKB], &[EWKB, SRID]],
        returns: Returns::Geometry(CrsRule::OfValue),
        about: "The geometry of an extended WKB value. A constant has the CRS of its SRID. A column has one CRS, which is known before its rows are read: a row with an SRID is an error unless it is `srid`.",
        empty: "Bytes that are no WKB are an error with the position.",
        examples: &[(
            "ST_AsText(ST_GeomFromEWKB(ST_AsEWKB('POINT(1 2)')))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(from_ewkb),
    },
    Function {
        name: "ST_AsHEXWKB",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The ISO WKB of a geometry, as ST_AsBinary writes it, in hexadecimal digits.",
        empty: "POINT EMPTY has NaN as coordinates.",
        examples: &[(
            "ST_AsHEXWKB(ST_Point(1, 2, 4326))",
            "0101000000000000000000F03F0000000000000040",
        )],
        evaluate: Scalar(|call| as_hex(call, Form::Iso)),
    },
    Function {
        name: "ST_GeomFromHEXEWKB",
        aliases: &["ST_GeomFromHEXWKB"],
        signatures: &[&[HEX], &[HEX, SRID]],
        returns: Returns::Geometry(CrsRule::OfValue),
        about: "The geometry of WKB, extended or not, in hexadecimal digits. A constant has the CRS of its SRID. A column has one CRS, which is known before its rows are read: a row with an SRID is an error unless it is `srid`.",
        empty: "Text that is no WKB is an error with the position.",
        examples: &[(
            "ST_AsEWKT(ST_GeomFromHEXEWKB('0101000020FB0B0000000000000000F03F0000000000000040'))",
            "SRID=3067;POINT(1 2)",
        )],
        evaluate: Scalar(from_hex),
    },
    Function {
        name: "ST_MakePolygon",
        aliases: &[],
        signatures: &[&[SHELL]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The polygon that a closed line bounds, with Z and M. Any other geometry, and a line that is open, is an error.",
        empty: "EMPTY gives POLYGON EMPTY.",
        examples: &[(
            "ST_AsText(ST_MakePolygon('LINESTRING(0 0,1 0,1 1,0 0)'))",
            "POLYGON((0 0,1 0,1 1,0 0))",
        )],
        evaluate: Scalar(make_polygon),
    },
    Function {
        name: "ST_Polygon",
        aliases: &[],
        signatures: &[&[SHELL, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about: "The polygon that a closed line bounds, in the CRS of an EPSG code.",
        empty: "EMPTY gives POLYGON EMPTY.",
        examples: &[(
            "ST_SRID(ST_Polygon('LINESTRING(0 0,1 0,1 1,0 0)', 3067))",
            "3067",
        )],
        evaluate: Scalar(make_polygon),
    },
];

fn as_ewkt(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let code = geometry.crs().map_or(0, epsg_code);
    let decimals = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    let mut iso = vec![];
    let mut text = String::new();
    call.texts(|row, out| {
        iso.clear();
        text.clear();
        match &decimals {
            None => {
                wkb_to_iso(geometry.wkb(row)?, &mut iso).map_err(|e| geometry.invalid(row, e))?;
            }
            Some(decimals) => {
                let tree = tree(geometry, row)?;
                with_decimals(call, row, decimals(row), tree)?.write(&mut iso);
            }
        }
        wkb_to_wkt(&iso, &mut text).map_err(|e| geometry.invalid(row, e))?;
        if code != 0 {
            out.push_str(&format!("SRID={code};"));
        }
        let short = text
            .replace(" ZM ", " ")
            .replace(" Z ", " ")
            .replace(" M ", "M ");
        out.push_str(&short.replace(" (", "("));
        Ok(())
    })
}

/// The SRID before a text, 0 if there is none, and the text without it; `None` if it is no number.
pub(super) fn split_srid(text: &str) -> Option<(u32, &str)> {
    let text = text.trim_start();
    let announced = text
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("SRID="));
    if !announced {
        return Some((0, text));
    }
    let (srid, wkt) = text.split_once(';')?;
    Some((srid[5..].trim().parse().ok()?, wkt))
}

/// The SRID in the header of extended WKB, 0 if there is none.
pub(super) fn srid_of(bytes: &[u8]) -> u32 {
    let word = |at: usize| -> Option<u32> {
        let raw = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(match bytes.first()? {
            0 => u32::from_be_bytes(raw),
            _ => u32::from_le_bytes(raw),
        })
    };
    match word(1) {
        Some(kind) if kind & 0x2000_0000 != 0 => word(5).unwrap_or(0),
        _ => 0,
    }
}

/// The bytes that hexadecimal digits stand for; `None` for other text.
pub(super) fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.trim();
    if !hex.is_ascii() || hex.len() % 2 == 1 {
        return None;
    }
    let pair = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// Refuses the SRID of a row that is not that of the column: one CRS is known of it, or none.
fn check_srid(call: &Call<'_>, row: usize, srid: u32) -> Result<(), Error> {
    let expected = match call.arity() {
        2 => call
            .integer(1)
            .map_err(|e| Error::Internal(e.to_string()))?(row),
        // That of a constant was known when the statement was planned.
        _ if call.is_constant(0) => i64::from(srid),
        _ => 0,
    };
    if srid == 0 || i64::from(srid) == expected {
        return Ok(());
    }
    Err(call.invalid(row, match expected {
        0 => format!(
            "the geometry has SRID {srid}, but a column has one CRS, known before its rows are read: give {srid} as second argument"
        ),
        other => format!("the geometry has SRID {srid}, not {other}: a column has one CRS"),
    }))
}

fn from_ewkt(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let whole = text(row);
        let Some((srid, wkt)) = split_srid(whole) else {
            let why = "SRID= is followed by a number and a semicolon";
            return call.read(row, Err(format!("invalid EWKT \"{whole}\": {why}")), out);
        };
        check_srid(call, row, srid)?;
        let read = wkt_to_wkb(wkt, out).map_err(|e| format!("invalid EWKT {e}"));
        call.read(row, read, out)
    })
}

fn from_hex(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let Some(bytes) = bytes_of(text(row)) else {
            let read = Err("invalid WKB: hexadecimal WKB has two digits a byte, and no others");
            return call.read(row, read, out);
        };
        check_srid(call, row, srid_of(&bytes))?;
        let read = wkb_to_iso(&bytes, out).map_err(|e| format!("invalid WKB: {e}"));
        call.read(row, read, out)
    })
}

/// The byte order of each row, little-endian without the argument.
fn orders<'a>(call: &'a Call<'_>) -> Result<impl Fn(usize) -> Result<ByteOrder, Error> + 'a> {
    let text = match call.arity() {
        2 => Some(call.text(1)?),
        _ => None,
    };
    Ok(move |row| match &text {
        Some(text) => ByteOrder::read(call, row, text(row)),
        None => Ok(ByteOrder::Little),
    })
}

fn as_ewkb(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, order) = (call.geometry(0)?, orders(call)?);
    let code = geometry.crs().map_or(0, epsg_code) as u32;
    call.binaries(|row, out| {
        Form::Extended.write(&tree(geometry, row)?, code, order(row)?, out);
        Ok(true)
    })
}

fn as_hex(call: &Call<'_>, form: Form) -> Result<ArrayRef> {
    let (geometry, order) = (call.geometry(0)?, orders(call)?);
    let code = geometry.crs().map_or(0, epsg_code) as u32;
    let mut bytes = vec![];
    call.texts(|row, out| {
        bytes.clear();
        form.write(&tree(geometry, row)?, code, order(row)?, &mut bytes);
        let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
        out.extend(
            bytes
                .iter()
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]),
        );
        Ok(())
    })
}

fn from_ewkb(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.geometry(0)?;
    call.binaries(|row, out| {
        check_srid(call, row, srid_of(bytes.wkb(row)?))?;
        wkb_to_iso(bytes.wkb(row)?, out).map_err(|e| bytes.invalid(row, e))?;
        Ok(true)
    })
}

fn make_polygon(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let line = tree(geometry, row)?;
        if line.kind != WkbKind::LineString {
            return Err(call.invalid(
                row,
                format!("expected a LINESTRING, found a {}", line.kind.tag()),
            ));
        }
        let coords = line.coords();
        let closed = coords
            .first()
            .zip(coords.last())
            .is_none_or(|(a, b)| a.x == b.x && a.y == b.y);
        match coords.len() {
            0 => Tree::empty(WkbKind::Polygon, line.dimensions).write(out),
            n if n < 4 || !closed => {
                return Err(call.invalid(
                    row,
                    "the shell of a polygon is a closed line of four coordinates or more",
                ));
            }
            _ => Tree::polygon(vec![coords.to_vec()], line.dimensions).write(out),
        }
        Ok(true)
    })
}

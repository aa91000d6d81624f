//! The extended texts and bytes of PostGIS, which carry an SRID.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Tree, wkb_to_iso, wkb_to_wkt, wkt_to_wkb};

use super::call::Call;
use super::crs::epsg_code;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, SRID, parameter,
};
use super::trees::tree;

const SHELL: Parameter = parameter("shell", Kind::Geometry);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_AsEWKT",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The text of a geometry with the EPSG code of its column's CRS before it, as PostGIS writes it: Z is not announced, M is part of the type.",
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
        signatures: &[&[parameter("ewkt", Kind::Text)]],
        returns: Returns::Geometry(CrsRule::Unknown),
        about: "The geometry of a text that may begin with SRID=...; which is dropped: a column has one CRS, which ST_SetSRID sets.",
        empty: "Text that is no EWKT is an error with the position.",
        examples: &[(
            "ST_AsText(ST_GeomFromEWKT('SRID=4326;POINT(1 2)'))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(from_ewkt),
    },
    Function {
        name: "ST_AsEWKB",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Binary,
        about: "The extended WKB of a geometry, little-endian, with the EPSG code of its column's CRS if there is one.",
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
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The EWKB of a geometry, as ST_AsEWKB writes it, in hexadecimal digits.",
        empty: "POINT EMPTY has NaN as coordinates.",
        examples: &[(
            "ST_AsHEXEWKB(ST_Point(1, 2))",
            "0101000000000000000000F03F0000000000000040",
        )],
        evaluate: Scalar(as_hex),
    },
    Function {
        name: "ST_GeomFromEWKB",
        aliases: &[],
        signatures: &[&[parameter("ewkb", Kind::Binary)]],
        returns: Returns::Geometry(CrsRule::Unknown),
        about: "The geometry of an extended WKB value. Its SRID is dropped: a column has one CRS, which ST_SetSRID sets.",
        empty: "Bytes that are no WKB are an error with the position.",
        examples: &[(
            "ST_AsText(ST_GeomFromEWKB(ST_AsEWKB('POINT(1 2)')))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(from_ewkb),
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
    let mut iso = vec![];
    let mut text = String::new();
    call.texts(|row, out| {
        iso.clear();
        text.clear();
        wkb_to_iso(geometry.wkb(row)?, &mut iso).map_err(|e| geometry.invalid(row, e))?;
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

fn from_ewkt(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let whole = text(row).trim_start();
        let wkt = match whole
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("SRID="))
        {
            false => whole,
            true => match whole.split_once(';') {
                Some((srid, wkt)) if srid[5..].trim().parse::<u32>().is_ok() => wkt,
                _ => return Err(call.invalid(
                    row,
                    format!(
                        "invalid EWKT \"{whole}\": SRID= is followed by a number and a semicolon"
                    ),
                )),
            },
        };
        let read = wkt_to_wkb(wkt, out).map_err(|e| format!("invalid EWKT {e}"));
        call.read(row, read, out)
    })
}

fn as_ewkb(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let code = geometry.crs().map_or(0, epsg_code) as u32;
    call.binaries(|row, out| {
        extended(&tree(geometry, row)?, code, out);
        Ok(true)
    })
}

fn as_hex(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let code = geometry.crs().map_or(0, epsg_code) as u32;
    let mut bytes = vec![];
    call.texts(|row, out| {
        bytes.clear();
        extended(&tree(geometry, row)?, code, &mut bytes);
        let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
        out.extend(
            bytes
                .iter()
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]),
        );
        Ok(())
    })
}

/// Flags in place of the thousands of ISO; the SRID stands in the outermost header.
fn extended(tree: &Tree, code: u32, out: &mut Vec<u8>) {
    tree_header(tree, code, out);
    let mut iso = vec![];
    match tree.kind {
        WkbKind::Point | WkbKind::LineString | WkbKind::Polygon => {
            tree.write(&mut iso);
            // Behind byte order and type.
            out.extend_from_slice(&iso[5..]);
        }
        _ => {
            let parts = tree.parts();
            out.extend((parts.len() as u32).to_le_bytes());
            parts.iter().for_each(|part| extended(part, 0, out));
        }
    }
}

fn tree_header(tree: &Tree, code: u32, out: &mut Vec<u8>) {
    let Dimensions { z, m } = tree.dimensions;
    let mut kind = tree.kind.code();
    kind |= if z { 0x8000_0000 } else { 0 };
    kind |= if m { 0x4000_0000 } else { 0 };
    kind |= if code != 0 { 0x2000_0000 } else { 0 };
    out.push(1);
    out.extend(kind.to_le_bytes());
    if code != 0 {
        out.extend(code.to_le_bytes());
    }
}

fn from_ewkb(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.geometry(0)?;
    call.binaries(|row, out| {
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

//! WKT and WKB of one type: NULL for a geometry of any other.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::wkb::{WkbCursor, WkbKind};
use geoflow_engine::geometry::{wkb_to_iso, wkt_to_wkb};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, Kind, Parameter, Returns, SRID, parameter,
};

const WKT: Parameter = parameter("wkt", Kind::Text);
const WKB: Parameter = parameter("wkb", Kind::Binary);

type Evaluation = fn(&Call<'_>) -> Result<ArrayRef>;
type Example = &'static [(&'static str, &'static str)];

const fn text(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    examples: Example,
    evaluate: Evaluation,
) -> Function {
    Function {
        name,
        aliases,
        signatures: &[&[WKT], &[WKT, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about,
        empty: "Text that is no WKT is an error with the position.",
        examples,
        evaluate: Scalar(evaluate),
    }
}

const fn bytes(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    examples: Example,
    evaluate: Evaluation,
) -> Function {
    Function {
        name,
        aliases,
        signatures: &[&[WKB], &[WKB, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about,
        empty: "Bytes that are no WKB are an error with the position.",
        examples,
        evaluate: Scalar(evaluate),
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    text(
        "ST_PointFromText",
        &[],
        "The POINT that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_AsText(ST_PointFromText('POINT(1 2)'))", "POINT(1 2)")],
        |call| from_text(call, WkbKind::Point),
    ),
    text(
        "ST_LineFromText",
        &["ST_LineStringFromText"],
        "The LINESTRING that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[(
            "ST_AsText(ST_LineFromText('LINESTRING(1 2,3 4)'))",
            "LINESTRING(1 2,3 4)",
        )],
        |call| from_text(call, WkbKind::LineString),
    ),
    text(
        "ST_PolygonFromText",
        &["ST_PolyFromText"],
        "The POLYGON that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_PolygonFromText('POINT(1 2)') IS NULL", "true")],
        |call| from_text(call, WkbKind::Polygon),
    ),
    text(
        "ST_MPointFromText",
        &["ST_MultiPointFromText"],
        "The MULTIPOINT that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_MPointFromText('POINT(1 2)') IS NULL", "true")],
        |call| from_text(call, WkbKind::MultiPoint),
    ),
    text(
        "ST_MLineFromText",
        &["ST_MultiLineStringFromText"],
        "The MULTILINESTRING that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_MLineFromText('POINT(1 2)') IS NULL", "true")],
        |call| from_text(call, WkbKind::MultiLineString),
    ),
    text(
        "ST_MPolyFromText",
        &["ST_MultiPolygonFromText"],
        "The MULTIPOLYGON that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_MPolyFromText('POINT(1 2)') IS NULL", "true")],
        |call| from_text(call, WkbKind::MultiPolygon),
    ),
    text(
        "ST_GeomCollFromText",
        &[],
        "The GEOMETRYCOLLECTION that a WKT text describes, as ST_GeomFromText reads it; NULL for any other type.",
        &[("ST_GeomCollFromText('POINT(1 2)') IS NULL", "true")],
        |call| from_text(call, WkbKind::GeometryCollection),
    ),
    bytes(
        "ST_PointFromWKB",
        &[],
        "The POINT of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_AsText(ST_PointFromWKB(ST_AsBinary(ST_Point(1, 2))))",
            "POINT(1 2)",
        )],
        |call| from_bytes(call, WkbKind::Point),
    ),
    bytes(
        "ST_LineFromWKB",
        &["ST_LinestringFromWKB"],
        "The LINESTRING of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_LineFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::LineString),
    ),
    bytes(
        "ST_PolygonFromWKB",
        &["ST_PolyFromWKB"],
        "The POLYGON of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_PolygonFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::Polygon),
    ),
    bytes(
        "ST_MPointFromWKB",
        &["ST_MultiPointFromWKB"],
        "The MULTIPOINT of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_MPointFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::MultiPoint),
    ),
    bytes(
        "ST_MLineFromWKB",
        &["ST_MultiLineFromWKB"],
        "The MULTILINESTRING of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_MLineFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::MultiLineString),
    ),
    bytes(
        "ST_MPolyFromWKB",
        &["ST_MultiPolyFromWKB"],
        "The MULTIPOLYGON of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_MPolyFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::MultiPolygon),
    ),
    bytes(
        "ST_GeomCollFromWKB",
        &[],
        "The GEOMETRYCOLLECTION of a WKB value, as ST_GeomFromWKB reads it; NULL for any other type.",
        &[(
            "ST_GeomCollFromWKB(ST_AsBinary(ST_Point(1, 2))) IS NULL",
            "true",
        )],
        |call| from_bytes(call, WkbKind::GeometryCollection),
    ),
];

fn is_of(wkb: &[u8], kind: WkbKind) -> bool {
    WkbCursor::new(wkb)
        .header()
        .is_ok_and(|header| header.kind == kind)
}

fn from_text(call: &Call<'_>, kind: WkbKind) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.binaries(|row, out| {
        let start = out.len();
        let read = wkt_to_wkb(text(row), out).map_err(|e| format!("invalid WKT {e}"));
        Ok(call.read(row, read, out)? && keep(out, start, kind))
    })
}

fn from_bytes(call: &Call<'_>, kind: WkbKind) -> Result<ArrayRef> {
    let bytes = call.geometry(0)?;
    call.binaries(|row, out| {
        let start = out.len();
        wkb_to_iso(bytes.wkb(row)?, out).map_err(|e| bytes.invalid(row, e))?;
        Ok(keep(out, start, kind))
    })
}

/// Takes back what is of another type.
fn keep(out: &mut Vec<u8>, start: usize, kind: WkbKind) -> bool {
    let kept = is_of(&out[start..], kind);
    if !kept {
        out.truncate(start);
    }
    kept
}

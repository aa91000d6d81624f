//! What a geometry is made of, read from its WKB.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geometry::wkb::{
    MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind, for_each_run,
};

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_X",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The x of a point; any other geometry is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_X(ST_Point(1, 2))", "1.0")],
        evaluate: Scalar(|call| ordinate(call, Ordinate::X)),
    },
    Function {
        name: "ST_Y",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The y of a point; any other geometry is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_Y(ST_Point(1, 2))", "2.0")],
        evaluate: Scalar(|call| ordinate(call, Ordinate::Y)),
    },
    Function {
        name: "ST_Z",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The z of a point, NULL if it has none; any other geometry is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_Z('POINT Z (1 2 3)')", "3.0")],
        evaluate: Scalar(|call| ordinate(call, Ordinate::Z)),
    },
    Function {
        name: "ST_M",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The measure of a point, NULL if it has none; any other geometry is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_M('POINT M (1 2 3)')", "3.0")],
        evaluate: Scalar(|call| ordinate(call, Ordinate::M)),
    },
    Function {
        name: "ST_XMin",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The smallest x.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_XMin('LINESTRING(1 2,3 4)')", "1.0")],
        evaluate: Scalar(|call| bound(call, |bounds| bounds.min_x)),
    },
    Function {
        name: "ST_XMax",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The greatest x.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_XMax('LINESTRING(1 2,3 4)')", "3.0")],
        evaluate: Scalar(|call| bound(call, |bounds| bounds.max_x)),
    },
    Function {
        name: "ST_YMin",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The smallest y.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_YMin('LINESTRING(1 2,3 4)')", "2.0")],
        evaluate: Scalar(|call| bound(call, |bounds| bounds.min_y)),
    },
    Function {
        name: "ST_YMax",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The greatest y.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_YMax('LINESTRING(1 2,3 4)')", "4.0")],
        evaluate: Scalar(|call| bound(call, |bounds| bounds.max_y)),
    },
    Function {
        name: "ST_GeometryType",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The type with `ST_` before it: ST_Point, ST_MultiPolygon.",
        empty: "EMPTY has a type as well.",
        examples: &[("ST_GeometryType('POINT(1 2)')", "ST_Point")],
        evaluate: Scalar(geometry_type),
    },
    Function {
        name: "GeometryType",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The type in capitals, with M behind it where there is M and no Z: POINT, MULTIPOLYGON, LINESTRINGM.",
        empty: "EMPTY has a type as well.",
        examples: &[("GeometryType('MULTIPOINT((1 2))')", "MULTIPOINT")],
        evaluate: Scalar(geometry_type_in_capitals),
    },
    Function {
        name: "ST_Dimension",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "0 for points, 1 for lines, 2 for polygons, the greatest of the parts for a collection.",
        empty: "EMPTY has the dimension of its type, 0 for a collection without parts.",
        examples: &[("ST_Dimension('POLYGON((0 0,1 0,1 1,0 0))')", "2")],
        evaluate: Scalar(dimension),
    },
    Function {
        name: "ST_CoordDim",
        aliases: &["ST_NDims"],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many ordinates a coordinate has: 2, 3 or 4.",
        empty: "EMPTY has them as well.",
        examples: &[("ST_CoordDim('POINT Z (1 2 3)')", "3")],
        evaluate: Scalar(|call| header_integer(call, |header| header.ordinates() as i32)),
    },
    Function {
        name: "ST_HasZ",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether coordinates have a Z.",
        empty: "EMPTY may have one as well.",
        examples: &[("ST_HasZ('POINT Z (1 2 3)')", "true")],
        evaluate: Scalar(|call| header_boolean(call, |header| header.has_z)),
    },
    Function {
        name: "ST_HasM",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether coordinates have an M.",
        empty: "EMPTY may have one as well.",
        examples: &[("ST_HasM('POINT Z (1 2 3)')", "false")],
        evaluate: Scalar(|call| header_boolean(call, |header| header.has_m)),
    },
    Function {
        name: "ST_NPoints",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many coordinates there are, the closing ones of rings included.",
        empty: "EMPTY has 0.",
        examples: &[("ST_NPoints('LINESTRING(0 0,1 1,2 2)')", "3")],
        evaluate: Scalar(|call| wkb_integers(call, |bytes| points(bytes).map(|n| Some(n as i32)))),
    },
    Function {
        name: "ST_NumPoints",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many coordinates a LINESTRING has; NULL for any other type. ST_NPoints takes all types.",
        empty: "LINESTRING EMPTY has 0.",
        examples: &[("ST_NumPoints('LINESTRING(0 0,1 1,2 2)')", "3")],
        evaluate: Scalar(|call| {
            wkb_integers(call, |bytes| {
                Ok(match WkbCursor::new(bytes).header()?.kind {
                    WkbKind::LineString => Some(points(bytes)? as i32),
                    _ => None,
                })
            })
        }),
    },
    Function {
        name: "ST_NumGeometries",
        aliases: &["ST_NGeometries"],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "How many parts a multi geometry or collection has; 1 for any other type.",
        empty: "EMPTY has 0.",
        examples: &[("ST_NumGeometries('MULTIPOINT((1 2),(3 4))')", "2")],
        evaluate: Scalar(|call| wkb_integers(call, |bytes| parts(bytes).map(Some))),
    },
    Function {
        name: "ST_GeometryN",
        aliases: &[],
        signatures: &[&[GEOM, parameter("n", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Part `n` of a multi geometry or collection, counted from 1; any other geometry is its own part 1. NULL where there is no such part.",
        empty: "EMPTY has no parts.",
        examples: &[(
            "ST_AsText(ST_GeometryN('MULTIPOINT((1 2),(3 4))', 2))",
            "POINT(3 4)",
        )],
        evaluate: Scalar(geometry_n),
    },
    Function {
        name: "ST_IsEmpty",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether a geometry has no coordinates.",
        empty: "A collection of EMPTY parts is EMPTY.",
        examples: &[("ST_IsEmpty('POLYGON EMPTY')", "true")],
        evaluate: Scalar(is_empty),
    },
];

#[derive(Clone, Copy)]
enum Ordinate {
    X,
    Y,
    Z,
    M,
}

fn ordinate(call: &Call<'_>, wanted: Ordinate) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    if matches!(wanted, Ordinate::X | Ordinate::Y) {
        let (mut x, mut y) = (vec![], vec![]);
        let all_points = geometry
            .array()
            .points(&mut x, &mut y)
            .map_err(|e| call.named(geometry.placed(e)))?;
        if all_points {
            let values = match wanted {
                Ordinate::X => x,
                _ => y,
            };
            // POINT EMPTY is NaN here.
            return call.numbers(|row| Ok(values.get(row).copied().filter(|v| !v.is_nan())));
        }
    }
    call.numbers(|row| {
        let bytes = geometry.wkb(row)?;
        point_ordinate(bytes, wanted)
            .map_err(|e| geometry.invalid(row, e))?
            .map_err(|kind| call.invalid(row, format!("expected a POINT, found a {}", kind.tag())))
    })
}

/// The ordinate of a point, `None` where there is none; the kind of anything else.
fn point_ordinate(
    bytes: &[u8],
    wanted: Ordinate,
) -> Result<Result<Option<f64>, WkbKind>, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    if header.kind != WkbKind::Point {
        return Ok(Err(header.kind));
    }
    let run = cursor.coord(&header)?;
    cursor.end()?;
    let [x, y, third, fourth] = run.ordinates().next().unwrap_or([f64::NAN; 4]);
    if x.is_nan() && y.is_nan() {
        return Ok(Ok(None));
    }
    Ok(Ok(match wanted {
        Ordinate::X => Some(x),
        Ordinate::Y => Some(y),
        Ordinate::Z => header.has_z.then_some(third),
        Ordinate::M => match (header.has_z, header.has_m) {
            (true, true) => Some(fourth),
            (false, true) => Some(third),
            _ => None,
        },
    }))
}

fn bound(call: &Call<'_>, side: impl Fn(&Bounds) -> f64) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| {
        let bounds = geometry.bounds(row)?;
        Ok((!bounds.is_empty()).then(|| side(&bounds)))
    })
}

fn geometry_type(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.texts(|row, out| {
        let header = header(geometry, row)?;
        out.push_str("ST_");
        out.push_str(header.kind.name());
        Ok(())
    })
}

fn geometry_type_in_capitals(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.texts(|row, out| {
        let header = header(geometry, row)?;
        out.push_str(header.kind.tag());
        if header.has_m && !header.has_z {
            out.push('M');
        }
        Ok(())
    })
}

fn header(geometry: &GeometryArg, row: usize) -> Result<WkbHeader, Error> {
    WkbCursor::new(geometry.wkb(row)?)
        .header()
        .map_err(|e| geometry.invalid(row, e))
}

fn header_integer(call: &Call<'_>, value: impl Fn(&WkbHeader) -> i32) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.integers(|row| Ok(Some(value(&header(geometry, row)?))))
}

fn header_boolean(call: &Call<'_>, value: impl Fn(&WkbHeader) -> bool) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.booleans(|row| Ok(Some(value(&header(geometry, row)?))))
}

fn wkb_integers(
    call: &Call<'_>,
    value: impl Fn(&[u8]) -> Result<Option<i32>, WkbError>,
) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.integers(|row| value(geometry.wkb(row)?).map_err(|e| geometry.invalid(row, e)))
}

/// Coordinates that are there: POINT EMPTY has none.
fn points(bytes: &[u8]) -> Result<usize, WkbError> {
    let mut n = 0;
    for_each_run(bytes, |header, run| {
        n += match header.kind {
            WkbKind::Point => run
                .iter()
                .filter(|(x, y)| !(x.is_nan() && y.is_nan()))
                .count(),
            _ => run.len(),
        };
        Ok(())
    })?;
    Ok(n)
}

fn is_empty(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.booleans(|row| {
        let n = points(geometry.wkb(row)?).map_err(|e| geometry.invalid(row, e))?;
        Ok(Some(n == 0))
    })
}

fn dimension(call: &Call<'_>) -> Result<ArrayRef> {
    wkb_integers(call, |bytes| {
        let of_kind = |kind| match kind {
            WkbKind::Point | WkbKind::MultiPoint => 0,
            WkbKind::LineString | WkbKind::MultiLineString => 1,
            WkbKind::Polygon | WkbKind::MultiPolygon => 2,
            WkbKind::GeometryCollection => 0,
        };
        let mut cursor = WkbCursor::new(bytes);
        let header = cursor.header()?;
        let mut greatest = of_kind(header.kind);
        if header.kind == WkbKind::GeometryCollection {
            skip(&mut cursor, &header, 0, &mut |part| {
                greatest = greatest.max(of_kind(part.kind));
            })?;
        }
        Ok(Some(greatest))
    })
}

fn parts(bytes: &[u8]) -> Result<i32, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    let empty = points(bytes)? == 0;
    Ok(match header.kind {
        _ if empty => 0,
        WkbKind::Point | WkbKind::LineString | WkbKind::Polygon => 1,
        _ => cursor.count(&header, 9)? as i32,
    })
}

fn geometry_n(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, n) = (call.geometry(0)?, call.integer(1)?);
    call.binaries(|row, out| {
        let bytes = geometry.wkb(row)?;
        let part = part(bytes, n(row)).map_err(|e| geometry.invalid(row, e))?;
        out.extend_from_slice(part.unwrap_or_default());
        Ok(part.is_some())
    })
}

/// The bytes of part `n`, counted from 1. A part is a whole WKB value.
fn part(bytes: &[u8], n: i64) -> Result<Option<&[u8]>, WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    if matches!(
        header.kind,
        WkbKind::Point | WkbKind::LineString | WkbKind::Polygon
    ) {
        return Ok((n == 1 && points(bytes)? > 0).then_some(bytes));
    }
    let count = cursor.count(&header, 9)?;
    for i in 1..=count as i64 {
        let start = cursor.position();
        let part = cursor.part_header(&header)?;
        skip(&mut cursor, &part, 1, &mut |_| {})?;
        if i == n {
            return Ok(bytes.get(start..cursor.position()));
        }
    }
    Ok(None)
}

/// Passes over the body of a geometry and visits the headers of its parts.
fn skip(
    cursor: &mut WkbCursor<'_>,
    header: &WkbHeader,
    depth: usize,
    visit: &mut impl FnMut(&WkbHeader),
) -> Result<(), WkbError> {
    if depth > MAX_DEPTH {
        return Err(WkbError::Depth);
    }
    match header.kind {
        WkbKind::Point => cursor.coord(header).map(|_| ()),
        WkbKind::LineString => cursor.coords(header).map(|_| ()),
        WkbKind::Polygon => {
            for _ in 0..cursor.count(header, 4)? {
                cursor.coords(header)?;
            }
            Ok(())
        }
        _ => {
            for _ in 0..cursor.count(header, 9)? {
                let part = cursor.part_header(header)?;
                visit(&part);
                skip(cursor, &part, depth + 1, visit)?;
            }
            Ok(())
        }
    }
}

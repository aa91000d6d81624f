//! Buffers, validity, and points and rectangles that stand for a geometry; in the plane.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{
    Geometry, HasDimensions, InteriorPoint, MinimumRotatedRect, MultiLineString, MultiPolygon,
};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::{WkbCursor, WkbKind};
use geoflow_engine::geometry::wkb_writer::{Dimensions, write_geometry, write_point};
use geoflow_engine::geometry::{Tree, wkb_to_iso};
use geoflow_engine::overlay::{Operation, invalid, make_valid, overlay};
use geoflow_engine::processing::{BufferStyle, Cap, Join, buffer, hull_geometry};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Buffer",
        aliases: &[],
        signatures: &[
            &[GEOM, parameter("distance", Kind::Number)],
            &[
                GEOM,
                parameter("distance", Kind::Number),
                parameter("quad_segs", Kind::Integer),
            ],
            &[
                GEOM,
                parameter("distance", Kind::Number),
                parameter("parameters", Kind::Text),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "All points within a distance, in units of the CRS; a negative one takes a margin from polygons. Arcs have `quad_segs` segments in a quarter of a circle, 8 without it. `parameters` is a text like 'quad_segs=4 endcap=flat join=mitre mitre_limit=2': endcap is round, flat or square, join is round, mitre or bevel. Z and M are dropped.",
        empty: "EMPTY gives POLYGON EMPTY, and so does a distance that leaves nothing.",
        examples: &[(
            "ST_AsText(ST_Buffer('LINESTRING(0 0,4 0)', 1, 'endcap=flat'))",
            "POLYGON((0 -1,0 1,4 1,4 -1,0 -1))",
        )],
        evaluate: Scalar(buffers),
    },
    Function {
        name: "ST_IsValid",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, FLAGS]],
        returns: Returns::Boolean,
        about: "Whether rings do not cross themselves or each other, holes lie in their shells, interiors are connected and polygons of a multipolygon do not overlap. `flags` is 0; 1, shells that touch themselves to make holes, is an error.",
        empty: "EMPTY is valid.",
        examples: &[("ST_IsValid('POLYGON((0 0,2 2,2 0,0 2,0 0))')", "false")],
        evaluate: Scalar(is_valid),
    },
    Function {
        name: "ST_IsValidReason",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, FLAGS]],
        returns: Returns::Text,
        about: "'Valid Geometry', or what makes it invalid, and where. `flags` is 0, as in ST_IsValid.",
        empty: "EMPTY is valid.",
        examples: &[(
            "ST_IsValidReason('POLYGON((0 0,2 2,2 0,0 2,0 0))')",
            "Self-intersection[1 1]",
        )],
        evaluate: Scalar(valid_reason),
    },
    Function {
        name: "ST_MakeValid",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("method", Kind::Text)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "A valid geometry of the same points: what an odd number of rings hold is area, edges that bound no area become lines, lines without length points. A valid geometry is returned as it is, with Z and M; else they are dropped. `method` is 'method=linework', which this is; any other is an error.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_Area(ST_MakeValid('POLYGON((0 0,2 2,2 0,0 2,0 0))'))",
            "2.0",
        )],
        evaluate: Scalar(valid),
    },
    Function {
        name: "ST_PointOnSurface",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "A point that lies in the geometry: of polygons inside, of lines a vertex near the middle.",
        empty: "EMPTY gives POINT EMPTY.",
        examples: &[(
            "ST_AsText(ST_PointOnSurface('POLYGON((0 0,2 0,2 2,0 2,0 0))'))",
            "POINT(1 1)",
        )],
        evaluate: Scalar(point_on_surface),
    },
    Function {
        name: "ST_OrientedEnvelope",
        aliases: &["ST_MinimumRotatedRectangle"],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The rectangle of least area, turned in any direction, that holds the geometry; a line or point where that has no area.",
        empty: "EMPTY gives POLYGON EMPTY.",
        examples: &[(
            "ST_Area(ST_OrientedEnvelope('MULTIPOINT((0 0),(1 1),(3 1),(2 0))'))",
            "3.0",
        )],
        evaluate: Scalar(oriented_envelope),
    },
    Function {
        name: "ST_ClipByBox2D",
        aliases: &[],
        signatures: &[&[GEOM, parameter("box", Kind::Geometry)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The part of a geometry in the bounding box of another: of lines the lines, of polygons the polygons. A geometry that lies within is returned as it is, otherwise Z and M are dropped.",
        empty: "EMPTY gives EMPTY, and nothing in the box EMPTY of the same type.",
        examples: &[(
            "ST_AsText(ST_ClipByBox2D('LINESTRING(-1 1,3 1)', ST_MakeEnvelope(0, 0, 2, 2)))",
            "LINESTRING(0 1,2 1)",
        )],
        evaluate: Scalar(clip),
    },
];

const FLAGS: Parameter = parameter("flags", Kind::Integer);

/// No more segments in a quarter of a circle.
const MOST_SEGMENTS: u32 = 100_000;

fn buffers(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, distance) = (call.geometry(0)?, call.number(1)?);
    let text = match call.arity() {
        3 => call.text(2).ok(),
        _ => None,
    };
    let segments = match (call.arity(), &text) {
        (3, None) => Some(call.integer(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let mut style = BufferStyle::default();
        if let Some(segments) = &segments {
            style.quad_segs = quad_segs(segments(row)).map_err(|e| call.invalid(row, e))?;
        }
        if let Some(text) = &text {
            read_style(text(row), &mut style).map_err(|e| call.invalid(row, e))?;
        }
        let distance = distance(row);
        if !distance.is_finite() {
            return Err(call.invalid(row, format!("{distance} is no distance")));
        }
        let value = geometry.geometry(row)?;
        match (distance == 0.0, value.as_ref()) {
            // The usual way to mend polygons.
            (true, Geometry::Polygon(_) | Geometry::MultiPolygon(_)) => {
                let none = Geometry::GeometryCollection(Default::default());
                write_geometry(&overlay(&value, &none, Operation::Union), out);
            }
            _ => write_geometry(&buffer(&value, distance, &style), out),
        }
        Ok(true)
    })
}

fn quad_segs(n: i64) -> Result<u32, String> {
    match u32::try_from(n) {
        Ok(n @ 1..=MOST_SEGMENTS) => Ok(n),
        _ => Err(format!(
            "quad_segs is {n}: it lies from 1 to {MOST_SEGMENTS}"
        )),
    }
}

/// Reads 'key=value' pairs, as PostGIS has them.
fn read_style(text: &str, style: &mut BufferStyle) -> Result<(), String> {
    for pair in text.split_whitespace() {
        let wrong = || {
            format!(
                "\"{pair}\" is no parameter of a buffer: there are quad_segs=8, endcap=round|flat|square, join=round|mitre|bevel, mitre_limit=5.0"
            )
        };
        let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
        match (key, value) {
            ("quad_segs", n) => style.quad_segs = quad_segs(n.parse().map_err(|_| wrong())?)?,
            ("endcap", "round") => style.cap = Cap::Round,
            ("endcap", "flat" | "butt") => style.cap = Cap::Flat,
            ("endcap", "square") => style.cap = Cap::Square,
            ("join", "round") => style.join = Join::Round,
            ("join", "mitre" | "miter") => style.join = Join::Mitre,
            ("join", "bevel") => style.join = Join::Bevel,
            ("mitre_limit" | "miter_limit", limit) => {
                let limit: f64 = limit.parse().map_err(|_| wrong())?;
                if !(limit >= 1.0 && limit.is_finite()) {
                    return Err(wrong());
                }
                style.mitre_limit = limit;
            }
            ("side", "both") => {}
            _ => return Err(wrong()),
        }
    }
    Ok(())
}

/// Says for a row that there are no flags but 0.
fn no_flags<'a>(call: &'a Call<'_>) -> Result<impl Fn(usize) -> Result<(), Error> + 'a> {
    let flags = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    Ok(
        move |row| match flags.as_ref().map_or(0, |flags| flags(row)) {
            0 => Ok(()),
            other => Err(call.invalid(
                row,
                format!(
                    "the flags {other} are not known here: 0 asks for validity as OGC defines it"
                ),
            )),
        },
    )
}

fn is_valid(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, no_flags) = (call.geometry(0)?, no_flags(call)?);
    call.booleans(|row| {
        no_flags(row)?;
        Ok(Some(invalid(geometry.geometry(row)?.as_ref()).is_none()))
    })
}

fn valid_reason(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, no_flags) = (call.geometry(0)?, no_flags(call)?);
    call.texts(|row, out| {
        no_flags(row)?;
        match invalid(geometry.geometry(row)?.as_ref()) {
            None => out.push_str("Valid Geometry"),
            Some(invalid) => out.push_str(&invalid.to_string()),
        }
        Ok(())
    })
}

fn valid(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let method = match call.arity() {
        2 => Some(call.text(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        if let Some(method) = &method {
            let method = method(row).trim();
            if !method.eq_ignore_ascii_case("method=linework") {
                return Err(call.invalid(
                    row,
                    format!(
                        "\"{method}\" is not known here: polygons are mended by 'method=linework'"
                    ),
                ));
            }
        }
        let value = geometry.geometry(row)?;
        match invalid(&value) {
            None => wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?,
            Some(_) => write_geometry(&make_valid(&value), out),
        }
        Ok(true)
    })
}

fn point_on_surface(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        match geometry.geometry(row)?.interior_point() {
            Some(point) => write_point(point.x(), point.y(), out),
            None => write_point(f64::NAN, f64::NAN, out),
        }
        Ok(true)
    })
}

fn oriented_envelope(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        use geo::CoordsIter;
        let value = geometry.geometry(row)?;
        let mut corners: Vec<_> = value.coords_iter().collect();
        let hull = hull_geometry(&mut corners);
        match hull {
            Geometry::Polygon(_) => match MinimumRotatedRect::minimum_rotated_rect(&hull) {
                Some(rectangle) => write_geometry(&Geometry::Polygon(rectangle), out),
                None => return Err(Error::Internal("a hull has no rectangle".into())),
            },
            Geometry::GeometryCollection(_) => {
                write_geometry(&buffer(&hull, 0.0, &BufferStyle::default()), out);
            }
            flat => write_geometry(&flat, out),
        }
        Ok(true)
    })
}

fn clip(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, frame) = (call.geometry(0)?, call.geometry(1)?);
    call.binaries(|row, out| {
        let (value, bounds) = (geometry.bounds(row)?, frame.bounds(row)?);
        if bounds.contains(&value) {
            wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?;
            return Ok(true);
        }
        let corner = |x, y| geo::Coord { x, y };
        let frame = match bounds.is_empty() {
            true => Geometry::GeometryCollection(Default::default()),
            false => Geometry::Rect(geo::Rect::new(
                corner(bounds.min_x, bounds.min_y),
                corner(bounds.max_x, bounds.max_y),
            )),
        };
        let part = overlay(
            geometry.geometry(row)?.as_ref(),
            &frame,
            Operation::Intersection,
        );
        let kind = WkbCursor::new(geometry.wkb(row)?)
            .header()
            .map_err(|e| geometry.invalid(row, e))?
            .kind;
        let part = of_kind(part, kind);
        match part.is_empty() {
            true => Tree::empty(kind, Dimensions::XY).write(out),
            false => write_geometry(&part, out),
        }
        Ok(true)
    })
}

/// What a clip leaves of lines or polygons: the points and lines where these touch the box are none of it.
fn of_kind(part: Geometry<f64>, kind: WkbKind) -> Geometry<f64> {
    let (mut lines, mut polygons) = (vec![], vec![]);
    match (part, kind) {
        (part, WkbKind::Point | WkbKind::MultiPoint | WkbKind::GeometryCollection) => return part,
        (Geometry::GeometryCollection(parts), _) => {
            for part in parts {
                match part {
                    Geometry::LineString(line) => lines.push(line),
                    Geometry::Polygon(polygon) => polygons.push(polygon),
                    _ => {}
                }
            }
        }
        (Geometry::LineString(line), _) => lines.push(line),
        (Geometry::MultiLineString(all), _) => lines = all.0,
        (Geometry::Polygon(polygon), _) => polygons.push(polygon),
        (Geometry::MultiPolygon(all), _) => polygons = all.0,
        _ => {}
    }
    match kind {
        WkbKind::LineString | WkbKind::MultiLineString => match (lines.pop(), lines.is_empty()) {
            (Some(only), true) => only.into(),
            (last, _) => {
                lines.extend(last);
                MultiLineString(lines).into()
            }
        },
        _ => match (polygons.pop(), polygons.is_empty()) {
            (Some(only), true) => only.into(),
            (last, _) => {
                polygons.extend(last);
                MultiPolygon(polygons).into()
            }
        },
    }
}

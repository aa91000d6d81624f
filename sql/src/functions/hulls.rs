//! Hulls that are not convex, and circles.

use std::sync::Arc;

use arrow::array::builder::BinaryViewBuilder;
use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use geo::{Coord, Geometry, LineString, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::{write_geometry, write_point};
use geoflow_engine::processing::{bounding_circle, concave_hull, concave_hull_of_polygons};

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_ConcaveHull",
        aliases: &[],
        signatures: &[
            &[GEOM, parameter("ratio", Kind::Number)],
            &[
                GEOM,
                parameter("ratio", Kind::Number),
                parameter("allow_holes", Kind::Boolean),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "A polygon around all vertices that is not always convex. Triangles of the Delaunay triangulation are taken away from outside, those with the longest free side first, as long as a side is no shorter than `ratio` (0 to 1) of the way from the shortest to the longest of all: 1 gives the convex hull, 0 the most concave. The hull of a POLYGON or MULTIPOLYGON holds it whole: what is taken away are triangles between the shells, where a free side is longer than that, so that far parts stay apart. Polygons that cross each other are an error, and so is `allow_holes` for polygons. Z and M are dropped.",
        empty: "EMPTY gives POLYGON EMPTY; what has no area gives a line or a point.",
        examples: &[(
            "ST_Area(ST_ConcaveHull('MULTIPOINT((0 0),(4 0),(4 4),(0 4),(2 1))', 0.5))",
            "14.0",
        )],
        evaluate: Scalar(concave),
    },
    Function {
        name: "ST_MinimumBoundingCircle",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("quad_segs", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The smallest circle that holds a geometry, as a polygon of `quad_segs` segments in a quarter, 48 without it. The polygon lies around the circle, so that it holds the geometry as well.",
        empty: "EMPTY gives POINT EMPTY, a single place that point.",
        examples: &[(
            "ST_NPoints(ST_MinimumBoundingCircle('LINESTRING(0 0,2 0)', 8))",
            "33",
        )],
        evaluate: Scalar(circle),
    },
    Function {
        name: "ST_MinimumBoundingRadius",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Struct(&[
            ("center", Returns::Geometry(CrsRule::Arguments)),
            ("radius", Returns::Number),
        ]),
        about: "The `center` and the `radius` of the smallest circle that holds a geometry.",
        empty: "EMPTY gives POINT EMPTY and 0.",
        examples: &[(
            "ST_MinimumBoundingRadius('LINESTRING(0 0,2 0)')['radius']",
            "1.0",
        )],
        evaluate: Scalar(radius),
    },
];

fn concave(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, ratio) = (call.geometry(0)?, call.number(1)?);
    let holes = match call.arity() {
        3 => Some(call.boolean(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let ratio = ratio(row);
        if !(0.0..=1.0).contains(&ratio) {
            return Err(call.invalid(row, format!("the ratio {ratio} does not lie from 0 to 1")));
        }
        let holes = holes.as_ref().is_some_and(|holes| holes(row));
        let value = geometry.geometry(row)?;
        let hull = match value.as_ref() {
            Geometry::Polygon(_) | Geometry::MultiPolygon(_) if holes => {
                let reason =
                    "the concave hull of polygons has no holes here: leave out allow_holes";
                return Err(call.invalid(row, reason));
            }
            Geometry::Polygon(polygon) => concave_hull_of_polygons(&polygon.clone().into(), ratio),
            Geometry::MultiPolygon(polygons) => concave_hull_of_polygons(polygons, ratio),
            _ => concave_hull(&value, ratio, holes),
        };
        let hull = hull.map_err(|e| in_row(call, row, e))?;
        write_geometry(&hull, out);
        Ok(true)
    })
}

/// Says in which row data cannot be used.
pub(super) fn in_row(call: &Call<'_>, row: usize, error: Error) -> Error {
    match error {
        Error::Data(reason) => call.invalid(row, reason),
        other => other,
    }
}

/// No more segments in a quarter of a circle.
const MOST_SEGMENTS: i64 = 100_000;

fn circle(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let segments = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let segments = segments.as_ref().map_or(48, |segments| segments(row));
        if !(1..=MOST_SEGMENTS).contains(&segments) {
            return Err(call.invalid(
                row,
                format!("quad_segs is {segments}: it lies from 1 to {MOST_SEGMENTS}"),
            ));
        }
        match bounding_circle(geometry.geometry(row)?.as_ref()) {
            None => write_point(f64::NAN, f64::NAN, out),
            Some(circle) if circle.radius == 0.0 => {
                write_point(circle.centre.x, circle.centre.y, out);
            }
            Some(circle) => {
                let n = segments * 4;
                let step = std::f64::consts::TAU / n as f64;
                // Sides touch the circle in their middles.
                let radius = circle.radius / (step / 2.0).cos();
                let corner = |i: i64| {
                    let (sin, cos) = (i as f64 * step).sin_cos();
                    Coord {
                        x: circle.centre.x + radius * sin,
                        y: circle.centre.y + radius * cos,
                    }
                };
                let mut ring: Vec<Coord<f64>> = (0..n).map(corner).collect();
                ring.push(corner(0));
                let around = Polygon::new(LineString(ring), vec![]);
                write_geometry(&Geometry::Polygon(around), out);
            }
        }
        Ok(true)
    })
}

fn radius(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let mut centres = BinaryViewBuilder::new();
    let (mut radii, mut valid) = (vec![], vec![]);
    let mut point = vec![];
    for row in 0..call.rows() {
        let is_valid = call.valid().is_none_or(|valid| valid.is_valid(row));
        valid.push(is_valid);
        if !is_valid {
            centres.append_null();
            radii.push(None);
            continue;
        }
        let value = geometry.geometry(row).map_err(|e| call.named(e))?;
        let (at, radius) = match bounding_circle(&value) {
            Some(circle) => (circle.centre, circle.radius),
            None => (
                Coord {
                    x: f64::NAN,
                    y: f64::NAN,
                },
                0.0,
            ),
        };
        point.clear();
        write_point(at.x, at.y, &mut point);
        centres.try_append_value(&point)?;
        radii.push(Some(radius));
    }
    let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    let fields = vec![
        field("center", DataType::BinaryView),
        field("radius", DataType::Float64),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(centres.finish()),
        Arc::new(Float64Array::from(radii)),
    ];
    let nulls = NullBuffer::from(valid);
    Ok(Arc::new(StructArray::try_new(
        fields.into(),
        columns,
        Some(nulls),
    )?))
}

//! Distances between geometries other than the least, and where they are taken.

use std::f64::consts::TAU;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Coord, CoordsIter, Geometry, Line, LineString, Point};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::processing::{Linework, closest_points, convex_hull};

use super::call::Call;
use super::definition::{
    A, B, CrsRule, Evaluate::Scalar, Function, Kind, Parameter, Returns, parameter,
};

const P1: Parameter = parameter("p1", Kind::Geometry);
const P2: Parameter = parameter("p2", Kind::Geometry);
const P3: Parameter = parameter("p3", Kind::Geometry);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_MaxDistance",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Number,
        about: "The greatest distance between points of a and b, in units of the CRS.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[("ST_MaxDistance('POINT(0 0)', 'LINESTRING(1 0,3 4)')", "5.0")],
        evaluate: Scalar(max_distance),
    },
    Function {
        name: "ST_HausdorffDistance",
        aliases: &[],
        signatures: &[&[A, B], &[A, B, parameter("densify", Kind::Number)]],
        returns: Returns::Number,
        about: "How far the farthest vertex of a or b is from the lines and points of the other. With `densify`, a fraction, every edge is cut into pieces of that part of its length, and their ends count as well.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[(
            "ST_HausdorffDistance('LINESTRING(0 0,2 0)', 'LINESTRING(0 1,2 3)')",
            "3.0",
        )],
        evaluate: Scalar(hausdorff),
    },
    Function {
        name: "ST_FrechetDistance",
        aliases: &[],
        signatures: &[&[A, B], &[A, B, parameter("densify", Kind::Number)]],
        returns: Returns::Number,
        about: "How long a leash must be for two to walk along the vertices of a and b, each at its own pace: the discrete Fréchet distance. With `densify`, a part of 1, edges are cut into so many pieces first.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[(
            "ST_FrechetDistance('LINESTRING(0 0,2 0)', 'LINESTRING(0 1,2 3)')",
            "3.0",
        )],
        evaluate: Scalar(frechet),
    },
    Function {
        name: "ST_Azimuth",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Number,
        about: "The direction from point a to point b, in radians clockwise from north (the y axis).",
        empty: "EMPTY gives NULL, and two points in one place; anything but points is an error.",
        examples: &[(
            "round(degrees(ST_Azimuth('POINT(0 0)', 'POINT(1 1)')))",
            "45.0",
        )],
        evaluate: Scalar(azimuth),
    },
    Function {
        name: "ST_Angle",
        aliases: &[],
        signatures: &[
            &[
                parameter("line1", Kind::Geometry),
                parameter("line2", Kind::Geometry),
            ],
            &[P1, P2, P3],
            &[P1, P2, P3, parameter("p4", Kind::Geometry)],
        ],
        returns: Returns::Number,
        about: "The angle clockwise from one direction to another, in radians from 0 to 2 pi: from that of point 2 to point 1 to that of point 2 to point 3; of four points from that of 1 to 2 to that of 3 to 4; of two lines from start to end of each.",
        empty: "EMPTY gives NULL, two points in one place, and two geometries that are not both lines; of three or four anything but points is an error.",
        examples: &[(
            "round(degrees(ST_Angle('POINT(0 0)', 'POINT(10 10)', 'POINT(20 0)')))",
            "270.0",
        )],
        evaluate: Scalar(angle),
    },
    Function {
        name: "ST_ClosestPoint",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The point of a that is closest to b; one of them, if there are several.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_ClosestPoint('LINESTRING(0 0,4 0)', 'POINT(1 5)'))",
            "POINT(1 0)",
        )],
        evaluate: Scalar(|call| closest(call, false)),
    },
    Function {
        name: "ST_ShortestLine",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The shortest line from a to b; one of them, if there are several.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_ShortestLine('LINESTRING(0 0,4 0)', 'POINT(1 5)'))",
            "LINESTRING(1 0,1 5)",
        )],
        evaluate: Scalar(|call| closest(call, true)),
    },
    Function {
        name: "ST_LongestLine",
        aliases: &[],
        signatures: &[&[A, B]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The longest line from a point of a to one of b; one of them, if there are several.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_LongestLine('POINT(0 0)', 'LINESTRING(1 0,3 4)'))",
            "LINESTRING(0 0,3 4)",
        )],
        evaluate: Scalar(longest_line),
    },
    Function {
        name: "ST_DFullyWithin",
        aliases: &[],
        signatures: &[&[A, B, parameter("distance", Kind::Number)]],
        returns: Returns::Boolean,
        about: "Whether all of a and b is at most `distance` apart: the greatest distance between their points.",
        empty: "EMPTY is within no distance.",
        examples: &[(
            "ST_DFullyWithin('POINT(0 0)', 'LINESTRING(1 0,3 4)', 5)",
            "true",
        )],
        evaluate: Scalar(fully_within),
    },
];

/// The two points farthest from each other, which are corners of the hulls.
fn farthest(a: &Geometry<f64>, b: &Geometry<f64>) -> Option<(Coord<f64>, Coord<f64>)> {
    let corners = |g: &Geometry<f64>| {
        let mut all: Vec<Coord<f64>> = g.coords_iter().collect();
        if all.len() > 8 {
            convex_hull(&mut all);
        }
        all
    };
    let (a, b) = (corners(a), corners(b));
    let mut best: Option<(f64, Coord<f64>, Coord<f64>)> = None;
    for p in &a {
        for q in &b {
            let d = (p.x - q.x).hypot(p.y - q.y);
            if best.is_none_or(|(most, ..)| d > most) {
                best = Some((d, *p, *q));
            }
        }
    }
    best.map(|(_, p, q)| (p, q))
}

fn apart((p, q): (Coord<f64>, Coord<f64>)) -> f64 {
    (p.x - q.x).hypot(p.y - q.y)
}

fn max_distance(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.numbers(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        Ok(farthest(&a, &b).map(apart))
    })
}

fn fully_within(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b, limit) = (call.geometry(0)?, call.geometry(1)?, call.number(2)?);
    call.booleans(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        Ok(Some(
            farthest(&a, &b).is_some_and(|pair| apart(pair) <= limit(row)),
        ))
    })
}

fn longest_line(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.binaries(|row, out| {
        let pair = farthest(a.geometry(row)?.as_ref(), b.geometry(row)?.as_ref());
        if let Some((p, q)) = pair {
            write_geometry(&Geometry::Line(Line::new(p, q)), out);
        }
        Ok(pair.is_some())
    })
}

fn hausdorff(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    let share = match call.arity() {
        3 => Some(call.number(2)?),
        _ => None,
    };
    call.numbers(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        let pieces = match &share {
            None => 1,
            Some(share) => pieces(call, row, share(row))?,
        };
        let one_way = |from: &Geometry<f64>, to: &Geometry<f64>| {
            let mut to = Linework::new(to);
            let mut most: Option<f64> = None;
            each_place(from, pieces, &mut |p| {
                // What is no farther than another place is of no interest.
                let d = to.distance(p, most.unwrap_or(0.0));
                if d.is_finite() {
                    most = Some(most.map_or(d, |most| most.max(d)));
                }
            });
            most
        };
        Ok(one_way(&a, &b)
            .zip(one_way(&b, &a))
            .map(|(there, back)| there.max(back)))
    })
}

/// Visits the vertices, and the ends of so many pieces of every edge.
fn each_place(geometry: &Geometry<f64>, pieces: usize, visit: &mut impl FnMut(Coord<f64>)) {
    geometry.coords_iter().for_each(&mut *visit);
    if pieces > 1 {
        use geo::LinesIter;
        let mut along = |line: Line<f64>| {
            for i in 1..pieces {
                let t = i as f64 / pieces as f64;
                visit(line.start + (line.end - line.start) * t);
            }
        };
        match geometry {
            Geometry::LineString(line) => line.lines().for_each(&mut along),
            Geometry::MultiLineString(lines) => lines.lines_iter().for_each(&mut along),
            Geometry::Polygon(polygon) => polygon.lines_iter().for_each(&mut along),
            Geometry::MultiPolygon(all) => all.lines_iter().for_each(&mut along),
            Geometry::GeometryCollection(parts) => {
                // Their vertices have been visited already; once more does no harm.
                parts
                    .iter()
                    .for_each(|part| each_place(part, pieces, visit));
            }
            _ => {}
        }
    }
}

/// Largest table of vertex pairs.
const MOST_PAIRS: usize = 100_000_000;

/// Into how many pieces a part of 1 cuts an edge.
fn pieces(call: &Call<'_>, row: usize, share: f64) -> Result<usize, Error> {
    match share > 0.0 && share <= 1.0 && 1.0 / share < 1e6 {
        true => Ok((1.0 / share).round_ties_even() as usize),
        false => Err(call.invalid(
            row,
            format!("{share} is no part of an edge: it lies above 0 and is at most 1"),
        )),
    }
}

/// The vertices in order, and the ends of so many pieces of every edge between them.
fn walk(geometry: &Geometry<f64>, pieces: usize) -> Vec<Coord<f64>> {
    let vertices: Vec<Coord<f64>> = geometry.coords_iter().collect();
    let mut all = vec![];
    for w in vertices.windows(2) {
        all.extend((0..pieces).map(|i| w[0] + (w[1] - w[0]) * (i as f64 / pieces as f64)));
    }
    all.extend(vertices.last());
    all
}

fn frechet(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    let share = match call.arity() {
        3 => Some(call.number(2)?),
        _ => None,
    };
    call.numbers(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        let pieces = match &share {
            None => 1,
            Some(share) => pieces(call, row, share(row))?,
        };
        let a = walk(&a, pieces);
        let b = walk(&b, pieces);
        if a.len().saturating_mul(b.len()) > MOST_PAIRS {
            return Err(call.invalid(
                row,
                format!("{} times {} vertices are too many", a.len(), b.len()),
            ));
        }
        if a.is_empty() || b.is_empty() {
            return Ok(None);
        }
        // Row by row of the table of leashes.
        let mut leash = vec![f64::INFINITY; b.len()];
        for (i, p) in a.iter().enumerate() {
            let mut diagonal = f64::INFINITY;
            let mut left = f64::INFINITY;
            for (j, q) in b.iter().enumerate() {
                let d = (p.x - q.x).hypot(p.y - q.y);
                let above = leash[j];
                let least = match (i, j) {
                    (0, 0) => d,
                    _ => above.min(diagonal).min(left),
                };
                diagonal = above;
                left = least.max(d);
                leash[j] = left;
            }
        }
        Ok(leash.last().copied())
    })
}

/// `None` for EMPTY.
fn point_of(
    call: &Call<'_>,
    row: usize,
    value: &Geometry<f64>,
) -> Result<Option<Point<f64>>, Error> {
    match value {
        Geometry::Point(point) => Ok(Some(*point)),
        Geometry::MultiPoint(points) if points.0.is_empty() => Ok(None),
        _ => Err(call.invalid(row, "a direction leads from a POINT to a POINT")),
    }
}

/// Radians clockwise from north; `None` between a point and itself.
fn direction(a: Point<f64>, b: Point<f64>) -> Option<f64> {
    let way = b - a;
    (a != b).then(|| way.x().atan2(way.y()).rem_euclid(TAU))
}

fn azimuth(call: &Call<'_>) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.numbers(|row| {
        let (a, b) = (a.geometry(row)?, b.geometry(row)?);
        let (a, b) = (point_of(call, row, &a)?, point_of(call, row, &b)?);
        Ok(a.zip(b).and_then(|(a, b)| direction(a, b)))
    })
}

fn angle(call: &Call<'_>) -> Result<ArrayRef> {
    let all = (0..call.arity())
        .map(|i| call.geometry(i))
        .collect::<Result<Vec<_>>>()?;
    call.numbers(|row| {
        let mut points = vec![];
        for geometry in &all {
            let value = geometry.geometry(row)?;
            match (value.as_ref(), all.len()) {
                (Geometry::LineString(line), 2) => {
                    let ends = [line.0.first(), line.0.last()];
                    points.extend(ends.map(|end| end.map(|c| Point(*c))));
                }
                (_, 2) => return Ok(None),
                (value, _) => points.push(point_of(call, row, value)?),
            }
        }
        let points: Option<Vec<Point<f64>>> = points.into_iter().collect();
        let directions = match points.as_deref() {
            Some([a, b, c]) => direction(*b, *a).zip(direction(*b, *c)),
            Some([a, b, c, d]) => direction(*a, *b).zip(direction(*c, *d)),
            _ => None,
        };
        Ok(directions.map(|(from, to)| (to - from).rem_euclid(TAU)))
    })
}

fn closest(call: &Call<'_>, line: bool) -> Result<ArrayRef> {
    let (a, b) = (call.geometry(0)?, call.geometry(1)?);
    call.binaries(|row, out| {
        let pair = closest_points(a.geometry(row)?.as_ref(), b.geometry(row)?.as_ref());
        if let Some((p, q)) = pair {
            let result = match line {
                true => Geometry::LineString(LineString(vec![p, q])),
                false => Geometry::Point(Point(p)),
            };
            write_geometry(&result, out);
        }
        Ok(pair.is_some())
    })
}

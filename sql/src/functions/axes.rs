//! Turns around other axes, longitudes of another range, exchanged ordinates, and measures along lines.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Body, Ordinates, Tree, map_ordinates};

use super::call::Call;
use super::coordinates::{move_all, move_by_row};
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};
use super::trees::tree;

const ANGLE: Parameter = parameter("angle", Kind::Number);
const POINT: Parameter = parameter("point", Kind::Geometry);
const LINE: Parameter = parameter("line", Kind::Geometry);

const fn number(name: &'static str) -> Parameter {
    parameter(name, Kind::Number)
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_RotateX",
        aliases: &[],
        signatures: &[&[GEOM, ANGLE]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry turned around the x axis by an angle in radians; z is 0 where there is none.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_SnapToGrid(ST_RotateX('POINT Z (1 2 3)', pi() / 2), 1))",
            "POINT Z (1 -3 2)",
        )],
        evaluate: Scalar(|call| {
            turn(call, |c, sin, cos| Ordinates {
                y: cos * c.y - sin * c.z,
                z: sin * c.y + cos * c.z,
                ..c
            })
        }),
    },
    Function {
        name: "ST_RotateY",
        aliases: &[],
        signatures: &[&[GEOM, ANGLE]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry turned around the y axis by an angle in radians; z is 0 where there is none.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "round(ST_X(ST_RotateY('POINT Z (1 2 3)', pi() / 2)))",
            "3.0",
        )],
        evaluate: Scalar(|call| {
            turn(call, |c, sin, cos| Ordinates {
                x: cos * c.x + sin * c.z,
                z: -sin * c.x + cos * c.z,
                ..c
            })
        }),
    },
    Function {
        name: "ST_TransScale",
        aliases: &[],
        signatures: &[&[
            GEOM,
            number("dx"),
            number("dy"),
            number("xfactor"),
            number("yfactor"),
        ]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry moved by (dx, dy), then scaled: x' = (x + dx) * xfactor.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_TransScale('POINT(1 2)', 1, 1, 10, 100))",
            "POINT(20 300)",
        )],
        evaluate: Scalar(move_and_scale),
    },
    Function {
        name: "ST_ShiftLongitude",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Longitudes below 0 plus 360, those above 180 less 360: between the ranges from -180 and from 0. It makes one piece of what lies around the antimeridian.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_ShiftLongitude('LINESTRING(178 0,-178 1)'))",
            "LINESTRING(178 0,182 1)",
        )],
        evaluate: Scalar(|call| {
            move_all(call, |c| {
                let turn = match c.x {
                    x if x < 0.0 => 360.0,
                    x if x > 180.0 => -360.0,
                    _ => 0.0,
                };
                Ordinates { x: c.x + turn, ..c }
            })
        }),
    },
    Function {
        name: "ST_SwapOrdinates",
        aliases: &[],
        signatures: &[&[GEOM, parameter("ordinates", Kind::Text)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry with two ordinates exchanged, as two of the letters x, y, z and m say. An ordinate that it does not have is an error.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_SwapOrdinates('POINT Z (1 2 3)', 'xz'))",
            "POINT Z (3 2 1)",
        )],
        evaluate: Scalar(swap),
    },
    Function {
        name: "ST_AddMeasure",
        aliases: &[],
        signatures: &[&[LINE, number("start"), number("end")]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "A line whose measures grow from `start` to `end` with the length along it. Anything but lines is an error.",
        empty: "EMPTY stays EMPTY, with M.",
        examples: &[(
            "ST_AsText(ST_AddMeasure('LINESTRING(0 0,1 0,4 0)', 10, 20))",
            "LINESTRING M (0 0 10,1 0 12.5,4 0 20)",
        )],
        evaluate: Scalar(add_measure),
    },
    Function {
        name: "ST_InterpolatePoint",
        aliases: &[],
        signatures: &[&[parameter("line_m", Kind::Geometry), POINT]],
        returns: Returns::Number,
        about: "The measure of a LINESTRING M where it is closest to a point. Any other type, and a line without M, are an error.",
        empty: "EMPTY has NULL.",
        examples: &[(
            "ST_InterpolatePoint('LINESTRING M (0 0 0,10 0 20)', 'POINT(5 5)')",
            "10.0",
        )],
        evaluate: Scalar(interpolate),
    },
    Function {
        name: "ST_PointInsideCircle",
        aliases: &[],
        signatures: &[&[POINT, number("x"), number("y"), number("radius")]],
        returns: Returns::Boolean,
        about: "Whether a POINT lies less than `radius` from (x, y); NULL for any other type.",
        empty: "EMPTY gives NULL.",
        examples: &[("ST_PointInsideCircle('POINT(1 2)', 0, 0, 3)", "true")],
        evaluate: Scalar(inside),
    },
];

fn turn(
    call: &Call<'_>,
    turned: impl Fn(Ordinates, f64, f64) -> Ordinates + Copy,
) -> Result<ArrayRef> {
    let angle = call.number(1)?;
    move_by_row(call, |row| {
        let (sin, cos) = angle(row).sin_cos();
        move |c: Ordinates| turned(c, sin, cos)
    })
}

fn move_and_scale(call: &Call<'_>) -> Result<ArrayRef> {
    let (dx, dy) = (call.number(1)?, call.number(2)?);
    let (fx, fy) = (call.number(3)?, call.number(4)?);
    move_by_row(call, |row| {
        let (dx, dy, fx, fy) = (dx(row), dy(row), fx(row), fy(row));
        move |c: Ordinates| Ordinates {
            x: (c.x + dx) * fx,
            y: (c.y + dy) * fy,
            ..c
        }
    })
}

fn swap(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, names) = (call.geometry(0)?, call.text(1)?);
    call.binaries(|row, out| {
        let names = names(row);
        let Dimensions { z, m } = tree(geometry, row)?.dimensions;
        let ordinate = |letter: char| match letter.to_ascii_lowercase() {
            'x' => Some(0),
            'y' => Some(1),
            'z' if z => Some(2),
            'm' if m => Some(3),
            _ => None,
        };
        let found: Option<Vec<usize>> = names.chars().map(ordinate).collect();
        let Some([a, b]) = found.as_deref() else {
            return Err(call.invalid(
                row,
                format!("'{names}' is not two of the ordinates of the geometry, as 'xy' is"),
            ));
        };
        let swapped = |c: Ordinates| {
            let mut all = [c.x, c.y, c.z, c.m];
            all.swap(*a, *b);
            let [x, y, z, m] = all;
            Ordinates { x, y, z, m }
        };
        map_ordinates(geometry.wkb(row)?, None, (0.0, 0.0), swapped, out)
            .map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}

fn apart(a: &Ordinates, b: &Ordinates) -> f64 {
    (b.x - a.x).hypot(b.y - a.y)
}

fn add_measure(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let (start, end) = (call.number(1)?, call.number(2)?);
    call.binaries(|row, out| {
        let mut tree = tree(geometry, row)?;
        if !matches!(tree.kind, WkbKind::LineString | WkbKind::MultiLineString) {
            return Err(call.invalid(row, format!("expected lines, found a {}", tree.kind.tag())));
        }
        let length = |run: &[Ordinates]| run.windows(2).map(|w| apart(&w[0], &w[1])).sum::<f64>();
        let mut whole = 0.0;
        let mut vertices = 0;
        tree.each_run(&mut |_, run| {
            whole += length(run);
            vertices += run.len();
        });
        let (start, end) = (start(row), end(row));
        let (mut gone, mut passed) = (0.0, 0);
        tree.each_run_mut(&mut |_, run| {
            let mut last: Option<Ordinates> = None;
            for c in run.iter_mut() {
                gone += last.map_or(0.0, |last| apart(&last, c));
                // Without a length the vertices are evenly apart.
                let grown = match whole > 0.0 {
                    true => (end - start) * gone / whole,
                    false => (end - start) * passed as f64 / (vertices.max(2) - 1) as f64,
                };
                c.m = start + grown;
                last = Some(*c);
                passed += 1;
            }
        });
        with_m(&mut tree);
        tree.write(out);
        Ok(true)
    })
}

fn with_m(tree: &mut Tree) {
    tree.dimensions.m = true;
    if let Body::Parts(parts) = &mut tree.body {
        parts.iter_mut().for_each(with_m);
    }
}

fn interpolate(call: &Call<'_>) -> Result<ArrayRef> {
    let (line, point) = (call.geometry(0)?, call.geometry(1)?);
    call.numbers(|row| {
        let (line, point) = (tree(line, row)?, tree(point, row)?);
        if line.kind != WkbKind::LineString || !line.dimensions.m || point.kind != WkbKind::Point {
            return Err(call.invalid(row, "expected a LINESTRING M and a POINT".to_owned()));
        }
        let Some(p) = point.coords().first() else {
            return Ok(None);
        };
        let mut best: Option<(f64, f64)> = None;
        for edge in line.coords().windows(2) {
            let (a, b) = (&edge[0], &edge[1]);
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            let square = dx * dx + dy * dy;
            let part = match square > 0.0 {
                true => (((p.x - a.x) * dx + (p.y - a.y) * dy) / square).clamp(0.0, 1.0),
                false => 0.0,
            };
            let away = (p.x - a.x - part * dx).hypot(p.y - a.y - part * dy);
            if best.is_none_or(|(least, _)| away < least) {
                best = Some((away, a.m + part * (b.m - a.m)));
            }
        }
        Ok(best.map(|(_, measure)| measure))
    })
}

fn inside(call: &Call<'_>) -> Result<ArrayRef> {
    let point = call.geometry(0)?;
    let (x, y, radius) = (call.number(1)?, call.number(2)?, call.number(3)?);
    call.booleans(|row| {
        let point = tree(point, row)?;
        if point.kind != WkbKind::Point {
            return Ok(None);
        }
        let near = |c: &Ordinates| (c.x - x(row)).hypot(c.y - y(row)) < radius(row);
        Ok(point.coords().first().map(near))
    })
}

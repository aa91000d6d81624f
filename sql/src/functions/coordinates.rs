//! The same geometry with other coordinates: moved, turned, reordered, with more or fewer ordinates.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::Coord;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Body, Ordinates, Tree, map_ordinates, wkb_with_dimensions};
use geoflow_engine::overlay::is_counterclockwise;

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};
use super::trees::{derive, tests, tree};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Reverse",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with the coordinates of every line and ring in reverse order.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_Reverse('LINESTRING(0 0,1 1)'))",
            "LINESTRING(1 1,0 0)",
        )],
        evaluate: Scalar(|call| change(call, |_, run| run.reverse())),
    },
    Function {
        name: "ST_FlipCoordinates",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with x and y exchanged.",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_FlipCoordinates('POINT(1 2)'))", "POINT(2 1)")],
        evaluate: Scalar(|call| {
            move_all(call, |c| Ordinates {
                x: c.y,
                y: c.x,
                ..c
            })
        }),
    },
    Function {
        name: "ST_Force2D",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry without Z and M.",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_Force2D('POINT Z (1 2 3)'))", "POINT(1 2)")],
        evaluate: Scalar(|call| force(call, Dimensions::XY)),
    },
    Function {
        name: "ST_Force3D",
        aliases: &["ST_Force3DZ"],
        signatures: &[&[GEOM], &[GEOM, parameter("z", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with Z and without M; where there is no Z it is `z`, 0 without that.",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_Force3D('POINT(1 2)', 7))", "POINT Z (1 2 7)")],
        evaluate: Scalar(|call| force(call, Dimensions::XYZ)),
    },
    Function {
        name: "ST_Force3DM",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("m", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with M and without Z; where there is no M it is `m`, 0 without that.",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_Force3DM('POINT(1 2)'))", "POINT M (1 2 0)")],
        evaluate: Scalar(|call| force(call, Dimensions::XYM)),
    },
    Function {
        name: "ST_Force4D",
        aliases: &[],
        signatures: &[
            &[GEOM],
            &[
                GEOM,
                parameter("z", Kind::Number),
                parameter("m", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with Z and M; where there is none they are `z` and `m`, 0 without those.",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_Force4D('POINT(1 2)'))", "POINT ZM (1 2 0 0)")],
        evaluate: Scalar(|call| force(call, Dimensions::XYZM)),
    },
    Function {
        name: "ST_ForcePolygonCW",
        aliases: &["ST_ForceRHR"],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with shells clockwise and holes counterclockwise.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_ForcePolygonCW('POLYGON((0 0,1 0,1 1,0 0))'))",
            "POLYGON((0 0,1 1,1 0,0 0))",
        )],
        evaluate: Scalar(|call| orient(call, true)),
    },
    Function {
        name: "ST_ForcePolygonCCW",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with shells counterclockwise and holes clockwise.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_ForcePolygonCCW('POLYGON((0 0,1 1,1 0,0 0))'))",
            "POLYGON((0 0,1 0,1 1,0 0))",
        )],
        evaluate: Scalar(|call| orient(call, false)),
    },
    Function {
        name: "ST_IsPolygonCW",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether all shells are clockwise and all holes counterclockwise; true without polygons.",
        empty: "EMPTY is true.",
        examples: &[("ST_IsPolygonCW('POLYGON((0 0,1 1,1 0,0 0))')", "true")],
        evaluate: Scalar(|call| oriented(call, true)),
    },
    Function {
        name: "ST_IsPolygonCCW",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Boolean,
        about: "Whether all shells are counterclockwise and all holes clockwise; true without polygons.",
        empty: "EMPTY is true.",
        examples: &[("ST_IsPolygonCCW('POLYGON((0 0,1 1,1 0,0 0))')", "false")],
        evaluate: Scalar(|call| oriented(call, false)),
    },
    Function {
        name: "ST_Translate",
        aliases: &[],
        signatures: &[
            &[
                GEOM,
                parameter("dx", Kind::Number),
                parameter("dy", Kind::Number),
            ],
            &[
                GEOM,
                parameter("dx", Kind::Number),
                parameter("dy", Kind::Number),
                parameter("dz", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry moved.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_Translate('POINT(1 2)', 10, 20))",
            "POINT(11 22)",
        )],
        evaluate: Scalar(translate),
    },
    Function {
        name: "ST_Scale",
        aliases: &[],
        signatures: &[
            &[
                GEOM,
                parameter("x", Kind::Number),
                parameter("y", Kind::Number),
            ],
            &[
                GEOM,
                parameter("x", Kind::Number),
                parameter("y", Kind::Number),
                parameter("z", Kind::Number),
            ],
            &[GEOM, parameter("factor", Kind::Geometry)],
            &[
                GEOM,
                parameter("factor", Kind::Geometry),
                parameter("origin", Kind::Geometry),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with its coordinates multiplied: by numbers, or by the ordinates of the point `factor`, Z and M where it has them; seen from the point `origin`, which stays.",
        empty: "EMPTY stays EMPTY. A factor or origin that is EMPTY gives NULL.",
        examples: &[("ST_AsText(ST_Scale('POINT(1 2)', 10, 20))", "POINT(10 40)")],
        evaluate: Scalar(scale),
    },
    Function {
        name: "ST_Rotate",
        aliases: &["ST_RotateZ"],
        signatures: &[
            &[GEOM, parameter("angle", Kind::Number)],
            &[
                GEOM,
                parameter("angle", Kind::Number),
                parameter("x", Kind::Number),
                parameter("y", Kind::Number),
            ],
            &[
                GEOM,
                parameter("angle", Kind::Number),
                parameter("origin", Kind::Geometry),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry turned counterclockwise by an angle in radians, around a point or (0, 0).",
        empty: "EMPTY stays EMPTY.",
        examples: &[("ST_AsText(ST_Rotate('POINT(1 0)', 0, 2, 0))", "POINT(1 0)")],
        evaluate: Scalar(rotate),
    },
    Function {
        name: "ST_Affine",
        aliases: &[],
        signatures: &[
            &[
                GEOM,
                parameter("a", Kind::Number),
                parameter("b", Kind::Number),
                parameter("d", Kind::Number),
                parameter("e", Kind::Number),
                parameter("xoff", Kind::Number),
                parameter("yoff", Kind::Number),
            ],
            &[
                GEOM,
                parameter("a", Kind::Number),
                parameter("b", Kind::Number),
                parameter("c", Kind::Number),
                parameter("d", Kind::Number),
                parameter("e", Kind::Number),
                parameter("f", Kind::Number),
                parameter("g", Kind::Number),
                parameter("h", Kind::Number),
                parameter("i", Kind::Number),
                parameter("xoff", Kind::Number),
                parameter("yoff", Kind::Number),
                parameter("zoff", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The affine map x' = a x + b y + xoff, y' = d x + e y + yoff; with twelve numbers that of x, y and z.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_Affine('POINT(1 2)', 2, 0, 0, 3, 10, 20))",
            "POINT(12 26)",
        )],
        evaluate: Scalar(affine),
    },
];

/// Changes every run of coordinates: a point, a line, a ring.
fn change(call: &Call<'_>, change: impl Fn(WkbKind, &mut Vec<Ordinates>)) -> Result<ArrayRef> {
    derive(call, |mut tree| {
        tree.each_run_mut(&mut |kind, run| change(kind, run));
        Some(tree)
    })
}

/// Maps every coordinate.
pub(super) fn move_all(call: &Call<'_>, map: impl Fn(Ordinates) -> Ordinates) -> Result<ArrayRef> {
    move_by_row(call, |_| &map)
}

/// Maps every coordinate, by the row.
pub(super) fn move_by_row<M: Fn(Ordinates) -> Ordinates>(
    call: &Call<'_>,
    map: impl Fn(usize) -> M,
) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        map_ordinates(geometry.wkb(row)?, None, (0.0, 0.0), map(row), out)
            .map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}

fn force(call: &Call<'_>, dimensions: Dimensions) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let fill = (1..call.arity())
        .map(|i| call.number(i))
        .collect::<Result<Vec<_>>>()?;
    call.binaries(|row, out| {
        let fill: Vec<f64> = fill.iter().map(|value| value(row)).collect();
        let (z, m) = match fill.as_slice() {
            [z, m] => (*z, *m),
            [only] => (*only, *only),
            _ => (0.0, 0.0),
        };
        wkb_with_dimensions(geometry.wkb(row)?, dimensions, z, m, out)
            .map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}

fn is_clockwise(ring: &[Ordinates]) -> bool {
    let ring: Vec<Coord<f64>> = ring.iter().map(|c| Coord { x: c.x, y: c.y }).collect();
    !is_counterclockwise(&ring)
}

fn orient(call: &Call<'_>, clockwise: bool) -> Result<ArrayRef> {
    fn turn(tree: &mut Tree, clockwise: bool) {
        match &mut tree.body {
            Body::Rings(rings) => {
                for (i, ring) in rings.iter_mut().enumerate() {
                    // Holes turn the other way.
                    if is_clockwise(ring) != (clockwise == (i == 0)) {
                        ring.reverse();
                    }
                }
            }
            Body::Parts(parts) => parts.iter_mut().for_each(|part| turn(part, clockwise)),
            Body::Coords(_) => {}
        }
    }
    derive(call, |mut tree| {
        turn(&mut tree, clockwise);
        Some(tree)
    })
}

fn oriented(call: &Call<'_>, clockwise: bool) -> Result<ArrayRef> {
    tests(call, |tree| {
        let mut all = true;
        tree.each_simple(&mut |part| {
            for (i, ring) in part.rings().iter().enumerate() {
                all &= is_clockwise(ring) == (clockwise == (i == 0));
            }
        });
        Some(all)
    })
}

fn translate(call: &Call<'_>) -> Result<ArrayRef> {
    let (dx, dy) = (call.number(1)?, call.number(2)?);
    let dz = match call.arity() {
        4 => Some(call.number(3)?),
        _ => None,
    };
    move_by_row(call, |row| {
        let (dx, dy) = (dx(row), dy(row));
        let dz = dz.as_ref().map_or(0.0, |dz| dz(row));
        move |c: Ordinates| Ordinates {
            x: c.x + dx,
            y: c.y + dy,
            z: c.z + dz,
            m: c.m,
        }
    })
}

/// The only coordinate of a point, with `absent` for Z and M where there are none; `None` for EMPTY.
fn point_or(
    call: &Call<'_>,
    argument: usize,
    row: usize,
    absent: f64,
) -> Result<Option<Ordinates>, Error> {
    let geometry = call
        .geometry(argument)
        .map_err(|e| Error::Internal(e.to_string()))?;
    let point = tree(geometry, row)?;
    if point.kind != WkbKind::Point {
        return Err(call.invalid(
            row,
            format!("expected a POINT, found a {}", point.kind.tag()),
        ));
    }
    let at = point.coords().first();
    Ok(at.map(|at| Ordinates {
        z: if point.dimensions.z { at.z } else { absent },
        m: if point.dimensions.m { at.m } else { absent },
        ..*at
    }))
}

fn scale_by_points(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let factor = point_or(call, 1, row, 1.0)?;
        let origin = match call.arity() {
            3 => point_or(call, 2, row, 0.0)?,
            _ => Some(Ordinates {
                x: 0.0,
                y: 0.0,
                z: 0.0,
                m: 0.0,
            }),
        };
        let (Some(factor), Some(origin)) = (factor, origin) else {
            return Ok(false);
        };
        let mut tree = tree(geometry, row)?;
        tree.each_run_mut(&mut |_, run| {
            for c in run {
                *c = Ordinates {
                    x: (c.x - origin.x) * factor.x + origin.x,
                    y: (c.y - origin.y) * factor.y + origin.y,
                    z: (c.z - origin.z) * factor.z + origin.z,
                    m: (c.m - origin.m) * factor.m + origin.m,
                };
            }
        });
        tree.write(out);
        Ok(true)
    })
}

fn scale(call: &Call<'_>) -> Result<ArrayRef> {
    if call.geometry(1).is_ok() {
        return scale_by_points(call);
    }
    let (fx, fy) = (call.number(1)?, call.number(2)?);
    let fz = match call.arity() {
        4 => Some(call.number(3)?),
        _ => None,
    };
    move_by_row(call, |row| {
        let (fx, fy) = (fx(row), fy(row));
        let fz = fz.as_ref().map_or(1.0, |fz| fz(row));
        move |c: Ordinates| Ordinates {
            x: c.x * fx,
            y: c.y * fy,
            z: c.z * fz,
            m: c.m,
        }
    })
}

fn rotate(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let angle = call.number(1)?;
    let centre = match call.arity() {
        4 => Some((call.number(2)?, call.number(3)?)),
        _ => None,
    };
    let origin = match call.arity() {
        3 => Some(call.geometry(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let (cx, cy) = match (&centre, origin) {
            (Some((x, y)), _) => (x(row), y(row)),
            (_, Some(origin)) => match tree(origin, row)?.coords() {
                [point] => (point.x, point.y),
                [] => return Ok(false),
                _ => return Err(call.invalid(row, "the origin of a rotation must be a POINT")),
            },
            _ => (0.0, 0.0),
        };
        let (sin, cos) = angle(row).sin_cos();
        // As PostGIS has it: one matrix, not a move, a turn and a move.
        let (dx, dy) = (cx - cos * cx + sin * cy, cy - sin * cx - cos * cy);
        let turn = |c: Ordinates| Ordinates {
            x: cos * c.x - sin * c.y + dx,
            y: sin * c.x + cos * c.y + dy,
            ..c
        };
        map_ordinates(geometry.wkb(row)?, None, (0.0, 0.0), turn, out)
            .map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}

fn affine(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = (1..call.arity())
        .map(|i| call.number(i))
        .collect::<Result<Vec<_>>>()?;
    move_by_row(call, |row| {
        let v: Vec<f64> = numbers.iter().map(|number| number(row)).collect();
        let [a, b, c, d, e, f, g, h, i, x, y, z] = match *v.as_slice() {
            [a, b, d, e, x, y] => [a, b, 0.0, d, e, 0.0, 0.0, 0.0, 1.0, x, y, 0.0],
            ref all => std::array::from_fn(|i| all.get(i).copied().unwrap_or_default()),
        };
        move |p: Ordinates| Ordinates {
            x: a * p.x + b * p.y + c * p.z + x,
            y: d * p.x + e * p.y + f * p.z + y,
            z: g * p.x + h * p.y + i * p.z + z,
            m: p.m,
        }
    })
}

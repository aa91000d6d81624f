//! Other coordinates and other parts: simplified, rounded, regrouped; with Z and M.

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::Coord;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::{Body, Ordinates, Tree};
use geoflow_engine::overlay::is_counterclockwise;
use geoflow_engine::processing::{chaikin_run, simplify_run};

use super::call::Call;
use super::definition::{CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};
use super::trees::{derive, tree};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_Boundary",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "What bounds a geometry: the rings of polygons, the ends of lines (each that an odd number of lines share), nothing of points.",
        empty: "EMPTY gives EMPTY. The boundary of a collection is that of its parts.",
        examples: &[(
            "ST_AsText(ST_Boundary('LINESTRING(0 0,1 1)'))",
            "MULTIPOINT((0 0),(1 1))",
        )],
        evaluate: Scalar(|call| derive(call, boundary)),
    },
    Function {
        name: "ST_Multi",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry as a multi geometry of one part; multi geometries and collections as they are.",
        empty: "EMPTY gives EMPTY of the multi type.",
        examples: &[("ST_AsText(ST_Multi('POINT(1 2)'))", "MULTIPOINT((1 2))")],
        evaluate: Scalar(|call| derive(call, multi)),
    },
    Function {
        name: "ST_CollectionExtract",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("type", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The parts of a collection of one type: 1 for points, 2 for lines, 3 for polygons; of the highest dimension without `type`.",
        empty: "Nothing of the type gives EMPTY.",
        examples: &[(
            "ST_AsText(ST_CollectionExtract('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', 1))",
            "MULTIPOINT((1 2))",
        )],
        evaluate: Scalar(collection_extract),
    },
    Function {
        name: "ST_CollectionHomogenize",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The simplest form of a collection: its only part, or a multi geometry of parts of one type.",
        empty: "EMPTY gives EMPTY.",
        examples: &[(
            "ST_AsText(ST_CollectionHomogenize('GEOMETRYCOLLECTION(POINT(1 2))'))",
            "POINT(1 2)",
        )],
        evaluate: Scalar(|call| derive(call, homogenize)),
    },
    Function {
        name: "ST_RemoveRepeatedPoints",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("tolerance", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry without coordinates that repeat the one before, or lie within `tolerance` of it.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_RemoveRepeatedPoints('LINESTRING(0 0,0 0,1 1)'))",
            "LINESTRING(0 0,1 1)",
        )],
        evaluate: Scalar(remove_repeated),
    },
    Function {
        name: "ST_SnapToGrid",
        aliases: &[],
        signatures: &[
            &[GEOM, parameter("size", Kind::Number)],
            &[
                GEOM,
                parameter("size_x", Kind::Number),
                parameter("size_y", Kind::Number),
            ],
            &[
                GEOM,
                parameter("origin_x", Kind::Number),
                parameter("origin_y", Kind::Number),
                parameter("size_x", Kind::Number),
                parameter("size_y", Kind::Number),
            ],
            &[
                GEOM,
                parameter("origin", Kind::Geometry),
                parameter("size_x", Kind::Number),
                parameter("size_y", Kind::Number),
                parameter("size_z", Kind::Number),
                parameter("size_m", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with x and y rounded to a grid, and Z and M too where `origin` is a point. Repeated coordinates are dropped, and lines and rings that collapse. The result may be invalid.",
        empty: "EMPTY stays EMPTY. A size of 0 leaves the ordinate.",
        examples: &[(
            "ST_AsText(ST_SnapToGrid('LINESTRING(0.1 0.2,0.3 0.1,1.9 2.2)', 1))",
            "LINESTRING(0 0,2 2)",
        )],
        evaluate: Scalar(snap_to_grid),
    },
    Function {
        name: "ST_Simplify",
        aliases: &[],
        signatures: &[
            &[GEOM, parameter("tolerance", Kind::Number)],
            &[
                GEOM,
                parameter("tolerance", Kind::Number),
                parameter("preserve_collapsed", Kind::Boolean),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry with fewer vertices, by the method of Douglas and Peucker: no dropped vertex is further than `tolerance` from the result. Rings that collapse are dropped, unless `preserve_collapsed`. The result may be invalid.",
        empty: "EMPTY stays EMPTY; where all collapses the result is NULL.",
        examples: &[(
            "ST_AsText(ST_Simplify('LINESTRING(0 0,1 0.1,2 0)', 0.5))",
            "LINESTRING(0 0,2 0)",
        )],
        evaluate: Scalar(simplify),
    },
    Function {
        name: "ST_ChaikinSmoothing",
        aliases: &[],
        signatures: &[
            &[GEOM],
            &[GEOM, parameter("iterations", Kind::Integer)],
            &[
                GEOM,
                parameter("iterations", Kind::Integer),
                parameter("preserve_endpoints", Kind::Boolean),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "Lines and rings with corners cut off, by the method of Chaikin, one to five times.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_ChaikinSmoothing('LINESTRING(0 0,4 0,4 4)'))",
            "LINESTRING(0 0,3 0,4 1,4 4)",
        )],
        evaluate: Scalar(chaikin),
    },
    Function {
        name: "ST_Expand",
        aliases: &[],
        signatures: &[
            &[GEOM, parameter("distance", Kind::Number)],
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
            &[
                GEOM,
                parameter("dx", Kind::Number),
                parameter("dy", Kind::Number),
                parameter("dz", Kind::Number),
                parameter("dm", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The bounding box, larger by a distance on every side, as a polygon. One distance is for all ordinates, `dx` and `dy` leave Z and M.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_Expand('POINT(1 1)', 1))",
            "POLYGON((0 0,0 2,2 2,2 0,0 0))",
        )],
        evaluate: Scalar(expand),
    },
    Function {
        name: "ST_Normalize",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The geometry in one order of points, rings and parts: equal geometries with equal vertices become the same.",
        empty: "EMPTY stays EMPTY.",
        examples: &[(
            "ST_AsText(ST_Normalize('LINESTRING(1 1,0 0)'))",
            "LINESTRING(0 0,1 1)",
        )],
        evaluate: Scalar(|call| derive(call, normalize)),
    },
];

fn compare(a: &Ordinates, b: &Ordinates) -> Ordering {
    a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
}

fn boundary(tree: Tree) -> Option<Tree> {
    let dimensions = tree.dimensions;
    Some(match tree.kind {
        WkbKind::Point | WkbKind::MultiPoint => Tree::empty(tree.kind, dimensions),
        WkbKind::LineString | WkbKind::MultiLineString => {
            let mut ends: Vec<Ordinates> = vec![];
            tree.each_simple(&mut |line| {
                ends.extend(line.coords().first());
                ends.extend(line.coords().last());
            });
            // In order of appearance.
            let odd = ends
                .iter()
                .enumerate()
                .filter(|(i, end)| {
                    let same = |other: &&Ordinates| compare(other, end).is_eq();
                    let first = !ends[..*i].iter().any(|other| same(&other));
                    first && ends.iter().filter(same).count() % 2 == 1
                })
                .map(|(_, end)| Tree::point(*end, dimensions))
                .collect();
            Tree::parts_of(WkbKind::MultiPoint, odd, dimensions)
        }
        WkbKind::Polygon | WkbKind::MultiPolygon => {
            let mut rings: Vec<Tree> = vec![];
            tree.each_simple(&mut |polygon| {
                let lines = polygon.rings().iter();
                rings.extend(lines.map(|ring| Tree::line(ring.clone(), dimensions)));
            });
            match (rings.len(), tree.kind) {
                (0, WkbKind::MultiPolygon) => Tree::empty(WkbKind::GeometryCollection, dimensions),
                (1, WkbKind::Polygon) => rings.remove(0),
                _ => Tree::parts_of(WkbKind::MultiLineString, rings, dimensions),
            }
        }
        WkbKind::GeometryCollection => {
            let parts = tree
                .parts()
                .iter()
                .filter_map(|part| boundary(part.clone()));
            let parts = parts.filter(|part| !part.is_empty()).collect();
            Tree::parts_of(WkbKind::GeometryCollection, parts, dimensions)
        }
    })
}

/// The multi type of a type.
fn multi_kind(kind: WkbKind) -> WkbKind {
    match kind {
        WkbKind::Point => WkbKind::MultiPoint,
        WkbKind::LineString => WkbKind::MultiLineString,
        WkbKind::Polygon => WkbKind::MultiPolygon,
        other => other,
    }
}

fn multi(tree: Tree) -> Option<Tree> {
    let (kind, dimensions) = (multi_kind(tree.kind), tree.dimensions);
    Some(match kind == tree.kind {
        true => tree,
        false if tree.is_empty() => Tree::empty(kind, dimensions),
        false => Tree::parts_of(kind, vec![tree], dimensions),
    })
}

fn collection_extract(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let wanted = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let tree = tree(geometry, row)?;
        let rank = |kind: WkbKind| match multi_kind(kind) {
            WkbKind::MultiPoint => 1,
            WkbKind::MultiLineString => 2,
            WkbKind::MultiPolygon => 3,
            _ => 0,
        };
        let wanted = match &wanted {
            Some(wanted) => wanted(row),
            None if tree.kind != WkbKind::GeometryCollection => {
                match matches!(&tree.body, Body::Parts(parts) if parts.is_empty()) {
                    true => Tree::empty(WkbKind::GeometryCollection, tree.dimensions).write(out),
                    false => tree.write(out),
                }
                return Ok(true);
            }
            None => {
                let mut highest = 0;
                tree.each_simple(&mut |part| {
                    if !part.is_empty() {
                        highest = highest.max(rank(part.kind));
                    }
                });
                highest
            }
        };
        let simple = match wanted {
            1 => WkbKind::Point,
            2 => WkbKind::LineString,
            3 => WkbKind::Polygon,
            0 => {
                tree.write(out);
                return Ok(true);
            }
            other => {
                return Err(call.invalid(
                    row,
                    format!("{other} is no type: 1 is for points, 2 for lines, 3 for polygons"),
                ));
            }
        };
        if tree.kind != WkbKind::GeometryCollection {
            match rank(tree.kind) == wanted {
                true => tree.write(out),
                false if matches!(tree.body, Body::Parts(_)) => {
                    Tree::empty(multi_kind(simple), tree.dimensions).write(out);
                }
                false => Tree::empty(simple, tree.dimensions).write(out),
            }
            return Ok(true);
        }
        let mut parts = vec![];
        tree.each_simple(&mut |part| {
            if part.kind == simple && !part.is_empty() {
                parts.push(part.clone());
            }
        });
        Tree::parts_of(multi_kind(simple), parts, tree.dimensions).write(out);
        Ok(true)
    })
}

fn homogenize(tree: Tree) -> Option<Tree> {
    let dimensions = tree.dimensions;
    if !matches!(tree.body, Body::Parts(_)) {
        return Some(tree);
    }
    let mut by_type: [Vec<Tree>; 3] = Default::default();
    tree.each_simple(&mut |part| {
        let slot = match part.kind {
            WkbKind::Point => 0,
            WkbKind::LineString => 1,
            _ => 2,
        };
        if !part.is_empty() {
            by_type[slot].push(part.clone());
        }
    });
    let mut groups: Vec<Tree> = by_type
        .into_iter()
        .filter(|parts| !parts.is_empty())
        .map(|mut parts| match parts.len() {
            1 => parts.remove(0),
            _ => Tree::parts_of(multi_kind(parts[0].kind), parts, dimensions),
        })
        .collect();
    Some(match groups.len() {
        0 => tree,
        1 => groups.remove(0),
        _ => Tree::parts_of(WkbKind::GeometryCollection, groups, dimensions),
    })
}

/// Fewest coordinates of a line or ring.
fn least(kind: WkbKind) -> usize {
    match kind {
        WkbKind::Polygon => 4,
        WkbKind::LineString => 2,
        _ => 1,
    }
}

fn remove_repeated(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let tolerance = match call.arity() {
        2 => Some(call.number(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let mut tree = tree(geometry, row)?;
        let tolerance = tolerance.as_ref().map_or(0.0, |tolerance| tolerance(row));
        let near = |a: &Ordinates, b: &Ordinates| match tolerance > 0.0 {
            true => (a.x - b.x).powi(2) + (a.y - b.y).powi(2) <= tolerance * tolerance,
            false => a == b,
        };
        tree.each_run_mut(&mut |kind, run| *run = without_repeated(run, least(kind), near));
        drop_same_points(&mut tree, &near);
        tree.write(out);
        Ok(true)
    })
}

/// Drops points of multipoints that are near another.
fn drop_same_points(tree: &mut Tree, near: &impl Fn(&Ordinates, &Ordinates) -> bool) {
    let Body::Parts(parts) = &mut tree.body else {
        return;
    };
    if tree.kind != WkbKind::MultiPoint {
        parts
            .iter_mut()
            .for_each(|part| drop_same_points(part, near));
        return;
    }
    let mut kept: Vec<Tree> = vec![];
    for part in parts.drain(..) {
        let seen = |other: &Tree| match (part.coords(), other.coords()) {
            ([a], [b]) => near(a, b),
            _ => false,
        };
        if !kept.iter().any(seen) {
            kept.push(part);
        }
    }
    *parts = kept;
}

/// Drops coordinates near the last that is kept, but the last of all, while more than `least` remain.
fn without_repeated(
    run: &[Ordinates],
    least: usize,
    near: impl Fn(&Ordinates, &Ordinates) -> bool,
) -> Vec<Ordinates> {
    let mut kept: Vec<Ordinates> = vec![];
    for (i, c) in run.iter().enumerate() {
        let last = i + 1 == run.len();
        let repeats = kept.last().is_some_and(|before| near(before, c));
        let enough = run.len() - i > least.saturating_sub(kept.len());
        if repeats && enough {
            match last && kept.len() > 1 {
                // The very last one stays, in the place of the one before.
                true => {
                    kept.pop();
                }
                false => continue,
            }
        }
        kept.push(*c);
    }
    kept
}

fn snap_to_grid(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let origin = match call.arity() {
        6 => Some(call.geometry(1)?),
        _ => None,
    };
    let numbers = (1 + usize::from(origin.is_some())..call.arity())
        .map(|i| call.number(i))
        .collect::<Result<Vec<_>>>()?;
    call.binaries(|row, out| {
        let v: Vec<f64> = numbers.iter().map(|number| number(row)).collect();
        let mut start = Ordinates {
            x: 0.0,
            y: 0.0,
            z: 0.0,
            m: 0.0,
        };
        let [sx, sy, sz, sm] = match (v.as_slice(), origin) {
            (&[size], _) => [size, size, 0.0, 0.0],
            (&[sx, sy], _) => [sx, sy, 0.0, 0.0],
            (&[sx, sy, sz, sm], Some(origin)) => {
                let origin = tree(origin, row)?;
                if origin.kind != WkbKind::Point {
                    let tag = origin.kind.tag();
                    return Err(call.invalid(row, format!("the origin is a POINT, not a {tag}")));
                }
                start = origin.coords().first().copied().unwrap_or(start);
                [sx, sy, sz, sm]
            }
            (&[ox, oy, sx, sy], None) => {
                (start.x, start.y) = (ox, oy);
                [sx, sy, 0.0, 0.0]
            }
            _ => [0.0; 4],
        };
        if ![sx, sy, sz, sm].iter().all(|size| *size >= 0.0) {
            return Err(call.invalid(row, "the size of a grid must not be negative"));
        }
        let snap = |v: f64, origin: f64, size: f64| match size > 0.0 {
            true => ((v - origin) / size).round_ties_even() * size + origin,
            false => v,
        };
        let mut tree = tree(geometry, row)?;
        tree.each_run_mut(&mut |kind, run| {
            for c in run.iter_mut() {
                c.x = snap(c.x, start.x, sx);
                c.y = snap(c.y, start.y, sy);
                c.z = snap(c.z, start.z, sz);
                c.m = snap(c.m, start.m, sm);
            }
            run.dedup_by(|a, b| a == b);
            if run.len() < least(kind) {
                run.clear();
            }
        });
        prune(&mut tree);
        tree.write(out);
        Ok(true)
    })
}

/// Drops rings without coordinates, polygons without a shell, and parts that are EMPTY.
fn prune(tree: &mut Tree) {
    match &mut tree.body {
        Body::Coords(_) => {}
        Body::Rings(rings) => match rings.first().is_none_or(Vec::is_empty) {
            true => rings.clear(),
            false => rings.retain(|ring| !ring.is_empty()),
        },
        Body::Parts(parts) => {
            parts.iter_mut().for_each(prune);
            parts.retain(|part| !part.is_empty());
        }
    }
}

fn simplify(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, tolerance) = (call.geometry(0)?, call.number(1)?);
    let preserve = match call.arity() {
        3 => Some(call.boolean(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let mut tree = tree(geometry, row)?;
        let tolerance = tolerance(row);
        if tolerance.is_nan() || tolerance < 0.0 {
            return Err(call.invalid(
                row,
                format!("the tolerance {tolerance} must not be negative"),
            ));
        }
        let preserve = preserve.as_ref().is_some_and(|preserve| preserve(row));
        let was_empty = tree.is_empty();
        simplify_tree(&mut tree, tolerance, preserve);
        tree.write(out);
        Ok(was_empty || !tree.is_empty())
    })
}

fn simplify_tree(tree: &mut Tree, tolerance: f64, preserve: bool) {
    match &mut tree.body {
        Body::Coords(line) if tree.kind == WkbKind::LineString => {
            let before = line.len();
            simplify_run(line, tolerance, 2);
            let collapsed = line.len() == 2 && compare(&line[0], &line[1]).is_eq();
            if collapsed && before > 2 && !preserve {
                line.clear();
            }
        }
        Body::Coords(_) => {}
        Body::Rings(rings) => {
            for (i, ring) in rings.iter_mut().enumerate() {
                let least = if preserve && i == 0 { 4 } else { 0 };
                simplify_run(ring, tolerance, least);
                if ring.len() < 4 {
                    ring.clear();
                }
            }
            match rings.first().is_none_or(Vec::is_empty) {
                true => rings.clear(),
                false => rings.retain(|ring| !ring.is_empty()),
            }
        }
        Body::Parts(parts) => parts.retain_mut(|part| {
            let was_empty = part.is_empty();
            simplify_tree(part, tolerance, preserve);
            was_empty || !part.is_empty()
        }),
    }
}

fn chaikin(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let iterations = match call.arity() {
        1 => None,
        _ => Some(call.integer(1)?),
    };
    let preserve = match call.arity() {
        3 => Some(call.boolean(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let n = iterations.as_ref().map_or(1, |n| n(row));
        if !(1..=5).contains(&n) {
            return Err(call.invalid(row, format!("{n} iterations: there can be 1 to 5")));
        }
        let preserve = preserve.as_ref().is_some_and(|preserve| preserve(row));
        let mut tree = tree(geometry, row)?;
        tree.each_run_mut(&mut |kind, run| {
            for _ in 0..n {
                match kind {
                    WkbKind::Polygon => chaikin_run(run, true, preserve),
                    WkbKind::LineString => chaikin_run(run, false, preserve),
                    _ => {}
                }
            }
        });
        tree.write(out);
        Ok(true)
    })
}

fn expand(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, dx) = (call.geometry(0)?, call.number(1)?);
    let more = (2..call.arity())
        .map(|i| call.number(i))
        .collect::<Result<Vec<_>>>()?;
    call.binaries(|row, out| {
        let tree = tree(geometry, row)?;
        let all = tree.all_coords();
        let fold = |pick: fn(f64, f64) -> f64| {
            all.iter().copied().reduce(|a, b| Ordinates {
                x: pick(a.x, b.x),
                y: pick(a.y, b.y),
                z: pick(a.z, b.z),
                m: pick(a.m, b.m),
            })
        };
        let (Some(low), Some(high)) = (fold(f64::min), fold(f64::max)) else {
            tree.write(out);
            return Ok(true);
        };
        let dx = dx(row);
        // One distance is for all ordinates.
        let other = |i: usize, rest: f64| match more.is_empty() {
            true => dx,
            false => more.get(i).map_or(rest, |number| number(row)),
        };
        let (dy, dz, dm) = (other(0, 0.0), other(1, 0.0), other(2, 0.0));
        let grow = |c: Ordinates, sign: f64| Ordinates {
            x: c.x + sign * dx,
            y: c.y + sign * dy,
            z: c.z + sign * dz,
            m: c.m + sign * dm,
        };
        let (low, high) = (grow(low, -1.0), grow(high, 1.0));
        let ring = vec![
            low,
            Ordinates { y: high.y, ..low },
            high,
            Ordinates { y: low.y, ..high },
            low,
        ];
        Tree::polygon(vec![ring], tree.dimensions).write(out);
        Ok(true)
    })
}

fn normalize(mut tree: Tree) -> Option<Tree> {
    order(&mut tree);
    Some(tree)
}

/// The order of GEOS: rings from their lowest point, shells clockwise, holes counterclockwise; parts from
/// the greatest to the smallest.
fn order(tree: &mut Tree) {
    let runs = |a: &[Ordinates], b: &[Ordinates]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(a.len().cmp(&b.len()))
    };
    match &mut tree.body {
        Body::Coords(line) => {
            let flip = line
                .iter()
                .zip(line.iter().rev())
                .map(|(a, b)| compare(a, b))
                .find(|order| order.is_ne());
            if flip == Some(Ordering::Greater) {
                line.reverse();
            }
        }
        Body::Rings(rings) => {
            for (i, ring) in rings.iter_mut().enumerate() {
                ring.pop();
                let lowest = (0..ring.len()).min_by(|a, b| compare(&ring[*a], &ring[*b]));
                ring.rotate_left(lowest.unwrap_or_default());
                ring.extend(ring.first().copied());
                let flat: Vec<Coord<f64>> = ring.iter().map(|c| Coord { x: c.x, y: c.y }).collect();
                if is_counterclockwise(&flat) == (i == 0) {
                    ring.reverse();
                }
            }
            if let Some((_, holes)) = rings.split_first_mut() {
                holes.sort_by(|a, b| runs(b, a));
            }
        }
        Body::Parts(parts) => {
            parts.iter_mut().for_each(order);
            // A multi geometry stands next to its simple type.
            let rank = |tree: &Tree| match tree.kind {
                WkbKind::Point => 0,
                WkbKind::MultiPoint => 1,
                WkbKind::LineString => 2,
                WkbKind::MultiLineString => 3,
                WkbKind::Polygon => 4,
                WkbKind::MultiPolygon => 5,
                WkbKind::GeometryCollection => 6,
            };
            // Types from collections down, within a type from the greatest.
            parts.sort_by(|a, b| {
                rank(b)
                    .cmp(&rank(a))
                    .then_with(|| runs(&b.all_coords(), &a.all_coords()))
            });
        }
    }
}

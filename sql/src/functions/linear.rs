//! Along lines: places by their distance from the start, and lines made of lines.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::wkb_writer::Dimensions;
use geoflow_engine::geometry::{Ordinates, Tree};

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};
use super::trees::tree;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_LineInterpolatePoint",
        aliases: &[],
        signatures: &[&[LINE, parameter("fraction", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The point at a fraction (0 to 1) of the length of a LINESTRING, measured in the plane; Z and M are interpolated. Any other geometry is an error.",
        empty: "EMPTY gives POINT EMPTY.",
        examples: &[(
            "ST_AsText(ST_LineInterpolatePoint('LINESTRING(0 0,4 0)', 0.25))",
            "POINT(1 0)",
        )],
        evaluate: Scalar(interpolate_point),
    },
    Function {
        name: "ST_LineInterpolatePoints",
        aliases: &[],
        signatures: &[
            &[LINE, parameter("fraction", Kind::Number)],
            &[
                LINE,
                parameter("fraction", Kind::Number),
                parameter("repeat", Kind::Boolean),
            ],
        ],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The points at every multiple of a fraction of the length of a LINESTRING, or at the fraction alone if `repeat` is false.",
        empty: "EMPTY gives POINT EMPTY.",
        examples: &[(
            "ST_AsText(ST_LineInterpolatePoints('LINESTRING(0 0,4 0)', 0.5))",
            "MULTIPOINT((2 0),(4 0))",
        )],
        evaluate: Scalar(interpolate_points),
    },
    Function {
        name: "ST_LineSubstring",
        aliases: &[],
        signatures: &[&[
            LINE,
            parameter("from", Kind::Number),
            parameter("to", Kind::Number),
        ]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The part of a LINESTRING between two fractions of its length (0 to 1), a point where they are equal. Any other geometry is an error.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_AsText(ST_LineSubstring('LINESTRING(0 0,4 0)', 0.25, 0.5))",
            "LINESTRING(1 0,2 0)",
        )],
        evaluate: Scalar(substring),
    },
    Function {
        name: "ST_LineLocatePoint",
        aliases: &[],
        signatures: &[&[LINE, parameter("point", Kind::Geometry)]],
        returns: Returns::Number,
        about: "Where a LINESTRING comes closest to a point, as a fraction of its length.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_LineLocatePoint('LINESTRING(0 0,4 0)', 'POINT(1 5)')",
            "0.25",
        )],
        evaluate: Scalar(locate_point),
    },
    Function {
        name: "ST_LineMerge",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("directed", Kind::Boolean)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The lines joined where two of them, and no third, meet at their ends. `directed`, only where one ends and the other starts.",
        empty: "EMPTY stays EMPTY; anything but lines gives GEOMETRYCOLLECTION EMPTY.",
        examples: &[(
            "ST_AsText(ST_LineMerge('MULTILINESTRING((0 0,1 1),(2 2,1 1))'))",
            "LINESTRING(0 0,1 1,2 2)",
        )],
        evaluate: Scalar(merge_lines),
    },
    Function {
        name: "ST_Segmentize",
        aliases: &["ST_Densify"],
        signatures: &[&[GEOM, parameter("length", Kind::Number)]],
        returns: Returns::Geometry(CrsRule::Arguments),
        about: "The same geometry with vertices added, evenly, so that no edge is longer than this.",
        empty: "EMPTY stays EMPTY. A length that is not positive is an error.",
        examples: &[(
            "ST_AsText(ST_Segmentize('LINESTRING(0 0,4 0)', 2))",
            "LINESTRING(0 0,2 0,4 0)",
        )],
        evaluate: Scalar(segmentize),
    },
];

const LINE: Parameter = parameter("line", Kind::Geometry);

/// The line of a row.
pub(super) fn line_of(call: &Call<'_>, geometry: &GeometryArg, row: usize) -> Result<Tree, Error> {
    let line = tree(geometry, row)?;
    match line.kind {
        WkbKind::LineString => Ok(line),
        other => Err(call.invalid(
            row,
            format!("expected a LINESTRING, found a {}", other.tag()),
        )),
    }
}

fn fraction(call: &Call<'_>, row: usize, value: f64) -> Result<f64, Error> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => Err(call.invalid(row, format!("{value} is no fraction between 0 and 1"))),
    }
}

/// The point between two, in all ordinates.
fn between(a: &Ordinates, b: &Ordinates, t: f64) -> Ordinates {
    let mix = |p: f64, q: f64| p + t * (q - p);
    Ordinates {
        x: mix(a.x, b.x),
        y: mix(a.y, b.y),
        z: mix(a.z, b.z),
        m: mix(a.m, b.m),
    }
}

fn length(a: &Ordinates, b: &Ordinates) -> f64 {
    (b.x - a.x).hypot(b.y - a.y)
}

fn total(coords: &[Ordinates]) -> f64 {
    coords.windows(2).map(|w| length(&w[0], &w[1])).sum()
}

/// The point at a distance from the start.
fn at(coords: &[Ordinates], distance: f64) -> Option<Ordinates> {
    let mut gone = 0.0;
    for w in coords.windows(2) {
        let step = length(&w[0], &w[1]);
        if distance < gone + step {
            return Some(between(&w[0], &w[1], (distance - gone) / step));
        }
        gone += step;
    }
    coords.last().copied()
}

fn interpolate_point(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, share) = (call.geometry(0)?, call.number(1)?);
    call.binaries(|row, out| {
        let line = line_of(call, geometry, row)?;
        let share = fraction(call, row, share(row))?;
        match at(line.coords(), share * total(line.coords())) {
            Some(point) => Tree::point(point, line.dimensions),
            None => Tree::empty(WkbKind::Point, line.dimensions),
        }
        .write(out);
        Ok(true)
    })
}

/// No more points than this in one value.
const MOST_POINTS: f64 = 10_000_000.0;

fn interpolate_points(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, share) = (call.geometry(0)?, call.number(1)?);
    let repeat = match call.arity() {
        3 => Some(call.boolean(2)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let line = line_of(call, geometry, row)?;
        let share = fraction(call, row, share(row))?;
        let repeat = repeat.as_ref().is_none_or(|repeat| repeat(row)) && share > 0.0;
        let n = match repeat {
            true => (1.0 / share).floor(),
            false => 1.0,
        };
        if n > MOST_POINTS {
            return Err(call.invalid(row, format!("the fraction {share} makes {n} points")));
        }
        let whole = total(line.coords());
        let points: Vec<Tree> = (1..=n as usize)
            .filter_map(|i| at(line.coords(), i as f64 * share * whole))
            .map(|point| Tree::point(point, line.dimensions))
            .collect();
        match (line.is_empty(), points.as_slice()) {
            (true, _) => Tree::empty(WkbKind::Point, line.dimensions),
            (_, [only]) => only.clone(),
            _ => Tree::parts_of(WkbKind::MultiPoint, points, line.dimensions),
        }
        .write(out);
        Ok(true)
    })
}

fn substring(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, from, to) = (call.geometry(0)?, call.number(1)?, call.number(2)?);
    call.binaries(|row, out| {
        let line = line_of(call, geometry, row)?;
        let (from, to) = (
            fraction(call, row, from(row))?,
            fraction(call, row, to(row))?,
        );
        if from > to {
            return Err(call.invalid(row, format!("the start {from} lies behind the end {to}")));
        }
        let coords = line.coords();
        let whole = total(coords);
        let (start, end) = (from * whole, to * whole);
        let (Some(first), Some(last)) = (at(coords, start), at(coords, end)) else {
            return Ok(false);
        };
        if from == to || whole == 0.0 {
            Tree::point(first, line.dimensions).write(out);
            return Ok(true);
        }
        let mut part = vec![first];
        let mut gone = 0.0;
        for w in coords.windows(2) {
            gone += length(&w[0], &w[1]);
            if gone > start && gone < end {
                part.push(w[1]);
            }
        }
        part.push(last);
        Tree::line(part, line.dimensions).write(out);
        Ok(true)
    })
}

fn locate_point(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, point) = (call.geometry(0)?, call.geometry(1)?);
    call.numbers(|row| {
        let line = line_of(call, geometry, row)?;
        let place = tree(point, row)?;
        let p = match (place.kind, place.coords()) {
            (WkbKind::Point, [p]) => *p,
            (WkbKind::Point, _) => return Ok(None),
            (other, _) => {
                return Err(call.invalid(row, format!("expected a POINT, found a {}", other.tag())));
            }
        };
        let coords = line.coords();
        let whole = total(coords);
        let mut gone = 0.0;
        let mut best: Option<(f64, f64)> = None;
        for w in coords.windows(2) {
            let (dx, dy) = (w[1].x - w[0].x, w[1].y - w[0].y);
            let square = dx * dx + dy * dy;
            let t = match square > 0.0 {
                true => (((p.x - w[0].x) * dx + (p.y - w[0].y) * dy) / square).clamp(0.0, 1.0),
                false => 0.0,
            };
            let foot = between(&w[0], &w[1], t);
            let away = (p.x - foot.x).hypot(p.y - foot.y);
            let step = length(&w[0], &w[1]);
            if best.is_none_or(|(least, _)| away < least) {
                best = Some((away, gone + t * step));
            }
            gone += step;
        }
        Ok(best.map(|(_, place)| match whole > 0.0 {
            true => (place / whole).clamp(0.0, 1.0),
            false => 0.0,
        }))
    })
}

/// Joins lines at places where exactly two ends meet.
fn merge_lines(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let directed = match call.arity() {
        2 => Some(call.boolean(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let directed = directed.as_ref().is_some_and(|directed| directed(row));
        line_merge(tree(geometry, row)?, directed).write(out);
        Ok(true)
    })
}

fn line_merge(tree: Tree, directed: bool) -> Tree {
    let dimensions = tree.dimensions;
    if tree.is_empty() {
        return tree;
    }
    let mut lines: Vec<Vec<Ordinates>> = vec![];
    tree.each_simple(&mut |line| {
        let mut coords = line.coords().to_vec();
        coords.dedup_by(|a, b| length(a, b) == 0.0);
        if line.kind == WkbKind::LineString && coords.len() > 1 {
            lines.push(coords);
        }
    });
    if lines.is_empty() {
        return Tree::empty(WkbKind::GeometryCollection, Dimensions::XY);
    }
    // Ends by place: line `i` starts at end `2 * i` and stops at `2 * i + 1`.
    let key = |c: &Ordinates| ((c.x + 0.0).to_bits(), (c.y + 0.0).to_bits());
    let end = |e: usize| match e % 2 {
        0 => lines[e / 2].first(),
        _ => lines[e / 2].last(),
    };
    let mut ends: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for e in 0..lines.len() * 2 {
        if let Some(c) = end(e) {
            ends.entry(key(c)).or_default().push(e);
        }
    }
    // The end that continues a line beyond its end `e`.
    let beyond = |e: usize| {
        let other = match ends.get(&key(end(e)?))?.as_slice() {
            [a, b] if *a == e => *b,
            [a, b] if *b == e => *a,
            _ => return None,
        };
        (!directed || other % 2 != e % 2).then_some(other)
    };
    let mut used = vec![false; lines.len()];
    let mut merged = vec![];
    for i in 0..lines.len() {
        if used[i] {
            continue;
        }
        // Back to where the chain starts, or once around a ring.
        let mut first = 2 * i;
        while let Some(e) = beyond(first) {
            if e / 2 == i {
                break;
            }
            first = e ^ 1;
        }
        let mut chain: Vec<Ordinates> = vec![];
        let mut next = Some(first);
        while let Some(e) = next.filter(|e| !used[e / 2]) {
            used[e / 2] = true;
            let skip = usize::from(!chain.is_empty());
            match e % 2 {
                0 => chain.extend(lines[e / 2].iter().skip(skip)),
                _ => chain.extend(lines[e / 2].iter().rev().skip(skip)),
            }
            next = beyond(e ^ 1);
        }
        merged.push(Tree::line(chain, dimensions));
    }
    match merged.len() {
        1 => merged.remove(0),
        _ => Tree::parts_of(WkbKind::MultiLineString, merged, dimensions),
    }
}

fn segmentize(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, longest) = (call.geometry(0)?, call.number(1)?);
    call.binaries(|row, out| {
        let longest = longest(row);
        if longest.is_nan() || longest <= 0.0 {
            return Err(call.invalid(
                row,
                format!("the length {longest} of edges must be positive"),
            ));
        }
        let mut tree = tree(geometry, row)?;
        let mut most = 0.0f64;
        tree.each_run(&mut |_, run| most += total(run) / longest);
        if most > MOST_POINTS {
            return Err(call.invalid(
                row,
                format!("edges of at most {longest} need {most:.0} vertices"),
            ));
        }
        tree.each_run_mut(&mut |_, run| {
            let mut all = Vec::with_capacity(run.len());
            for w in run.windows(2) {
                let n = (length(&w[0], &w[1]) / longest).ceil().max(1.0);
                all.push(w[0]);
                all.extend((1..n as usize).map(|i| between(&w[0], &w[1], i as f64 / n)));
            }
            all.extend(run.last());
            *run = all;
        });
        tree.write(out);
        Ok(true)
    })
}

//! Geometries in the coordinates of a vector tile.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{
    Coord, Geometry, HasDimensions, LineString, MapCoords, MultiLineString, MultiPoint,
    MultiPolygon, Polygon, Rect,
};
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::overlay::{Operation, on_grid, overlay};

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};

const BOUNDS: Parameter = parameter("bounds", Kind::Geometry);
const EXTENT: Parameter = parameter("extent", Kind::Integer);
const BUFFER: Parameter = parameter("buffer", Kind::Integer);

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "ST_AsMVTGeom",
    aliases: &[],
    signatures: &[
        &[GEOM, BOUNDS],
        &[GEOM, BOUNDS, EXTENT],
        &[GEOM, BOUNDS, EXTENT, BUFFER],
        &[
            GEOM,
            BOUNDS,
            EXTENT,
            BUFFER,
            parameter("clip_geom", Kind::Boolean),
        ],
    ],
    returns: Returns::Geometry(CrsRule::Unknown),
    about: "The geometry in the whole-numbered coordinates of a vector tile of `extent` units (4096) that shows the bounding box of `bounds`, y downwards, cut `buffer` units (256) beyond its border unless `clip_geom` is FALSE. Of a collection the parts of the highest dimension. Polygons stay valid. Z and M are dropped.",
    empty: "NULL for EMPTY, EMPTY bounds, and where nothing is left. Bounds without area are an error.",
    examples: &[(
        "ST_AsText(ST_AsMVTGeom('LINESTRING(0 0,64 64)', ST_MakeEnvelope(0, 0, 64, 64)))",
        "LINESTRING(0 4096,4096 0)",
    )],
    evaluate: Scalar(tile_geometry),
}];

fn tile_geometry(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, bounds) = (call.geometry(0)?, call.geometry(1)?);
    let number = |i: usize| match call.arity() > i {
        true => call.integer(i).map(Some),
        false => Ok(None),
    };
    let (extent, buffer) = (number(2)?, number(3)?);
    let clip = match call.arity() {
        5 => Some(call.boolean(4)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let extent = extent.as_ref().map_or(4096, |extent| extent(row));
        let buffer = buffer.as_ref().map_or(256, |buffer| buffer(row));
        // Coordinates of tiles are 32 bit.
        let fits = |v: i64| (0..=1 << 30).contains(&v);
        if extent == 0 || !fits(extent) || !fits(buffer) {
            return Err(call.invalid(
                row,
                format!("an extent of {extent} with a buffer of {buffer} is no tile"),
            ));
        }
        let (extent, buffer) = (extent as f64, buffer as f64);
        let tile = bounds.bounds(row)?;
        if tile.is_empty() {
            return Ok(false);
        }
        let (width, height) = (tile.max_x - tile.min_x, tile.max_y - tile.min_y);
        if width <= 0.0 || height <= 0.0 {
            return Err(call.invalid(row, "the bounds of a tile have no area"));
        }
        let (fx, fy) = (extent / width, -extent / height);
        let placed = geometry.geometry(row)?.map_coords(|c| Coord {
            x: (c.x - tile.min_x) * fx,
            y: (c.y - tile.max_y) * fy,
        });
        let corner = |v: f64| Coord { x: v, y: v };
        let frame = Rect::new(corner(-buffer), corner(extent + buffer));
        let clip = clip.as_ref().is_none_or(|clip| clip(row));
        let made = on_tile(placed, clip.then_some(frame));
        if let Some(made) = &made {
            write_geometry(made, out);
        }
        Ok(made.is_some())
    })
}

/// The parts of the highest dimension on whole numbers, within a frame; `None` for nothing.
fn on_tile(geometry: Geometry<f64>, frame: Option<Rect<f64>>) -> Option<Geometry<f64>> {
    let (mut points, mut lines, mut polygons) = (vec![], vec![], vec![]);
    sort(geometry, &mut points, &mut lines, &mut polygons);
    if !polygons.is_empty() {
        return areas(polygons, frame);
    }
    if !lines.is_empty() {
        let mut lines: Vec<LineString<f64>> = lines.iter().filter_map(rounded).collect();
        if let Some(frame) = frame {
            let parts = lines.iter().flat_map(|line| clipped(line, frame));
            lines = parts
                .collect::<Vec<_>>()
                .iter()
                .filter_map(rounded)
                .collect();
        }
        return match lines.len() {
            0 => None,
            1 => lines.pop().map(Geometry::LineString),
            _ => Some(Geometry::MultiLineString(MultiLineString(lines))),
        };
    }
    let mut kept: Vec<Coord<f64>> = vec![];
    for p in points {
        let p = round(p);
        let inside = frame.is_none_or(|frame| {
            let (low, high) = (frame.min(), frame.max());
            (low.x..=high.x).contains(&p.x) && (low.y..=high.y).contains(&p.y)
        });
        if inside && !kept.contains(&p) {
            kept.push(p);
        }
    }
    match kept.as_slice() {
        [] => None,
        [only] => Some(Geometry::Point((*only).into())),
        all => Some(Geometry::MultiPoint(MultiPoint::from(all.to_vec()))),
    }
}

/// Whole numbers, the even one of two, as in PostGIS.
fn round(c: Coord<f64>) -> Coord<f64> {
    Coord {
        x: c.x.round_ties_even() + 0.0,
        y: c.y.round_ties_even() + 0.0,
    }
}

/// The parts of a geometry by type, without those that are EMPTY.
fn sort(
    geometry: Geometry<f64>,
    points: &mut Vec<Coord<f64>>,
    lines: &mut Vec<LineString<f64>>,
    polygons: &mut Vec<Polygon<f64>>,
) {
    match geometry {
        Geometry::Point(p) => points.push(p.0),
        Geometry::MultiPoint(all) => points.extend(all.into_iter().map(|p| p.0)),
        Geometry::LineString(line) if !line.0.is_empty() => lines.push(line),
        Geometry::MultiLineString(all) => {
            lines.extend(all.into_iter().filter(|line| !line.0.is_empty()));
        }
        Geometry::Polygon(polygon) if !polygon.is_empty() => polygons.push(polygon),
        Geometry::MultiPolygon(all) => {
            polygons.extend(all.into_iter().filter(|polygon| !polygon.is_empty()));
        }
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                sort(part, points, lines, polygons);
            }
        }
        _ => {}
    }
}

fn areas(polygons: Vec<Polygon<f64>>, frame: Option<Rect<f64>>) -> Option<Geometry<f64>> {
    let whole = |v: f64| v.round_ties_even() + 0.0;
    let all = Geometry::MultiPolygon(MultiPolygon(polygons));
    let mut placed = on_grid(&all, whole)?;
    if let Some(frame) = frame {
        let cut = overlay(&placed, &Geometry::Rect(frame), Operation::Intersection);
        let (mut areas, mut rest) = (vec![], (vec![], vec![]));
        sort(cut, &mut rest.0, &mut rest.1, &mut areas);
        placed = on_grid(&Geometry::MultiPolygon(MultiPolygon(areas)), whole)?;
    }
    (!placed.is_empty()).then_some(placed)
}

/// A line on whole numbers without coordinates that repeat or lie straight between their neighbours;
/// `None` for one without length.
fn rounded(line: &LineString<f64>) -> Option<LineString<f64>> {
    let mut kept: Vec<Coord<f64>> = vec![];
    for c in &line.0 {
        let c = round(*c);
        if kept.last() == Some(&c) {
            continue;
        }
        if let [.., a, b] = kept.as_slice() {
            // Whole numbers of 32 bits: exact.
            let (u, v) = (*b - *a, c - *b);
            if u.x * v.y == u.y * v.x && u.x * v.x + u.y * v.y > 0.0 {
                kept.pop();
            }
        }
        kept.push(c);
    }
    (kept.len() > 1).then_some(LineString(kept))
}

/// The parts of a line within a frame.
fn clipped(line: &LineString<f64>, frame: Rect<f64>) -> Vec<LineString<f64>> {
    let mut parts: Vec<Vec<Coord<f64>>> = vec![];
    for w in line.0.windows(2) {
        let Some((from, to)) = segment_within(w[0], w[1], frame) else {
            continue;
        };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&from) => part.push(to),
            _ => parts.push(vec![from, to]),
        }
    }
    parts.into_iter().map(LineString).collect()
}

/// The part of a segment within a frame, by the method of Liang and Barsky.
fn segment_within(
    a: Coord<f64>,
    b: Coord<f64>,
    frame: Rect<f64>,
) -> Option<(Coord<f64>, Coord<f64>)> {
    let run = b - a;
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for (way, room) in [
        (-run.x, a.x - frame.min().x),
        (run.x, frame.max().x - a.x),
        (-run.y, a.y - frame.min().y),
        (run.y, frame.max().y - a.y),
    ] {
        match way {
            w if w == 0.0 && room < 0.0 => return None,
            w if w < 0.0 => from = from.max(room / w),
            w if w > 0.0 => to = to.min(room / w),
            _ => {}
        }
    }
    let at = |t: f64| match t {
        t if t <= 0.0 => a,
        t if t >= 1.0 => b,
        t => a + run * t,
    };
    (from < to).then(|| (at(from), at(to)))
}

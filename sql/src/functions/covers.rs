//! The H3 cells that cover a geometry.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::builder::{BinaryViewBuilder, Int64Builder};
use arrow::array::{ArrayRef, BinaryViewArray};
use datafusion::error::Result;
use geo::{Coord, CoordsIter, Geometry, LineString, MultiPolygon, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::geometry::{GeometryArray, GeometryType};
use geoflow_engine::predicate::{Distances, PreparedSet, ProbeBatch, SpatialPredicate};
use h3o::{CellIndex, LatLng, Resolution};

use super::call::Call;
use super::cells::{corners, one_piece, resolution};
use super::definition::{Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};

pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "ST_H3Cover",
    aliases: &["ST_H3CellIDs"],
    signatures: &[&[GEOM, parameter("resolution", Kind::Integer)]],
    returns: Returns::List(&Returns::BigInt),
    about: "The H3 cells of a resolution (0 to 15) that share a point with a geometry in longitude and latitude, sorted. Sides of cells are straight there, as those of the geometry are; the cells of its vertices, as ST_H3Cell has them, are always among them. One row for each: `SELECT unnest(ST_H3Cover(geom, 7))`. More than a million cells, and longitudes beyond 180 degrees, are an error.",
    empty: "EMPTY has no cells.",
    examples: &[
        (
            "ST_H3Cover('POINT(24.94 60.17)', 7)[1] = ST_H3Cell('POINT(24.94 60.17)', 7)",
            "true",
        ),
        (
            "cardinality(ST_H3Cover(ST_MakeEnvelope(24.8, 60.1, 25.2, 60.3), 6))",
            "30",
        ),
    ],
    evaluate: Scalar(cover),
}];

/// No more cells of one geometry.
const MOST: usize = 1_000_000;

fn cover(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, level) = (call.geometry(0)?, call.integer(1)?);
    call.lists(Int64Builder::new(), |row, out| {
        let level = resolution(call, row, level(row))?;
        let value = geometry.geometry(row)?;
        let shape = single(geometry.wkb(row)?)?;
        let mut cells: Vec<u64> = cells(&value, shape, level)
            .map_err(|e| super::hulls::in_row(call, row, e))?
            .into_iter()
            .map(u64::from)
            .collect();
        cells.sort_unstable();
        cells
            .into_iter()
            .for_each(|cell| out.append_value(cell as i64));
        Ok(())
    })
}

fn single(wkb: &[u8]) -> Result<GeometryArray, Error> {
    let array: ArrayRef = Arc::new(BinaryViewArray::from_iter_values([wkb]));
    GeometryArray::try_new(&array, &GeometryType::wkb(None))
}

/// From the cells of all vertices outwards, as long as cells meet the geometry.
fn cells(
    geometry: &Geometry<f64>,
    shape: GeometryArray,
    level: Resolution,
) -> Result<HashSet<CellIndex>, Error> {
    let mut found = HashSet::new();
    for c in geometry.coords_iter() {
        if !(c.x.abs() <= 180.0 && c.y.abs() <= 90.0) {
            return Err(Error::Data(format!(
                "({}, {}) is no longitude and latitude; what crosses the antimeridian is to be cut there",
                c.x, c.y
            )));
        }
        let place = LatLng::new(c.y, c.x).map_err(|e| Error::Data(e.to_string()))?;
        found.insert(place.to_cell(level));
    }
    if matches!(geometry, Geometry::Point(_) | Geometry::MultiPoint(_)) {
        return Ok(found);
    }
    let too_many = || {
        Error::Data(format!(
            "more than {MOST} cells of resolution {level} cover the geometry: a coarser one needs fewer"
        ))
    };
    // Known before any is made, for areas far too large. Cells differ by a factor of two.
    let cell = found.iter().next().map_or(1.0, |cell| cell.area_km2());
    if least_area(geometry) > 2.0 * cell * MOST as f64 {
        return Err(too_many());
    }
    let poles = [90.0, -90.0].map(|latitude| {
        let place = LatLng::new(latitude, 0.0).ok();
        place.map(|place| place.to_cell(level))
    });
    let shape = PreparedSet::new(shape);
    let mut seen = found.clone();
    let mut edge: Vec<CellIndex> = found.iter().copied().collect();
    while !edge.is_empty() {
        let mut next: Vec<CellIndex> = vec![];
        for cell in &edge {
            let around = cell.grid_disk_safe(1);
            next.extend(around.filter(|neighbour| seen.insert(*neighbour)));
        }
        let hits = meeting(&shape, &next, poles)?;
        edge = hits.into_iter().map(|i| next[i as usize]).collect();
        found.extend(edge.iter().copied());
        if found.len() > MOST {
            return Err(too_many());
        }
    }
    Ok(found)
}

/// Square kilometres that a geometry covers at least.
fn least_area(geometry: &Geometry<f64>) -> f64 {
    let farthest = geometry
        .coords_iter()
        .map(|c| c.y.abs())
        .fold(0.0, f64::max);
    let square_degree = 111.0 * 111.0 * farthest.min(90.0).to_radians().cos();
    geo::Area::unsigned_area(geometry) * square_degree
}

/// Which of the cells meet the geometry.
fn meeting(
    shape: &PreparedSet,
    cells: &[CellIndex],
    poles: [Option<CellIndex>; 2],
) -> Result<Vec<u32>, Error> {
    let mut outlines = BinaryViewBuilder::with_capacity(cells.len());
    let mut bytes = vec![];
    for cell in cells {
        bytes.clear();
        write_geometry(&outline(*cell, poles), &mut bytes);
        outlines
            .try_append_value(&bytes)
            .map_err(|e| Error::Internal(e.to_string()))?;
    }
    let outlines: ArrayRef = Arc::new(outlines.finish());
    let outlines = GeometryArray::try_new(&outlines, &GeometryType::wkb(None))?;
    let rows: Vec<u32> = (0..cells.len() as u32).collect();
    let mut hits = vec![];
    shape.refine(
        SpatialPredicate::Intersects,
        &ProbeBatch::try_new(outlines)?,
        &vec![0; rows.len()],
        &rows,
        Distances::None,
        &mut hits,
    )?;
    Ok(hits)
}

/// The outline of a cell in longitude and latitude, in two parts across the antimeridian.
fn outline(cell: CellIndex, poles: [Option<CellIndex>; 2]) -> Geometry<f64> {
    let ring = corners(cell);
    let pole = poles.iter().position(|pole| *pole == Some(cell));
    if let Some(pole) = pole {
        return Geometry::Polygon(cap(ring, if pole == 0 { 90.0 } else { -90.0 }));
    }
    let ring = one_piece(ring);
    let beyond = |sign: f64| ring.iter().any(|c| c.x * sign > 180.0);
    let turn = match (beyond(1.0), beyond(-1.0)) {
        (true, _) => -360.0,
        (_, true) => 360.0,
        _ => return Geometry::Polygon(Polygon::new(LineString(ring), vec![])),
    };
    let turned = ring.iter().map(|c| Coord {
        x: c.x + turn,
        y: c.y,
    });
    let turned = LineString(turned.collect());
    Geometry::MultiPolygon(MultiPolygon(vec![
        Polygon::new(LineString(ring), vec![]),
        Polygon::new(turned, vec![]),
    ]))
}

/// A cell around a pole: all that lies between its outline and the pole, at every longitude.
fn cap(mut ring: Vec<Coord<f64>>, pole: f64) -> Polygon<f64> {
    ring.sort_by(|a, b| a.x.total_cmp(&b.x));
    let mut line: Vec<Coord<f64>> = vec![];
    let turned = |c: Option<&Coord<f64>>, turn: f64| {
        c.map(|c| Coord {
            x: c.x + turn,
            y: c.y,
        })
    };
    line.extend(turned(ring.last(), -360.0));
    line.extend(ring.iter().copied());
    line.extend(turned(ring.first(), 360.0));
    let ends = [line.last().map(|c| c.x), line.first().map(|c| c.x)];
    line.extend(ends.into_iter().flatten().map(|x| Coord { x, y: pole }));
    line.extend(line.first().copied());
    Polygon::new(LineString(line), vec![])
}

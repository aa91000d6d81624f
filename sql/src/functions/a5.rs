//! Cells of the grid A5: pentagons of the same area at each resolution.

use a5::{
    CellToBoundaryOptions, Containment, LonLat, PolygonToCellsOptions, cell_to_boundary,
    cell_to_parent, get_resolution, is_valid_cell, line_string_to_cells, lonlat_to_cell,
    polygon_to_cells, uncompact,
};
use arrow::array::ArrayRef;
use arrow::array::builder::Int64Builder;
use datafusion::error::Result;
use geo::{Coord, Geometry, LineString, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;

use super::call::Call;
use super::cells::lon_lat;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};

const CELL: Parameter = parameter("a5_cell", Kind::Integer);
const RESOLUTION: Parameter = parameter("resolution", Kind::Integer);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_A5Cell",
        aliases: &[],
        signatures: &[&[GEOM, RESOLUTION]],
        returns: Returns::BigInt,
        about: "The A5 cell that holds a point in longitude and latitude, at a resolution from 0 to 29.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_A5Parent(ST_A5Cell('POINT(24.94 60.17)', 12), 9) = ST_A5Cell('POINT(24.94 60.17)', 9)",
            "true",
        )],
        evaluate: Scalar(cell),
    },
    Function {
        name: "ST_A5Parent",
        aliases: &[],
        signatures: &[&[CELL, RESOLUTION]],
        returns: Returns::BigInt,
        about: "The A5 cell of a coarser resolution that holds a cell.",
        empty: "A number that is no cell, or a finer resolution, is an error.",
        examples: &[(
            "ST_A5Parent(ST_A5Cell('POINT(24.94 60.17)', 7), 7) = ST_A5Cell('POINT(24.94 60.17)', 7)",
            "true",
        )],
        evaluate: Scalar(parent),
    },
    Function {
        name: "ST_A5Boundary",
        aliases: &[],
        signatures: &[&[CELL]],
        returns: Returns::Geometry(CrsRule::LonLat),
        about: "The outline of an A5 cell, in longitude and latitude. Across the antimeridian longitudes go beyond 180 degrees.",
        empty: "A number that is no cell is an error.",
        examples: &[(
            "ST_Intersects(ST_A5Boundary(ST_A5Cell('POINT(24.94 60.17)', 7)), 'POINT(24.94 60.17)')",
            "true",
        )],
        evaluate: Scalar(boundary),
    },
    Function {
        name: "ST_A5Cover",
        aliases: &[],
        signatures: &[&[GEOM, RESOLUTION]],
        returns: Returns::List(&Returns::BigInt),
        about: "The A5 cells of a resolution (0 to 29) that share a point with a geometry in longitude and latitude, sorted; its edges are the shortest ways on the sphere. One row for each: `SELECT unnest(ST_A5Cover(geom, 9))`. More than a million cells are an error.",
        empty: "EMPTY has no cells.",
        examples: &[(
            "ST_A5Cover('POINT(24.94 60.17)', 7)[1] = ST_A5Cell('POINT(24.94 60.17)', 7)",
            "true",
        )],
        evaluate: Scalar(cover),
    },
];

fn resolution(call: &Call<'_>, row: usize, value: i64) -> Result<i32, Error> {
    // Resolution 30 is not there for the whole of the Earth.
    match i32::try_from(value) {
        Ok(level @ 0..=29) => Ok(level),
        _ => Err(call.invalid(
            row,
            format!("the resolution {value} does not lie from 0 to 29"),
        )),
    }
}

fn index(call: &Call<'_>, row: usize, value: i64) -> Result<u64, Error> {
    // Not those of resolution 30 either, which no function here makes.
    match is_valid_cell(value as u64) && (0..=29).contains(&get_resolution(value as u64)) {
        true => Ok(value as u64),
        false => Err(call.invalid(row, format!("{value} is no A5 cell"))),
    }
}

fn cell(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, level) = (call.geometry(0)?, call.integer(1)?);
    call.big_integers(|row| {
        let level = resolution(call, row, level(row))?;
        let Some(p) = lon_lat(call, geometry, row)? else {
            return Ok(None);
        };
        let cell = lonlat_to_cell(LonLat::new(p.x, p.y), level);
        Ok(Some(cell.map_err(|e| call.invalid(row, e))? as i64))
    })
}

fn parent(call: &Call<'_>) -> Result<ArrayRef> {
    let (cell, level) = (call.integer(0)?, call.integer(1)?);
    call.big_integers(|row| {
        let cell = index(call, row, cell(row))?;
        let level = resolution(call, row, level(row))?;
        let own = get_resolution(cell);
        if level > own {
            return Err(call.invalid(
                row,
                format!("the cell has resolution {own}, coarser than {level}"),
            ));
        }
        let parent = cell_to_parent(cell, Some(level));
        Ok(Some(parent.map_err(|e| call.invalid(row, e))? as i64))
    })
}

fn boundary(call: &Call<'_>) -> Result<ArrayRef> {
    let cell = call.integer(0)?;
    call.binaries(|row, out| {
        let cell = index(call, row, cell(row))?;
        let corners = cell_to_boundary(cell, None::<CellToBoundaryOptions>)
            .map_err(|e| call.invalid(row, e))?;
        let ring = corners.iter().map(|c| Coord {
            x: c.longitude(),
            y: c.latitude(),
        });
        let polygon = Polygon::new(LineString(ring.collect()), vec![]);
        write_geometry(&Geometry::Polygon(polygon), out);
        Ok(true)
    })
}

/// No more cells of one geometry.
const MOST: f64 = 1e6;

fn cover(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, level) = (call.geometry(0)?, call.integer(1)?);
    call.lists(Int64Builder::new(), |row, out| {
        let level = resolution(call, row, level(row))?;
        let value = geometry.geometry(row)?;
        let mut cells = vec![];
        covering(&value, level, &mut cells).map_err(|e| call.invalid(row, e))?;
        cells.sort_unstable();
        cells.dedup();
        cells
            .into_iter()
            .for_each(|cell| out.append_value(cell as i64));
        Ok(())
    })
}

fn covering(geometry: &Geometry<f64>, level: i32, cells: &mut Vec<u64>) -> Result<(), String> {
    let places = |line: &LineString<f64>| -> Result<Vec<LonLat>, String> {
        line.0.iter().map(|c| place(*c)).collect()
    };
    match geometry {
        Geometry::Point(p) => cells.push(lonlat_to_cell(place(p.0)?, level)?),
        Geometry::MultiPoint(points) => {
            for p in points {
                cells.push(lonlat_to_cell(place(p.0)?, level)?);
            }
        }
        Geometry::LineString(line) => {
            few_enough(length(line), 0.0, level)?;
            cells.extend(line_string_to_cells(&places(line)?, level)?);
        }
        Geometry::MultiLineString(lines) => {
            for line in lines {
                covering(&Geometry::LineString(line.clone()), level, cells)?;
            }
        }
        Geometry::Polygon(polygon) => {
            let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
            let around = rings.clone().map(length).sum();
            let area = geo::Area::unsigned_area(polygon) * METRES * METRES * stretch(polygon);
            few_enough(around, area, level)?;
            let rings = rings.map(places).collect::<Result<Vec<_>, _>>()?;
            let options = PolygonToCellsOptions {
                containment: Containment::Overlapping,
            };
            let compact = polygon_to_cells(&rings, level, Some(options))?;
            cells.extend(uncompact(&compact)?);
        }
        Geometry::MultiPolygon(all) => {
            for polygon in all {
                covering(&Geometry::Polygon(polygon.clone()), level, cells)?;
            }
        }
        Geometry::GeometryCollection(parts) => {
            for part in parts {
                covering(part, level, cells)?;
            }
        }
        _ => return Err("a geometry of this type has no cells".to_owned()),
    }
    Ok(())
}

fn place(c: Coord<f64>) -> Result<LonLat, String> {
    match c.x.abs() <= 180.0 && c.y.abs() <= 90.0 {
        true => Ok(LonLat::new(c.x, c.y)),
        false => Err(format!("({}, {}) is no longitude and latitude", c.x, c.y)),
    }
}

/// Metres in a degree of latitude.
const METRES: f64 = 111_200.0;

/// The length of a line in metres, or more: degrees of longitude count as those of latitude.
fn length(line: &LineString<f64>) -> f64 {
    let degrees = |w: &[Coord<f64>]| (w[1].x - w[0].x).hypot(w[1].y - w[0].y);
    line.0.windows(2).map(degrees).sum::<f64>() * METRES
}

/// How long a degree of longitude is beside one of latitude, at most, within a polygon.
fn stretch(polygon: &Polygon<f64>) -> f64 {
    let latitudes = polygon.exterior().0.iter().map(|c| c.y);
    let (low, high) = latitudes.fold((90.0f64, -90.0f64), |(low, high), y| {
        (low.min(y), high.max(y))
    });
    match low <= 0.0 && high >= 0.0 {
        true => 1.0,
        false => low.abs().min(high.abs()).to_radians().cos(),
    }
}

/// Refuses what would need too many cells before any is made.
fn few_enough(length: f64, area: f64, level: i32) -> Result<(), String> {
    let cell = a5::cell_area(level);
    // A line of the length of a cell's side passes three cells at most.
    let most = area / cell + 3.0 * length / cell.sqrt();
    match most <= MOST {
        true => Ok(()),
        false => Err(format!(
            "{most:.0} cells of resolution {level} cover the geometry, more than {MOST}: a coarser one needs fewer"
        )),
    }
}

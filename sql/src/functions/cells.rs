//! Cells of global grids: quadkeys, geohashes and H3.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Coord, Geometry, LineString, Polygon};
use geoflow_engine::Error;
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geometry::wkb_writer::{write_geometry, write_point, write_rectangle};
use h3o::{CellIndex, LatLng, Resolution};

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Parameter, Returns, parameter,
};

const ZOOM: Parameter = parameter("zoom", Kind::Integer);
const TILE_X: Parameter = parameter("x", Kind::Integer);
const TILE_Y: Parameter = parameter("y", Kind::Integer);
const BOUNDS: Parameter = parameter("bounds", Kind::Geometry);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_QuadKey",
        aliases: &[],
        signatures: &[&[GEOM, parameter("zoom", Kind::Integer)]],
        returns: Returns::Text,
        about: "The quadkey of the Web Mercator tile that holds a point in longitude and latitude, at a zoom from 1 to 31; latitudes beyond 85.06 degrees count as that.",
        empty: "EMPTY gives an empty text.",
        examples: &[("ST_QuadKey('POINT(24.94 60.17)', 10)", "1201202110")],
        evaluate: Scalar(quadkey),
    },
    Function {
        name: "ST_GeoHash",
        aliases: &[],
        signatures: &[&[GEOM], &[GEOM, parameter("length", Kind::Integer)]],
        returns: Returns::Text,
        about: "The geohash of a point in longitude and latitude, of 20 characters or as many as asked for. Of another geometry that of the middle of its bounding box, with as many characters as all of the box has in common.",
        empty: "EMPTY gives an empty text.",
        examples: &[("ST_GeoHash('POINT(24.94 60.17)', 6)", "ud9wr9")],
        evaluate: Scalar(geohash),
    },
    Function {
        name: "ST_GeomFromGeoHash",
        aliases: &["ST_Box2dFromGeoHash"],
        signatures: &[
            &[parameter("geohash", Kind::Text)],
            &[
                parameter("geohash", Kind::Text),
                parameter("length", Kind::Integer),
            ],
        ],
        returns: Returns::Geometry(CrsRule::LonLat),
        about: "The rectangle of a geohash, or of as many of its first characters.",
        empty: "A text that is no geohash is an error.",
        examples: &[(
            "ST_AsText(ST_GeomFromGeoHash('u'))",
            "POLYGON((0 45,0 90,45 90,45 45,0 45))",
        )],
        evaluate: Scalar(|call| from_geohash(call, false)),
    },
    Function {
        name: "ST_PointFromGeoHash",
        aliases: &[],
        signatures: &[
            &[parameter("geohash", Kind::Text)],
            &[
                parameter("geohash", Kind::Text),
                parameter("length", Kind::Integer),
            ],
        ],
        returns: Returns::Geometry(CrsRule::LonLat),
        about: "The centre of a geohash, or of as many of its first characters.",
        empty: "A text that is no geohash is an error.",
        examples: &[("ST_AsText(ST_PointFromGeoHash('u'))", "POINT(22.5 67.5)")],
        evaluate: Scalar(|call| from_geohash(call, true)),
    },
    Function {
        name: "ST_TileEnvelope",
        aliases: &[],
        signatures: &[
            &[ZOOM, TILE_X, TILE_Y],
            &[ZOOM, TILE_X, TILE_Y, BOUNDS],
            &[
                ZOOM,
                TILE_X,
                TILE_Y,
                BOUNDS,
                parameter("margin", Kind::Number),
            ],
        ],
        returns: Returns::Geometry(CrsRule::WebMercator),
        about: "The square of a Web Mercator tile, in EPSG:3857; with `bounds` that of a pyramid of tiles over their box. A `margin` is a part of a tile by which it is larger on every side, not beyond the top and the bottom of the bounds, and left and right not where the tile and its margins are wider than they.",
        empty: "A tile beyond those of the zoom is an error. EMPTY bounds give NULL.",
        examples: &[(
            "ST_AsText(ST_TileEnvelope(1, 0, 0))",
            "POLYGON((-20037508.342789244 0,-20037508.342789244 20037508.342789244,0 20037508.342789244,0 0,-20037508.342789244 0))",
        )],
        evaluate: Scalar(tile_envelope),
    },
    Function {
        name: "ST_H3Cell",
        aliases: &[],
        signatures: &[&[GEOM, parameter("resolution", Kind::Integer)]],
        returns: Returns::BigInt,
        about: "The H3 cell that holds a point in longitude and latitude, at a resolution from 0 to 15.",
        empty: "EMPTY gives NULL.",
        examples: &[(
            "ST_H3Cell('POINT(-74.044444 40.689167)', 10)",
            "622236750694711295",
        )],
        evaluate: Scalar(h3_cell),
    },
    Function {
        name: "ST_H3Parent",
        aliases: &[],
        signatures: &[&[
            parameter("cell", Kind::Integer),
            parameter("resolution", Kind::Integer),
        ]],
        returns: Returns::BigInt,
        about: "The H3 cell of a coarser resolution that holds a cell.",
        empty: "A number that is no cell, or a finer resolution, is an error.",
        examples: &[(
            "ST_H3Parent(ST_H3Cell('POINT(24.94 60.17)', 7), 7) = ST_H3Cell('POINT(24.94 60.17)', 7)",
            "true",
        )],
        evaluate: Scalar(h3_parent),
    },
    Function {
        name: "ST_H3Boundary",
        aliases: &[],
        signatures: &[&[parameter("cell", Kind::Integer)]],
        returns: Returns::Geometry(CrsRule::LonLat),
        about: "The outline of an H3 cell, in longitude and latitude. Across the antimeridian longitudes go beyond 180 degrees.",
        empty: "A number that is no cell is an error.",
        examples: &[(
            "ST_NPoints(ST_H3Boundary(ST_H3Cell('POINT(24.94 60.17)', 7)))",
            "7",
        )],
        evaluate: Scalar(h3_boundary),
    },
];

/// A point's longitude and latitude, `None` for EMPTY.
pub(super) fn lon_lat(
    call: &Call<'_>,
    geometry: &GeometryArg,
    row: usize,
) -> Result<Option<Coord<f64>>, Error> {
    match geometry.geometry(row)?.as_ref() {
        Geometry::Point(p) if p.y().abs() <= 90.0 => Ok(Some(p.0)),
        Geometry::Point(p) => Err(call.invalid(
            row,
            format!(
                "the latitude {} of ({}, {}) lies beyond the poles",
                p.y(),
                p.x(),
                p.y()
            ),
        )),
        Geometry::MultiPoint(points) if points.0.is_empty() => Ok(None),
        _ => Err(call.invalid(row, "expected a POINT")),
    }
}

fn quadkey(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, zoom) = (call.geometry(0)?, call.integer(1)?);
    call.texts(|row, out| {
        let zoom = zoom(row);
        if !(1..=31).contains(&zoom) {
            return Err(call.invalid(row, format!("the zoom {zoom} does not lie from 1 to 31")));
        }
        let Some(p) = lon_lat(call, geometry, row)? else {
            return Ok(());
        };
        let sin = p.y.to_radians().sin().clamp(-0.999_999_999, 0.999_999_999);
        let across = (p.x / 360.0 + 0.5).rem_euclid(1.0);
        let down = 0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * std::f64::consts::PI);
        let tiles = (1u64 << zoom) as f64;
        let tile = |share: f64| (share * tiles).floor().clamp(0.0, tiles - 1.0) as u64;
        let (x, y) = (tile(across), tile(down));
        for bit in (0..zoom).rev() {
            let digit = ((x >> bit) & 1) + 2 * ((y >> bit) & 1);
            out.push(char::from(b'0' + digit as u8));
        }
        Ok(())
    })
}

const BASE32: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

fn geohash(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let length = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    call.texts(|row, out| {
        let bounds = geometry.bounds(row)?;
        if bounds.is_empty() {
            return Ok(());
        }
        let on_earth = bounds.min_x >= -180.0
            && bounds.max_x <= 180.0
            && bounds.min_y >= -90.0
            && bounds.max_y <= 90.0;
        if !on_earth {
            return Err(call.invalid(
                row,
                format!(
                    "a geohash is one of longitude and latitude, within (-180 -90, 180 90), not ({} {}, {} {})",
                    bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y
                ),
            ));
        }
        let length = match &length {
            Some(length) => length(row),
            None => common_length(&bounds),
        };
        if length == 0 && call.arity() == 1 {
            return Ok(());
        }
        if !(1..=30).contains(&length) {
            return Err(call.invalid(
                row,
                format!("a geohash has 1 to 30 characters, not {length}"),
            ));
        }
        let p = Coord {
            x: bounds.min_x + (bounds.max_x - bounds.min_x) / 2.0,
            y: bounds.min_y + (bounds.max_y - bounds.min_y) / 2.0,
        };
        let (mut lon, mut lat) = ((-180.0, 180.0), (-90.0, 90.0));
        let mut even = true;
        for _ in 0..length {
            let mut five = 0;
            for _ in 0..5 {
                let (range, value): (&mut (f64, f64), f64) = match even {
                    true => (&mut lon, p.x),
                    false => (&mut lat, p.y),
                };
                let middle = (range.0 + range.1) / 2.0;
                five *= 2;
                match value >= middle {
                    true => {
                        five += 1;
                        range.0 = middle;
                    }
                    false => range.1 = middle,
                }
                even = !even;
            }
            out.push(char::from(BASE32[five]));
        }
        Ok(())
    })
}

/// How many characters the geohashes of all places in a box have in common, as PostGIS counts them: both axes are
/// halved in turn while the box lies in one half.
fn common_length(bounds: &Bounds) -> i64 {
    let [min_x, max_x, min_y, max_y] = [bounds.min_x, bounds.max_x, bounds.min_y, bounds.max_y];
    if min_x == max_x && min_y == max_y {
        return 20;
    }
    let halve = |range: &mut (f64, f64), min: f64, max: f64| {
        let half = (range.1 - range.0) / 2.0;
        match () {
            () if min > range.0 + half => range.0 += half,
            () if max < range.1 - half => range.1 -= half,
            () => return false,
        }
        true
    };
    let (mut lon, mut lat) = ((-180.0, 180.0), (-90.0, 90.0));
    let mut bits = 0;
    while bits < 200 && halve(&mut lon, min_x, max_x) {
        bits += 1;
        if !halve(&mut lat, min_y, max_y) {
            break;
        }
        bits += 1;
    }
    (bits / 5).min(30)
}

fn from_geohash(call: &Call<'_>, point: bool) -> Result<ArrayRef> {
    let text = call.text(0)?;
    let length = match call.arity() {
        2 => Some(call.integer(1)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let length = length.as_ref().map_or(usize::MAX, |length| {
            usize::try_from(length(row)).unwrap_or(usize::MAX)
        });
        let (mut lon, mut lat) = ((-180.0, 180.0), (-90.0, 90.0));
        let mut even = true;
        for c in text(row).chars().take(length) {
            let lower = c.to_ascii_lowercase();
            let Some(five) = BASE32.iter().position(|b| char::from(*b) == lower) else {
                return Err(call.invalid(
                    row,
                    format!(
                        "\"{}\" is no geohash: {c} is no character of one",
                        text(row)
                    ),
                ));
            };
            for bit in (0..5).rev() {
                let range: &mut (f64, f64) = if even { &mut lon } else { &mut lat };
                let middle = (range.0 + range.1) / 2.0;
                match (five >> bit) & 1 {
                    1 => range.0 = middle,
                    _ => range.1 = middle,
                }
                even = !even;
            }
        }
        match point {
            true => write_point((lon.0 + lon.1) / 2.0, (lat.0 + lat.1) / 2.0, out),
            false => write_rectangle(
                Coord { x: lon.0, y: lat.0 },
                Coord { x: lon.1, y: lat.1 },
                out,
            ),
        }
        Ok(true)
    })
}

fn tile_envelope(call: &Call<'_>) -> Result<ArrayRef> {
    let (zoom, x, y) = (call.integer(0)?, call.integer(1)?, call.integer(2)?);
    let bounds = match call.arity() {
        3 => None,
        _ => Some(call.geometry(3)?),
    };
    let margin = match call.arity() {
        5 => Some(call.number(4)?),
        _ => None,
    };
    call.binaries(|row, out| {
        let (zoom, x, y) = (zoom(row), x(row), y(row));
        let tiles = match zoom {
            0..=31 => 1i64 << zoom,
            _ => {
                return Err(call.invalid(row, format!("the zoom {zoom} does not lie from 0 to 31")));
            }
        };
        if !(0..tiles).contains(&x) || !(0..tiles).contains(&y) {
            return Err(call.invalid(row, format!("there is no tile ({x}, {y}) at zoom {zoom}")));
        }
        const HALF: f64 = 20_037_508.342_789_244;
        if let Some(bounds) = bounds {
            let bounds = bounds.bounds(row)?;
            let margin = margin.as_ref().map_or(0.0, |margin| margin(row));
            if bounds.is_empty() {
                return Ok(false);
            }
            if !(margin >= -0.5 && margin.is_finite()) {
                return Err(call.invalid(row, format!("the margin {margin} is not -0.5 or more")));
            }
            let (min, max) = tile_within(&bounds, tiles as f64, (x as f64, y as f64), margin);
            write_rectangle(min, max, out);
            return Ok(true);
        }
        let side = 2.0 * HALF / tiles as f64;
        let (west, north) = (-HALF + x as f64 * side, HALF - y as f64 * side);
        // The borders that neighbours share are the same numbers.
        let (east, south) = (-HALF + (x + 1) as f64 * side, HALF - (y + 1) as f64 * side);
        write_rectangle(
            Coord { x: west, y: south },
            Coord { x: east, y: north },
            out,
        );
        Ok(true)
    })
}

/// The corners of a tile with a margin, of a pyramid over bounds.
fn tile_within(
    bounds: &Bounds,
    tiles: f64,
    (x, y): (f64, f64),
    margin: f64,
) -> (Coord<f64>, Coord<f64>) {
    let width = (bounds.max_x - bounds.min_x) / tiles;
    let height = (bounds.max_y - bounds.min_y) / tiles;
    let (west, east) = match 1.0 + 2.0 * margin > tiles {
        true => (bounds.min_x, bounds.max_x),
        false => (
            bounds.min_x + width * (x - margin),
            bounds.min_x + width * (x + 1.0 + margin),
        ),
    };
    let south = (bounds.max_y - height * (y + 1.0 + margin)).max(bounds.min_y);
    let north = (bounds.max_y - height * (y - margin)).min(bounds.max_y);
    (Coord { x: west, y: south }, Coord { x: east, y: north })
}

pub(super) fn resolution(call: &Call<'_>, row: usize, value: i64) -> Result<Resolution, Error> {
    u8::try_from(value)
        .ok()
        .and_then(|value| Resolution::try_from(value).ok())
        .ok_or_else(|| {
            call.invalid(
                row,
                format!("the resolution {value} does not lie from 0 to 15"),
            )
        })
}

fn cell(call: &Call<'_>, row: usize, value: i64) -> Result<CellIndex, Error> {
    CellIndex::try_from(value as u64)
        .map_err(|_| call.invalid(row, format!("{value} is no H3 cell")))
}

fn h3_cell(call: &Call<'_>) -> Result<ArrayRef> {
    let (geometry, level) = (call.geometry(0)?, call.integer(1)?);
    call.big_integers(|row| {
        let level = resolution(call, row, level(row))?;
        let Some(p) = lon_lat(call, geometry, row)? else {
            return Ok(None);
        };
        let place = LatLng::new(p.y, p.x).map_err(|e| call.invalid(row, e))?;
        Ok(Some(u64::from(place.to_cell(level)) as i64))
    })
}

fn h3_parent(call: &Call<'_>) -> Result<ArrayRef> {
    let (index, level) = (call.integer(0)?, call.integer(1)?);
    call.big_integers(|row| {
        let cell = cell(call, row, index(row))?;
        let level = resolution(call, row, level(row))?;
        match cell.parent(level) {
            Some(parent) => Ok(Some(u64::from(parent) as i64)),
            None => Err(call.invalid(
                row,
                format!(
                    "the cell {cell} has resolution {}, coarser than {level}",
                    cell.resolution()
                ),
            )),
        }
    })
}

fn h3_boundary(call: &Call<'_>) -> Result<ArrayRef> {
    let index = call.integer(0)?;
    call.binaries(|row, out| {
        let cell = cell(call, row, index(row))?;
        let ring = one_piece(corners(cell));
        write_geometry(
            &Geometry::Polygon(Polygon::new(LineString(ring), vec![])),
            out,
        );
        Ok(true)
    })
}

/// The corners of a cell in longitude and latitude, in order and open.
pub(super) fn corners(cell: CellIndex) -> Vec<Coord<f64>> {
    let corner = |place: &LatLng| Coord {
        x: place.lng(),
        y: place.lat(),
    };
    cell.boundary().iter().map(corner).collect()
}

/// The closed ring of a cell's corners in one piece, whichever side of the antimeridian they are on:
/// longitudes go beyond 180 degrees there.
pub(super) fn one_piece(mut ring: Vec<Coord<f64>>) -> Vec<Coord<f64>> {
    let west = ring.first().map_or(0.0, |c| c.x);
    for c in &mut ring {
        if c.x - west > 180.0 {
            c.x -= 360.0;
        } else if c.x - west < -180.0 {
            c.x += 360.0;
        }
    }
    ring.extend(ring.first().copied());
    ring
}

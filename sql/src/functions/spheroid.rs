//! Distances, lengths and areas on the Earth, of longitudes and latitudes in degrees.
//!
//! Geodesics on the ellipsoid of WGS 84 by Karney's method (geographiclib, as PostGIS has it).

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geo::{Geodesic, GeodesicArea, Geometry, Length, LineString, Point, Polygon};
use geoflow_engine::Error;
use geoflow_engine::processing::{Closest, closest_on_sphere};

use super::args::GeometryArg;
use super::call::Call;
use super::definition::{A, B, Evaluate::Scalar, Function, GEOM, Kind, Returns, parameter};
use super::ellipsoid::{Ellipsoid, Ellipsoids, SPHEROID};

/// The mean radius of WGS 84 in metres: (2 a + b) / 3.
const RADIUS: f64 = 6_371_008.771_415_059;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_DistanceSphere",
        aliases: &["ST_Distance_Sphere"],
        signatures: &[&[A, B], &[A, B, parameter("radius", Kind::Number)]],
        returns: Returns::Number,
        about: "The least distance between two geometries in longitude and latitude whose edges are arcs of great circles, in metres along a sphere of radius 6371008.77 m, or of the radius given. A polygon that half of the sphere does not hold is an error.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[
            (
                "round(ST_DistanceSphere('POINT(24.94 60.17)', 'POINT(24.75 59.44)'))",
                "81865.0",
            ),
            (
                "round(ST_DistanceSphere('LINESTRING(0 0,10 0)', 'POINT(5 1)'))",
                "111195.0",
            ),
        ],
        evaluate: Scalar(on_sphere),
    },
    Function {
        name: "ST_DistanceSpheroid",
        aliases: &["ST_Distance_Spheroid"],
        signatures: &[&[A, B], &[A, B, SPHEROID]],
        returns: Returns::Number,
        about: "The distance between two geometries in longitude and latitude, in metres on the ellipsoid of WGS 84, or on a spheroid given as `SPHEROID[\"name\",semi-major axis,inverse flattening]`: the length of the geodesic between the two places that are closest on a sphere, where edges are arcs of great circles. For points that is exact; for others it is how PostGIS measures geographies. A polygon that half of the sphere does not hold is an error.",
        empty: "The distance to EMPTY is NULL.",
        examples: &[(
            "round(ST_DistanceSpheroid('POINT(24.94 60.17)', 'POINT(24.75 59.44)'))",
            "82025.0",
        )],
        evaluate: Scalar(on_spheroid),
    },
    Function {
        name: "ST_LengthSpheroid",
        aliases: &["ST_Length_Spheroid", "ST_Length2DSpheroid"],
        signatures: &[&[GEOM], &[GEOM, SPHEROID]],
        returns: Returns::Number,
        about: "The length of lines in longitude and latitude along geodesics, in metres on the ellipsoid of WGS 84, or on a spheroid given as `SPHEROID[\"name\",semi-major axis,inverse flattening]`; 0 for points and polygons.",
        empty: "EMPTY has 0.",
        examples: &[(
            "round(ST_LengthSpheroid('LINESTRING(0 0,1 0)'))",
            "111319.0",
        )],
        evaluate: Scalar(lengths),
    },
    Function {
        name: "ST_PerimeterSpheroid",
        aliases: &["ST_Perimeter_Spheroid"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The length of all rings of polygons in longitude and latitude along geodesics, in metres on the ellipsoid of WGS 84; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[(
            "round(ST_PerimeterSpheroid('POLYGON((0 0,1 0,1 1,0 0))'))",
            "378793.0",
        )],
        evaluate: Scalar(|call| measure(call, perimeter)),
    },
    Function {
        name: "ST_AreaSpheroid",
        aliases: &["ST_Area_Spheroid"],
        signatures: &[&[GEOM]],
        returns: Returns::Number,
        about: "The area of polygons in longitude and latitude whose edges are geodesics, in square metres on the ellipsoid of WGS 84; 0 for points and lines.",
        empty: "EMPTY has 0.",
        examples: &[(
            "round(ST_AreaSpheroid('POLYGON((0 0,1 0,1 1,0 0))') / 1e6)",
            "6155.0",
        )],
        evaluate: Scalar(|call| measure(call, area)),
    },
];

/// Longitudes are taken as they are: they are angles. A latitude beyond the poles is an error.
fn check(call: &Call<'_>, row: usize, geometry: &Geometry<f64>) -> Result<(), Error> {
    use geo::CoordsIter;
    match geometry.coords_iter().find(|c| c.y.abs() > 90.0) {
        None => Ok(()),
        Some(c) => Err(call.invalid(
            row,
            format!(
                "the latitude {} of ({}, {}) lies beyond the poles",
                c.y, c.x, c.y
            ),
        )),
    }
}

/// The places of two geometries that are closest on a sphere, and the angle between them.
fn closest(
    call: &Call<'_>,
    row: usize,
    [a, b]: [&GeometryArg; 2],
) -> Result<Option<Closest>, Error> {
    let (a, b) = (a.geometry(row)?, b.geometry(row)?);
    check(call, row, &a)?;
    check(call, row, &b)?;
    if let (Geometry::Point(a), Geometry::Point(b)) = (a.as_ref(), b.as_ref()) {
        return Ok(Some(Closest {
            a: a.0,
            b: b.0,
            angle: angle(*a, *b),
        }));
    }
    closest_on_sphere(&a, &b).map_err(|e| call.invalid(row, e))
}

fn on_sphere(call: &Call<'_>) -> Result<ArrayRef> {
    let radius = match call.arity() {
        3 => Some(call.number(2)?),
        _ => None,
    };
    let both = [call.geometry(0)?, call.geometry(1)?];
    call.numbers(|row| {
        let radius = radius.as_ref().map_or(RADIUS, |radius| radius(row));
        Ok(closest(call, row, both)?.map(|found| found.angle * radius))
    })
}

fn on_spheroid(call: &Call<'_>) -> Result<ArrayRef> {
    let mut ellipsoids = Ellipsoids::new(call, 2)?;
    let both = [call.geometry(0)?, call.geometry(1)?];
    call.numbers(|row| {
        let ellipsoid = ellipsoids.of(row)?;
        let found = closest(call, row, both)?;
        Ok(found.map(|found| ellipsoid.distance(found.a.into(), found.b.into())))
    })
}

/// By the formula of Vincenty for a sphere, which is exact near and far. In radians.
fn angle(a: Point<f64>, b: Point<f64>) -> f64 {
    let (a, b) = (a.to_radians(), b.to_radians());
    let (sin_dl, cos_dl) = (b.x() - a.x()).sin_cos();
    let ((sin_a, cos_a), (sin_b, cos_b)) = (a.y().sin_cos(), b.y().sin_cos());
    let across = cos_b * sin_dl;
    let along = cos_a * sin_b - sin_a * cos_b * cos_dl;
    across
        .hypot(along)
        .atan2(sin_a * sin_b + cos_a * cos_b * cos_dl)
}

fn lengths(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    let mut ellipsoids = Ellipsoids::new(call, 1)?;
    call.numbers(|row| {
        let value = geometry.geometry(row)?;
        check(call, row, &value)?;
        Ok(Some(length(&value, ellipsoids.of(row)?)))
    })
}

fn measure(call: &Call<'_>, of: impl Fn(&Geometry<f64>) -> f64) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.numbers(|row| {
        let value = geometry.geometry(row)?;
        check(call, row, &value)?;
        Ok(Some(of(&value)))
    })
}

fn along(line: &LineString<f64>) -> f64 {
    Geodesic.length(line)
}

fn length(geometry: &Geometry<f64>, ellipsoid: &Ellipsoid) -> f64 {
    match geometry {
        Geometry::LineString(line) => ellipsoid.length(line),
        Geometry::MultiLineString(lines) => lines.iter().map(|line| ellipsoid.length(line)).sum(),
        Geometry::GeometryCollection(parts) => {
            parts.iter().map(|part| length(part, ellipsoid)).sum()
        }
        _ => 0.0,
    }
}

fn polygons(geometry: &Geometry<f64>, of: &mut impl FnMut(&Polygon<f64>)) {
    match geometry {
        Geometry::Polygon(polygon) => of(polygon),
        Geometry::MultiPolygon(all) => all.iter().for_each(of),
        Geometry::GeometryCollection(parts) => parts.iter().for_each(|part| polygons(part, of)),
        _ => {}
    }
}

fn perimeter(geometry: &Geometry<f64>) -> f64 {
    let mut sum = 0.0;
    polygons(geometry, &mut |polygon| {
        sum += along(polygon.exterior());
        sum += polygon.interiors().iter().map(along).sum::<f64>();
    });
    sum
}

fn area(geometry: &Geometry<f64>) -> f64 {
    let ring = |ring: &LineString<f64>| {
        Polygon::new(ring.clone(), vec![])
            .geodesic_area_signed()
            .abs()
    };
    let mut sum = 0.0;
    polygons(geometry, &mut |polygon| {
        sum += ring(polygon.exterior()) - polygon.interiors().iter().map(ring).sum::<f64>();
    });
    sum
}

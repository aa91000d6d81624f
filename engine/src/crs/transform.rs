//! Coordinates from one system to another, in pure Rust.
//!
//! ```text
//!  x, y ──> side ──> longitude, latitude ──> shift ──> longitude, latitude ──> side ──> x, y
//!                    in radians          (if datums
//!                                          differ)
//! ```
//!
//! x is always the easting or the longitude. Datums are shifted by the parameters that PROJ takes when it has no grids, if they are
//! the same at every place; a shift with other parameters in every country is refused rather than approximated.

use proj4rs::Proj;

use super::Crs;
use super::definition::{Datum, Definition};
use super::ellipsoid::Ellipsoid;
use super::shift::Shift;
use super::side::Side;
use crate::{Error, Result};

/// A transformation between two systems. Cheap enough to make once a batch.
#[derive(Debug)]
pub struct Transform {
    steps: Option<Steps>,
}

#[derive(Debug)]
struct Steps {
    from: Side,
    to: Side,
    moved: Option<Moved>,
}

/// A shift of datums.
#[derive(Debug)]
struct Moved {
    shift: Shift,
    to_wgs84: bool,
    ellipsoids: [Ellipsoid; 2],
}

impl Transform {
    /// Prepares a transformation. Two names of one system transform nothing.
    ///
    /// # Errors
    /// [`Error::Crs`] for systems that are not known, and where the way leads through a datum shift.
    pub fn try_new(from: &Crs, to: &Crs) -> Result<Self> {
        if from.same_as(to) {
            return Ok(Self { steps: None });
        }
        let (source, target) = (Definition::of(from)?, Definition::of(to)?);
        let moved = match source.datum() == target.datum() && !is_shifted([&source, &target]) {
            true => None,
            false => Some(moved([&source, &target], [from, to])?),
        };
        let (source_side, target_side) = (Side::of(&source, from)?, Side::of(&target, to)?);
        // One projection on one ellipsoid, and degrees on any: not even rounding is wanted.
        let same = moved.is_none()
            && (source_side.is_degrees() && target_side.is_degrees()
                || source.without_datum() == target.without_datum());
        Ok(Self {
            steps: (!same).then_some(Steps {
                from: source_side,
                to: target_side,
                moved,
            }),
        })
    }

    /// To how many metres the result is good, where a shift of datums would need a grid to be better and does without.
    pub fn metres(&self) -> Option<f64> {
        self.steps.as_ref()?.moved.as_ref()?.shift.metres
    }

    /// Transforms coordinates in place.
    ///
    /// # Errors
    /// What is wrong with the coordinates: beyond the poles, or without an image. They are
    /// unspecified then.
    pub fn apply(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), String> {
        let Some(Steps { from, to, moved }) = &self.steps else {
            return Ok(());
        };
        from.to_places(x, y)?;
        if let Some(moved) = moved {
            for (x, y) in x.iter_mut().zip(y.iter_mut()) {
                (*x, *y) = moved.shift.apply(moved.to_wgs84, moved.ellipsoids, *x, *y);
            }
        }
        to.of_places(x, y)?;
        match x.iter().chain(y.iter()).all(|v| v.is_finite()) {
            true => Ok(()),
            false => Err("the coordinates have no image in the target system".into()),
        }
    }
}

/// Whether of two systems that count as WGS 84 one has parameters of its own to it.
fn is_shifted(sides: [&Definition; 2]) -> bool {
    let [source, target] = sides.map(has_parameters);
    sides.iter().all(|side| side.datum() == Datum::Wgs84) && source != target
}

fn has_parameters(side: &Definition) -> bool {
    Shift::of(side.code).is_some_and(|shift| !shift.is_none())
}

/// The shift between two datums, of which one is WGS 84 or what counts as it.
fn moved([source, target]: [&Definition; 2], [from, to]: [&Crs; 2]) -> Result<Moved> {
    let shifted = is_shifted([source, target]);
    let wgs84 = [source, target].map(|side| match shifted {
        true => !has_parameters(side),
        false => side.datum() == Datum::Wgs84,
    });
    let shift = match wgs84 {
        [false, true] => Shift::of(source.code),
        [true, false] => Shift::of(target.code),
        _ => None,
    };
    let name = |definition: &Definition| {
        definition
            .node_name("DATUM")
            .unwrap_or_else(|| "another datum".into())
    };
    let Some(shift) = shift else {
        let known = |definition: &Definition| {
            definition.datum() == Datum::Wgs84 || Shift::of(definition.code).is_some()
        };
        let why = match known(source) && known(target) {
            true => {
                "go by way of EPSG:4326, as in ST_Transform(ST_Transform(geom, 'EPSG:4326'), ...)"
                    .to_owned()
            }
            false => format!(
                "its parameters differ from place to place, or need a grid, and it would be wrong by metres without: transform with PROJ, for instance by ogr2ogr -t_srs {}",
                to.name()
            ),
        };
        return Err(Error::Crs(format!(
            "ST_Transform from {} to {} would need a shift between the datums {} and {}, which geoflow does not do: {why}",
            from.name(),
            to.name(),
            name(source),
            name(target),
        )));
    };
    // What counts as WGS 84 has the latitudes of it, whatever the ellipsoid that it is projected from.
    let mut ellipsoids = [Ellipsoid::WGS84; 2];
    for (i, (definition, crs)) in [(source, from), (target, to)].into_iter().enumerate() {
        if !wgs84[i] {
            ellipsoids[i] = ellipsoid(definition, crs)?;
        }
    }
    Ok(Moved {
        shift,
        to_wgs84: wgs84[1],
        ellipsoids,
    })
}

fn ellipsoid(definition: &Definition, crs: &Crs) -> Result<Ellipsoid> {
    if let Some(known) = Ellipsoid::of(definition) {
        return Ok(known);
    }
    let proj = Proj::from_proj_string(&definition.longitude_latitude()).map_err(|e| {
        Error::Crs(format!(
            "the ellipsoid of {} is not known ({e})",
            crs.name()
        ))
    })?;
    let (a, b) = proj.ellipse_parameters();
    let ratio = b / a;
    Ok(Ellipsoid {
        a,
        es: 1.0 - ratio * ratio,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn crs(code: &str) -> Crs {
        Crs::from_authority_code(code).unwrap()
    }

    fn one(from: &str, to: &str, x: f64, y: f64) -> (f64, f64) {
        let (mut x, mut y) = ([x], [y]);
        let transform = Transform::try_new(&crs(from), &crs(to)).unwrap();
        transform.apply(&mut x, &mut y).unwrap();
        (x[0], y[0])
    }

    /// Answers of PROJ 9.5.1 (pyproj 3.7.2, always_xy).
    const PROJ: &[(&str, f64, f64, f64, f64)] = &[
        // code, longitude, latitude, x, y
        (
            "EPSG:3857",
            24.94,
            60.17,
            2776308.100384243,
            8437684.160972925,
        ),
        (
            "EPSG:3857",
            -179.9,
            -84.0,
            -20026376.393709917,
            -18807214.096747704,
        ),
        ("EPSG:3857", 0.0, 0.0, 0.0, 0.0),
        (
            "EPSG:3395",
            24.94,
            60.17,
            2776308.100384243,
            8400581.319875395,
        ),
        (
            "EPSG:3395",
            -100.0,
            -45.0,
            -11131949.079327356,
            -5591295.9185533915,
        ),
        (
            "EPSG:32635",
            24.94,
            60.17,
            385700.42138632183,
            6672126.743133654,
        ),
        (
            "EPSG:32635",
            29.9,
            1.0,
            822787.2689717534,
            110672.81798387795,
        ),
        (
            "EPSG:32733",
            15.0,
            -30.0,
            500000.0000000015,
            6681214.647418793,
        ),
        (
            "EPSG:32733",
            12.1,
            -75.0,
            416248.6895311978,
            1674345.3953484595,
        ),
        (
            "EPSG:3067",
            24.94,
            60.17,
            385700.4213849057,
            6672126.743010733,
        ),
        ("EPSG:3067", 31.5, 62.9, 728578.2028417652, 6982444.17961486),
        (
            "EPSG:3067",
            19.3,
            60.1,
            72459.39725481404,
            6687509.162023325,
        ),
        (
            "EPSG:25832",
            9.9,
            53.5,
            559698.5433016465,
            5928270.672579937,
        ),
        (
            "EPSG:25832",
            6.1,
            48.0,
            283682.60773993726,
            5320370.1541229775,
        ),
        ("EPSG:5070", -96.0, 37.0, 0.0, 1550756.1682043842),
        (
            "EPSG:5070",
            -122.4,
            37.8,
            -2273032.7875102824,
            1958176.391292746,
        ),
        (
            "EPSG:5070",
            -70.0,
            45.0,
            2021877.478399857,
            2724040.216813414,
        ),
        (
            "EPSG:2154",
            2.35,
            48.85,
            652301.5648305281,
            6861302.725899576,
        ),
        (
            "EPSG:2154",
            -4.5,
            48.4,
            145709.78894982324,
            6837422.082614361,
        ),
        (
            "EPSG:2154",
            8.7,
            42.0,
            1172818.2429082645,
            6117011.389918059,
        ),
        (
            "EPSG:3035",
            24.94,
            60.17,
            5145382.16170416,
            4206177.50404137,
        ),
        (
            "EPSG:3035",
            -9.0,
            38.7,
            2676732.112534874,
            1941329.0843069728,
        ),
        ("EPSG:3034", 10.0, 50.0, 4000000.0, 2585140.6205251454),
        (
            "EPSG:2263",
            -74.0,
            40.7,
            984250.0000000001,
            194305.3389411525,
        ),
        (
            "EPSG:26918",
            -74.0,
            40.7,
            584482.3522828849,
            4505935.869332242,
        ),
        ("EPSG:2180", 21.0, 52.2, 636640.4670130331, 483432.200828122),
        (
            "EPSG:3006",
            18.06,
            59.33,
            674079.2565769112,
            6580798.387244411,
        ),
        ("EPSG:3413", -45.0, 75.0, 0.0, -1633879.4974707854),
        (
            "EPSG:3413",
            100.0,
            85.0,
            310859.32875881495,
            443953.1307440928,
        ),
        (
            "EPSG:3031",
            50.0,
            -75.0,
            1255380.793258387,
            1053389.5606101537,
        ),
        (
            "EPSG:28355",
            147.0,
            -37.0,
            500000.00000000227,
            5905127.6296554115,
        ),
        (
            "EPSG:7855",
            147.0,
            -37.0,
            500000.00000000227,
            5905127.6296554115,
        ),
        (
            "EPSG:2193",
            174.8,
            -41.3,
            1750697.5213341913,
            5426376.623168275,
        ),
        ("EPSG:4258", 10.0, 50.0, 10.0, 50.0),
        ("EPSG:4269", -100.0, 40.0, -100.0, 40.0),
        (
            "EPSG:3832",
            170.0,
            -10.0,
            2226389.8158654715,
            -1111475.1028522244,
        ),
        ("EPSG:6933", 20.0, 30.0, 1929725.60501793, 3658789.324855009),
        (
            "EPSG:3978",
            -100.0,
            55.0,
            -313590.9336629756,
            673133.9421467294,
        ),
        (
            "EPSG:6677",
            139.7,
            35.6,
            -12081.03577514161,
            -44369.49850428259,
        ),
    ];

    #[test]
    fn as_proj_within_a_millimetre_both_ways() {
        assert!(PROJ.len() > 20);
        for &(code, lon, lat, x, y) in PROJ {
            let (fx, fy) = one("OGC:CRS84", code, lon, lat);
            assert!(
                (fx - x).abs() < 1e-3 && (fy - y).abs() < 1e-3,
                "{code}: {fx} {fy}"
            );
            let (bx, by) = one(code, "EPSG:4326", x, y);
            assert!(
                (bx - lon).abs() < 2e-8 && (by - lat).abs() < 2e-8,
                "{code}: {bx} {by}"
            );
        }
    }

    #[test]
    fn what_cannot_be_done_right_is_refused() {
        for (from, to, reason) in [
            ("EPSG:4326", "EPSG:31467", "Deutsches Hauptdreiecksnetz"),
            ("EPSG:31467", "EPSG:4326", "place to place"),
            ("EPSG:28992", "EPSG:31370", "by way of EPSG:4326"),
            ("EPSG:4267", "EPSG:4326", "North American Datum 1927"),
            ("EPSG:4326", "EPSG:999", "does not know EPSG:999"),
            ("EPSG:4326", "EPSG:99999", "does not know EPSG:99999"),
            ("EPSG:4326", "ESRI:102008", "has none"),
            ("EPSG:4326", "EPSG:4978", "three-dimensional"),
        ] {
            let error = Transform::try_new(&crs(from), &crs(to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(reason), "{error}");
        }
        // No shift between two systems of one datum.
        let (x, y) = one("EPSG:27700", "EPSG:4277", 400000.0, 300000.0);
        assert!((x + 2.0).abs() < 1e-6 && (52.0..53.0).contains(&y));
    }

    #[test]
    fn impossible_coordinates_are_errors() {
        let mercator = Transform::try_new(&crs("EPSG:4326"), &crs("EPSG:3857")).unwrap();
        for (x, y) in [(0.0, 95.0), (0.0, 90.0), (0.0, -90.0)] {
            assert!(mercator.apply(&mut [x], &mut [y]).is_err(), "{x} {y}");
        }
    }
}

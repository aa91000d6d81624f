//! Shifts between datums by the seven parameters of Helmert.
//!
//! ```text
//!  longitude, latitude ──> x, y, z ──> turned, scaled, moved ──> longitude, latitude
//!   on one ellipsoid        metres                                on the other
//! ```
//!
//! Heights are 0 on the way in and dropped on the way out, as PROJ does for two dimensions.

use std::collections::HashMap;
use std::f64::consts::FRAC_PI_2;
use std::sync::LazyLock;

use super::ellipsoid::Ellipsoid;

/// Of EPSG codes, those whose way to WGS 84 is the same everywhere when no grid is at hand
/// (`testdata/scripts/peers/shifts.py`): the parameters, and the codes that have them.
const TABLE: &str = include_str!("shifts.csv");

/// From a datum to WGS 84: metres, seconds of arc (turns of the position vector) and parts per million.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    parameters: [f64; 7],
    /// Whether the parameters lead from WGS 84 to the datum.
    inverse: bool,
    /// To how many metres it is good, where a grid would do better.
    pub(super) metres: Option<f64>,
}

impl Shift {
    /// Whether it moves anything.
    pub(super) fn is_none(&self) -> bool {
        self.parameters.iter().all(|v| *v == 0.0)
    }

    /// The shift of an EPSG code, if there is one.
    pub(super) fn of(code: u16) -> Option<Self> {
        static SHIFTS: LazyLock<HashMap<u16, Shift>> = LazyLock::new(|| {
            let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
            lines.flat_map(Shift::parse).flatten().collect()
        });
        SHIFTS.get(&code).copied()
    }

    /// `x y z rx ry rz s,inverse,metres,first-last code first-last`: a line of the table.
    fn parse(line: &str) -> Option<impl Iterator<Item = (u16, Shift)>> {
        let mut columns = line.split(',');
        let numbers: Vec<f64> = columns
            .next()?
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        let shift = Shift {
            parameters: numbers.try_into().ok()?,
            inverse: columns.next()? == "inverse",
            metres: match columns.next()? {
                "" => None,
                metres => Some(metres.parse().ok()?),
            },
        };
        let codes = columns.next()?.split(' ').filter_map(|codes| {
            let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
            Some(first.parse().ok()?..=last.parse().ok()?)
        });
        let codes = codes.flatten();
        Some(
            codes
                .map(move |code| (code, shift))
                .collect::<Vec<_>>()
                .into_iter(),
        )
    }

    /// Longitude and latitude in radians on the datum's ellipsoid, moved to WGS 84, or from there.
    pub(super) fn apply(
        self,
        to_wgs84: bool,
        [from, to]: [Ellipsoid; 2],
        longitude: f64,
        latitude: f64,
    ) -> (f64, f64) {
        let place = geocentric(from, longitude, latitude);
        let moved = match to_wgs84 != self.inverse {
            true => self.forward(place),
            false => self.backward(place),
        };
        geodetic(to, moved)
    }

    /// The turns in radians, and the scale.
    fn turns(self) -> ([f64; 3], f64) {
        let [_, _, _, x, y, z, scale] = self.parameters;
        let radians = |seconds: f64| seconds * (1f64.to_radians() / 3600.0);
        ([x, y, z].map(radians), 1.0 + scale * 1e-6)
    }

    fn forward(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let [dx, dy, dz, ..] = self.parameters;
        let ([rx, ry, rz], scale) = self.turns();
        [
            dx + scale * (x - rz * y + ry * z),
            dy + scale * (rz * x + y - rx * z),
            dz + scale * (-ry * x + rx * y + z),
        ]
    }

    fn backward(self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        let [dx, dy, dz, ..] = self.parameters;
        let ([rx, ry, rz], scale) = self.turns();
        let [x, y, z] = [(x - dx) / scale, (y - dy) / scale, (z - dz) / scale];
        [
            x + rz * y - ry * z,
            -rz * x + y + rx * z,
            ry * x - rx * y + z,
        ]
    }
}

fn geocentric(on: Ellipsoid, longitude: f64, latitude: f64) -> [f64; 3] {
    let (sin, cos) = latitude.sin_cos();
    let normal = on.a / (1.0 - on.es * sin * sin).sqrt();
    [
        normal * cos * longitude.cos(),
        normal * cos * longitude.sin(),
        normal * (1.0 - on.es) * sin,
    ]
}

/// By Bowring's formula, once: near the surface that is all that doubles tell.
fn geodetic(on: Ellipsoid, [x, y, z]: [f64; 3]) -> (f64, f64) {
    let away = x.hypot(y);
    let b = on.b();
    let second = on.es / (1.0 - on.es);
    let (sin, cos) = unit(z * on.a, away * b);
    let north = z + second * b * sin * sin * sin;
    let out = away - on.es * on.a * cos * cos * cos;
    let latitude = match out > 0.0 {
        true => (north / out).atan(),
        false => FRAC_PI_2.copysign(z),
    };
    (y.atan2(x), latitude)
}

/// The sine and cosine of the angle of a right-angled triangle.
fn unit(opposite: f64, adjacent: f64) -> (f64, f64) {
    let length = opposite.hypot(adjacent);
    match length > 0.0 {
        true => (opposite / length, adjacent / length),
        false => (0.0, 1.0),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let bessel = Ellipsoid {
            a: 6_377_397.155,
            es: 0.006_674_372_231_802_145,
        };
        let shift = Shift {
            parameters: [598.1, 73.7, 418.2, 0.202, 0.045, -2.455, 6.7],
            inverse: false,
            metres: None,
        };
        for (longitude, latitude) in [(0.1f64, 0.9f64), (-3.1, -1.5), (0.0, 0.0), (2.0, 1.57)] {
            let way = |to_wgs84, ellipsoids, (x, y)| shift.apply(to_wgs84, ellipsoids, x, y);
            let there = way(true, [bessel, Ellipsoid::WGS84], (longitude, latitude));
            let back = way(false, [Ellipsoid::WGS84, bessel], there);
            // The height, some tens of metres, is lost between.
            assert!((back.1 - latitude).abs() < 1e-7, "{latitude} {back:?}");
            let apart = (back.0 - longitude) * latitude.cos();
            assert!(apart.abs() < 1e-7, "{longitude} {back:?}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            assert!(Shift::parse(line).unwrap().count() > 0, "{line}");
        }
    }
}

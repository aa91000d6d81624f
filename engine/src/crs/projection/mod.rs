//! The projections that most layers are in, each rounding as PROJ 9.5 does: the same operations in the same
//! order give the same doubles.
//!
//! Layers that share edges in different systems are why: whether a corner of one lies on the edge of the other hangs on the
//! last bit, and a join should find the pairs that a script with PROJ finds. What is not here is left to proj4rs, which
//! differs from PROJ by some nanometres.
//!
//! ```text
//!  longitude, latitude ──> from the central meridian ──> formulas for a = 1 ──> * a, + false origin ──> / unit
//!  radians                                                                      metres
//! ```

mod albers;
mod azimuthal;
mod conformal_conic;
mod cylindrical;
mod latitudes;
mod stereographic;
mod transverse_mercator;

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use albers::Albers;
use azimuthal::Azimuthal;
use conformal_conic::ConformalConic;
use cylindrical::{EqualArea, Mercator, WebMercator};
use stereographic::PolarStereographic;
use transverse_mercator::TransverseMercator;

use super::definition::Definition;
use super::ellipsoid::Ellipsoid;

/// Formulas between radians from the central meridian and the plane of an ellipsoid of major axis 1.
///
/// What has no image becomes NaN or infinity.
trait Formulas: std::fmt::Debug + Send + Sync {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64);
    fn inverse(&self, x: f64, y: f64) -> (f64, f64);
}

/// A map projection of an ellipsoid.
#[derive(Debug)]
pub(super) struct Projection {
    formulas: Box<dyn Formulas>,
    /// Semi-major axis in metres.
    a: f64,
    central_meridian: f64,
    false_easting: f64,
    false_northing: f64,
    metres: f64,
}

/// The parameters of a definition, angles in radians.
struct Parameters<'a> {
    definition: &'a Definition,
    ellipsoid: Ellipsoid,
}

impl Parameters<'_> {
    fn angle(&self, key: &str) -> Option<f64> {
        Some(self.definition.number(key)?.to_radians())
    }

    fn angle_or_zero(&self, key: &str) -> f64 {
        self.angle(key).unwrap_or(0.0)
    }

    fn scale(&self) -> f64 {
        let scale = |key| self.definition.number(key);
        scale("k_0").or_else(|| scale("k")).unwrap_or(1.0)
    }
}

/// Parameters that are understood. A definition with another is left to proj4rs.
const UNDERSTOOD: [&str; 22] = [
    "proj", "zone", "south", "lat_0", "lon_0", "lat_1", "lat_2", "lat_ts", "k", "k_0", "x_0",
    "y_0", "ellps", "datum", "a", "b", "rf", "units", "to_meter", "towgs84", "no_defs", "type",
];

impl Projection {
    /// The projection of a definition, where it is one of these.
    pub(super) fn of(definition: &Definition) -> Option<Self> {
        if !definition.has_only(&UNDERSTOOD) {
            return None;
        }
        let number = |key| definition.number(key).unwrap_or(0.0);
        let parameters = Parameters {
            definition,
            ellipsoid: Ellipsoid::of(definition)?,
        };
        let p = &parameters;
        let mut central_meridian = p.angle_or_zero("lon_0");
        let mut origin = [number("x_0"), number("y_0")];
        let formulas: Box<dyn Formulas> = match definition.get("proj")? {
            "utm" => {
                let zone = definition
                    .number("zone")
                    .filter(|zone| (1.0..=60.0).contains(zone))?;
                central_meridian = (zone - 1.0 + 0.5) * PI / 30.0 - PI;
                let south = definition.get("south").is_some();
                origin = [500_000.0, if south { 10_000_000.0 } else { 0.0 }];
                Box::new(TransverseMercator::new(&p.ellipsoid, 0.0, 0.9996))
            }
            "tmerc" | "etmerc" => Box::new(TransverseMercator::new(
                &p.ellipsoid,
                p.angle_or_zero("lat_0"),
                p.scale(),
            )),
            "webmerc" => Box::new(WebMercator),
            "merc" => Box::new(Mercator::new(p)),
            "cea" => Box::new(EqualArea::new(p)),
            "lcc" => Box::new(ConformalConic::new(p)?),
            "aea" => Box::new(Albers::new(p)?),
            "laea" => Box::new(Azimuthal::new(p)),
            "stere" => Box::new(PolarStereographic::new(p)?),
            _ => return None,
        };
        Some(Self {
            formulas,
            a: p.ellipsoid.a,
            central_meridian,
            false_easting: origin[0],
            false_northing: origin[1],
            metres: metres(definition)?,
        })
    }

    /// Projects a longitude from Greenwich and a latitude in radians.
    pub(super) fn forward(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        // Nobody's longitude: most likely metres that are said to be degrees.
        if longitude.abs() > 10.0 {
            return (f64::NAN, f64::NAN);
        }
        let phi = latitude.clamp(-FRAC_PI_2, FRAC_PI_2);
        let lam = within_a_turn(within_a_turn(longitude) - self.central_meridian);
        let (x, y) = self.formulas.forward(lam, phi);
        let per_metre = 1.0 / self.metres;
        (
            per_metre * (x * self.a + self.false_easting),
            per_metre * (y * self.a + self.false_northing),
        )
    }

    /// The longitude from Greenwich and the latitude of a place in the plane, in radians.
    pub(super) fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let per_axis = 1.0 / self.a;
        let (lam, phi) = self.formulas.inverse(
            (self.metres * x - self.false_easting) * per_axis,
            (self.metres * y - self.false_northing) * per_axis,
        );
        (within_a_turn(lam + self.central_meridian), phi)
    }
}

/// Metres of the unit of a definition; `None` for a name that is not known.
fn metres(definition: &Definition) -> Option<f64> {
    if definition.get("to_meter").is_some() {
        return definition.number("to_meter").filter(|metres| *metres > 0.0);
    }
    match definition.get("units") {
        None | Some("m") => Some(1.0),
        Some("km") => Some(1000.0),
        Some("ft") => Some(0.3048),
        Some("us-ft") => Some(0.304800609601219),
        Some(_) => None,
    }
}

/// A longitude between -pi and pi, where it is not within these but for rounding.
fn within_a_turn(longitude: f64) -> f64 {
    if longitude.abs() < PI + 1e-12 {
        return longitude;
    }
    let turned = longitude + PI;
    turned - TAU * (turned / TAU).floor() - PI
}

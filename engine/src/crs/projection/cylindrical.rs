//! Mercator, Web Mercator and the equal-area projection of a cylinder.

use super::latitudes::{Authalic, asinh, atanh, of_conformal, parallel};
use super::{Formulas, Parameters};

/// Mercator: Snyder's (7-6) and (7-7).
#[derive(Debug)]
pub(super) struct Mercator {
    scale: f64,
    e: f64,
}

impl Mercator {
    pub(super) fn new(p: &Parameters<'_>) -> Self {
        let scale = match p.angle("lat_ts") {
            Some(latitude) => {
                let (sin, cos) = latitude.abs().sin_cos();
                parallel(sin, cos, p.ellipsoid.es)
            }
            None => p.scale(),
        };
        Self {
            scale,
            e: p.ellipsoid.e(),
        }
    }
}

impl Formulas for Mercator {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        if at_pole(phi) {
            return (f64::NAN, f64::NAN);
        }
        let (sin, cos) = phi.sin_cos();
        let isometric = asinh(sin / cos) - self.e * atanh(self.e * sin);
        (self.scale * lam, self.scale * isometric)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let tan = of_conformal((y / self.scale).sinh(), self.e);
        (x / self.scale, tan.atan())
    }
}

/// The formulas of a sphere with the latitudes of the ellipsoid.
#[derive(Debug)]
pub(super) struct WebMercator;

impl Formulas for WebMercator {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        match at_pole(phi) {
            true => (f64::NAN, f64::NAN),
            false => (lam, asinh(phi.tan())),
        }
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        (x, y.sinh().atan())
    }
}

fn at_pole(phi: f64) -> bool {
    (phi.abs() - std::f64::consts::FRAC_PI_2).abs() <= 1e-10
}

/// The equal-area projection: Snyder's (10-14) to (10-17).
#[derive(Debug)]
pub(super) struct EqualArea {
    scale: f64,
    authalic: Authalic,
    at_pole: f64,
}

impl EqualArea {
    pub(super) fn new(p: &Parameters<'_>) -> Self {
        let scale = match p.angle("lat_ts") {
            Some(latitude) => {
                let (sin, cos) = latitude.sin_cos();
                parallel(sin, cos, p.ellipsoid.es)
            }
            None => p.scale(),
        };
        let authalic = Authalic::new(&p.ellipsoid);
        let at_pole = authalic.q(1.0);
        Self {
            scale,
            authalic,
            at_pole,
        }
    }
}

impl Formulas for EqualArea {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        (
            self.scale * lam,
            0.5 * self.authalic.q(phi.sin()) / self.scale,
        )
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let beta = (2.0 * y * self.scale / self.at_pole).asin();
        (x / self.scale, self.authalic.latitude(beta))
    }
}

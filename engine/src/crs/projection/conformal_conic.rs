//! Lambert's conformal conic projection with one or two standard parallels: Snyder's (15-1) to (15-11).

use std::f64::consts::FRAC_PI_2;

use super::latitudes::{isometric, of_isometric, parallel};
use super::{Formulas, Parameters};

const SMALL: f64 = 1e-10;

#[derive(Debug)]
pub(super) struct ConformalConic {
    e: f64,
    scale: f64,
    cone: f64,
    factor: f64,
    radius_of_origin: f64,
}

impl ConformalConic {
    /// `None` for parallels that make no cone.
    pub(super) fn new(p: &Parameters<'_>) -> Option<Self> {
        let (e, es) = (p.ellipsoid.e(), p.ellipsoid.es);
        let first = p.angle("lat_1")?;
        let second = p.angle("lat_2").unwrap_or(first);
        let origin = match (p.angle("lat_0"), p.angle("lat_2")) {
            (Some(origin), _) => origin,
            (None, None) => first,
            (None, Some(_)) => 0.0,
        };
        let (sin, cos) = first.sin_cos();
        let (m1, t1) = (parallel(sin, cos, es), isometric(first, e));
        let mut cone = sin;
        if (first - second).abs() >= SMALL {
            let (sin, cos) = second.sin_cos();
            cone = (m1 / parallel(sin, cos, es)).ln();
            cone /= (t1 / isometric(second, e)).ln();
        }
        let factor = m1 * t1.powf(-cone) / cone;
        let radius_of_origin = match (origin.abs() - FRAC_PI_2).abs() < SMALL {
            true => 0.0,
            false => factor * isometric(origin, e).powf(cone),
        };
        let valid = (first + second).abs() >= SMALL && cone != 0.0 && factor.is_finite();
        valid.then_some(Self {
            e,
            scale: p.scale(),
            cone,
            factor,
            radius_of_origin,
        })
    }
}

impl Formulas for ConformalConic {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        let radius = if (phi.abs() - FRAC_PI_2).abs() < SMALL {
            if phi * self.cone <= 0.0 {
                return (f64::NAN, f64::NAN);
            }
            0.0
        } else {
            self.factor * isometric(phi, self.e).powf(self.cone)
        };
        let (sin, cos) = (lam * self.cone).sin_cos();
        (
            self.scale * (radius * sin),
            self.scale * (self.radius_of_origin - radius * cos),
        )
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let (mut x, mut y) = (x / self.scale, self.radius_of_origin - y / self.scale);
        let mut radius = x.hypot(y);
        if radius == 0.0 {
            return (0.0, FRAC_PI_2.copysign(self.cone));
        }
        if self.cone < 0.0 {
            (radius, x, y) = (-radius, -x, -y);
        }
        let t = (radius / self.factor).powf(1.0 / self.cone);
        (x.atan2(y) / self.cone, of_isometric(t, self.e))
    }
}

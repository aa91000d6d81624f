//! Albers' equal-area conic projection: Snyder's (14-1) to (14-19).

use std::f64::consts::FRAC_PI_2;

use super::latitudes::{Authalic, parallel};
use super::{Formulas, Parameters};

#[derive(Debug)]
pub(super) struct Albers {
    e: f64,
    one_es: f64,
    authalic: Authalic,
    cone: f64,
    constant: f64,
    per_cone: f64,
    radius_of_origin: f64,
    /// q at the pole.
    pole: f64,
}

impl Albers {
    /// `None` for parallels that make no cone.
    pub(super) fn new(p: &Parameters<'_>) -> Option<Self> {
        let (e, es) = (p.ellipsoid.e(), p.ellipsoid.es);
        let authalic = Authalic::new(&p.ellipsoid);
        let [first, second, origin] = ["lat_1", "lat_2", "lat_0"].map(|key| p.angle_or_zero(key));
        let (sin, cos) = first.sin_cos();
        let (m1, q1) = (parallel(sin, cos, es), authalic.q(sin));
        let mut cone = sin;
        if (first - second).abs() >= 1e-10 {
            let (sin, cos) = second.sin_cos();
            let (m2, q2) = (parallel(sin, cos, es), authalic.q(sin));
            cone = (m1 * m1 - m2 * m2) / (q2 - q1);
        }
        let constant = m1 * m1 + cone * q1;
        let per_cone = 1.0 / cone;
        let radius_of_origin = per_cone * (constant - cone * authalic.q(origin.sin())).sqrt();
        let one_es = 1.0 - es;
        let valid = (first + second).abs() >= 1e-10 && per_cone.is_finite();
        valid.then_some(Self {
            e,
            one_es,
            authalic,
            cone,
            constant,
            per_cone,
            radius_of_origin,
            pole: 1.0 - 0.5 * one_es * ((1.0 - e) / (1.0 + e)).ln() / e,
        })
    }

    /// The latitude of q, by Newton's method: Snyder's (3-16).
    fn latitude(&self, q: f64) -> f64 {
        let mut phi = (0.5 * q).asin();
        for _ in 0..15 {
            let (sin, cos) = phi.sin_cos();
            let along = self.e * sin;
            let square = 1.0 - along * along;
            let step = 0.5 * square * square / cos
                * (q / self.one_es - sin / square
                    + 0.5 / self.e * ((1.0 - along) / (1.0 + along)).ln());
            phi += step;
            if step.abs() <= 1e-10 {
                return phi;
            }
        }
        f64::NAN
    }
}

impl Formulas for Albers {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        // The root of what is negative has no image, and is NaN.
        let square = self.constant - self.cone * self.authalic.q(phi.sin());
        let radius = self.per_cone * square.sqrt();
        let (sin, cos) = (lam * self.cone).sin_cos();
        (radius * sin, self.radius_of_origin - radius * cos)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let (mut x, mut y) = (x, self.radius_of_origin - y);
        let mut radius = x.hypot(y);
        if radius == 0.0 {
            return (0.0, FRAC_PI_2.copysign(self.cone));
        }
        if self.cone < 0.0 {
            (radius, x, y) = (-radius, -x, -y);
        }
        let along = radius / self.per_cone;
        let q = (self.constant - along * along) / self.cone;
        let phi = match (self.pole - q.abs()).abs() > 1e-7 {
            true => self.latitude(q),
            false => FRAC_PI_2.copysign(q),
        };
        (x.atan2(y) / self.cone, phi)
    }
}

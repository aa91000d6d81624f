//! Lambert's azimuthal equal-area projection: Snyder's (24-2), (24-13) to (24-29).

use std::f64::consts::FRAC_PI_2;

use super::latitudes::Authalic;
use super::{Formulas, Parameters};

const SMALL: f64 = 1e-10;

#[derive(Debug)]
pub(super) struct Azimuthal {
    authalic: Authalic,
    /// q at the pole.
    pole: f64,
    origin: f64,
    centre: Centre,
}

#[derive(Debug)]
enum Centre {
    /// The north pole, or the south pole.
    Pole { north: bool },
    /// Sine and cosine of the authalic latitude of the origin, and the factors of the axes. On the equator the
    /// sine is 0.
    Elsewhere {
        sin: f64,
        cos: f64,
        radius: f64,
        stretch: f64,
        x: f64,
        y: f64,
    },
}

impl Azimuthal {
    pub(super) fn new(p: &Parameters<'_>) -> Self {
        let authalic = Authalic::new(&p.ellipsoid);
        let pole = authalic.q(1.0);
        let origin = p.angle_or_zero("lat_0");
        let centre = if (origin.abs() - FRAC_PI_2).abs() < SMALL {
            Centre::Pole {
                north: origin > 0.0,
            }
        } else {
            let radius = (0.5 * pole).sqrt();
            let sin_phi = origin.sin();
            let sin = authalic.q(sin_phi) / pole;
            let cos = (1.0 - sin * sin).sqrt();
            let stretch =
                origin.cos() / ((1.0 - p.ellipsoid.es * sin_phi * sin_phi).sqrt() * radius * cos);
            Centre::Elsewhere {
                sin,
                cos,
                radius,
                stretch,
                x: radius * stretch,
                y: radius / stretch,
            }
        };
        Self {
            authalic,
            pole,
            origin,
            centre,
        }
    }
}

impl Formulas for Azimuthal {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        let (sin_lam, cos_lam) = lam.sin_cos();
        let q = self.authalic.q(phi.sin());
        match self.centre {
            Centre::Elsewhere { sin, cos, x, y, .. } => {
                let sin_b = q / self.pole;
                let cos_b = (1.0 - sin_b * sin_b).sqrt();
                let b = 1.0 + sin * sin_b + cos * cos_b * cos_lam;
                if b.abs() < SMALL {
                    return (f64::NAN, f64::NAN);
                }
                let b = (2.0 / b).sqrt();
                (
                    x * b * cos_b * sin_lam,
                    y * b * (cos * sin_b - sin * cos_b * cos_lam),
                )
            }
            Centre::Pole { north } => {
                let (from_other, q) = match north {
                    true => (FRAC_PI_2 + phi, self.pole - q),
                    false => (phi - FRAC_PI_2, self.pole + q),
                };
                if from_other.abs() < SMALL {
                    return (f64::NAN, f64::NAN);
                }
                let b = q.max(0.0).sqrt();
                (b * sin_lam, cos_lam * if north { -b } else { b })
            }
        }
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y, sin_b) = match self.centre {
            Centre::Elsewhere {
                sin,
                cos,
                radius,
                stretch,
                ..
            } => {
                let (x, y) = (x / stretch, y * stretch);
                let rho = x.hypot(y);
                if rho < SMALL {
                    return (0.0, self.origin);
                }
                let (sin_c, cos_c) = (2.0 * (0.5 * rho / radius).asin()).sin_cos();
                (
                    x * sin_c,
                    rho * cos * cos_c - y * sin * sin_c,
                    cos_c * sin + y * sin_c * cos / rho,
                )
            }
            Centre::Pole { north } => {
                let square = x * x + y * y;
                if square == 0.0 {
                    return (0.0, self.origin);
                }
                let sin_b = 1.0 - square / self.pole;
                match north {
                    true => (x, -y, sin_b),
                    false => (x, y, -sin_b),
                }
            }
        };
        (x.atan2(y), self.authalic.latitude(sin_b.asin()))
    }
}

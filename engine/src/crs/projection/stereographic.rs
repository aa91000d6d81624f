//! The stereographic projection of a pole: Snyder's (21-33) to (21-40).

use std::f64::consts::FRAC_PI_2;

use super::latitudes::isometric;
use super::{Formulas, Parameters};

#[derive(Debug)]
pub(super) struct PolarStereographic {
    e: f64,
    scale: f64,
    north: bool,
}

impl PolarStereographic {
    /// `None` for another centre.
    pub(super) fn new(p: &Parameters<'_>) -> Option<Self> {
        let e = p.ellipsoid.e();
        let origin = p.angle_or_zero("lat_0");
        if (origin.abs() - FRAC_PI_2).abs() >= 1e-10 {
            return None;
        }
        let parallel = p.angle("lat_ts").map_or(FRAC_PI_2, f64::abs);
        let scale = if (parallel - FRAC_PI_2).abs() < 1e-10 {
            2.0 * p.scale() / ((1.0 + e).powf(1.0 + e) * (1.0 - e).powf(1.0 - e)).sqrt()
        } else {
            let along = parallel.sin() * e;
            parallel.cos() / isometric(parallel, e) / (1.0 - along * along).sqrt()
        };
        Some(Self {
            e,
            scale,
            north: origin > 0.0,
        })
    }
}

impl Formulas for PolarStereographic {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        let (sin, cos) = lam.sin_cos();
        let (phi, cos) = if self.north { (phi, cos) } else { (-phi, -cos) };
        let radius = match (phi - FRAC_PI_2).abs() < 1e-15 {
            true => 0.0,
            false => self.scale * isometric(phi, self.e),
        };
        (radius * sin, -radius * cos)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let y = if self.north { -y } else { y };
        let t = -x.hypot(y) / self.scale;
        let mut phi = FRAC_PI_2 - 2.0 * t.atan();
        for _ in 0..8 {
            let along = self.e * phi.sin();
            let power = ((1.0 + along) / (1.0 - along)).powf(-0.5 * self.e);
            let next = 2.0 * (t * power).atan() + FRAC_PI_2;
            if (phi - next).abs() < 1e-10 {
                let lam = if x == 0.0 && y == 0.0 {
                    0.0
                } else {
                    x.atan2(y)
                };
                return (lam, if self.north { next } else { -next });
            }
            phi = next;
        }
        (f64::NAN, f64::NAN)
    }
}

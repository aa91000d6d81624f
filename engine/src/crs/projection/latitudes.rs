//! Latitudes of other kinds, which the formulas go by way of.

use crate::crs::ellipsoid::Ellipsoid;

/// The radius of a parallel, for a = 1: m of Snyder's (14-15).
pub(super) fn parallel(sin: f64, cos: f64, es: f64) -> f64 {
    cos / (1.0 - es * sin * sin).sqrt()
}

/// exp of the isometric latitude, negated: t of Snyder's (15-9).
pub(super) fn isometric(phi: f64, e: f64) -> f64 {
    let (sin, cos) = phi.sin_cos();
    let of_sphere = match sin > 0.0 {
        true => cos / (1.0 + sin),
        false => (1.0 - sin) / cos,
    };
    (e * atanh(e * sin)).exp() * of_sphere
}

/// The latitude of [`isometric`].
pub(super) fn of_isometric(t: f64, e: f64) -> f64 {
    of_conformal((1.0 / t - t) / 2.0, e).atan()
}

/// The tangent of the latitude whose conformal latitude has this tangent: Karney's "Transverse Mercator with an accuracy of a
/// few nanometers" (2011), (19) to (21), by Newton's method.
pub(super) fn of_conformal(conformal: f64, e: f64) -> f64 {
    let root = f64::EPSILON.sqrt();
    let (tolerance, greatest) = (root / 10.0, 2.0 / root);
    let one_es = 1.0 - e * e;
    let enough = tolerance * conformal.abs().max(1.0);
    let mut tan = match conformal.abs() > 70.0 {
        true => conformal * (e * atanh(e)).exp(),
        false => conformal / one_es,
    };
    if tan.is_nan() || tan.abs() >= greatest {
        return tan;
    }
    for _ in 0..5 {
        let sec = (1.0 + tan * tan).sqrt();
        let sigma = (e * atanh(e * tan / sec)).sinh();
        let reached = (1.0 + sigma * sigma).sqrt() * tan - sigma * sec;
        let step = (conformal - reached) * (1.0 + one_es * (tan * tan))
            / (one_es * sec * (1.0 + reached * reached).sqrt());
        tan += step;
        if step.is_nan() || step.abs() < enough {
            break;
        }
    }
    tan
}

/// As the C library has it, by log1p, which the standard library's is not.
pub(super) fn atanh(x: f64) -> f64 {
    let a = x.abs();
    if a < 2f64.powi(-28) {
        return x;
    }
    let twice = a + a;
    let ratio = match a < 0.5 {
        true => twice + twice * a / (1.0 - a),
        false => twice / (1.0 - a),
    };
    (0.5 * ratio.ln_1p()).copysign(x)
}

/// As the C library has it, which the standard library's is not.
pub(super) fn asinh(x: f64) -> f64 {
    let a = x.abs();
    if a < 2f64.powi(-28) {
        return x;
    }
    let square = a * a;
    let result = if a > 2f64.powi(28) {
        a.ln() + std::f64::consts::LN_2
    } else if a > 2.0 {
        (2.0 * a + 1.0 / ((square + 1.0).sqrt() + a)).ln()
    } else {
        (a + square / (1.0 + (1.0 + square).sqrt())).ln_1p()
    };
    result.copysign(x)
}

/// The authalic latitude of an ellipsoid.
#[derive(Debug)]
pub(super) struct Authalic {
    e: f64,
    one_es: f64,
    /// Of a series for the way back, Snyder's (3-18).
    series: [f64; 3],
}

impl Authalic {
    pub(super) fn new(ellipsoid: &Ellipsoid) -> Self {
        let es = ellipsoid.es;
        let (es2, es3) = (es * es, es * es * es);
        Self {
            e: ellipsoid.e(),
            one_es: 1.0 - es,
            series: [
                es * (1.0 / 3.0) + es2 * (31.0 / 180.0) + es3 * (517.0 / 5040.0),
                es2 * (23.0 / 360.0) + es3 * (251.0 / 3780.0),
                es3 * (761.0 / 45360.0),
            ],
        }
    }

    /// q of Snyder's (3-12).
    pub(super) fn q(&self, sin: f64) -> f64 {
        let along = self.e * sin;
        let (square, plus) = (1.0 - along * along, 1.0 + along);
        self.one_es * (sin / square - (0.5 / self.e) * ((1.0 - along) / plus).ln())
    }

    /// The latitude of an authalic one.
    pub(super) fn latitude(&self, beta: f64) -> f64 {
        let [a, b, c] = self.series;
        let t = beta + beta;
        beta + a * t.sin() + b * (t + t).sin() + c * (t + t + t).sin()
    }
}

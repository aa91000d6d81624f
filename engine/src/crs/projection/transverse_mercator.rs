//! Transverse Mercator by the series of Poder and Engsager, good to nanometres within 3,900 km of the central meridian: Karney's
//! "Transverse Mercator with an accuracy of a few nanometers" (2011), (35) and (36), and König and Weise's
//! "Mathematische Grundlagen der höheren Geodäsie und Kartographie" (1951) for the latitudes.

use super::Formulas;
use super::latitudes::asinh;
use crate::crs::ellipsoid::Ellipsoid;

/// The series diverge beyond: 150 degrees from the central meridian.
const FARTHEST: f64 = 2.623395162778;

type Series = [f64; 6];

#[derive(Debug)]
pub(super) struct TransverseMercator {
    /// A quarter of a meridian, scaled, over pi / 2.
    quadrant: f64,
    /// The northing of the origin's latitude, negated.
    offset: f64,
    /// Between the latitude and that on the conformal sphere.
    to_sphere: Series,
    from_sphere: Series,
    /// Between the transverse sphere and the plane.
    to_plane: Series,
    from_plane: Series,
}

impl TransverseMercator {
    pub(super) fn new(ellipsoid: &Ellipsoid, origin: f64, scale: f64) -> Self {
        let n = ellipsoid.n();
        let n2 = n * n;
        let quadrant =
            scale / (1.0 + n) * (1.0 + n2 * (1.0 / 4.0 + n2 * (1.0 / 64.0 + n2 / 256.0)));
        let to_sphere = series(n, &TO_SPHERE);
        let to_plane = series(n, &TO_PLANE);
        let (sin, cos) = (2.0 * origin).sin_cos();
        let on_sphere = origin + clenshaw(&to_sphere, sin, cos);
        let (sin, cos) = (2.0 * on_sphere).sin_cos();
        let offset = -quadrant * (on_sphere + clenshaw(&to_plane, sin, cos));
        Self {
            quadrant,
            offset,
            to_sphere,
            from_sphere: series(n, &FROM_SPHERE),
            to_plane,
            from_plane: series(n, &FROM_PLANE),
        }
    }
}

impl Formulas for TransverseMercator {
    fn forward(&self, lam: f64, phi: f64) -> (f64, f64) {
        let (sin2, cos2) = (2.0 * phi).sin_cos();
        let on_sphere = phi + clenshaw(&self.to_sphere, sin2, cos2);
        let (sin_n, cos_n) = on_sphere.sin_cos();
        let (sin_e, cos_e) = lam.sin_cos();

        let cos_both = cos_n * cos_e;
        let mut north = sin_n.atan2(cos_both);
        let inverse = 1.0 / sin_n.hypot(cos_both);
        let tan_e = sin_e * cos_n * inverse;
        let mut east = asinh(tan_e);

        // Sine, cosine of 2 * north, and their hyperbolic twins of 2 * east, without another call.
        let twice = 2.0 * inverse;
        let twice_square = twice * inverse;
        let r = cos_both * twice_square;
        let (sin, cos) = (sin_n * r, cos_both * r - 1.0);
        let (sinh, cosh) = (tan_e * twice, twice_square - 1.0);
        let (more_north, more_east) = complex_clenshaw(&self.to_plane, (sin, cos), (sinh, cosh));
        north += more_north;
        east += more_east;
        if east.abs() > FARTHEST {
            return (f64::INFINITY, f64::INFINITY);
        }
        (self.quadrant * east, self.quadrant * north + self.offset)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let mut north = (y - self.offset) / self.quadrant;
        let mut east = x / self.quadrant;
        if east.abs() > FARTHEST {
            return (f64::INFINITY, f64::INFINITY);
        }
        let exp = (2.0 * east).exp();
        let half = 0.5 / exp;
        let hyperbolic = (0.5 * exp - half, 0.5 * exp + half);
        let (more_north, more_east) =
            complex_clenshaw(&self.from_plane, (2.0 * north).sin_cos(), hyperbolic);
        north += more_north;
        east += more_east;

        let (sin_n, cos_n) = north.sin_cos();
        let sinh_e = east.sinh();
        let lam = sinh_e.atan2(cos_n);
        let modulus = sinh_e.hypot(cos_n);
        let on_sphere = sin_n.atan2(modulus);
        let t = 2.0 * modulus / (sinh_e * sinh_e + 1.0);
        let (sin2, cos2) = (sin_n * t, t * modulus - 1.0);
        (lam, on_sphere + clenshaw(&self.from_sphere, sin2, cos2))
    }
}

/// The sum of `series[k] * sin((k + 1) * angle)`, of the sine and cosine of the angle.
fn clenshaw(series: &Series, sin: f64, cos: f64) -> f64 {
    let twice = 2.0 * cos;
    let (mut h, mut h1) = (series[5], 0.0);
    for coefficient in series[..5].iter().rev() {
        (h, h1) = (-h1 + twice * h + coefficient, h);
    }
    sin * h
}

/// The same of a complex angle, of which the sines and cosines of both parts are given.
fn complex_clenshaw(
    series: &Series,
    (sin, cos): (f64, f64),
    (sinh, cosh): (f64, f64),
) -> (f64, f64) {
    let (r, i) = (2.0 * cos * cosh, -2.0 * sin * sinh);
    let (mut hr, mut hi) = (series[5], 0.0);
    let (mut hr1, mut hi1) = (0.0, 0.0);
    for coefficient in series[..5].iter().rev() {
        let (hr2, hi2) = (hr1, hi1);
        (hr1, hi1) = (hr, hi);
        hr = -hr2 + r * hr1 - i * hi1 + coefficient;
        hi = -hi2 + i * hr1 + r * hi1;
    }
    let (r, i) = (sin * cosh, cos * sinh);
    (r * hr - i * hi, r * hi + i * hr)
}

/// The polynomials of a table at n: line k has the coefficients of n to the power of k + 1 and up.
fn series(n: f64, table: &[&[f64]; 6]) -> Series {
    let mut power = 1.0;
    table.map(|line| {
        power *= n;
        power
            * line
                .iter()
                .rev()
                .skip(1)
                .fold(line[line.len() - 1], |sum, c| c + n * sum)
    })
}

const TO_SPHERE: [&[f64]; 6] = [
    &[
        -2.0,
        2.0 / 3.0,
        4.0 / 3.0,
        -82.0 / 45.0,
        32.0 / 45.0,
        4642.0 / 4725.0,
    ],
    &[
        5.0 / 3.0,
        -16.0 / 15.0,
        -13.0 / 9.0,
        904.0 / 315.0,
        -1522.0 / 945.0,
    ],
    &[-26.0 / 15.0, 34.0 / 21.0, 8.0 / 5.0, -12686.0 / 2835.0],
    &[1237.0 / 630.0, -12.0 / 5.0, -24832.0 / 14175.0],
    &[-734.0 / 315.0, 109598.0 / 31185.0],
    &[444337.0 / 155925.0],
];

const FROM_SPHERE: [&[f64]; 6] = [
    &[
        2.0,
        -2.0 / 3.0,
        -2.0,
        116.0 / 45.0,
        26.0 / 45.0,
        -2854.0 / 675.0,
    ],
    &[
        7.0 / 3.0,
        -8.0 / 5.0,
        -227.0 / 45.0,
        2704.0 / 315.0,
        2323.0 / 945.0,
    ],
    &[
        56.0 / 15.0,
        -136.0 / 35.0,
        -1262.0 / 105.0,
        73814.0 / 2835.0,
    ],
    &[4279.0 / 630.0, -332.0 / 35.0, -399572.0 / 14175.0],
    &[4174.0 / 315.0, -144838.0 / 6237.0],
    &[601676.0 / 22275.0],
];

const TO_PLANE: [&[f64]; 6] = [
    &[
        0.5,
        -2.0 / 3.0,
        5.0 / 16.0,
        41.0 / 180.0,
        -127.0 / 288.0,
        7891.0 / 37800.0,
    ],
    &[
        13.0 / 48.0,
        -3.0 / 5.0,
        557.0 / 1440.0,
        281.0 / 630.0,
        -1983433.0 / 1935360.0,
    ],
    &[
        61.0 / 240.0,
        -103.0 / 140.0,
        15061.0 / 26880.0,
        167603.0 / 181440.0,
    ],
    &[49561.0 / 161280.0, -179.0 / 168.0, 6601661.0 / 7257600.0],
    &[34729.0 / 80640.0, -3418889.0 / 1995840.0],
    &[212378941.0 / 319334400.0],
];

const FROM_PLANE: [&[f64]; 6] = [
    &[
        -0.5,
        2.0 / 3.0,
        -37.0 / 96.0,
        1.0 / 360.0,
        81.0 / 512.0,
        -96199.0 / 604800.0,
    ],
    &[
        -1.0 / 48.0,
        -1.0 / 15.0,
        437.0 / 1440.0,
        -46.0 / 105.0,
        1118711.0 / 3870720.0,
    ],
    &[
        -17.0 / 480.0,
        37.0 / 840.0,
        209.0 / 4480.0,
        -5569.0 / 90720.0,
    ],
    &[-4397.0 / 161280.0, 11.0 / 504.0, 830251.0 / 7257600.0],
    &[-4583.0 / 161280.0, 108847.0 / 3991680.0],
    &[-20648693.0 / 638668800.0],
];

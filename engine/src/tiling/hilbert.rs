//! Places along a Hilbert curve.

use crate::crs::Crs;

/// A Hilbert curve with 2^32 cells a side over all coordinates that a CRS has.
///
/// The square is fixed by the CRS and not by the data: with so many cells nothing is gained by a closer
/// fit, no pass over the data is needed to learn their extent, and files that are written one after
/// another follow one curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HilbertCurve(Cells);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cells {
    /// Cells of equal size from `-half` to `half`.
    Even { half: f64 },
    /// Cells of a size in proportion to the coordinate, as floating-point numbers have them.
    Floating,
}

/// Degrees, also of those who count longitude from 0 to 360.
const DEGREES: f64 = 360.0;

/// Metres or feet: more than three times around the Earth, in cells of 6 cm.
const LENGTHS: f64 = 134_217_728.0;

impl HilbertCurve {
    /// The curve over the coordinates of a CRS; over all numbers where it is not known.
    pub fn over(crs: Option<&Crs>) -> Self {
        Self(match crs {
            None => Cells::Floating,
            Some(crs) if crs.is_geographic() => Cells::Even { half: DEGREES },
            Some(_) => Cells::Even { half: LENGTHS },
        })
    }

    /// The place of a point on the curve. Points outside the square are moved to its border, NaN counts as
    /// the least number.
    #[inline]
    pub fn place(&self, x: f64, y: f64) -> u64 {
        match self.0 {
            Cells::Even { half } => {
                let scale = f64::from(1_u32 << 31) / half;
                // `as` saturates and maps NaN to zero, which is what is wanted here.
                let cell = |v: f64| ((v + half) * scale) as u32;
                hilbert(cell(x), cell(y))
            }
            Cells::Floating => hilbert(floating_cell(x), floating_cell(y)),
        }
    }
}

/// The upper half of a number's bits, turned so that they ascend with the number.
#[inline]
fn floating_cell(v: f64) -> u32 {
    let bits = (v.to_bits() >> 32) as u32;
    if v.is_sign_negative() {
        !bits
    } else {
        bits | 1 << 31
    }
}

/// Distance along the Hilbert curve of order 32.
///
/// All bits at once: the turns of the quadrants compose, so that they are summed up by a prefix scan
/// over the bits instead of a loop (the way of Fabian Giesen's and Rawrunprotected's 2D Hilbert curves).
#[inline]
fn hilbert(x: u32, y: u32) -> u64 {
    let (mut a, mut b, mut c, mut d);
    {
        let (p, q, r, s) = (x ^ y, !(x ^ y), !(x | y), x & !y);
        a = p | (q >> 1);
        b = (p >> 1) ^ p;
        c = ((r >> 1) ^ (q & (s >> 1))) ^ r;
        d = ((p & (r >> 1)) ^ (s >> 1)) ^ s;
    }
    for shift in [2, 4, 8] {
        let (p, q, r, s) = (a, b, c, d);
        a = (p & (p >> shift)) ^ (q & (q >> shift));
        b = (p & (q >> shift)) ^ (q & ((p ^ q) >> shift));
        c ^= (p & (r >> shift)) ^ (q & (s >> shift));
        d ^= (q & (r >> shift)) ^ ((p ^ q) & (s >> shift));
    }
    {
        let (p, q, r, s) = (a, b, c, d);
        c ^= (p & (r >> 16)) ^ (q & (s >> 16));
        d ^= (q & (r >> 16)) ^ ((p ^ q) & (s >> 16));
    }
    let turned = c ^ (c >> 1);
    let flipped = d ^ (d >> 1);
    let low = x ^ y;
    let high = flipped | !(low | turned);
    spread(high) << 1 | spread(low)
}

/// Puts a zero before every bit.
#[inline]
fn spread(bits: u32) -> u64 {
    let mut v = u64::from(bits);
    v = (v | v << 16) & 0x0000_ffff_0000_ffff;
    v = (v | v << 8) & 0x00ff_00ff_00ff_00ff;
    v = (v | v << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    v = (v | v << 2) & 0x3333_3333_3333_3333;
    (v | v << 1) & 0x5555_5555_5555_5555
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The textbook loop: quadrant by quadrant.
    fn slow(mut x: u32, mut y: u32) -> u64 {
        let mut distance = 0;
        for bit in (0..32).rev() {
            let (right, upper) = (x >> bit & 1, y >> bit & 1);
            distance = distance << 2 | u64::from((3 * right) ^ upper);
            if upper == 0 {
                if right == 1 {
                    (x, y) = (!x, !y);
                }
                (x, y) = (y, x);
            }
        }
        distance
    }

    #[test]
    fn next_places_are_next_cells() {
        for shift in [0, 3, 26] {
            let cells = 0..64_u32;
            let mut places: Vec<(u64, u32, u32)> = cells
                .clone()
                .flat_map(|x| cells.clone().map(move |y| (x, y)))
                .map(|(x, y)| (hilbert(x << shift, y << shift) >> (2 * shift), x, y))
                .collect();
            places.sort_unstable();
            assert!(places.windows(2).all(|pair| {
                let ((p, x, y), (q, u, v)) = (pair[0], pair[1]);
                q == p + 1 && x.abs_diff(u) + y.abs_diff(v) == 1
            }));
        }
    }

    #[test]
    fn one_curve_in_all_its_cells() {
        let mut seed = 7_u64;
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (x, y) = ((seed >> 32) as u32, seed as u32);
            // Which axis goes first is nobody's concern, the steps are.
            let fast = hilbert(x, y);
            assert!(fast == slow(x, y) || fast == slow(y, x), "{x} {y}");
        }
    }

    #[test]
    fn every_coordinate_has_a_place() {
        let metres = HilbertCurve::over(Some(&Crs::from_authority_code("EPSG:3067").unwrap()));
        let degrees = HilbertCurve::over(Some(&Crs::lon_lat()));
        let nad83 = Crs::from_authority_code("EPSG:4269").unwrap();
        assert_eq!(degrees, HilbertCurve::over(Some(&nad83)));
        for curve in [metres, degrees, HilbertCurve::over(None)] {
            assert_ne!(curve.place(25.0, 60.0), curve.place(25.1, 60.0));
            for odd in [f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, -0.0] {
                curve.place(odd, 1.0);
            }
        }
    }

    #[test]
    fn cells_of_numbers_ascend_with_them() {
        let numbers = [f64::MIN, -7e6, -1.0, -1e-9, 0.0, 1e-9, 1.0, 25.0, 25.1, 7e6];
        let cells: Vec<u32> = numbers.into_iter().map(floating_cell).collect();
        assert!(cells.is_sorted_by(|a, b| a < b), "{cells:?}");
    }
}

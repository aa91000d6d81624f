//! The sign of a sum of products of any finite doubles, by integers of over four thousand bits.
//!
//! Rarely asked: for coordinates whose products leave the range of doubles.

use std::cmp::Ordering;

/// Bits of a limb.
const LIMB: u32 = 32;
/// The exponent of the lowest bit of a product of two of the smallest doubles.
const LOWEST: i32 = -2 * 1074;
/// Limbs for products of two of the greatest doubles, and some more for carries.
const LIMBS: usize = ((2 * 1024 - LOWEST) as u32 / LIMB + 2) as usize;

/// The sign of the sum of the products of the pairs, of which there are a few.
pub(super) fn determinant_sign<const N: usize>(products: [(f64, f64); N]) -> Ordering {
    // Limbs may be negative, and hold more than 32 bits, until they are carried.
    let mut sum = [0i64; LIMBS];
    for (u, v) in products {
        let ((mu, eu), (mv, ev)) = (parts(u), parts(v));
        let mut product = mu.unsigned_abs() as u128 * mv.unsigned_abs() as u128;
        let sign = mu.signum() * mv.signum();
        let shift = (eu + ev - LOWEST) as u32;
        let mut limb = (shift / LIMB) as usize;
        // Aligned to a limb by its lowest bits, the rest as it comes.
        let offset = shift % LIMB;
        let low = (product << offset) as u32;
        product >>= LIMB - offset;
        sum[limb] += sign * i64::from(low);
        while product != 0 {
            limb += 1;
            sum[limb] += sign * i64::from(product as u32);
            product >>= LIMB;
        }
    }
    let mut carry = 0;
    let mut zero = true;
    for limb in &mut sum {
        let value = *limb + carry;
        carry = value >> LIMB;
        zero &= value as u32 == 0;
    }
    match carry.cmp(&0) {
        Ordering::Equal if zero => Ordering::Equal,
        Ordering::Less => Ordering::Less,
        _ => Ordering::Greater,
    }
}

/// A finite double as `mantissa * 2^exponent`.
fn parts(v: f64) -> (i64, i32) {
    let bits = v.to_bits();
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let (mantissa, exponent) = match exponent {
        0 => (fraction, -1074),
        e => (fraction | 1 << 52, e - 1075),
    };
    (if v < 0.0 { -mantissa } else { mantissa }, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs() {
        let sign = |a: f64, b: f64, c: f64, d: f64| determinant_sign([(a, b), (-c, d)]);
        assert_eq!(sign(3.0, 4.0, 6.0, 2.0), Ordering::Equal);
        assert_eq!(sign(3.0, 4.0, 6.0, 2.0000000000000004), Ordering::Less);
        assert_eq!(sign(f64::MAX, f64::MAX, 5e-324, 5e-324), Ordering::Greater);
        assert_eq!(sign(5e-324, 5e-324, f64::MAX, f64::MAX), Ordering::Less);
        assert_eq!(sign(-5e-324, 5e-324, 0.0, f64::MAX), Ordering::Less);
        let sum = [(1e300, 1e300), (1e-300, 1e-300), (-1e300, 1e300)];
        assert_eq!(determinant_sign(sum), Ordering::Greater);
    }
}

//! Exact answers about points and segments: no computed coordinate ever decides.

use std::cmp::Ordering;

use geo_types::Coord;

use super::wide;

/// Twice the signed area of the triangle `a b c`: positive if `c` lies left of `a -> b`, zero if
/// and only if the three are collinear. The sign is exact (Shewchuk's adaptive arithmetic), for
/// coordinates near the ends of the range of f64 too.
#[inline]
pub(crate) fn orient(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> f64 {
    let left = (a.x - c.x) * (b.y - c.y);
    let right = (a.y - c.y) * (b.x - c.x);
    let det = left - right;
    // Error bound of Ozaki et al., as in the `robust` crate; the range keeps over- and underflow
    // out of this short cut.
    let sum = (left + right).abs();
    if det.abs() > 3.330_669_062_177_372_2e-16 * sum && (1e-200..1e300).contains(&sum) {
        det
    } else {
        orient_exactly(a, b, c)
    }
}

#[cold]
fn orient_exactly(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> f64 {
    let ordinates = [a.x, a.y, b.x, b.y, c.x, c.y];
    // Shewchuk's arithmetic is exact as long as no product overflows or loses bits to underflow.
    let usual = |v: &f64| *v == 0.0 || (1e-120..1e140).contains(&v.abs());
    if ordinates.iter().all(usual) {
        let robust = |p: Coord<f64>| robust::Coord { x: p.x, y: p.y };
        return robust::orient2d(robust(a), robust(b), robust(c));
    }
    let rough = (a.x - c.x) * (b.y - c.y) - (a.y - c.y) * (b.x - c.x);
    let sign = wide::determinant_sign([
        (a.x, b.y),
        (-a.x, c.y),
        (-c.x, b.y),
        (-a.y, b.x),
        (a.y, c.x),
        (c.y, b.x),
    ]);
    // The value is good for no more than its sign, but close where doubles reach.
    match sign {
        Ordering::Equal => 0.0,
        Ordering::Greater if rough > 0.0 => rough,
        Ordering::Less if rough < 0.0 => rough,
        Ordering::Greater => f64::MIN_POSITIVE,
        Ordering::Less => -f64::MIN_POSITIVE,
    }
}

/// Which side of `a -> b` the point `c` lies on: `Greater` is left, `Equal` is on the line.
#[inline]
pub(crate) fn side(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> Ordering {
    orient(a, b, c).partial_cmp(&0.0).unwrap_or(Ordering::Equal)
}

/// By x, then by y.
#[inline]
pub(crate) fn compare(a: Coord<f64>, b: Coord<f64>) -> Ordering {
    a.x.partial_cmp(&b.x)
        .unwrap_or(Ordering::Equal)
        .then(a.y.partial_cmp(&b.y).unwrap_or(Ordering::Equal))
}

/// Whether `p` lies on the closed segment `a b`.
#[inline]
pub(crate) fn on_segment(a: Coord<f64>, b: Coord<f64>, p: Coord<f64>) -> bool {
    in_box(a, b, p) && side(a, b, p) == Ordering::Equal
}

#[inline]
fn in_box(a: Coord<f64>, b: Coord<f64>, p: Coord<f64>) -> bool {
    p.x >= a.x.min(b.x) && p.x <= a.x.max(b.x) && p.y >= a.y.min(b.y) && p.y <= a.y.max(b.y)
}

/// How two closed segments meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meet {
    /// Not at all.
    None,
    /// In one point inside both.
    Proper,
    /// In one point that is a vertex of one of them.
    At(Coord<f64>),
    /// They share a segment, given in the direction of the first.
    Along(Coord<f64>, Coord<f64>),
}

/// How the segments `a1 a2` and `b1 b2`, neither of length zero, meet.
pub(crate) fn meet(a1: Coord<f64>, a2: Coord<f64>, b1: Coord<f64>, b2: Coord<f64>) -> Meet {
    if a1.x.max(a2.x) < b1.x.min(b2.x)
        || b1.x.max(b2.x) < a1.x.min(a2.x)
        || a1.y.max(a2.y) < b1.y.min(b2.y)
        || b1.y.max(b2.y) < a1.y.min(a2.y)
    {
        return Meet::None;
    }
    use Ordering::Equal;
    let (sa1, sa2) = (side(b1, b2, a1), side(b1, b2, a2));
    if sa1 == sa2 && sa1 != Equal {
        return Meet::None;
    }
    let (sb1, sb2) = (side(a1, a2, b1), side(a1, a2, b2));
    if sb1 == sb2 && sb1 != Equal {
        return Meet::None;
    }
    match (sa1, sa2, sb1, sb2) {
        (Equal, Equal, ..) => collinear(a1, a2, b1, b2),
        // A vertex on the other's line, and that line's segment reaches across: the lines are
        // not parallel, so the vertex is the one point that both can share.
        (Equal, ..) => Meet::At(a1),
        (_, Equal, ..) => Meet::At(a2),
        (_, _, Equal, _) => Meet::At(b1),
        (_, _, _, Equal) => Meet::At(b2),
        _ => Meet::Proper,
    }
}

fn collinear(a1: Coord<f64>, a2: Coord<f64>, b1: Coord<f64>, b2: Coord<f64>) -> Meet {
    let forward = compare(a1, a2).is_lt();
    let (a_low, a_high) = if forward { (a1, a2) } else { (a2, a1) };
    let (b_low, b_high) = if compare(b1, b2).is_lt() {
        (b1, b2)
    } else {
        (b2, b1)
    };
    let low = if compare(a_low, b_low).is_lt() {
        b_low
    } else {
        a_low
    };
    let high = if compare(a_high, b_high).is_lt() {
        a_high
    } else {
        b_high
    };
    match compare(low, high) {
        Ordering::Greater => Meet::None,
        Ordering::Equal => Meet::At(low),
        Ordering::Less if forward => Meet::Along(low, high),
        Ordering::Less => Meet::Along(high, low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(x: f64, y: f64) -> Coord<f64> {
        Coord { x, y }
    }

    #[test]
    fn orientation_is_exact_where_doubles_are_not() {
        // 0.1 + 0.2 is not 0.3: the three points are nearly, but not exactly, collinear.
        let (a, b) = (c(0.0, 0.0), c(0.3, 0.3));
        assert!(orient(a, b, c(0.1 + 0.2, 0.3)) < 0.0);
        assert_eq!(orient(a, b, c(0.1, 0.1)), 0.0);
    }

    #[test]
    fn orientation_at_the_ends_of_the_range() {
        for scale in [1e-300, 1e-160, 1e-60, 1.0, 1e100, 1e200, 1e307] {
            let p = |x: f64, y: f64| c(x * scale, y * scale);
            let left = orient(p(0.0, 0.0), p(4.0, 4.0), p(1.0, 2.0));
            assert!(left > 0.0, "{scale}");
            let flat = orient(p(-1.0, -1.0), p(4.0, 4.0), p(2.0, 2.0));
            assert_eq!(flat, 0.0, "{scale}");
        }
    }

    #[test]
    fn orientation_of_very_large_and_very_small_together() {
        let (a, b) = (c(1.0, 1.0), c(2.0, 1e200));
        assert!(orient(a, b, c(1.0, 0.5)) < 0.0);
        assert_eq!(orient(a, b, c(1.0, 1.0)), 0.0);
        let top = f64::MAX;
        assert!(orient(c(-top, -top), c(top, top), c(0.0, 1e-320)) > 0.0);
        assert!(orient(c(-top, -top), c(top, top), c(1e-320, 0.0)) < 0.0);
        assert_eq!(orient(c(-top, -top), c(top, top), c(1e-320, 1e-320)), 0.0);
    }

    #[test]
    fn segments_meet() {
        let m = |a: [f64; 4], b: [f64; 4]| {
            meet(c(a[0], a[1]), c(a[2], a[3]), c(b[0], b[1]), c(b[2], b[3]))
        };
        assert_eq!(m([0., 0., 2., 2.], [0., 2., 2., 0.]), Meet::Proper);
        assert_eq!(m([0., 0., 2., 0.], [1., 0., 1., 5.]), Meet::At(c(1., 0.)));
        assert_eq!(m([0., 0., 2., 0.], [2., 0., 3., 0.]), Meet::At(c(2., 0.)));
        assert_eq!(
            m([3., 0., 0., 0.], [1., 0., 9., 0.]),
            Meet::Along(c(3., 0.), c(1., 0.))
        );
        assert_eq!(m([0., 0., 2., 0.], [3., 0., 4., 0.]), Meet::None);
        assert_eq!(m([0., 0., 2., 2.], [1., 1.5, 0., 9.]), Meet::None);
    }
}

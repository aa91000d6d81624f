//! The point where two segments cross, rounded to the nearest doubles.

use geo_types::Coord;

/// A number as the sum of two doubles: about 32 digits.
#[derive(Debug, Clone, Copy)]
struct Twofold(f64, f64);

impl Twofold {
    fn difference(a: f64, b: f64) -> Self {
        let d = a - b;
        let bb = a - d;
        Twofold(d, (a - (d + bb)) + (bb - b))
    }

    fn renormal(high: f64, low: f64) -> Self {
        let sum = high + low;
        Twofold(sum, low - (sum - high))
    }

    fn add(self, other: Self) -> Self {
        let s = self.0 + other.0;
        let b = s - self.0;
        let error = (self.0 - (s - b)) + (other.0 - b);
        Self::renormal(s, error + self.1 + other.1)
    }

    fn minus(self, other: Self) -> Self {
        self.add(Twofold(-other.0, -other.1))
    }

    fn times(self, other: Self) -> Self {
        let p = self.0 * other.0;
        let error = self.0.mul_add(other.0, -p);
        Self::renormal(p, error + (self.0 * other.1 + self.1 * other.0))
    }

    fn over(self, other: Self) -> Self {
        let q = self.0 / other.0;
        let rest = self.minus(other.times(Twofold(q, 0.0)));
        Self::renormal(q, rest.0 / other.0)
    }
}

/// Where the segments `a1 a2` and `b1 b2`, which cross inside both, do so. A point closer to an
/// end than doubles can tell apart is that end.
pub(super) fn crossing(
    a1: Coord<f64>,
    a2: Coord<f64>,
    b1: Coord<f64>,
    b2: Coord<f64>,
) -> Coord<f64> {
    let minus = |p: Coord<f64>, q: Coord<f64>| {
        (Twofold::difference(p.x, q.x), Twofold::difference(p.y, q.y))
    };
    let cross = |p: (Twofold, Twofold), q: (Twofold, Twofold)| p.0.times(q.1).minus(p.1.times(q.0));
    let (along, other, gap) = (minus(a2, a1), minus(b2, b1), minus(b1, a1));
    let t = cross(gap, other).over(cross(along, other));
    let place = |from: f64, way: Twofold, low: f64, high: f64| {
        let at = Twofold(from, 0.0).add(t.times(way));
        (at.0 + at.1).clamp(low, high)
    };
    let low = |p: f64, q: f64, r: f64, s: f64| p.min(q).max(r.min(s));
    let high = |p: f64, q: f64, r: f64, s: f64| p.max(q).min(r.max(s));
    let at = Coord {
        x: place(
            a1.x,
            along.0,
            low(a1.x, a2.x, b1.x, b2.x),
            high(a1.x, a2.x, b1.x, b2.x),
        ),
        y: place(
            a1.y,
            along.1,
            low(a1.y, a2.y, b1.y, b2.y),
            high(a1.y, a2.y, b1.y, b2.y),
        ),
    };
    // Over- and underflow at the ends of the range of doubles end here too.
    if !(at.x.is_finite() && at.y.is_finite()) {
        return a1;
    }
    let near = |p: Coord<f64>| {
        let close = |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * a.abs().max(b.abs());
        close(at.x, p.x) && close(at.y, p.y)
    };
    [a1, a2, b1, b2]
        .into_iter()
        .find(|p| near(*p))
        .unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_are_correctly_rounded() {
        let c = |x: f64, y: f64| Coord { x, y };
        assert_eq!(
            crossing(c(0.0, 0.0), c(2.0, 2.0), c(0.0, 2.0), c(2.0, 0.0)),
            c(1.0, 1.0)
        );
        // Almost parallel, far from the origin.
        let at = crossing(
            c(1e6, 1e6),
            c(1e6 + 3.0, 1e6 + 3e-9),
            c(1e6, 1e6 + 1e-9),
            c(1e6 + 3.0, 1e6),
        );
        assert!((1e6..1e6 + 3.0).contains(&at.x) && (at.y - 1e6).abs() < 1e-9);
    }
}

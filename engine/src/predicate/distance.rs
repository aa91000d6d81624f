//! Euclidean distance, and whether it is at most `d`.
//!
//! Both are the same function of the coordinates: [`within`] holds if and only if
//! `distance(a, b) <= d`, so that `ST_DWithin(a, b, d)` and `ST_Distance(a, b) <= d` agree to the
//! last bit. Zero is exact: shapes that share a point are at distance zero, and others are not.

use std::ops::ControlFlow;

use geo_types::Coord;

use super::chunks::{Chunks, MANY_PAIRS};
use super::intersects::intersects;
use super::matrix::Location;
use super::orient::{Meet, meet, on_segment, orient};
use super::shape::{FEW_EDGES, Kind, Shape};
use crate::geometry::Bounds;

/// Relative slack within which bounds do not decide: far above what rounding can do.
pub(crate) const SLACK: f64 = 1.0 + 1e-9;

/// The smallest distance between a point of `a` and one of `b`.
pub(crate) fn distance(a: &Shape, b: &Shape) -> f64 {
    nearest(a, b, f64::INFINITY, f64::NEG_INFINITY)
}

/// Whether the distance of `a` and `b` is at most `d`. False for negative and NaN `d`.
pub(crate) fn within(a: &Shape, b: &Shape, d: f64) -> bool {
    d >= 0.0 && bounds_distance(&a.bounds, &b.bounds) <= d * SLACK && nearest(a, b, d, d) <= d
}

/// The length of a vector, as all distances are measured.
#[inline]
pub fn length(dx: f64, dy: f64) -> f64 {
    let square = dx * dx + dy * dy;
    if (1e-280..1e300).contains(&square) {
        square.sqrt()
    } else {
        dx.hypot(dy)
    }
}

/// The distance of two points.
#[inline]
pub(crate) fn point_point(a: Coord<f64>, b: Coord<f64>) -> f64 {
    length(a.x - b.x, a.y - b.y)
}

/// The distance of `p` from the segment `a b`.
#[inline]
pub(crate) fn point_segment(p: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    // Along the segment, 0 at `a` and `square` at `b`.
    let along = (p.x - a.x) * dx + (p.y - a.y) * dy;
    let square = dx * dx + dy * dy;
    if !square.is_normal() || !along.is_finite() {
        return point_segment_extreme(p, a, b);
    }
    if along <= 0.0 {
        return beside_end(p, a, b, along);
    }
    // Seen from `b`, as a point next to it vanishes in the rounding of a distance from a far `a`.
    let beyond = (p.x - b.x) * dx + (p.y - b.y) * dy;
    if beyond >= 0.0 {
        return beside_end(p, b, a, beyond);
    }
    // Along an axis there is nothing to round.
    if dx == 0.0 {
        return (p.x - a.x).abs();
    }
    if dy == 0.0 {
        return (p.y - a.y).abs();
    }
    orient(a, b, p).abs() / square.sqrt()
}

/// The distance of `p` from the end `near` of a segment, past which it is by `past`.
#[inline]
fn beside_end(p: Coord<f64>, near: Coord<f64>, far: Coord<f64>, past: f64) -> f64 {
    // A product that has left the range of f64 says nothing about where `p` is.
    if past.abs() < 1e-290 && on_segment(near, far, p) {
        return 0.0;
    }
    point_point(p, near)
}

/// As above, for segments so long or so short that squares leave the range of f64.
#[cold]
fn point_segment_extreme(p: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> f64 {
    let greatest = [p.x, p.y, a.x, a.y, b.x, b.y]
        .into_iter()
        .fold(0.0f64, |m, v| m.max(v.abs()));
    let scale = match greatest {
        g if g > 1e100 => 2f64.powi(-700),
        g if g < 1e-100 => 2f64.powi(700),
        _ => return point_point(p, a).min(point_point(p, b)),
    };
    let scaled = |c: Coord<f64>| Coord {
        x: c.x * scale,
        y: c.y * scale,
    };
    let (sa, sb) = (scaled(a), scaled(b));
    let square = (sb.x - sa.x).powi(2) + (sb.y - sa.y).powi(2);
    let distance = if square.is_normal() {
        point_segment(scaled(p), sa, sb) / scale
    } else {
        point_point(p, a).min(point_point(p, b))
    };
    // What scaling has taken from small differences, the rectangle of the segment still has.
    let bounds = Bounds::new(a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y));
    let distance = distance.max(bounds_distance(&Bounds::point(p.x, p.y), &bounds));
    if distance == 0.0 && !on_segment(a, b, p) {
        return f64::from_bits(1);
    }
    distance
}

/// The distance of two rectangles, zero if they meet.
pub(crate) fn bounds_distance(a: &Bounds, b: &Bounds) -> f64 {
    let (dx, dy) = a.gap(b);
    length(dx, dy)
}

/// The least distance between parts of `a` and `b`, if it is below `limit`: anything above `limit` may
/// be returned in place of a greater one. Infinite if one is EMPTY.
pub(crate) fn parts_nearest(a: &[Shape], b: &[Shape], limit: f64) -> f64 {
    let mut best = f64::INFINITY;
    for (pa, pb) in a.iter().flat_map(|pa| b.iter().map(move |pb| (pa, pb))) {
        let limit = best.min(limit);
        if bounds_distance(&pa.bounds, &pb.bounds) <= limit * SLACK {
            best = best.min(nearest(pa, pb, limit, 0.0));
        }
    }
    best
}

/// Whether two rectangles are farther apart than `limit`, rounding aside.
#[inline]
fn is_beyond(a: &Bounds, b: &Bounds, limit: f64) -> bool {
    let (dx, dy) = a.gap(b);
    let square = dx * dx + dy * dy;
    let most = limit * limit * SLACK;
    match square > 1e-280 && most > 1e-280 {
        // Squares beyond the range are infinite, which is not beyond infinity.
        true => square > most,
        false => length(dx, dy) > limit * SLACK,
    }
}

/// The distance of `a` and `b`, if it is below `limit`; anything at most `enough` may be returned
/// in place of a smaller distance, anything above `limit` in place of a greater one.
fn nearest(a: &Shape, b: &Shape, limit: f64, enough: f64) -> f64 {
    match (a.kind, b.kind) {
        (Kind::Point, _) => points_nearest(a, b, limit, enough),
        (_, Kind::Point) => points_nearest(b, a, limit, enough),
        _ if intersects(a, b) => 0.0,
        _ => edges_nearest(a, b, limit, enough),
    }
}

fn points_nearest(points: &Shape, other: &Shape, limit: f64, enough: f64) -> f64 {
    let mut best = f64::INFINITY;
    for p in &points.coords {
        let d = point_nearest(*p, other, best.min(limit), enough);
        if d < best {
            best = d;
            if best <= enough {
                break;
            }
        }
    }
    best
}

/// The distance of a point from a shape, with the freedom of [`nearest`].
pub(crate) fn point_nearest(p: Coord<f64>, shape: &Shape, limit: f64, enough: f64) -> f64 {
    if is_beyond(&Bounds::point(p.x, p.y), &shape.bounds, limit) {
        return f64::INFINITY;
    }
    match shape.kind {
        Kind::Point => {
            let mut best = f64::INFINITY;
            for c in &shape.coords {
                best = best.min(point_point(p, *c));
                if best <= enough {
                    break;
                }
            }
            best
        }
        _ if shape.kind == Kind::Area && shape.locate(p) != Location::Exterior => 0.0,
        _ if shape.is_small() => few_edges_nearest(p, shape),
        _ => {
            let mut best = f64::INFINITY;
            shape.edges_near(p.y, p.y, limit, |edge, _| {
                let (a, b) = shape.edge(edge);
                best = best.min(point_segment(p, a, b));
                match best <= enough {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(best.min(limit)),
                }
            });
            best
        }
    }
}

/// The distance of a point from the edges of a shape that has but few: the least of
/// [`point_segment`] over all, to the last bit, with one root for all of them.
fn few_edges_nearest(p: Coord<f64>, shape: &Shape) -> f64 {
    (0..shape.chain_count())
        .try_fold(f64::INFINITY, |least, chain| {
            chain_nearest(p, &shape.coords[shape.chain(chain)], least)
        })
        .map_or_else(|| each_edge_nearest(p, shape.segments()), f64::sqrt)
}

/// The square of the distance of a point from a chain, or `least` if that is less. `None` where
/// squares leave the range in which they stand for distances.
///
/// A first look, without a branch, measures all edges to within a rounding error; only the few that may be the
/// nearest are measured as [`point_segment`] does.
#[inline]
fn chain_nearest(p: Coord<f64>, chain: &[Coord<f64>], least: f64) -> Option<f64> {
    let mut rough = [0.0; FEW_EDGES];
    let edges = chain.len().checked_sub(1)?;
    let rough = rough.get_mut(..edges)?;
    let (mut closest, mut all_usual) = (f64::INFINITY, true);
    for (rough, edge) in rough.iter_mut().zip(chain.windows(2)) {
        let (ax, ay) = (p.x - edge[0].x, p.y - edge[0].y);
        let (dx, dy) = (edge[1].x - edge[0].x, edge[1].y - edge[0].y);
        let (from_a, square) = (ax * ax + ay * ay, dx * dx + dy * dy);
        let along = ((ax * dx + ay * dy) / square).clamp(0.0, 1.0);
        let (ex, ey) = (ax - along * dx, ay - along * dy);
        let (apart, blur) = (ex * ex + ey * ey, BLUR * (from_a + square));
        all_usual &= is_usual(from_a) & is_usual(square);
        *rough = apart - blur;
        closest = closest.min(apart + blur);
    }
    let last = *chain.last()?;
    let from_last = (p.x - last.x).powi(2) + (p.y - last.y).powi(2);
    if !(all_usual && is_usual(from_last)) {
        return None;
    }
    let reach = closest.min(least);
    let near = rough.iter().zip(chain.windows(2));
    let near = near.filter(|(rough, _)| **rough <= reach);
    let found = near.fold(least, |least, (_, edge)| {
        least.min(edge_square(p, edge[0], edge[1]))
    });
    is_usual(found).then_some(found)
}

/// What rounding can do to a first look at the square of a distance, relative to the squares that go into it, many times
/// over.
pub(super) const BLUR: f64 = 1e-13;

/// Whether a square stands for its root: the root of a number's square is the number, as long as the square is within
/// the range of `f64`, so that squares of distances can be compared in their place.
#[inline]
pub(super) fn is_usual(square: f64) -> bool {
    (1e-140..1e140).contains(&square)
}

/// The square of [`point_segment`], where squares are usual numbers.
#[inline]
pub(super) fn edge_square(p: Coord<f64>, a: Coord<f64>, b: Coord<f64>) -> f64 {
    let (ax, ay) = (p.x - a.x, p.y - a.y);
    let (bx, by) = (p.x - b.x, p.y - b.y);
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    if ax * dx + ay * dy <= 0.0 {
        ax * ax + ay * ay
    } else if bx * dx + by * dy >= 0.0 {
        bx * bx + by * by
    } else if dx == 0.0 {
        ax * ax
    } else if dy == 0.0 {
        ay * ay
    } else {
        let distance = orient(a, b, p).abs() / (dx * dx + dy * dy).sqrt();
        distance * distance
    }
}

#[cold]
pub(super) fn each_edge_nearest(
    p: Coord<f64>,
    segments: impl Iterator<Item = (Coord<f64>, Coord<f64>)>,
) -> f64 {
    segments
        .map(|(a, b)| point_segment(p, a, b))
        .fold(f64::INFINITY, f64::min)
}

/// Edges of both, which do not meet: the distance is that of an end from an edge.
fn edges_nearest(a: &Shape, b: &Shape, limit: f64, enough: f64) -> f64 {
    let (few, many) = if a.edge_count() <= b.edge_count() {
        (a, b)
    } else {
        (b, a)
    };
    if limit == f64::INFINITY && few.edge_count().saturating_mul(many.edge_count()) > MANY_PAIRS {
        let chunks = |shape: &Shape| Chunks::new(shape.segments().map(|(p, q)| [p, q]).collect());
        let mut best = f64::INFINITY;
        chunks(few).nearest_runs(&chunks(many), |run, other| {
            for ([f1, f2], [m1, m2]) in run.iter().flat_map(|e| other.iter().map(move |f| (e, f))) {
                best = best.min(segment_segment(*f1, *f2, *m1, *m2));
            }
            best
        });
        return best;
    }
    // Each edge of the few asks for the many.
    many.index_for(few.edge_count());
    let mut best = f64::INFINITY;
    for ef in few.edges() {
        let (f1, f2) = few.edge(ef);
        let reach = best.min(limit);
        let bounds = Bounds::new(
            f1.x.min(f2.x),
            f1.y.min(f2.y),
            f1.x.max(f2.x),
            f1.y.max(f2.y),
        );
        if bounds_distance(&bounds, &many.bounds) > reach * SLACK {
            continue;
        }
        many.edges_near(bounds.min_y, bounds.max_y, reach, |em, reach| {
            let (m1, m2) = many.edge(em);
            let apart = bounds_distance(
                &bounds,
                &Bounds::new(
                    m1.x.min(m2.x),
                    m1.y.min(m2.y),
                    m1.x.max(m2.x),
                    m1.y.max(m2.y),
                ),
            );
            if apart <= reach * SLACK {
                best = best.min(segment_segment(f1, f2, m1, m2));
            }
            match best <= enough {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(best.min(limit)),
            }
        });
        if best <= enough {
            break;
        }
    }
    best
}

fn segment_segment(a1: Coord<f64>, a2: Coord<f64>, b1: Coord<f64>, b2: Coord<f64>) -> f64 {
    if meet(a1, a2, b1, b2) != Meet::None {
        return 0.0;
    }
    point_segment(a1, b1, b2)
        .min(point_segment(a2, b1, b2))
        .min(point_segment(b1, a1, a2))
        .min(point_segment(b2, a1, a2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64) -> Coord<f64> {
        Coord { x, y }
    }

    /// One end so far, or the point so near the other, that a product of differences rounds the point away.
    #[test]
    fn a_point_on_a_segment_is_at_no_distance() {
        for (p, a, b) in [
            (at(1.0, 4.0), at(1e17, 4.0), at(0.0, 4.0)),
            (at(1.0, 1.0), at(1e17, 1e17), at(0.0, 0.0)),
            (at(1e-300, 0.0), at(0.0, 0.0), at(1e-10, 0.0)),
            (at(5e-324, 5e-324), at(0.0, 0.0), at(1.0, 1.0)),
        ] {
            for (a, b) in [(a, b), (b, a)] {
                assert_eq!(point_segment(p, a, b), 0.0, "{p:?} {a:?} {b:?}");
            }
        }
        let far = point_segment(at(0.0, 0.0), at(1.0, -f64::MAX), at(1e-200, 0.0));
        assert_eq!(far, 1e-200);
        // Beside it, and past either end.
        let (a, b) = (at(1e17, 4.0), at(0.0, 4.0));
        assert_eq!(point_segment(at(1.0, 7.0), a, b), 3.0);
        assert_eq!(point_segment(at(-3.0, 8.0), a, b), 5.0);
        assert_eq!(point_segment(at(-3.0, 8.0), b, a), 5.0);
    }
}

//! The smallest circle around points, by the method of Welzl.

use geo_types::{Coord, Geometry};

use super::convex_hull;
use super::triangulation::{centre, vertices};

/// A circle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Its centre.
    pub centre: Coord<f64>,
    /// Its radius, 0 for a point.
    pub radius: f64,
}

/// Rounding may put a point that the circle goes through outside of it.
const SLACK: f64 = 1.0 + 1e-12;

impl Circle {
    fn of_two(a: Coord<f64>, b: Coord<f64>) -> Self {
        let centre = (a + b) * 0.5;
        Self {
            centre,
            radius: distance(centre, a).max(distance(centre, b)),
        }
    }

    /// The circle through three points; for points on one line, around the two farthest.
    fn of_three(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> Self {
        let at = centre(a, b, c);
        if at.x.is_finite() && at.y.is_finite() {
            let radius = [a, b, c].map(|p| distance(at, p));
            return Self {
                centre: at,
                radius: radius[0].max(radius[1]).max(radius[2]),
            };
        }
        let pairs = [(a, b), (b, c), (a, c)].map(|(p, q)| Self::of_two(p, q));
        let longest = pairs.iter().max_by(|s, t| s.radius.total_cmp(&t.radius));
        longest.copied().unwrap_or(pairs[0])
    }

    fn holds(&self, p: Coord<f64>) -> bool {
        distance(self.centre, p) <= self.radius * SLACK
    }
}

fn distance(a: Coord<f64>, b: Coord<f64>) -> f64 {
    (b.x - a.x).hypot(b.y - a.y)
}

/// The smallest circle that holds a geometry; `None` for EMPTY.
pub fn bounding_circle(geometry: &Geometry<f64>) -> Option<Circle> {
    // Corners of the hull alone, in an order that has no pattern but is the same every time.
    let mut points = vertices(geometry);
    convex_hull(&mut points);
    let n = points.len();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..n).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        points.swap(i, (state % (i as u64 + 1)) as usize);
    }
    let mut circle = Circle {
        centre: *points.first()?,
        radius: 0.0,
    };
    for i in 1..n {
        if circle.holds(points[i]) {
            continue;
        }
        circle = Circle::of_two(points[0], points[i]);
        for j in 1..i {
            if circle.holds(points[j]) {
                continue;
            }
            circle = Circle::of_two(points[j], points[i]);
            for k in 0..j {
                if !circle.holds(points[k]) {
                    circle = Circle::of_three(points[k], points[j], points[i]);
                }
            }
        }
    }
    Some(circle)
}

//! Rings put together into polygons.
//!
//! A Shapefile tells outer rings from holes by their direction alone: clockwise and counter-clockwise, in any
//! order. Which hole is in which ring must be found.

use std::ops::Range;

use crate::geometry::Bounds;

/// Where a point lies.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Inside,
    Outside,
    Border,
}

struct Ring {
    range: Range<usize>,
    bounds: Bounds,
    /// Twice the area, positive counter-clockwise.
    area: f64,
}

/// Groups rings into polygons, each with its outer ring first. `rings` are ranges of points, `point` their x
/// and y. Empty rings are left out.
///
/// Where no ring is clockwise, directions tell nothing: rings within an odd number of others are holes. A hole
/// in no ring is a polygon of its own.
pub(super) fn polygons(
    rings: &[Range<usize>],
    point: &impl Fn(usize) -> (f64, f64),
) -> Vec<Vec<Range<usize>>> {
    let rings: Vec<Ring> = rings
        .iter()
        .filter(|range| !range.is_empty())
        .map(|range| ring(range.clone(), point))
        .collect();
    if let [only] = rings.as_slice() {
        return vec![vec![only.range.clone()]];
    }
    let has_clockwise = rings.iter().any(|ring| ring.area < 0.0);
    let is_outer = |at: usize| match has_clockwise {
        true => rings[at].area <= 0.0,
        false => {
            let around = (0..rings.len()).filter(|&other| holds(&rings, other, at, point));
            around.count() % 2 == 0
        }
    };
    let outer: Vec<bool> = (0..rings.len()).map(is_outer).collect();
    // The polygon that each outer ring begins.
    let mut polygons: Vec<(usize, Vec<Range<usize>>)> = vec![];
    for (at, ring) in rings.iter().enumerate().filter(|(at, _)| outer[*at]) {
        polygons.push((at, vec![ring.range.clone()]));
    }
    let begun = polygons.len();
    for (hole, ring) in rings.iter().enumerate().filter(|(at, _)| !outer[*at]) {
        let size = |at: usize| rings[at].area.abs();
        let around = (0..begun).filter(|&p| holds(&rings, polygons[p].0, hole, point));
        let smallest = around.min_by(|a, b| size(polygons[*a].0).total_cmp(&size(polygons[*b].0)));
        match smallest {
            Some(polygon) => polygons[polygon].1.push(ring.range.clone()),
            None => polygons.push((hole, vec![ring.range.clone()])),
        }
    }
    polygons.into_iter().map(|(_, rings)| rings).collect()
}

fn ring(range: Range<usize>, point: &impl Fn(usize) -> (f64, f64)) -> Ring {
    let mut bounds = Bounds::EMPTY;
    let mut area = 0.0;
    // From the first point, so that large coordinates cost no digits.
    let (x0, y0) = point(range.start);
    for i in range.clone() {
        let (x, y) = point(i);
        bounds.add(x, y);
        let (nx, ny) = point(if i + 1 < range.end {
            i + 1
        } else {
            range.start
        });
        area += (x - x0) * (ny - y0) - (nx - x0) * (y - y0);
    }
    Ring {
        range,
        bounds,
        area,
    }
}

/// Whether one ring lies in another. They do not cross: the first point of the one that is not on the border
/// of the other tells.
fn holds(rings: &[Ring], outer: usize, inner: usize, point: &impl Fn(usize) -> (f64, f64)) -> bool {
    if outer == inner {
        return false;
    }
    let (outer, inner) = (&rings[outer], &rings[inner]);
    if !outer.bounds.contains(&inner.bounds) {
        return false;
    }
    let places = inner.range.clone().map(|i| place(point(i), outer, point));
    match places.into_iter().find(|place| *place != Place::Border) {
        Some(place) => place == Place::Inside,
        // All its corners are on the border: within, unless it is the larger.
        None => inner.area.abs() < outer.area.abs(),
    }
}

/// Counts the edges to the right.
fn place((x, y): (f64, f64), ring: &Ring, point: &impl Fn(usize) -> (f64, f64)) -> Place {
    let mut inside = false;
    for i in ring.range.clone() {
        let (ax, ay) = point(i);
        let (bx, by) = point(if i + 1 < ring.range.end {
            i + 1
        } else {
            ring.range.start
        });
        if (ax, ay) == (x, y) {
            return Place::Border;
        }
        let side = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
        let between = |a: f64, b: f64, v: f64| a.min(b) <= v && v <= a.max(b);
        if side == 0.0 && between(ax, bx, x) && between(ay, by, y) {
            return Place::Border;
        }
        if (ay > y) != (by > y) && (side > 0.0) == (by > ay) {
            inside = !inside;
        }
    }
    match inside {
        true => Place::Inside,
        false => Place::Outside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square between two corners; clockwise or not.
    fn square(min: f64, max: f64, clockwise: bool) -> Vec<(f64, f64)> {
        let mut ring = vec![(min, min), (min, max), (max, max), (max, min), (min, min)];
        if !clockwise {
            ring.reverse();
        }
        ring
    }

    fn grouped(rings: &[Vec<(f64, f64)>]) -> Vec<Vec<usize>> {
        let points: Vec<(f64, f64)> = rings.concat();
        let mut ranges = vec![];
        for ring in rings {
            let start = ranges.last().map_or(0, |r: &Range<usize>| r.end);
            ranges.push(start..start + ring.len());
        }
        let found = polygons(&ranges, &|i| points[i]);
        let number = |range: &Range<usize>| ranges.iter().position(|r| r == range).unwrap_or(99);
        found
            .iter()
            .map(|rings| rings.iter().map(number).collect())
            .collect()
    }

    #[test]
    fn holes_find_the_smallest_ring_around_them() {
        let rings = [
            square(4.0, 5.0, false),
            square(0.0, 10.0, true),
            square(1.0, 9.0, false),
            square(3.0, 6.0, true),
            square(20.0, 30.0, true),
        ];
        assert_eq!(grouped(&rings), [vec![1, 2], vec![3, 0], vec![4]]);
    }

    #[test]
    fn directions_that_tell_nothing() {
        let ccw = |min, max| square(min, max, false);
        assert_eq!(grouped(&[ccw(0.0, 1.0)]), [vec![0]]);
        assert_eq!(grouped(&[ccw(0.0, 1.0), ccw(2.0, 3.0)]), [vec![0], vec![1]]);
        assert_eq!(
            grouped(&[ccw(2.0, 3.0), ccw(0.0, 9.0), ccw(1.0, 8.0)]),
            [vec![0], vec![1, 2]]
        );
        // A hole in no ring.
        assert_eq!(
            grouped(&[square(0.0, 1.0, true), ccw(5.0, 6.0)]),
            [vec![0], vec![1]]
        );
    }

    #[test]
    fn holes_that_touch_their_ring() {
        // Its first corner is a corner of the ring around it.
        let hole = vec![(0.0, 0.0), (5.0, 4.0), (4.0, 5.0), (0.0, 0.0)];
        let rings = [square(0.0, 10.0, true), square(-10.0, 0.0, true), hole];
        assert_eq!(grouped(&rings), [vec![0, 2], vec![1]]);
    }
}

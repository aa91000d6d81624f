//! Lines with fewer vertices by the method of Visvalingam and Whyatt.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::geometry::Ordinates;

/// A vertex by the area of its triangle when it was looked at.
struct Vertex {
    area: f64,
    at: usize,
}

impl PartialEq for Vertex {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Vertex {}

impl PartialOrd for Vertex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Vertex {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_area = self.area.total_cmp(&other.area);
        by_area.then_with(|| self.at.cmp(&other.at))
    }
}

/// Drops vertices one by one, always the one that makes the smallest triangle with its neighbours, until
/// none is smaller than `area` or `least` vertices are left. The ends stay. With `z` triangles are in space.
pub fn drop_small_areas(run: &mut Vec<Ordinates>, area: f64, least: usize, z: bool) {
    let n = run.len();
    if n < 3 {
        return;
    }
    let mut before: Vec<usize> = (0..n).map(|i| i.saturating_sub(1)).collect();
    let mut after: Vec<usize> = (0..n).map(|i| i + 1).collect();
    let mut current = vec![f64::INFINITY; n];
    let mut queue = BinaryHeap::new();
    let size = |i: usize, j: usize, k: usize| triangle(&run[i], &run[j], &run[k], z);
    for (at, current) in current.iter_mut().enumerate().take(n - 1).skip(1) {
        let area = size(at - 1, at, at + 1);
        *current = area;
        queue.push(Reverse(Vertex { area, at }));
    }
    let mut keep = vec![true; n];
    let mut left = n;
    while let Some(Reverse(Vertex { area: smallest, at })) = queue.pop() {
        if !keep[at] || current[at].total_cmp(&smallest).is_ne() {
            continue;
        }
        if smallest >= area || left <= least {
            break;
        }
        keep[at] = false;
        left -= 1;
        let (previous, next) = (before[at], after[at]);
        (after[previous], before[next]) = (next, previous);
        for neighbour in [previous, next] {
            if neighbour == 0 || neighbour == n - 1 {
                continue;
            }
            // A vertex is never worth less than one that went before it.
            let own = size(before[neighbour], neighbour, after[neighbour]).max(smallest);
            current[neighbour] = own;
            queue.push(Reverse(Vertex {
                area: own,
                at: neighbour,
            }));
        }
    }
    let mut i = 0;
    run.retain(|_| {
        i += 1;
        keep[i - 1]
    });
}

fn triangle(a: &Ordinates, b: &Ordinates, c: &Ordinates, z: bool) -> f64 {
    let (ux, uy, vx, vy) = (a.x - b.x, a.y - b.y, c.x - b.x, c.y - b.y);
    let across = ux * vy - uy * vx;
    match z {
        false => (0.5 * across).abs(),
        true => {
            let (uz, vz) = (a.z - b.z, c.z - b.z);
            let (p, q) = (uy * vz - uz * vy, uz * vx - ux * vz);
            0.5 * (p * p + q * q + across * across).sqrt()
        }
    }
}

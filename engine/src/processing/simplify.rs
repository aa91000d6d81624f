//! Runs of coordinates with fewer vertices, or with more and softer ones.

use crate::geometry::Ordinates;

/// Drops vertices by the method of Douglas and Peucker: none is further than `tolerance` from the
/// segments that remain. At least `least` stay, the first and the last always.
pub fn simplify_run(run: &mut Vec<Ordinates>, tolerance: f64, least: usize) {
    let n = run.len();
    if n < 3 || n <= least {
        return;
    }
    let mut keep = vec![false; n];
    (keep[0], keep[n - 1]) = (true, true);
    let mut kept = 2;
    let mut stack = vec![(0, n - 1)];
    while let Some((first, last)) = stack.pop() {
        let limit = if kept >= least {
            tolerance * tolerance
        } else {
            -1.0
        };
        let mut split = None;
        let mut farthest = limit;
        for i in first + 1..last {
            let d = square_distance(&run[i], &run[first], &run[last]);
            if d > farthest {
                farthest = d;
                split = Some(i);
            }
        }
        if let Some(split) = split {
            keep[split] = true;
            kept += 1;
            stack.push((split, last));
            stack.push((first, split));
        }
    }
    let mut i = 0;
    run.retain(|_| {
        i += 1;
        keep[i - 1]
    });
}

/// The squared distance of a point to a segment, in the plane.
fn square_distance(p: &Ordinates, a: &Ordinates, b: &Ordinates) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let square = dx * dx + dy * dy;
    let t = match square > 0.0 {
        true => (((p.x - a.x) * dx + (p.y - a.y) * dy) / square).clamp(0.0, 1.0),
        false => 0.0,
    };
    (p.x - a.x - t * dx).powi(2) + (p.y - a.y - t * dy).powi(2)
}

/// Cuts the corners of a line or ring, once, by the method of Chaikin. The ends of a line stay; those of a
/// ring if `preserve`.
pub fn chaikin_run(run: &mut Vec<Ordinates>, ring: bool, preserve: bool) {
    if run.len() < 3 {
        return;
    }
    let mix = |a: &Ordinates, b: &Ordinates, t: f64| Ordinates {
        x: a.x + t * (b.x - a.x),
        y: a.y + t * (b.y - a.y),
        z: a.z + t * (b.z - a.z),
        m: a.m + t * (b.m - a.m),
    };
    let ends = !ring || preserve;
    let segments = run.len() - 1;
    let mut cut = Vec::with_capacity(run.len() * 2);
    for (i, w) in run.windows(2).enumerate() {
        match ends && i == 0 {
            true => cut.push(w[0]),
            false => cut.push(mix(&w[0], &w[1], 0.25)),
        }
        match ends && i + 1 == segments {
            true => cut.push(w[1]),
            false => cut.push(mix(&w[0], &w[1], 0.75)),
        }
    }
    if !ends {
        cut.extend(cut.first().copied());
    }
    *run = cut;
}

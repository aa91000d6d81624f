//! Lines and rings with fewer vertices that come to cross nothing.

use std::collections::HashMap;

use crate::geometry::Ordinates;
use crate::predicate::orient::{Meet, meet};
use geo_types::Coord;

/// Drops vertices of all runs by the method of Douglas and Peucker, but keeps those without which
/// a run would come to cross itself or another, as GEOS does.
///
/// Of a closed run four coordinates stay at least, of an open one two. What crossed before may do so
/// afterwards.
pub fn simplify_runs(runs: &mut [Vec<Ordinates>], tolerance: f64) {
    let mut lines = Lines::new(runs);
    for (run, coords) in runs.iter_mut().enumerate() {
        if coords.len() < 2 {
            continue;
        }
        let closed = coords.first().map(place) == coords.last().map(place);
        let least = if closed { 4 } else { 2 };
        let mut kept = vec![0];
        // Sections yet to be looked at, the next one last, with their depth.
        let mut sections = vec![(0, coords.len() - 1, 1usize)];
        while let Some((from, to, depth)) = sections.pop() {
            if from + 1 == to {
                kept.push(to);
                continue;
            }
            // In the worst case no section but this one and those above it yields a segment.
            let enough = kept.len() >= least || depth + 1 >= least;
            let (split, distance) = farthest(coords, from, to);
            let (a, b) = (place(&coords[from]), place(&coords[to]));
            if enough && distance <= tolerance && !lines.crosses(run, from, to, a, b) {
                lines.flatten(run, from, to, a, b);
                kept.push(to);
                continue;
            }
            sections.push((split, to, depth + 1));
            sections.push((from, split, depth + 1));
        }
        let mut next = kept.into_iter().peekable();
        let mut i = 0;
        coords.retain(|_| {
            i += 1;
            next.next_if_eq(&(i - 1)).is_some()
        });
    }
}

fn place(c: &Ordinates) -> Coord<f64> {
    Coord { x: c.x, y: c.y }
}

/// The coordinate of a section that is farthest from the segment between its ends, and how far.
fn farthest(coords: &[Ordinates], from: usize, to: usize) -> (usize, f64) {
    let (a, b) = (place(&coords[from]), place(&coords[to]));
    let (run, mut best) = (b - a, (from + 1, -1.0));
    let square = run.x * run.x + run.y * run.y;
    for (i, c) in coords.iter().enumerate().take(to).skip(from + 1) {
        let off = place(c) - a;
        let t = match square > 0.0 {
            true => ((off.x * run.x + off.y * run.y) / square).clamp(0.0, 1.0),
            false => 0.0,
        };
        let distance = (off.x - t * run.x).hypot(off.y - t * run.y);
        if distance > best.1 {
            best = (i, distance);
        }
    }
    best
}

/// A segment of a run as it was, or one that stands for a section of it.
#[derive(Debug, Clone, Copy)]
struct Segment {
    a: Coord<f64>,
    b: Coord<f64>,
    run: usize,
    /// The place of its first coordinate; `None` for one that stands for a section.
    place: Option<usize>,
}

/// All segments, by the squares of a grid that they pass.
struct Lines {
    segments: Vec<Segment>,
    gone: Vec<bool>,
    /// Number of a segment by run and place.
    first: Vec<usize>,
    cells: HashMap<(i64, i64), Vec<u32>>,
    /// Segments too long for the grid.
    long: Vec<u32>,
    size: f64,
}

/// A segment that covers more squares is looked at by everyone.
const MOST_CELLS: i64 = 256;

impl Lines {
    fn new(runs: &[Vec<Ordinates>]) -> Self {
        let mut segments = vec![];
        let mut first = vec![];
        let mut reach = 0.0;
        for (run, coords) in runs.iter().enumerate() {
            first.push(segments.len());
            for (place_of, w) in coords.windows(2).enumerate() {
                let (a, b) = (place(&w[0]), place(&w[1]));
                reach += (b.x - a.x).abs().max((b.y - a.y).abs());
                segments.push(Segment {
                    a,
                    b,
                    run,
                    place: Some(place_of),
                });
            }
        }
        let mean = reach / segments.len().max(1) as f64;
        let mut this = Self {
            gone: vec![],
            segments: vec![],
            first,
            cells: HashMap::new(),
            long: vec![],
            size: if mean > 0.0 { 2.0 * mean } else { 1.0 },
        };
        segments.into_iter().for_each(|s| this.add(s));
        this
    }

    /// The squares that the box of a segment covers; `None` if these are too many.
    fn covered(
        &self,
        a: Coord<f64>,
        b: Coord<f64>,
    ) -> Option<impl Iterator<Item = (i64, i64)> + use<>> {
        // Conversion saturates, far beyond any coordinate that is divided by the mean length.
        let cell = |v: f64| (v / self.size).floor() as i64;
        let (x0, x1) = (cell(a.x.min(b.x)), cell(a.x.max(b.x)));
        let (y0, y1) = (cell(a.y.min(b.y)), cell(a.y.max(b.y)));
        let count = x1
            .checked_sub(x0)?
            .checked_add(1)?
            .checked_mul(y1.checked_sub(y0)?.checked_add(1)?)?;
        let all = (x0..=x1).flat_map(move |x| (y0..=y1).map(move |y| (x, y)));
        (count <= MOST_CELLS).then_some(all)
    }

    fn add(&mut self, segment: Segment) {
        let number = self.segments.len() as u32;
        match self.covered(segment.a, segment.b) {
            Some(cells) => {
                for cell in cells {
                    self.cells.entry(cell).or_default().push(number);
                }
            }
            None => self.long.push(number),
        }
        self.segments.push(segment);
        self.gone.push(false);
    }

    /// Whether the segment between the ends of a section meets another one elsewhere than at the ends of
    /// both.
    fn crosses(&self, run: usize, from: usize, to: usize, a: Coord<f64>, b: Coord<f64>) -> bool {
        // A loop is not to vanish.
        if a == b {
            return true;
        }
        let meets = |number: &u32| {
            let s = &self.segments[*number as usize];
            let own = s.run == run && s.place.is_some_and(|at| (from..to).contains(&at));
            if self.gone[*number as usize] || own || s.a == s.b {
                return false;
            }
            match meet(a, b, s.a, s.b) {
                Meet::None => false,
                Meet::At(p) => !([a, b].contains(&p) && [s.a, s.b].contains(&p)),
                Meet::Proper => true,
                // Along each other: the same segment twice has only its ends in common with itself.
                Meet::Along(p, q) => [p, q]
                    .iter()
                    .any(|c| !([a, b].contains(c) && [s.a, s.b].contains(c))),
            }
        };
        let all = match self.covered(a, b) {
            Some(mut cells) => cells.any(|cell| {
                let members = self.cells.get(&cell);
                members.is_some_and(|members| members.iter().any(meets))
            }),
            None => return (0..self.segments.len() as u32).any(|number| meets(&number)),
        };
        all || self.long.iter().any(meets)
    }

    /// Puts one segment in the place of a section.
    fn flatten(&mut self, run: usize, from: usize, to: usize, a: Coord<f64>, b: Coord<f64>) {
        let first = self.first[run];
        self.gone[first + from..first + to].fill(true);
        self.add(Segment {
            a,
            b,
            run,
            place: None,
        });
    }
}

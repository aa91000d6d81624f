//! Polygons and lines on both sides of a line along an axis.
//!
//! ```text
//!        ┆                  The line goes through no vertex, so every edge is on one side or crosses it
//!    ╭───┼──╮               once. Crossings in their order along the line are the ends of what the
//!    │   ┆  │               polygon has of it, two by two. The runs of vertices between crossings,
//!    │ ╭─┼──╯               joined across these, are the rings of each side.
//!    │ ╰─┼──╮
//!    ╰───┼──╯
//! ```
//!
//! No overlay is needed, and the time is that of looking at each vertex. Both sides have the same points
//! on the line, rounded to doubles. Where rounding changes their order there is no answer.

use geo_types::{Coord, LineString};

/// A closed ring with its polygon to the left.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) line: LineString<f64>,
    pub(super) hole: bool,
}

/// A line that goes through no vertex.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    vertical: bool,
    at: f64,
}

/// Where an edge crosses the cut.
struct Crossing {
    at: Coord<f64>,
    /// Whether the edge leads to greater coordinates.
    rises: bool,
    /// The crossing at the end of the run of vertices that begins here.
    end: usize,
    run: Vec<Coord<f64>>,
}

impl Cut {
    /// Lines to try, the best first: across the longer side of the bounding box, near its middle.
    pub(super) fn candidates<'a>(
        coords: impl Iterator<Item = &'a Coord<f64>> + Clone,
    ) -> impl Iterator<Item = Cut> {
        let range = |vertical: bool| {
            let along = coords.clone().map(|c| if vertical { c.x } else { c.y });
            along.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), u| {
                (low.min(u), high.max(u))
            })
        };
        let ranges = [range(false), range(true)];
        let side =
            |vertical: bool| ranges[usize::from(vertical)].1 - ranges[usize::from(vertical)].0;
        let longer = side(true) >= side(false);
        [
            (longer, 0.5),
            (longer, 0.41),
            (longer, 0.62),
            (!longer, 0.5),
        ]
        .into_iter()
        .filter_map(move |(vertical, part)| {
            let (low, high) = ranges[usize::from(vertical)];
            let mut at = low + part * (high - low);
            let along = |c: &Coord<f64>| if vertical { c.x } else { c.y };
            if coords.clone().any(|c| along(c) == at) {
                let beyond = coords.clone().map(along).filter(|u| *u > at);
                let next = beyond.fold(f64::INFINITY, f64::min);
                let middle = at + (next - at) / 2.0;
                if !(at < middle && middle < next) {
                    return None;
                }
                at = middle;
            }
            (low < at && at < high).then_some(Cut { vertical, at })
        })
    }

    fn across(self, c: Coord<f64>) -> f64 {
        if self.vertical { c.x } else { c.y }
    }

    fn along(self, c: Coord<f64>) -> f64 {
        if self.vertical { c.y } else { c.x }
    }

    fn is_high(self, c: Coord<f64>) -> bool {
        self.across(c) > self.at
    }

    /// Where an edge crosses, which is the same seen from both ends.
    fn crossing(self, a: Coord<f64>, b: Coord<f64>) -> Coord<f64> {
        let (a, b) = match self.is_high(a) {
            true => (b, a),
            false => (a, b),
        };
        let part = (self.at - self.across(a)) / (self.across(b) - self.across(a));
        let (from, to) = (self.along(a), self.along(b));
        let along = (from + part * (to - from)).clamp(from.min(to), from.max(to));
        match self.vertical {
            true => Coord {
                x: self.at,
                y: along,
            },
            false => Coord {
                x: along,
                y: self.at,
            },
        }
    }

    /// The parts of a line, in its order.
    pub(super) fn pieces(self, line: &[Coord<f64>]) -> Vec<LineString<f64>> {
        let mut pieces = vec![];
        let mut piece: Vec<Coord<f64>> = vec![];
        for c in line {
            if let Some(last) = piece.last().copied()
                && self.is_high(last) != self.is_high(*c)
            {
                let at = self.crossing(last, *c);
                piece.push(at);
                pieces.push(LineString(std::mem::replace(&mut piece, vec![at])));
            }
            piece.push(*c);
        }
        pieces.push(LineString(piece));
        pieces
    }

    /// The rings on the lower and on the higher side, of the rings of one valid polygon or of several apart.
    ///
    /// # Errors
    /// The rings as they were, if the crossings do not come in the order that they must have.
    pub(super) fn halves(self, rings: Vec<Ring>) -> Result<[Vec<Ring>; 2], Vec<Ring>> {
        let mut crossings: Vec<Crossing> = vec![];
        let mut crossed = vec![false; rings.len()];
        for (ring, crossed) in rings.iter().zip(&mut crossed) {
            let before = crossings.len();
            self.cross(&ring.line.0, &mut crossings);
            *crossed = crossings.len() > before;
        }
        let Some(partners) = self.partners(&crossings) else {
            return Err(rings);
        };
        let mut halves = [vec![], vec![]];
        for (ring, crossed) in rings.into_iter().zip(crossed) {
            if let (Some(c), false) = (ring.line.0.first(), crossed) {
                halves[usize::from(self.is_high(*c))].push(ring);
            }
        }
        let mut used = vec![false; crossings.len()];
        for first in 0..crossings.len() {
            let mut coords = vec![];
            let mut at = first;
            while !std::mem::replace(&mut used[at], true) {
                let start = &crossings[at];
                coords.push(start.at);
                coords.extend_from_slice(&start.run);
                coords.push(crossings[start.end].at);
                at = partners[start.end];
            }
            if !coords.is_empty() {
                coords.push(crossings[first].at);
                let shell = Ring {
                    line: LineString(coords),
                    hole: false,
                };
                halves[usize::from(crossings[first].rises)].push(shell);
            }
        }
        Ok(halves)
    }

    /// Adds the crossings of a ring.
    fn cross(self, ring: &[Coord<f64>], crossings: &mut Vec<Crossing>) {
        let before = crossings.len();
        let mut head = vec![];
        for edge in ring.windows(2) {
            let (a, b) = (edge[0], edge[1]);
            match crossings[before..].last_mut() {
                Some(last) => last.run.push(a),
                None => head.push(a),
            }
            if self.is_high(a) != self.is_high(b) {
                crossings.push(Crossing {
                    at: self.crossing(a, b),
                    rises: self.is_high(b),
                    end: crossings.len() + 1,
                    run: vec![],
                });
            }
        }
        // The last run goes on at the start of the ring.
        if let Some(last) = crossings[before..].last_mut() {
            last.run.append(&mut head);
            last.end = before;
        }
    }

    /// The crossing at the other end of what the polygon has of the line, for each.
    fn partners(self, crossings: &[Crossing]) -> Option<Vec<usize>> {
        let mut order: Vec<usize> = (0..crossings.len()).collect();
        let along = |i: usize| self.along(crossings[i].at);
        order.sort_unstable_by(|i, j| along(*i).total_cmp(&along(*j)));
        let increasing = order.windows(2).all(|w| along(w[0]) < along(w[1]));
        // A polygon to the left of an edge that leads to the right lies above it.
        let first = |i: usize| crossings[i].rises == self.vertical;
        let (pairs, rest) = order.as_chunks::<2>();
        let alternating = pairs.iter().all(|[a, b]| first(*a) && !first(*b));
        if !(increasing && alternating && rest.is_empty()) {
            return None;
        }
        let mut partners = vec![0; crossings.len()];
        for [a, b] in pairs {
            (partners[*a], partners[*b]) = (*b, *a);
        }
        Some(partners)
    }
}

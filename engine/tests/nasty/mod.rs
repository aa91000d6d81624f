//! Geometries that meet in awkward ways: on a small grid of integers most of them touch, share
//! edges, overlap collinearly or fill one another's holes.

use geoflow_engine::geometry::{wkb_to_wkt, wkt_to_wkb};
use rand::Rng;
use rand::rngs::StdRng;

/// What kinds of geometry a data set is drawn from.
pub(crate) struct Nasty {
    kinds: Vec<u32>,
    extent: i32,
}

impl Nasty {
    /// Mixed kinds mostly; now and then one kind alone, so that all-point batches occur.
    pub(crate) fn random(rng: &mut StdRng) -> Self {
        let kinds = match rng.random_range(0..4) {
            0 => vec![0, rng.random_range(0..8)],
            1 => vec![rng.random_range(0..8)],
            _ => (0..12).collect(),
        };
        Self {
            kinds,
            extent: rng.random_range(3..12),
        }
    }

    /// A value, now and then NULL or EMPTY.
    pub(crate) fn wkb(&self, rng: &mut StdRng) -> Option<Vec<u8>> {
        let text = match rng.random_range(0..20) {
            0 => return None,
            1 => {
                let empties = [
                    "POINT EMPTY",
                    "LINESTRING EMPTY",
                    "POLYGON EMPTY",
                    "MULTIPOLYGON EMPTY",
                ];
                empties[rng.random_range(0..empties.len())].to_string()
            }
            _ => self.text(rng),
        };
        let mut bytes = vec![];
        wkt_to_wkb(&text, &mut bytes).expect("the test writes sound WKT");
        Some(bytes)
    }

    fn text(&self, rng: &mut StdRng) -> String {
        let kind = self.kinds[rng.random_range(0..self.kinds.len())];
        let n = self.extent;
        let mut at = || rng.random_range(0..n);
        let (x, y) = (at(), at());
        let (w, h) = (at() % 4 + 1, at() % 4 + 1);
        let ring = |x: i32, y: i32, w: i32, h: i32| {
            format!(
                "({x} {y}, {} {y}, {} {}, {x} {}, {x} {y})",
                x + w,
                x + w,
                y + h,
                y + h
            )
        };
        match kind {
            0 => format!("POINT ({x} {y})"),
            1 => format!("LINESTRING ({x} {y}, {} {})", x + w, y + h - 1),
            2 => format!("LINESTRING ({x} {y}, {} {y}, {} {})", x + w, x + w, y + h),
            3 => format!("POLYGON ({})", ring(x, y, w, h)),
            4 => format!("POLYGON (({x} {y}, {} {y}, {x} {}, {x} {y}))", x + w, y + h),
            // A hole that a rectangle of the grid may fill exactly.
            5 => format!(
                "POLYGON ({}, {})",
                ring(x, y, w + 2, h + 2),
                ring(x + 1, y + 1, w, h)
            ),
            6 => format!("MULTIPOINT (({x} {y}), ({} {}))", x + w, y + h),
            // Two rectangles that touch in a corner.
            7 => format!(
                "MULTIPOLYGON (({}), ({}))",
                ring(x, y, w, h),
                ring(x + w, y + h, h, w)
            ),
            8 => format!(
                "MULTILINESTRING (({x} {y}, {} {y}), ({x} {}, {} {}))",
                x + w,
                y + h,
                x + w,
                y + h
            ),
            // An L, so that a rectangle may lie in its bounds and outside it.
            9 => format!(
                "POLYGON (({x} {y}, {} {y}, {} {}, {} {}, {} {}, {x} {}, {x} {y}))",
                x + 4,
                x + 4,
                y + 1,
                x + 1,
                y + 1,
                x + 1,
                y + 4,
                y + 4
            ),
            // A closed line: no boundary.
            10 => format!("LINESTRING {}", ring(x, y, w, h)),
            // Halves and thirds: coordinates that are no integers.
            _ => format!("POINT ({} {})", f64::from(x) / 2.0, f64::from(y) / 3.0),
        }
    }
}

/// WKT of a value, for messages.
pub(crate) fn to_text(bytes: Option<&[u8]>) -> String {
    let mut text = String::new();
    match bytes {
        None => text.push_str("NULL"),
        Some(bytes) => wkb_to_wkt(bytes, &mut text).expect("sound WKB"),
    }
    text
}

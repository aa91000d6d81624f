//! The rectangles that a scan is asked for.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::geometry::Bounds;

/// Rectangles, and nothing but geometries that overlap one of them is wanted.
///
/// It is a hint and no filter: a scan leaves out what it can tell from statistics, and yields rows
/// that overlap nothing as well. The rectangles are closed, in the units of the geometry's CRS. They
/// may come late, from the build side of a join; until then nothing is left out.
#[derive(Debug, Default)]
pub struct BoundsFilter {
    rectangles: RwLock<Option<Arc<[Bounds]>>>,
    /// What `EXPLAIN` calls it.
    source: String,
}

impl BoundsFilter {
    /// Rectangles known when a statement is planned; none means that nothing is wanted.
    pub fn constant(rectangles: Vec<Bounds>) -> Self {
        let source = rectangles
            .iter()
            .map(|b| format!("({} {}, {} {})", b.min_x, b.min_y, b.max_x, b.max_y))
            .collect::<Vec<_>>()
            .join(", ");
        Self {
            rectangles: RwLock::new(Some(rectangles.into())),
            source,
        }
    }

    /// Rectangles that `source` will give when the statement runs.
    pub fn pending(source: impl Into<String>) -> Self {
        Self {
            rectangles: RwLock::new(None),
            source: source.into(),
        }
    }

    /// Gives the rectangles: none means that nothing is wanted. Files opened from now on heed them.
    pub fn set(&self, rectangles: Vec<Bounds>) {
        *self.rectangles.write() = Some(rectangles.into());
    }

    /// Takes the rectangles back: everything is wanted.
    pub fn clear(&self) {
        *self.rectangles.write() = None;
    }

    /// The rectangles; `None` while they are not known.
    pub fn rectangles(&self) -> Option<Arc<[Bounds]>> {
        self.rectangles.read().clone()
    }
}

impl fmt::Display for BoundsFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

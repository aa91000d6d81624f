//! Axis-aligned rectangles.

use geo_types::Coord;

/// A closed axis-aligned rectangle in the units of its CRS. An empty rectangle (of an EMPTY
/// geometry) has `min > max` and overlaps nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Smallest x.
    pub min_x: f64,
    /// Smallest y.
    pub min_y: f64,
    /// Greatest x.
    pub max_x: f64,
    /// Greatest y.
    pub max_y: f64,
}

impl Bounds {
    /// The rectangle that holds nothing.
    pub const EMPTY: Bounds = Bounds {
        min_x: f64::INFINITY,
        min_y: f64::INFINITY,
        max_x: f64::NEG_INFINITY,
        max_y: f64::NEG_INFINITY,
    };

    /// The rectangle between two corners.
    pub fn new(min_x: f64, min_y: f64, max_x: f64, max_y: f64) -> Self {
        Self {
            min_x,
            min_y,
            max_x,
            max_y,
        }
    }

    /// The rectangle of one point.
    pub fn point(x: f64, y: f64) -> Self {
        Self::new(x, y, x, y)
    }

    /// Whether nothing lies within.
    pub fn is_empty(&self) -> bool {
        !(self.min_x <= self.max_x && self.min_y <= self.max_y)
    }

    /// The smallest rectangle that holds all of some places; empty without any.
    pub fn around<'a>(places: impl IntoIterator<Item = &'a Coord<f64>>) -> Self {
        let mut all = Self::EMPTY;
        for place in places {
            all.add(place.x, place.y);
        }
        all
    }

    /// Grows to hold a point.
    #[inline]
    pub fn add(&mut self, x: f64, y: f64) {
        self.min_x = self.min_x.min(x);
        self.min_y = self.min_y.min(y);
        self.max_x = self.max_x.max(x);
        self.max_y = self.max_y.max(y);
    }

    /// The point in the middle. Halved before the sum, as that of two finite numbers may be infinite.
    #[inline]
    pub fn centre(&self) -> Coord<f64> {
        Coord {
            x: self.min_x / 2.0 + self.max_x / 2.0,
            y: self.min_y / 2.0 + self.max_y / 2.0,
        }
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(&self, other: &Bounds) -> Bounds {
        Bounds {
            min_x: self.min_x.min(other.min_x),
            min_y: self.min_y.min(other.min_y),
            max_x: self.max_x.max(other.max_x),
            max_y: self.max_y.max(other.max_y),
        }
    }

    /// Whether the two share a point. Empty rectangles share none.
    #[inline]
    pub fn intersects(&self, other: &Bounds) -> bool {
        self.min_x <= other.max_x
            && self.max_x >= other.min_x
            && self.min_y <= other.max_y
            && self.max_y >= other.min_y
    }

    /// Whether `other` lies in this rectangle, its border included.
    #[inline]
    pub fn contains(&self, other: &Bounds) -> bool {
        self.min_x <= other.min_x
            && self.max_x >= other.max_x
            && self.min_y <= other.min_y
            && self.max_y >= other.max_y
    }

    /// How far apart the two are along each axis, zero where they overlap.
    #[inline]
    pub(crate) fn gap(&self, other: &Bounds) -> (f64, f64) {
        (
            (self.min_x - other.max_x)
                .max(other.min_x - self.max_x)
                .max(0.0),
            (self.min_y - other.max_y)
                .max(other.min_y - self.max_y)
                .max(0.0),
        )
    }

    /// Moves every side outward by `distance`, rounded outward so that no point within
    /// `distance` is lost to rounding. An empty rectangle stays empty.
    #[must_use]
    pub fn expand(&self, distance: f64) -> Bounds {
        if self.is_empty() {
            return *self;
        }
        Bounds {
            min_x: (self.min_x - distance).next_down(),
            min_y: (self.min_y - distance).next_down(),
            max_x: (self.max_x + distance).next_up(),
            max_y: (self.max_y + distance).next_up(),
        }
    }
}

/// The greatest `f32` that is not above `v`.
#[inline]
pub(crate) fn round_down(v: f64) -> f32 {
    let near = v as f32;
    if f64::from(near) > v {
        near.next_down()
    } else {
        near
    }
}

/// The least `f32` that is not below `v`.
#[inline]
pub(crate) fn round_up(v: f64) -> f32 {
    let near = v as f32;
    if f64::from(near) < v {
        near.next_up()
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_overlaps_nothing() {
        let world = Bounds::new(-180.0, -90.0, 180.0, 90.0);
        assert!(!Bounds::EMPTY.intersects(&world));
        assert!(!world.intersects(&Bounds::EMPTY));
        assert!(Bounds::EMPTY.expand(10.0).is_empty());
        assert_eq!(Bounds::EMPTY.union(&world), world);
    }

    #[test]
    fn expansion_rounds_outward() {
        let grown = Bounds::point(0.1, 0.2).expand(0.3);
        assert!(grown.min_x < 0.1 - 0.3 && grown.max_y > 0.2 + 0.3);
    }
}

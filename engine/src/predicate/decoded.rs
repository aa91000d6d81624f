//! A geometry of any type, decoded for predicates.

use super::options::Build;
use super::shape::{Kind, Shape};
use crate::geometry::Bounds;

/// A decoded geometry.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are `One`, which a box would only make slower"
)]
pub(crate) enum Decoded {
    /// Nothing.
    Empty,
    /// Points, lines or polygons.
    One(Shape),
    /// A collection of several kinds, or of polygons that may overlap.
    Mixed(Mixed),
}

/// The elements of a collection, by kind.
#[derive(Debug)]
pub(crate) struct Mixed {
    pub(crate) parts: Vec<Shape>,
    pub(crate) bounds: Bounds,
}

impl Decoded {
    /// From parts of one kind each.
    pub(crate) fn from_parts(mut parts: Vec<Shape>) -> Self {
        match parts.len() {
            0 => Self::Empty,
            1 => parts.pop().map_or(Self::Empty, Self::One),
            _ => {
                let bounds = parts
                    .iter()
                    .fold(Bounds::EMPTY, |all, part| all.union(&part.bounds));
                Self::Mixed(Mixed { parts, bounds })
            }
        }
    }

    /// The parts: none, one or several.
    pub(crate) fn parts(&self) -> &[Shape] {
        match self {
            Self::Empty => &[],
            Self::One(shape) => std::slice::from_ref(shape),
            Self::Mixed(mixed) => &mixed.parts,
        }
    }

    /// The rectangle of all parts.
    pub(crate) fn bounds(&self) -> Bounds {
        match self {
            Self::Empty => Bounds::EMPTY,
            Self::One(shape) => shape.bounds,
            Self::Mixed(mixed) => mixed.bounds,
        }
    }

    /// The parts, to be changed.
    pub(crate) fn parts_mut(&mut self) -> &mut [Shape] {
        match self {
            Self::Empty => &mut [],
            Self::One(shape) => std::slice::from_mut(shape),
            Self::Mixed(mixed) => &mut mixed.parts,
        }
    }

    /// Counts points that ask where they lie.
    #[inline]
    pub(crate) fn ask(&self, probes: usize, raster: Build) {
        for part in self.parts() {
            part.ask(probes, raster);
        }
    }

    /// Whether both have the same vertices in the same order.
    pub(crate) fn is_identical(&self, other: &Decoded) -> bool {
        let same = |(a, b): (&Shape, &Shape)| {
            a.kind == b.kind && a.coords == b.coords && a.starts == b.starts
        };
        let (a, b) = (self.parts(), other.parts());
        a.len() == b.len() && a.iter().zip(b).all(same)
    }

    /// The greatest dimension of a part; a point's for EMPTY.
    pub(crate) fn kind(&self) -> Kind {
        let kinds = self.parts().iter().map(|part| part.kind);
        kinds.max().unwrap_or(Kind::Point)
    }
}

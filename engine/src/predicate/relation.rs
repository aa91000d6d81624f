//! The predicates and their definitions as DE-9IM patterns.

use std::fmt;

use geo::{Distance, Euclidean, Geometry, HasDimensions, Relate};

/// A predicate of two geometries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpatialPredicate {
    /// They share a point.
    Intersects,
    /// `b` lies in `a`, and their interiors meet.
    Contains,
    /// `a` lies in `b`, and their interiors meet.
    Within,
    /// No point of `b` lies outside `a`.
    Covers,
    /// No point of `a` lies outside `b`.
    CoveredBy,
    /// They share boundary points alone.
    Touches,
    /// Their interiors meet in less than the greater of their dimensions, and neither lies in the other.
    Crosses,
    /// Same dimension, and each has points that the other has not.
    Overlaps,
    /// The same set of points.
    Equals,
    /// Their distance is at most `d`.
    DWithin,
}

impl SpatialPredicate {
    /// All predicates.
    pub const ALL: [SpatialPredicate; 10] = [
        Self::Intersects,
        Self::Contains,
        Self::Within,
        Self::Covers,
        Self::CoveredBy,
        Self::Touches,
        Self::Crosses,
        Self::Overlaps,
        Self::Equals,
        Self::DWithin,
    ];

    /// The SQL function of this predicate, in lower case: `st_intersects`.
    pub fn function_name(self) -> &'static str {
        match self {
            Self::Intersects => "st_intersects",
            Self::Contains => "st_contains",
            Self::Within => "st_within",
            Self::Covers => "st_covers",
            Self::CoveredBy => "st_coveredby",
            Self::Touches => "st_touches",
            Self::Crosses => "st_crosses",
            Self::Overlaps => "st_overlaps",
            Self::Equals => "st_equals",
            Self::DWithin => "st_dwithin",
        }
    }

    /// The predicate of a function name, in any case.
    pub fn from_function_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|p| p.function_name().eq_ignore_ascii_case(name))
    }

    /// The predicate `q` with `q(b, a) = p(a, b)`.
    #[must_use]
    pub fn flip(self) -> Self {
        match self {
            Self::Contains => Self::Within,
            Self::Within => Self::Contains,
            Self::Covers => Self::CoveredBy,
            Self::CoveredBy => Self::Covers,
            symmetric => symmetric,
        }
    }

    /// Whether `a` and `b` are in this relation: the plain definition, without any short cut.
    /// `distance` is used by [`SpatialPredicate::DWithin`] alone. An EMPTY geometry is in no
    /// relation to anything, except that two of them are equal.
    pub fn evaluate(self, a: &Geometry<f64>, b: &Geometry<f64>, distance: f64) -> bool {
        if a.is_empty() || b.is_empty() {
            return self == Self::Equals && a.is_empty() && b.is_empty();
        }
        if self == Self::DWithin {
            return Euclidean.distance(a, b) <= distance;
        }
        let matrix = a.relate(b);
        match self {
            Self::Intersects => matrix.is_intersects(),
            Self::Contains => matrix.is_contains(),
            Self::Within => matrix.is_within(),
            Self::Covers => matrix.is_covers(),
            Self::CoveredBy => matrix.is_coveredby(),
            Self::Touches => matrix.is_touches(),
            Self::Crosses => matrix.is_crosses(),
            Self::Overlaps => matrix.is_overlaps(),
            Self::Equals => matrix.is_equal_topo(),
            Self::DWithin => false,
        }
    }
}

impl fmt::Display for SpatialPredicate {
    /// The PostGIS spelling: `ST_Intersects`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Intersects => "ST_Intersects",
            Self::Contains => "ST_Contains",
            Self::Within => "ST_Within",
            Self::Covers => "ST_Covers",
            Self::CoveredBy => "ST_CoveredBy",
            Self::Touches => "ST_Touches",
            Self::Crosses => "ST_Crosses",
            Self::Overlaps => "ST_Overlaps",
            Self::Equals => "ST_Equals",
            Self::DWithin => "ST_DWithin",
        })
    }
}

//! The predicates and their names.

use std::fmt;

use geo_types::Geometry;

use super::decide::decide;
use super::decode::from_geometry;

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

    /// Whether `a` and `b`, whose coordinates are finite, are in this relation. `distance` is used
    /// by [`SpatialPredicate::DWithin`] alone, which no negative and no NaN distance satisfies.
    /// An EMPTY geometry is in no relation to anything, except that two of them are equal.
    ///
    /// Nothing is prepared and nothing is kept: for many tests of one geometry there is
    /// [`PreparedSet`](super::PreparedSet).
    pub fn evaluate(self, a: &Geometry<f64>, b: &Geometry<f64>, distance: f64) -> bool {
        decide(self, &from_geometry(a), &from_geometry(b), distance)
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

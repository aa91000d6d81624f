//! What the predicates say of a single point: its location decides.

use super::SpatialPredicate;
use super::matrix::Location;
use super::shape::{Kind, Shape};

/// Whether `predicate(shape, point)` holds for a point at `location` in a line or an area.
/// `DWithin` is no matter of location.
#[inline]
pub(super) fn holds(predicate: SpatialPredicate, location: Location) -> bool {
    match predicate {
        SpatialPredicate::Intersects | SpatialPredicate::Covers => location != Location::Exterior,
        SpatialPredicate::Contains => location == Location::Interior,
        SpatialPredicate::Touches => location == Location::Boundary,
        // Neither lies in a point, and a point has no part on each side.
        SpatialPredicate::Within
        | SpatialPredicate::CoveredBy
        | SpatialPredicate::Equals
        | SpatialPredicate::Crosses
        | SpatialPredicate::Overlaps
        | SpatialPredicate::DWithin => false,
    }
}

/// Whether `predicate(points, point)` holds. Points have no boundary.
#[inline]
pub(super) fn holds_for_points(
    predicate: SpatialPredicate,
    points: &Shape,
    location: Location,
) -> bool {
    debug_assert_eq!(points.kind, Kind::Point);
    let found = location == Location::Interior;
    match predicate {
        SpatialPredicate::Intersects | SpatialPredicate::Covers | SpatialPredicate::Contains => {
            found
        }
        SpatialPredicate::Within | SpatialPredicate::CoveredBy | SpatialPredicate::Equals => {
            found && points.coords.len() == 1
        }
        SpatialPredicate::Touches
        | SpatialPredicate::Crosses
        | SpatialPredicate::Overlaps
        | SpatialPredicate::DWithin => false,
    }
}

/// Whether `predicate(point, point)` holds for two points that are the same or not.
#[inline]
pub(super) fn holds_for_two(predicate: SpatialPredicate, same: bool) -> bool {
    match predicate {
        SpatialPredicate::Intersects
        | SpatialPredicate::Contains
        | SpatialPredicate::Within
        | SpatialPredicate::Covers
        | SpatialPredicate::CoveredBy
        | SpatialPredicate::Equals => same,
        SpatialPredicate::Touches
        | SpatialPredicate::Crosses
        | SpatialPredicate::Overlaps
        | SpatialPredicate::DWithin => false,
    }
}

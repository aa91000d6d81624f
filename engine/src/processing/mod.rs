//! Geometries from geometries: hulls and whatever else is more than a formula.

mod hull;

pub use hull::{convex_hull, hull_geometry};

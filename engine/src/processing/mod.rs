//! Geometries from geometries: hulls and whatever else is more than a formula.

mod closest;
mod hull;
mod simplify;

pub use closest::{closest_points, linework_distance};
pub use hull::{convex_hull, hull_geometry};
pub use simplify::{chaikin_run, simplify_run};

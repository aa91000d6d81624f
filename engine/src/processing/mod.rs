//! Geometries from geometries: hulls and whatever else is more than a formula.

mod buffer;
mod closest;
mod cluster;
mod hull;
mod simplify;

pub use buffer::{BufferStyle, Cap, Join, buffer};
pub use closest::{closest_points, linework_distance};
pub use cluster::{dbscan, kmeans};
pub use hull::{convex_hull, hull_geometry};
pub use simplify::{chaikin_run, simplify_run};

//! Geometries from geometries: hulls and whatever else is more than a formula.

mod buffer;
mod circle;
mod closest;
mod cluster;
mod concave;
mod concave_polygons;
mod effective_area;
mod halves;
mod hull;
mod simplify;
mod space;
mod sphere;
mod subdivide;
mod topology;
mod triangulation;
mod voronoi;

#[cfg(test)]
mod tests;

pub use buffer::{BufferStyle, Cap, Join, buffer};
pub use circle::{Circle, bounding_circle};
pub(crate) use closest::each_segment;
pub use closest::{Linework, closest_points};
pub use cluster::{dbscan, kmeans};
pub use concave::concave_hull;
pub use concave_polygons::concave_hull_of_polygons;
pub use effective_area::drop_small_areas;
pub use hull::{convex_hull, hull_geometry};
pub use simplify::{chaikin_run, simplify_run};
pub use space::{Apart, farthest_in_space, nearest_in_space};
pub use sphere::{Closest, closest_on_sphere};
pub use subdivide::subdivide;
pub use topology::simplify_runs;
pub use triangulation::Triangulation;
pub use voronoi::{Voronoi, voronoi};

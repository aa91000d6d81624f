//! Set operations on geometries: intersection, union, difference, symmetric difference.
//!
//! ```text
//!  two geometries ──> edges: rings as winding numbers, lines as flags         input
//!       │ cut where they meet, until they meet at ends alone                  noding
//!       v
//!  arrangement: nodes, half-edges around each, the winding number            arrangement
//!       │       of both inputs on both sides of every edge                    shoot
//!       v
//!  faces, edges and nodes that the operation keeps ──> polygons, lines, points
//!                                                        polygons  lines  points
//! ```
//!
//! Every decision is an exact orientation test on coordinates that exist; only the points where
//! edges cross are rounded, to the nearest double. As rings stay closed however their edges are
//! cut, the winding numbers stay true whatever the rounding does, and there is no input that fails.
//! Vertices of the input that remain are returned unchanged.
//!
//! A place lies in a polygon where its rings wind around it a number of times that is not zero,
//! shells and holes being turned in opposite directions first. For a valid polygon that is its
//! interior; a ring that crosses itself keeps all its lobes.
//!
//! Results have the parts of each dimension that the sets have, as in PostGIS: two squares that
//! share a side have a line as their intersection.

mod arrangement;
mod crossing;
mod input;
mod lines;
mod linework;
mod noding;
mod operation;
mod pairs;
mod points;
mod polygons;
mod precision;
mod shoot;
mod simple;
mod valid;

#[cfg(test)]
mod tests;

pub use linework::{SplitError, build_area, collect_lines, node_lines, polygonize, split};
pub use operation::{Operation, overlay, union_all};
pub use precision::{Grid, on_grid};
pub use simple::is_simple;
pub use valid::{Invalid, invalid, make_valid};

pub(crate) use arrangement::Arrangement;
pub(crate) use input::Edge;
pub use input::is_counterclockwise;
pub(crate) use lines::trace_lines;
pub(crate) use operation::assemble;
pub(crate) use polygons::trace_polygons;

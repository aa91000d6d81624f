//! Joins by `ST_KNN`, and `LATERAL` subqueries that mean the same.
//!
//! Which rows are the nearest depends on all rows of the right input, so no filter may be pushed
//! below such a join, and no rule that knows joins may touch it: unlike the other spatial joins it
//! becomes a node of its own before DataFusion optimizes the plan.

mod distance;
mod function;
mod lateral;
mod node;
mod planner;
mod rule;

pub use distance::NearestDistanceRule;
pub use function::nearest_function;
pub use planner::SpatialQueryPlanner;
pub use rule::NearestJoinRule;

/// The SQL function that asks for the nearest rows, in lower case.
pub const ST_KNN: &str = "st_knn";

//! How joins in SQL become [`SpatialJoinExec`](geoflow_engine::join::SpatialJoinExec).

mod conjunct;
mod nearest;
mod rule;

pub use nearest::{NearestJoinRule, ST_KNN, SpatialQueryPlanner, nearest_function};
pub use rule::SpatialJoinRule;

//! How joins in SQL become [`SpatialJoinExec`](geoflow_engine::join::SpatialJoinExec).

mod conjunct;
mod rule;

pub use rule::SpatialJoinRule;

//! How joins in SQL become [`SpatialJoinExec`](geoflow_engine::join::SpatialJoinExec).

mod clustered;
mod conjunct;
mod constant;
mod lateral_rows;
mod nearest;
mod prune;
mod rule;
mod strategy;

pub(crate) use clustered::ClusteredAggregateRule;
pub(crate) use lateral_rows::LateralRows;
pub use nearest::{
    NearestDistanceRule, NearestJoinRule, ST_KNN, SpatialQueryPlanner, nearest_function,
};
pub use prune::SpatialPruningRule;
pub use rule::SpatialJoinRule;
pub use strategy::JoinStrategyRule;

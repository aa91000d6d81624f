//! Settings under `geoflow.join`.

use datafusion::common::JoinSide;
use datafusion::common::config_namespace;

use super::choice::option_enum;
use super::size::Fraction;
use crate::predicate::Build;

config_namespace! {
    /// Settings under `geoflow.join`.
    pub struct JoinOptions {
        /// Which input of a spatial join is collected and indexed: `auto` takes the one that is
        /// estimated to need less memory, `left` and `right` the one that stands there in the plan
        /// that EXPLAIN shows. Joins by ST_KNN always index the right input.
        pub build_side: BuildSideChoice, default = BuildSideChoice::Auto

        /// How a join with an equality of columns beside its spatial predicate finds candidates:
        /// `index` by the spatial index, with the equality as a filter, `hash` by the equality, with the
        /// spatial predicate as a filter, `auto` by what is estimated to leave fewer pairs to test.
        pub strategy: JoinStrategy, default = JoinStrategy::Auto

        /// Whether polygons get a raster of inside and outside cells that decides most pairs
        /// without a look at edges, and joins of points one grid over all of them: `auto` once enough
        /// pairs have asked for a polygon, or points for the join, `on` at the first, `off` never.
        /// Answers do not depend on it.
        pub approximation: Approximation, default = Approximation::Auto

        /// The part of the memory still free, from 0 to 1, that prepared geometries (decoded,
        /// indexed, rasterised) of one join may take under a memory limit.
        pub prepared_memory_share: Fraction, default = Fraction::HALF

        /// The part of the memory still free, from 0 to 1, that the grid which looks up points may take
        /// under a memory limit; with 0 points are looked up in the R-tree.
        pub grid_memory_share: Fraction, default = Fraction::HALF

        /// Whether the bounds of the collected input reach the scan of the other, which then
        /// leaves out files, row groups and pages: `on` or `off`.
        pub dynamic_filter: Switch, default = Switch::On

        /// How many rectangles the dynamic filter describes the collected input by, at most.
        pub dynamic_filter_rectangles: usize, default = 64

        /// Whether LATERAL subqueries that are ordered by distance and limited become joins by
        /// nearest neighbours: `on` or `off`.
        pub lateral_nearest: Switch, default = Switch::On

        /// How long, in milliseconds, a batch may take before the rest of its rows is shared out among
        /// threads; with 0 every batch is. Answers do not depend on it.
        pub share_batches_after: u64, default = 20
    }
}

option_enum! {
    /// Which input of a join is collected.
    pub enum BuildSideChoice {
        "auto" | /// The one that takes less memory.
        Auto,
        "left" | /// The left one.
        Left,
        "right" | /// The right one.
        Right,
    }
}

option_enum! {
    /// What finds the candidates of a join by an equality and a spatial predicate.
    pub enum JoinStrategy {
        "auto" | /// What leaves fewer pairs.
        Auto,
        "index" | /// The spatial index.
        Index,
        "hash" | /// A hash table of the equality's keys.
        Hash,
    }
}

option_enum! {
    /// When polygons are rasterised.
    pub enum Approximation {
        "auto" | /// When it pays.
        Auto,
        "on" | /// Always.
        On,
        "off" | /// Never.
        Off,
    }
}

option_enum! {
    /// On or off.
    pub enum Switch {
        "off" or "false" | /// Not done.
        Off,
        "on" or "true" | /// Done.
        On,
    }
}

impl BuildSideChoice {
    /// The side that is asked for, if one is.
    pub fn side(self) -> Option<JoinSide> {
        match self {
            Self::Auto => None,
            Self::Left => Some(JoinSide::Left),
            Self::Right => Some(JoinSide::Right),
        }
    }
}

impl Approximation {
    /// When the raster of a polygon is built.
    pub fn raster(self) -> Build {
        match self {
            Self::Auto => Build::Auto,
            Self::On => Build::Always,
            Self::Off => Build::Never,
        }
    }
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

//! The spatial join: `SELECT ... FROM l JOIN r ON <spatial predicate> AND <anything else>`.
//!
//! ```text
//!      build side                                     probe side
//!  partition 0 .. n, all at once                 partition i, batch by batch
//!          |                                             |
//!   geometry, bounds (per batch)                  geometry, rows in Hilbert order
//!          |                                             |
//!   one batch + PreparedSet + packed R-tree  <── bounds ─┤
//!          |                                             |
//!          └──────────── candidates (two index arrays) ──┤
//!                                                 refine: predicate
//!                                                 residual filter
//!                                                        |
//!        visited rows (atomic bitmap)  <─────────────────┤
//!          |                                             |
//!   unmatched or matched build rows,              pairs, or matched / unmatched
//!   from the last probe partition                 probe rows, batch by batch
//! ```
//!
//! A build side that does not fit into memory is cut into cells on disk, and the probe side with it; each
//! cell is then joined as above (`spill/mod.rs` draws it).
//!
//! Once the build side is complete, a few rectangles around it reach the scan of the probe side, which
//! then leaves out the files, row groups and pages that overlap none of them ([`push_bounds`]).
//!
//! [`SpatialJoinExec`] is the operator. A row whose geometry is NULL or EMPTY is in no spatial
//! relation to any other, so it appears in the output of outer and anti joins alone
//! (two EMPTY geometries are `ST_Equals`, as in PostGIS).

mod any_of;
mod bounds;
mod build;
mod build_side;
mod collect;
mod exec;
mod execution;
mod grid;
mod memory;
mod metrics;
mod nearest;
mod note;
mod on;
mod output;
mod pieces;
mod probe;
mod raster;
mod residual;
mod roles;
mod rtree;
mod shared_builds;
mod sharing;
mod source;
mod spill;
mod statistics;
mod stream;

pub use bounds::push_bounds;
pub use build_side::choose_build_side;
pub use exec::SpatialJoinExec;
pub use note::StrategyNote;
pub use on::{JoinDistance, JoinPredicate, SpatialOn};
pub use shared_builds::SharedBuilds;

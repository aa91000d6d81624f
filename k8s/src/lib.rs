//! One statement, run as many tasks.
//!
//! A statement that writes is cut into fragments, each a piece that one task runs alone. What is
//! here are the types that a plan is exchanged in: the [`Plan`] that the driver writes and every
//! task reads, and the [`TaskExit`] by which a task tells whoever started it whether to try again.
//! Planning, running and committing fragments are still to come.
//!
//! ```
//! use geoflow_k8s::Plan;
//!
//! let plan = Plan::from_json(r#"{
//!     "version": 1,
//!     "statement": "COPY (SELECT * FROM trips) TO 's3://bucket/out/'",
//!     "fragments": [
//!         {"tables": [{"table": "trips", "files": [{"path": "trips.parquet", "row_groups": [0, 1]}]}]}
//!     ]
//! }"#)?;
//! assert_eq!(plan.fragments.len(), 1);
//! # Ok::<(), geoflow_k8s::PlanError>(())
//! ```

mod exit;
mod plan;

pub use exit::TaskExit;
pub use plan::{FileSlice, Fragment, PLAN_VERSION, Plan, PlanError, TableSlice};

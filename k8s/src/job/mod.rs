//! The record of a job: everything there is to know about it, in a folder of object storage.
//!
//! ```text
//!  <jobs>/<id>/plan.json                        the plan, never changed; tasks check its SHA-256
//!  <jobs>/<id>/job.json                         JobRecord: written once, when the job is submitted
//!  <jobs>/<id>/plans/<n>.json                   plans of fragments that were cut finer: same form
//!  <jobs>/<id>/manifests/<stage>/<fragment>.json   TaskManifest, by conditional put: the first wins
//!  <jobs>/<id>/attempts/<stage>/<fragment>-<attempt>.json   AttemptReport of an attempt that failed
//!  <jobs>/<id>/states/<fragment>-<attempt>.arrow   partial states of the stage "states"
//!  <jobs>/<id>/logs/<stage>/<fragment>-<attempt>.jsonl      what a task said (local runner)
//!  <jobs>/<id>/driver.json                      Heartbeat of the local runner, every few seconds
//!  <jobs>/<id>/cancelled.json                   the job was cancelled: no manifest is written any more
//!
//!  <output>/part-<fragment>-<attempt>.parquet   parts, those of losers until they are deleted
//!  <output>/_JOB                                the job that this folder belongs to, until it is committed
//!  <output>/_SUCCESS                            Success: the parts that count; there once, or not
//! ```
//!
//! Status is never stored: [`JobStatus`] is computed from these. A runner may keep files of its own
//! beside them (`kubernetes.json`).

mod layout;
mod record;
mod status;
mod submit;

pub use layout::JobFolder;
pub use record::{Heartbeat, JobRecord, RECORD_VERSION, RunnerKind, RunningTask};
pub use status::{JobStatus, Phase, StageStatus, status};
pub use submit::{Job, new_job_id, submit};

//! Jobs whose tasks run in a cluster.

mod diagnose;
mod launch;
mod logs;
mod phase;
mod run;
mod unrecorded;
mod watch;

pub(super) use diagnose::run as diagnose;
pub(super) use logs::run as logs;
pub(super) use phase::refine;
pub(super) use run::{cancel, resume, submit, wait};
pub(super) use unrecorded::{find_by_cluster, list};

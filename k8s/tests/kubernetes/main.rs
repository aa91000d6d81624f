//! The Kubernetes runner against an API server that plays recordings of real clusters.
//!
//! ```text
//!  Driver --kube client--> tower service --> MockServer --> testdata/clusters/*
//!     |                                          |
//!     +------> job folder (a temporary one) <----+ writes manifests, as tasks would
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access;
mod fixture;
mod memory;
mod mock;
mod played;
mod runs;
mod watches;

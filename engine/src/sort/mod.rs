//! Sorts in memory, by all threads.
//!
//! DataFusion sorts each batch, merges the batches of a partition, and merges the partitions on one thread, row by row.
//! Here rows are packed one after another as they come, and move once, at the end:
//!
//! ```text
//!  partition ──> rows, a key of 8 bytes for each ──┐               ┌─> range of keys ──> sorted ─┐
//!  partition ──> rows, a key of 8 bytes for each ──┴─> splitters ──┼─> range of keys ──> sorted ─┼─> rows, in order
//!                       (collect, packed, prefix)                 └─> range of keys ──> sorted ─┘   gathered late
//!                                                                         (ranges, ties)          (in_memory)
//! ```
//!
//! Where memory does not suffice, the rows so far and those still to come are cut into ranges on disk that do fit
//! (`buckets`). Only rows whose keys begin alike go to DataFusion's external sort (`on_disk`).

mod buckets;
mod collect;
mod exec;
mod in_memory;
mod layout;
mod on_disk;
mod packed;
mod prefix;
mod ranges;
mod ties;

#[cfg(test)]
mod tests;

pub use exec::ParallelSortExec;

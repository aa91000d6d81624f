//! A join whose build side does not fit into memory: both sides are cut into cells, on disk.
//!
//! ```text
//!   build side (files of its partitions)            probe side, partition 0 .. n, all at once
//!        |                                                |
//!   KD cells from a sample                          which cells' extents does a row meet?
//!        |                                           |         |          |          |
//!   each row into exactly one cell ── extents ──>   none      one      several    (several)
//!        |                                           |         |          |          |
//!        v                                           v         v          v          v
//!   cell 0  cell 1  ..  without place             loners   cell i   cells i, j   border
//!        |      |          |                         |         |          |          |
//!        └──────┴─────┬────┴──────────────────── join in memory, cell by cell        |
//!                     |                              |            └─ bit a row ──────┤
//!                   pairs                    rows without partner                    |
//!                   build rows, settled      (where shown)               rows, settled by bit
//! ```
//!
//! - A build row is in one cell, so a pair is found once, and what becomes of the build row (outer,
//!   semi, anti, mark) is known when its cell is done.
//! - A probe row goes to every cell that it may have partners in. If that is one, what becomes of it
//!   is known there. If there are several, it has a bit that each cell may set, and a copy (where the
//!   join type asks for one) that is put out at the end, after all cells.
//! - Build rows without a place (NULL, EMPTY) make a cell of their own, where they are put out or may have
//!   partners: EMPTY probe rows meet all cells with EMPTY build rows, if the predicate is `ST_Equals`.
//! - Under several conditions (OR) a cell has an extent for each, and a probe row goes to it by any.
//! - A cell that does not fit either is joined in passes: as many rows as fit, against all
//!   probe rows of the cell, then the next. So everything in one place still ends; the probe rows of
//!   the cell are read once a pass.
//! - Memory is reserved once, when the build side is cut, and divided among the output partitions
//!   that join cells; each takes the next cell when it is done with one. Prepared geometries and grids
//!   come on top where there is room.

mod cells;
mod chunks;
mod compact;
mod cut;
mod file;
mod nearest;
mod probe;
mod route;
mod sample;
mod settle;

pub(super) use cells::CellJoin;
pub(super) use cut::{Spilled, cut};
pub(super) use file::{Run, RunWriter, SpillStore};
pub(super) use probe::ProbeInputs;
pub(super) use sample::Sample;
pub(super) use settle::Settle;

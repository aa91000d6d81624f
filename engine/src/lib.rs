//! The engine of geoflow: Arrow in, Arrow out.
//!
//! It knows geometry columns ([`geometry`]), predicates over them ([`predicate`]), the spatial
//! join ([`join`]), coordinate reference systems ([`crs`]), GeoParquet ([`geoparquet`]) and other
//! formats ([`formats`]), how space is
//! ordered and cut ([`tiling`]), what object stores need ([`store`]) and the settings that all of these obey ([`options`]);
//! and operators that only watch what goes by ([`through`]) or aggregate it ([`clustered`]).
//! It knows nothing of SQL text, clusters or terminals: it never prints, reads no environment
//! variables and starts no runtime of its own.

pub mod clustered;
pub mod crs;
pub mod error;
pub mod first_bytes;
pub mod formats;
pub mod geometry;
pub mod geoparquet;
pub mod join;
mod nearest;
pub mod options;
pub mod overlay;
pub mod predicate;
pub mod processing;
pub mod sort;
pub mod store;
pub mod through;
pub mod tiling;
mod unfinished;

pub use error::{Error, ErrorKind, Result};
pub use nearest::nearest;
pub use unfinished::{Unfinished, remove_unfinished, unfinished};

//! GeoJSON: a FeatureCollection, a single Feature or geometry, and features one after another
//! (newline-delimited, or as RFC 8142 separates them).
//!
//! ```text
//!  file ──> Splitter: the text of one feature ──┬─> Inference, at first: columns, their types, the CRS
//!           after another                       └─> Reader: batches, one row a feature
//! ```
//!
//! Memory holds the text of one feature. The types of properties are found by a pass over the whole file
//! before it is read, since nothing in it declares them: a property may appear, or turn out to be a text
//! among numbers, in the last feature of all. Who knows better limits the pass
//! ([`GeoJsonOptions::sample_size`]); a later feature that does not fit is then an error that names it.

mod coordinates;
mod feature;
mod inference;
mod nested;
mod properties;
mod source;
mod split;

pub use source::{GeoJson, GeoJsonOptions};

//! Geometry survives: what DataFusion's own expressions and plan nodes make of a geometry is a
//! geometry still, with its CRS.
//!
//! A geometry is known by the metadata of its field, and DataFusion drops these where it
//! computes a type alone: in `CASE`, `COALESCE`, casts between binary types, `UNION` of inputs
//! that say one CRS in two ways, `VALUES`, `array_agg`, `unnest`, window functions.
//!
//! ```text
//!  CASE WHEN a THEN geom ELSE other END        the type: BinaryView
//!      │ find: geom is a geometry in EPSG:3067, other agrees (or it is an error)
//!  geometry(CASE WHEN a THEN geom ELSE other END)      BinaryView, geoarrow.wkb, EPSG:3067
//! ```
//!
//! The analyzer rule [`GeometryRule`] puts the pass-through function [`label`] around such
//! expressions, and a projection with it above such nodes. It also looks after what needs the
//! types of expressions and the settings of the session at once: two CRS in one operation, and
//! casts to and from geometry.

mod align;
mod cast;
mod find;
mod label;
mod nodes;
mod notices;
mod rule;
mod values;

pub use cast::GeometryTypes;
pub use notices::Notices;
pub use rule::GeometryRule;
pub(crate) use values::{bare_function, hide_labels};

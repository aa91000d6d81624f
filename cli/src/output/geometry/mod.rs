//! Geometry columns of a result, and their values as text.

mod column;
mod text;

pub(crate) use column::{GeometryColumn, find, not_lon_lat};
pub(crate) use text::{geojson_text, shortened_wkt, wkt_text};

//! Columnar access to geometry: what a column holds, and how kernels get at it.
//!
//! ```text
//!  Field + extension metadata ──> GeometryType   (encoding, CRS)
//!  ArrayRef ────────────────────> GeometryArray  (a view, nothing decoded)
//!                                   ├─ points()      all-point batch: x and y
//!                                   ├─ bounds(i)     rectangle of one row, from bytes
//!                                   └─ geometry(i)   one decoded geometry
//! ```

mod array;
mod bounds;
mod field;
mod frame;
mod geojson_reader;
mod geojson_writer;
mod invalid;
mod native;
mod number;
mod tree;
pub mod wkb;
mod wkb_iso;
mod wkb_map;
pub mod wkb_writer;
mod wkt_reader;
mod wkt_writer;

pub use array::GeometryArray;
pub use bounds::Bounds;
pub(crate) use bounds::{round_down, round_up};
pub use field::{Encoding, GeometryType};
pub(crate) use frame::CellFrame;
pub use geojson_reader::{GeoJsonError, geojson_to_wkb};
pub use geojson_writer::{RingOrder, wkb_to_geojson};
pub use invalid::InvalidPolicy;
pub(crate) use invalid::set_null;
pub use number::{rounded, write_number};
pub use tree::{Body, Tree};
pub use wkb_iso::{is_iso, map_wkb, wkb_to_iso};
pub use wkb_map::{Ordinates, map_ordinates, wkb_with_dimensions};
pub use wkt_reader::{WktError, wkt_to_wkb};
pub use wkt_writer::{wkb_to_shortened_wkt, wkb_to_wkt};

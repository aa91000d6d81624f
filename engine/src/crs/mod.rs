//! Coordinate reference systems: which one a geometry column is in, whether two are the same,
//! and how they travel in GeoArrow and GeoParquet metadata.

mod check;
#[expect(
    clippy::module_inception,
    reason = "the type of the module, one concept a file"
)]
mod crs;
mod definition;
mod ellipsoid;
mod extension;
mod northing_first;
mod projection;
mod projjson;
mod shift;
mod side;
mod transform;
mod wgs84;
mod wkt;

pub use check::check_same_crs;
pub use crs::Crs;
pub use transform::Transform;

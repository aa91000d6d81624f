//! Native GeoArrow arrays: one geometry at a time, and the coordinates of point arrays.

use geo_traits::to_geo::ToGeoGeometry;
use geo_types::{Geometry, MultiPoint};
use geoarrow_array::array::{CoordBuffer, PointArray};
use geoarrow_array::{GeoArrowArray, GeoArrowArrayAccessor, downcast_geoarrow_array};

/// Decodes the valid row `i`. POINT EMPTY becomes an empty MULTIPOINT.
pub(super) fn decode(array: &dyn GeoArrowArray, i: usize) -> Result<Geometry<f64>, String> {
    fn value<'a>(
        array: &'a impl GeoArrowArrayAccessor<'a>,
        i: usize,
    ) -> Result<Geometry<f64>, geoarrow_schema::error::GeoArrowError> {
        Ok(array
            .value(i)?
            .try_to_geometry()
            .unwrap_or(Geometry::MultiPoint(MultiPoint(vec![]))))
    }
    downcast_geoarrow_array!(array, value, i).map_err(|e| e.to_string())
}

/// x and y of every row of a point array, appended; NULL rows carry whatever is stored.
pub(super) fn point_coords(array: &dyn GeoArrowArray, x: &mut Vec<f64>, y: &mut Vec<f64>) -> bool {
    let Some(points) = array.as_any().downcast_ref::<PointArray>() else {
        return false;
    };
    match points.coords() {
        CoordBuffer::Separated(separated) => {
            let buffers = separated.buffers();
            x.extend_from_slice(&buffers[0]);
            y.extend_from_slice(&buffers[1]);
        }
        CoordBuffer::Interleaved(interleaved) => {
            let stride = interleaved.dim().size();
            for coord in interleaved.coords().chunks_exact(stride) {
                x.push(coord[0]);
                y.push(coord[1]);
            }
        }
    }
    true
}

/// x and y of one row of a point array, whatever is stored for NULL; `None` for other arrays.
pub(super) fn point(array: &dyn GeoArrowArray, i: usize) -> Option<(f64, f64)> {
    let points = array.as_any().downcast_ref::<PointArray>()?;
    match points.coords() {
        CoordBuffer::Separated(separated) => {
            let buffers = separated.buffers();
            Some((*buffers[0].get(i)?, *buffers[1].get(i)?))
        }
        CoordBuffer::Interleaved(interleaved) => {
            let at = i * interleaved.dim().size();
            let coords = interleaved.coords();
            Some((*coords.get(at)?, *coords.get(at + 1)?))
        }
    }
}

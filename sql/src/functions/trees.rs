//! Geometry arguments as trees, which keep Z and M.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::Error;
use geoflow_engine::geometry::Tree;

use super::args::GeometryArg;
use super::call::Call;

/// The value of a row that is not NULL.
pub(super) fn tree(geometry: &GeometryArg, row: usize) -> Result<Tree, Error> {
    Tree::read(geometry.wkb(row)?).map_err(|e| geometry.invalid(row, e))
}

/// A geometry from each geometry, NULL where there is none.
pub(super) fn derive(call: &Call<'_>, make: impl Fn(Tree) -> Option<Tree>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        let made = make(tree(geometry, row)?);
        if let Some(made) = &made {
            made.write(out);
        }
        Ok(made.is_some())
    })
}

/// Whether each geometry passes a test.
pub(super) fn tests(call: &Call<'_>, test: impl Fn(&Tree) -> Option<bool>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.booleans(|row| Ok(test(&tree(geometry, row)?)))
}

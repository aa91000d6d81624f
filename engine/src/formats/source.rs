//! Where the features of a file come from, and what a scan asks of it.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::Result;
use crate::geometry::Bounds;

/// What a scan wants of a [`FeatureSource`].
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The columns of the batches, by their numbers in the source's schema.
    pub columns: Vec<usize>,
    /// About how many rows a batch has.
    pub rows: usize,
    /// Where the geometries that are wanted lie.
    pub within: Within,
}

/// Where the geometries that are wanted lie: a feature counts that overlaps a rectangle of each list.
/// No list: all are wanted. A list without rectangles: none is.
///
/// It is a hint: a source leaves out what it can without reading it, and may yield more. The rectangles
/// are closed, in the units of the geometry's CRS.
#[derive(Debug, Clone, Default)]
pub struct Within(pub Vec<Arc<[Bounds]>>);

impl Within {
    /// Whether nothing is known of what is wanted.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing is wanted.
    pub fn is_nothing(&self) -> bool {
        self.0.iter().any(|list| list.is_empty())
    }

    /// Whether a feature of these bounds is wanted.
    pub fn may_hold(&self, bounds: &Bounds) -> bool {
        let meets = |list: &Arc<[Bounds]>| list.iter().any(|r| r.intersects(bounds));
        self.0.iter().all(meets)
    }

    /// About the part of `extent` that is wanted: rectangles that overlap count twice.
    pub fn share_of(&self, extent: &Bounds) -> f64 {
        let (width, height) = (extent.max_x - extent.min_x, extent.max_y - extent.min_y);
        let along = |low: f64, high: f64, from: f64, to: f64, length: f64| match length > 0.0 {
            true => ((high.min(to) - low.max(from)) / length).clamp(0.0, 1.0),
            // What has no length lies within or beside.
            false => f64::from(u8::from(low <= to && high >= from)),
        };
        let of = |r: &Bounds| {
            along(r.min_x, r.max_x, extent.min_x, extent.max_x, width)
                * along(r.min_y, r.max_y, extent.min_y, extent.max_y, height)
        };
        let shares = self.0.iter().map(|list| list.iter().map(of).sum::<f64>());
        shares.fold(1.0, f64::min)
    }

    /// Whether every feature that lies in `extent` is wanted.
    pub fn covers(&self, extent: &Bounds) -> bool {
        let covers = |list: &Arc<[Bounds]>| list.iter().any(|r| r.contains(extent));
        self.0.iter().all(covers)
    }
}

/// The bytes of a file, where they can be told.
pub(super) fn file_size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|file| file.len())
}

/// Where the rows of a table come from: a layer of a file, read from its beginning to its end.
pub trait FeatureSource: Debug + Send + Sync {
    /// All columns. At most one is a geometry, which [`Request::within`] is about.
    fn schema(&self) -> &SchemaRef;

    /// The format, and the file with its layer, as a plan shows them.
    fn name(&self) -> String;

    /// How many rows there are, as the file itself says; `None` when that is not known without reading.
    fn rows(&self) -> Option<u64> {
        None
    }

    /// About how many rows there are, for a plan to choose by.
    fn rows_about(&self) -> Option<u64> {
        self.rows()
    }

    /// About how many bytes they take.
    fn bytes_about(&self) -> Option<u64> {
        None
    }

    /// Where the geometries lie, as the file itself says.
    fn extent(&self) -> Option<Bounds> {
        None
    }

    /// The types of the geometries, as GeoParquet names them; empty where they are not known.
    fn geometry_types(&self) -> Vec<String> {
        vec![]
    }

    /// Whether what [`Request::within`] excludes is left out by a spatial index.
    fn has_index(&self) -> bool {
        false
    }

    /// The same rows, in their order, as up to `most` sources that can be read at the same time; none where the
    /// source cannot be cut, or is too small for it.
    ///
    /// # Errors
    /// As [`FeatureSource::read`].
    fn parts(&self, most: usize) -> Result<Vec<Arc<dyn FeatureSource>>> {
        let _ = most;
        Ok(vec![])
    }

    /// Hands batches to `give`, until there are no more or it answers `false`. It runs on a thread where it
    /// may wait.
    ///
    /// # Errors
    /// When the file cannot be read, or what it holds is wrong; the message names it.
    fn read(&self, request: &Request, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let extent = Bounds::new(0.0, 0.0, 10.0, 10.0);
        let within = |lists: &[&[Bounds]]| Within(lists.iter().map(|l| Arc::from(*l)).collect());
        assert_eq!(within(&[]).share_of(&extent), 1.0);
        assert_eq!(within(&[&[]]).share_of(&extent), 0.0);
        let corner = Bounds::new(-5.0, -5.0, 5.0, 5.0);
        let all = Bounds::new(-50.0, -50.0, 50.0, 50.0);
        let far = Bounds::new(50.0, 0.0, 60.0, 10.0);
        assert_eq!(within(&[&[corner, far]]).share_of(&extent), 0.25);
        assert_eq!(within(&[&[corner], &[all]]).share_of(&extent), 0.25);
        let line = Bounds::new(0.0, 3.0, 10.0, 3.0);
        assert_eq!(within(&[&[corner]]).share_of(&line), 0.5);
        assert_eq!(within(&[&[far]]).share_of(&line), 0.0);
    }
}

//! A sample of rows that come by, every n-th of them.

use crate::geometry::Bounds;
use crate::join::collect::Collected;
use crate::join::memory::{indexed_batch_size, prepared_size};
use crate::tiling::KdSample;

/// Rows kept at most; half as many at least, once there were so many.
const MOST: usize = 1 << 14;

/// Every row at first, then every second, every fourth ... so that memory stays bounded, however
/// many come.
#[derive(Debug)]
pub(in crate::join) struct Sample {
    rows: Vec<KdSample>,
    stride: usize,
    /// Rows to pass by before the next is kept.
    skip: usize,
    /// Bytes that the geometries of all rows take once they are prepared.
    prepared: usize,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            rows: vec![],
            stride: 1,
            skip: 0,
            prepared: 0,
        }
    }
}

impl Sample {
    /// Takes in the rows of a batch that have a place; a row weighs its bytes in memory, with those of its geometry
    /// when that is prepared.
    pub(in crate::join) fn add(&mut self, batch: &Collected) {
        let rows = batch.batch.num_rows();
        let values: usize = (0..rows).map(|i| batch.value_size(i)).sum();
        let bytes = indexed_batch_size(&batch.batch, batch.located.len()).saturating_sub(values);
        let other = bytes as f64 / rows.max(1) as f64;
        for i in 0..rows {
            let Some(bounds) = batch.place(i) else {
                continue;
            };
            let prepared = prepared_size(batch.value_size(i));
            self.prepared += prepared;
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            let own = batch.value_size(i) + prepared;
            self.push(bounds, own as f64 + other);
        }
    }

    fn push(&mut self, bounds: Bounds, weight: f64) {
        if self.rows.len() == MOST {
            let mut odd = false;
            self.rows.retain(|_| {
                odd = !odd;
                odd
            });
            self.stride *= 2;
        }
        self.rows.push(KdSample { bounds, weight });
        self.skip = self.stride - 1;
    }

    /// Bytes that the geometries of all rows that came by take once they are prepared.
    pub(in crate::join) fn prepared(&self) -> usize {
        self.prepared
    }

    /// The samples of several streams as one, in which all rows stand for equally many.
    pub(in crate::join) fn unite(samples: Vec<Sample>) -> Vec<KdSample> {
        let widest = samples.iter().map(|s| s.stride).max().unwrap_or(1);
        let of = |s: Sample| s.rows.into_iter().step_by(widest / s.stride);
        samples.into_iter().flat_map(of).collect()
    }
}

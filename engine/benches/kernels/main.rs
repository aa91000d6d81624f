//! What the pieces of a spatial join cost, each beside the `geo` crate's own answer for the same
//! pairs. Before anything is timed the two answers are asserted to be equal.
//!
//! ```text
//! cargo bench --workspace --bench kernels                      all of it, some minutes
//! cargo bench --workspace --bench kernels -- point_in_polygon  one group
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark of data that it makes itself"
)]

mod distance;
mod joins;
mod point_in_polygon;
mod polygon_pairs;
mod shapes;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    point_in_polygon::bench(&mut criterion);
    polygon_pairs::bench(&mut criterion);
    distance::bench(&mut criterion);
    joins::bench(&mut criterion);
    criterion.final_summary();
}

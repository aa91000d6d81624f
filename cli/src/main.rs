//! The geoflow command line.
fn main() {}

//! WKB as the text formats show it; the engine does the writing.

use geoflow_engine::geometry::{RingOrder, wkb_to_geojson, wkb_to_shortened_wkt, wkb_to_wkt};

/// Well-known text, with Z and M.
pub(crate) fn wkt_text(wkb: &[u8], out: &mut String) -> Result<(), String> {
    wkb_to_wkt(wkb, out).map_err(|error| error.to_string())
}

/// Well-known text of at most `limit` characters, for a cell of a table.
pub(crate) fn shortened_wkt(wkb: &[u8], out: &mut String, limit: usize) -> Result<(), String> {
    wkb_to_shortened_wkt(wkb, out, limit).map_err(|error| error.to_string())
}

/// A GeoJSON geometry object, its rings turned as RFC 7946 asks.
pub(crate) fn geojson_text(wkb: &[u8], out: &mut String) -> Result<(), String> {
    wkb_to_geojson(wkb, RingOrder::RightHand, out).map_err(|error| error.to_string())
}

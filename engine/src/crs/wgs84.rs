//! PROJJSON of the two names of longitude and latitude on WGS 84.
//!
//! The text is PROJ's own (`projinfo OGC:CRS84 -o PROJJSON`), as other writers of GeoParquet use it.

use serde_json::{Value, json};

/// `OGC:CRS84`: longitude, then latitude.
pub(super) fn ogc_crs84() -> Value {
    definition(
        "WGS 84 (CRS84)",
        [
            ("Geodetic longitude", "Lon", "east"),
            ("Geodetic latitude", "Lat", "north"),
        ],
        json!({"authority": "OGC", "code": "CRS84"}),
    )
}

/// `EPSG:4326`: the axes are latitude and longitude by name, columns hold longitude first.
pub(super) fn epsg_4326() -> Value {
    definition(
        "WGS 84",
        [
            ("Geodetic latitude", "Lat", "north"),
            ("Geodetic longitude", "Lon", "east"),
        ],
        json!({"authority": "EPSG", "code": 4326}),
    )
}

fn definition(name: &str, axes: [(&str, &str, &str); 2], id: Value) -> Value {
    let members: Vec<Value> = [
        ("World Geodetic System 1984 (Transit)", 1166),
        ("World Geodetic System 1984 (G730)", 1152),
        ("World Geodetic System 1984 (G873)", 1153),
        ("World Geodetic System 1984 (G1150)", 1154),
        ("World Geodetic System 1984 (G1674)", 1155),
        ("World Geodetic System 1984 (G1762)", 1156),
        ("World Geodetic System 1984 (G2139)", 1309),
        ("World Geodetic System 1984 (G2296)", 1383),
    ]
    .iter()
    .map(|(name, code)| json!({"name": name, "id": {"authority": "EPSG", "code": code}}))
    .collect();
    let axes: Vec<Value> = axes
        .iter()
        .map(|(name, abbreviation, direction)| {
            json!({"name": name, "abbreviation": abbreviation, "direction": direction, "unit": "degree"})
        })
        .collect();
    json!({
        "$schema": "https://proj.org/schemas/v0.7/projjson.schema.json",
        "type": "GeographicCRS",
        "name": name,
        "datum_ensemble": {
            "name": "World Geodetic System 1984 ensemble",
            "members": members,
            "ellipsoid": {
                "name": "WGS 84",
                "semi_major_axis": 6378137,
                "inverse_flattening": 298.257223563
            },
            "accuracy": "2.0",
            "id": {"authority": "EPSG", "code": 6326}
        },
        "coordinate_system": {"subtype": "ellipsoidal", "axis": axes},
        "scope": "Not known.",
        "area": "World.",
        "bbox": {
            "south_latitude": -90,
            "west_longitude": -180,
            "north_latitude": 90,
            "east_longitude": 180
        },
        "id": id
    })
}

//! PROJJSON of EPSG codes, so that a transformed column can be written to a file.

use serde_json::{Value, json};

use super::definition::Definition;
use super::northing_first::is_northing_first;
use super::wgs84;

/// The PROJJSON of an EPSG code; `None` for codes and projections that are not known.
pub(super) fn of_code(code: &str) -> Option<Value> {
    let number = code.get(..5).filter(|a| a.eq_ignore_ascii_case("EPSG:"))?;
    let definition = Definition::of_code(code.strip_prefix(number)?.parse().ok()?)?;
    if definition.get("axis").is_some() || definition.get("pm").is_some() {
        return None;
    }
    let id = json!({"authority": "EPSG", "code": definition.code});
    if definition.is_geographic() {
        let mut crs = geographic(&definition)?;
        crs["$schema"] = SCHEMA.into();
        crs["id"] = id;
        return Some(crs);
    }
    let (method, method_id, parameters) = conversion(&definition)?;
    let parameters: Vec<Value> = parameters
        .into_iter()
        .map(|(name, id, value, unit)| {
            json!({"name": name, "value": value, "unit": unit, "id": {"authority": "EPSG", "code": id}})
        })
        .collect();
    let unit = unit(&definition)?;
    let mut axes = [
        json!({"name": "Easting", "abbreviation": "E", "direction": "east", "unit": unit}),
        json!({"name": "Northing", "abbreviation": "N", "direction": "north", "unit": unit}),
    ];
    if is_northing_first(definition.code) {
        axes.reverse();
    }
    Some(json!({
        "$schema": SCHEMA,
        "type": "ProjectedCRS",
        "name": definition.node_name("PROJCS")?,
        "base_crs": geographic(&definition)?,
        "conversion": {
            "name": "unnamed",
            "method": {"name": method, "id": {"authority": "EPSG", "code": method_id}},
            "parameters": parameters
        },
        "coordinate_system": {
            "subtype": "Cartesian",
            "axis": axes
        },
        "id": id
    }))
}

const SCHEMA: &str = "https://proj.org/schemas/v0.7/projjson.schema.json";

fn geographic(definition: &Definition) -> Option<Value> {
    let name = definition.node_name("GEOGCS")?;
    let code = authority(definition.wkt, "GEOGCS[")?;
    if code == 4326 {
        let mut crs = wgs84::epsg_4326();
        let members = crs.as_object_mut()?;
        for key in ["$schema", "scope", "area", "bbox"] {
            members.remove(key);
        }
        return Some(crs);
    }
    let (_, spheroid) = definition.wkt.split_once("SPHEROID[")?;
    let mut numbers = spheroid.split([',', ']']).skip(1);
    let semi_major: f64 = numbers.next()?.parse().ok()?;
    let inverse_flattening: f64 = numbers.next()?.parse().ok()?;
    Some(json!({
        "type": "GeographicCRS",
        "name": name,
        "datum": {
            "type": "GeodeticReferenceFrame",
            "name": definition.node_name("DATUM")?,
            "ellipsoid": {
                "name": definition.node_name("SPHEROID")?,
                "semi_major_axis": semi_major,
                "inverse_flattening": inverse_flattening
            }
        },
        "coordinate_system": {
            "subtype": "ellipsoidal",
            "axis": [
                {"name": "Geodetic latitude", "abbreviation": "Lat", "direction": "north", "unit": "degree"},
                {"name": "Geodetic longitude", "abbreviation": "Lon", "direction": "east", "unit": "degree"}
            ]
        },
        "id": {"authority": "EPSG", "code": code}
    }))
}

/// The EPSG code at the end of a node of WKT 1.
fn authority(wkt: &str, node: &str) -> Option<u32> {
    let at = wkt.find(node)? + node.len();
    let mut depth = 1;
    let end = wkt[at..].find(|c| {
        depth += match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let (_, code) = wkt[at..at + end].rsplit_once("AUTHORITY[\"EPSG\",\"")?;
    code.split_once('"')?.0.parse().ok()
}

fn unit(definition: &Definition) -> Option<Value> {
    Some(match definition.get("units") {
        Some("m") => "metre".into(),
        Some("us-ft") => json!({
            "type": "LinearUnit", "name": "US survey foot", "conversion_factor": 1200.0 / 3937.0
        }),
        Some("ft") => json!({"type": "LinearUnit", "name": "foot", "conversion_factor": 0.3048}),
        _ => return None,
    })
}

type Parameter = (&'static str, u32, f64, &'static str);

/// Method, its EPSG code, and its parameters.
fn conversion(definition: &Definition) -> Option<(&'static str, u32, Vec<Parameter>)> {
    let number = |key: &str| definition.number(key).unwrap_or(0.0);
    let k = definition
        .number("k")
        .or(definition.number("k_0"))
        .unwrap_or(1.0);
    let natural = |latitude: f64, longitude: f64| -> Vec<Parameter> {
        vec![
            ("Latitude of natural origin", 8801, latitude, "degree"),
            ("Longitude of natural origin", 8802, longitude, "degree"),
        ]
    };
    let scale: Parameter = ("Scale factor at natural origin", 8805, k, "unity");
    let false_origin: [Parameter; 2] = [
        ("False easting", 8806, number("x_0"), "metre"),
        ("False northing", 8807, number("y_0"), "metre"),
    ];
    let with = |mut all: Vec<Parameter>, rest: &[Parameter]| {
        all.extend_from_slice(rest);
        all
    };
    let (lat, lon) = (number("lat_0"), number("lon_0"));
    let two_parallels = || -> Vec<Parameter> {
        vec![
            ("Latitude of false origin", 8821, lat, "degree"),
            ("Longitude of false origin", 8822, lon, "degree"),
            (
                "Latitude of 1st standard parallel",
                8823,
                number("lat_1"),
                "degree",
            ),
            (
                "Latitude of 2nd standard parallel",
                8824,
                number("lat_2"),
                "degree",
            ),
            ("Easting at false origin", 8826, number("x_0"), "metre"),
            ("Northing at false origin", 8827, number("y_0"), "metre"),
        ]
    };
    let scaled = |latitude, longitude| {
        let all = with(natural(latitude, longitude), &[scale]);
        with(all, &false_origin)
    };
    Some(match definition.get("proj")? {
        "utm" => {
            let south = definition.get("south").is_some();
            let all = with(
                natural(0.0, definition.number("zone")? * 6.0 - 183.0),
                &[
                    ("Scale factor at natural origin", 8805, 0.9996, "unity"),
                    ("False easting", 8806, 500_000.0, "metre"),
                    (
                        "False northing",
                        8807,
                        if south { 1e7 } else { 0.0 },
                        "metre",
                    ),
                ],
            );
            ("Transverse Mercator", 9807, all)
        }
        "tmerc" => ("Transverse Mercator", 9807, scaled(lat, lon)),
        "lcc" if definition.get("lat_2").is_some() => {
            ("Lambert Conic Conformal (2SP)", 9802, two_parallels())
        }
        "lcc" if number("lat_1") == lat => {
            ("Lambert Conic Conformal (1SP)", 9801, scaled(lat, lon))
        }
        "aea" => ("Albers Equal Area", 9822, two_parallels()),
        "laea" => (
            "Lambert Azimuthal Equal Area",
            9820,
            with(natural(lat, lon), &false_origin),
        ),
        "webmerc" => (
            "Popular Visualisation Pseudo Mercator",
            1024,
            with(natural(0.0, 0.0), &false_origin),
        ),
        "cea" => (
            "Lambert Cylindrical Equal Area",
            9835,
            with(
                vec![
                    (
                        "Latitude of 1st standard parallel",
                        8823,
                        number("lat_ts"),
                        "degree",
                    ),
                    ("Longitude of natural origin", 8802, lon, "degree"),
                ],
                &false_origin,
            ),
        ),
        "stere" if definition.get("lat_ts").is_some() => (
            "Polar Stereographic (variant B)",
            9829,
            with(
                vec![
                    (
                        "Latitude of standard parallel",
                        8832,
                        number("lat_ts"),
                        "degree",
                    ),
                    ("Longitude of origin", 8833, lon, "degree"),
                ],
                &false_origin,
            ),
        ),
        "stere" if lat.abs() == 90.0 => ("Polar Stereographic (variant A)", 9810, scaled(lat, lon)),
        "merc" if definition.get("lat_ts").is_none() => {
            ("Mercator (variant A)", 9804, scaled(0.0, lon))
        }
        _ => return None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Crs;
    use super::*;

    #[test]
    fn of_common_systems() {
        for (code, name, method) in [
            ("EPSG:3067", "ETRS89 / TM35FIN(E,N)", "Transverse Mercator"),
            (
                "EPSG:3857",
                "WGS 84 / Pseudo-Mercator",
                "Popular Visualisation Pseudo Mercator",
            ),
            ("EPSG:5070", "NAD83 / Conus Albers", "Albers Equal Area"),
            (
                "EPSG:2154",
                "RGF93 / Lambert-93",
                "Lambert Conic Conformal (2SP)",
            ),
            (
                "EPSG:3035",
                "ETRS89 / LAEA Europe",
                "Lambert Azimuthal Equal Area",
            ),
        ] {
            let json = of_code(code).unwrap();
            assert_eq!(json["name"], name);
            assert_eq!(json["conversion"]["method"]["name"], method);
            assert_eq!(Crs::from_projjson(json).unwrap().name(), code);
        }
        assert_eq!(of_code("EPSG:4258").unwrap()["type"], "GeographicCRS");
        assert_eq!(
            of_code("epsg:4269").unwrap()["datum"]["ellipsoid"]["inverse_flattening"],
            298.257222101
        );
        for unknown in ["EPSG:1", "EPSG:", "ESRI:102008", "EPSG:5513", "é"] {
            assert!(of_code(unknown).is_none(), "{unknown}");
        }
    }
}

//! GeoJSON geometry objects to well-known binary.

use serde_json::{Map, Value};

use super::wkb::{MAX_DEPTH, WkbKind};
use super::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// Why a text is no GeoJSON geometry: the position for broken JSON, the path of the member
/// otherwise.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct GeoJsonError(String);

type Result<T> = std::result::Result<T, GeoJsonError>;

/// Appends the WKB of a GeoJSON geometry object; members of a Feature around it are passed over.
/// Positions of three numbers or more have a Z, in which case all positions of the value do (0
/// where it is not given); further numbers are dropped, as the RFC advises.
///
/// # Errors
/// [`GeoJsonError`]: broken JSON with its line and column, anything else with the path of the
/// member that is wrong.
pub fn geojson_to_wkb(text: &str, out: &mut Vec<u8>) -> Result<()> {
    // serde_json bounds its own nesting.
    let value: Value =
        serde_json::from_str(text).map_err(|e| GeoJsonError(format!("broken JSON: {e}")))?;
    let mut object = as_object(&value, "")?;
    let mut path = String::new();
    match object.get("type").and_then(Value::as_str) {
        Some("Feature") => match object.get("geometry") {
            Some(Value::Object(geometry)) => {
                object = geometry;
                path.push_str(".geometry");
            }
            _ => return Err(GeoJsonError("the Feature has no geometry".into())),
        },
        Some("FeatureCollection") => {
            return Err(GeoJsonError(
                "expected one geometry, found a FeatureCollection".into(),
            ));
        }
        _ => {}
    }
    let dimensions = match has_z(object, 0) {
        true => Dimensions::XYZ,
        false => Dimensions::XY,
    };
    Writer { dimensions, out }.geometry(object, &path, 0)
}

fn as_object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| wrong(path, "expected a geometry object", value))
}

fn array<'a>(value: &'a Value, path: &str, wanted: &str) -> Result<&'a Vec<Value>> {
    value.as_array().ok_or_else(|| wrong(path, wanted, value))
}

fn wrong(path: &str, wanted: &str, found: &Value) -> GeoJsonError {
    let mut found: String = found.to_string().chars().take(40).collect();
    if found.is_empty() {
        found.push_str("nothing");
    }
    match path {
        "" => GeoJsonError(format!("{wanted}, found {found}")),
        _ => GeoJsonError(format!(
            "{wanted} at {}, found {found}",
            path.trim_start_matches('.')
        )),
    }
}

/// Whether any position has three numbers.
fn has_z(object: &Map<String, Value>, depth: usize) -> bool {
    fn position(value: &Value) -> bool {
        value.as_array().is_some_and(|items| match items.first() {
            Some(Value::Number(_)) => items.len() > 2,
            _ => items.iter().any(position),
        })
    }
    depth <= MAX_DEPTH
        && (object.get("coordinates").is_some_and(position)
            || object
                .get("geometries")
                .and_then(Value::as_array)
                .is_some_and(|parts| {
                    parts
                        .iter()
                        .filter_map(Value::as_object)
                        .any(|part| has_z(part, depth + 1))
                }))
}

struct Writer<'a> {
    dimensions: Dimensions,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn geometry(&mut self, object: &Map<String, Value>, path: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(GeoJsonError(format!(
                "collections are nested deeper than {MAX_DEPTH}"
            )));
        }
        let kind = match object.get("type").and_then(Value::as_str) {
            Some("Point") => WkbKind::Point,
            Some("LineString") => WkbKind::LineString,
            Some("Polygon") => WkbKind::Polygon,
            Some("MultiPoint") => WkbKind::MultiPoint,
            Some("MultiLineString") => WkbKind::MultiLineString,
            Some("MultiPolygon") => WkbKind::MultiPolygon,
            Some("GeometryCollection") => WkbKind::GeometryCollection,
            _ => {
                return Err(wrong(
                    &format!("{path}.type"),
                    "expected the name of a geometry type",
                    object.get("type").unwrap_or(&Value::Null),
                ));
            }
        };
        let member = match kind {
            WkbKind::GeometryCollection => "geometries",
            _ => "coordinates",
        };
        let path = format!("{path}.{member}");
        let value = object.get(member).unwrap_or(&Value::Null);
        if kind != WkbKind::GeometryCollection {
            return self.body(kind, value, &path);
        }
        let parts = array(value, &path, "expected an array of geometries")?;
        write_header(kind, self.dimensions, self.out);
        write_count(parts.len(), self.out);
        for (i, part) in parts.iter().enumerate() {
            let path = format!("{path}[{i}]");
            self.geometry(as_object(part, &path)?, &path, depth + 1)?;
        }
        Ok(())
    }

    fn body(&mut self, kind: WkbKind, value: &Value, path: &str) -> Result<()> {
        write_header(kind, self.dimensions, self.out);
        match kind {
            WkbKind::Point => {
                if value.as_array().is_some_and(Vec::is_empty) {
                    let n = self.dimensions.ordinates();
                    write_ordinates(&[f64::NAN; 4][..n], self.out);
                    return Ok(());
                }
                self.position(value, path).map(|_| ())
            }
            WkbKind::LineString => match self.positions(value, path)? {
                (1, _) => Err(wrong(path, "expected two positions or more", value)),
                _ => Ok(()),
            },
            WkbKind::Polygon => {
                let rings = array(value, path, "expected an array of rings")?;
                write_count(rings.len(), self.out);
                for (i, ring) in rings.iter().enumerate() {
                    let path = format!("{path}[{i}]");
                    match self.positions(ring, &path)? {
                        (0, _) | (4.., true) => {}
                        (_, false) => {
                            return Err(wrong(
                                &path,
                                "expected a ring that ends where it starts",
                                ring,
                            ));
                        }
                        _ => {
                            return Err(wrong(
                                &path,
                                "expected a ring of four positions or more",
                                ring,
                            ));
                        }
                    }
                }
                Ok(())
            }
            _ => {
                let part = match kind {
                    WkbKind::MultiPoint => WkbKind::Point,
                    WkbKind::MultiLineString => WkbKind::LineString,
                    _ => WkbKind::Polygon,
                };
                let parts = array(value, path, "expected an array of coordinates")?;
                write_count(parts.len(), self.out);
                for (i, value) in parts.iter().enumerate() {
                    self.body(part, value, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
        }
    }

    /// A counted run: how many, and whether the last is as the first.
    fn positions(&mut self, value: &Value, path: &str) -> Result<(usize, bool)> {
        let all = array(value, path, "expected an array of positions")?;
        write_count(all.len(), self.out);
        let (mut first, mut last) = (None, None);
        for (i, value) in all.iter().enumerate() {
            let xy = match self.position(value, "") {
                Ok(xy) => xy,
                // The path of a position is put together only where it is needed.
                Err(_) => self.position(value, &format!("{path}[{i}]"))?,
            };
            first.get_or_insert(xy);
            last = Some(xy);
        }
        Ok((all.len(), first == last))
    }

    fn position(&mut self, value: &Value, path: &str) -> Result<(f64, f64)> {
        const WANTED: &str = "expected a position of two numbers or more";
        let items = array(value, path, WANTED)?;
        let number = |i: usize| {
            items
                .get(i)
                .and_then(Value::as_f64)
                .filter(|v| v.is_finite())
        };
        let (Some(x), Some(y)) = (number(0), number(1)) else {
            return Err(wrong(path, WANTED, value));
        };
        let z = match items.get(2) {
            None => 0.0,
            Some(_) => number(2).ok_or_else(|| wrong(path, WANTED, value))?,
        };
        write_ordinates(&[x, y, z][..self.dimensions.ordinates()], self.out);
        Ok((x, y))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{RingOrder, wkb_to_geojson, wkb_to_wkt};
    use super::*;

    fn wkt(json: &str) -> String {
        let (mut bytes, mut text) = (vec![], String::new());
        geojson_to_wkb(json, &mut bytes).unwrap();
        wkb_to_wkt(&bytes, &mut text).unwrap();
        text
    }

    #[test]
    fn canonical_text_round_trips() {
        for json in [
            r#"{"type":"Point","coordinates":[1,2.5]}"#,
            r#"{"type":"Point","coordinates":[1,2,3]}"#,
            r#"{"type":"Point","coordinates":[]}"#,
            r#"{"type":"LineString","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}"#,
            r#"{"type":"MultiPoint","coordinates":[[1,2],[3,4]]}"#,
            r#"{"type":"MultiLineString","coordinates":[[[1,2],[3,4]],[]]}"#,
            r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],[1,1],[0,0]]]]}"#,
            r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}"#,
        ] {
            let (mut bytes, mut text) = (vec![], String::new());
            geojson_to_wkb(json, &mut bytes).unwrap();
            wkb_to_geojson(&bytes, RingOrder::AsStored, &mut text).unwrap();
            assert_eq!(text, json);
        }
    }

    #[test]
    fn features_and_mixed_positions() {
        assert_eq!(
            wkt(
                r#"{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}"#
            ),
            "POINT(1 2)"
        );
        assert_eq!(
            wkt(r#"{"type":"LineString","coordinates":[[1,2],[3,4,5,6]],"bbox":[0]}"#),
            "LINESTRING Z (1 2 0,3 4 5)"
        );
    }

    #[test]
    fn errors_say_where() {
        for (json, expected) in [
            (
                "{",
                "broken JSON: EOF while parsing an object at line 1 column 1",
            ),
            ("[1]", "expected a geometry object, found [1]"),
            (r#"{"type":"Punkt"}"#, "at type, found \"Punkt\""),
            (r#"{"type":"Point"}"#, "at coordinates, found null"),
            (
                r#"{"type":"Point","coordinates":["1",2]}"#,
                "at coordinates, found [\"1\",2]",
            ),
            (
                r#"{"type":"LineString","coordinates":[[1,2],[3]]}"#,
                "at coordinates[1], found [3]",
            ),
            (
                r#"{"type":"LineString","coordinates":[[1,2]]}"#,
                "two positions or more",
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}"#,
                "ends where it starts at coordinates[0]",
            ),
            (
                r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1]}]}"#,
                "at geometries[0].coordinates",
            ),
            (
                r#"{"type":"FeatureCollection","features":[]}"#,
                "FeatureCollection",
            ),
            (r#"{"type":"Feature","geometry":null}"#, "no geometry"),
        ] {
            let error = geojson_to_wkb(json, &mut vec![]).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = r#"{"type":"GeometryCollection","geometries":["#.repeat(50_000);
        assert!(geojson_to_wkb(&deep, &mut vec![]).is_err());
        let deep = "[".repeat(100_000);
        assert!(geojson_to_wkb(&deep, &mut vec![]).is_err());
    }
}

//! The CRS in the metadata of GeoArrow extension types.

use serde_json::{Value, json};

use super::Crs;
use super::crs::shorten;
use crate::{Error, Result};

impl Crs {
    /// Reads the `ARROW:extension:metadata` of a GeoArrow field; `None` when the CRS is unknown.
    ///
    /// PROJJSON and authority codes are taken as they are. WKT2 is taken by its closing `ID`, an
    /// SRID in the range of EPSG codes as that code (0: unknown).
    ///
    /// # Errors
    /// [`Error::Crs`] when the metadata are no JSON object or the CRS cannot be understood. A CRS
    /// is never dropped silently: the column would go with every other.
    pub fn from_extension_metadata(metadata: Option<&str>) -> Result<Option<Crs>> {
        let Some(text) = metadata.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let parsed: Value = serde_json::from_str(text).map_err(|e| {
            Error::Crs(format!(
                "GeoArrow metadata are no valid JSON ({e}): {}",
                shorten(text)
            ))
        })?;
        let Some(object) = parsed.as_object() else {
            return Err(Error::Crs(format!(
                "GeoArrow metadata must be a JSON object, found {}",
                shorten(text)
            )));
        };
        let kind = object.get("crs_type").and_then(Value::as_str);
        match object.get("crs") {
            None | Some(Value::Null) => Ok(None),
            Some(json @ Value::Object(_)) => Self::from_projjson(json.clone()).map(Some),
            Some(Value::String(text)) => from_text(text, kind),
            Some(other) => Err(Error::Crs(format!(
                "the CRS in GeoArrow metadata must be PROJJSON or text, found {}",
                shorten(&other.to_string())
            ))),
        }
    }

    /// Writes the `ARROW:extension:metadata` of a GeoArrow field: `{}` when the CRS is unknown.
    pub fn to_extension_metadata(crs: Option<&Crs>) -> String {
        match crs {
            None => json!({}),
            Some(crs) => match crs.projjson() {
                Some(projjson) => json!({"crs": projjson, "crs_type": "projjson"}),
                None => json!({"crs": crs.name(), "crs_type": "authority_code"}),
            },
        }
        .to_string()
    }
}

fn from_text(text: &str, kind: Option<&str>) -> Result<Option<Crs>> {
    let text = text.trim();
    if text.starts_with('{') {
        // Some writers put PROJJSON in as a string.
        let json = serde_json::from_str(text)
            .map_err(|e| Error::Crs(format!("broken PROJJSON ({e}): {}", shorten(text))))?;
        return Crs::from_projjson(json).map(Some);
    }
    match kind {
        Some("srid") => match text.parse::<u32>() {
            Ok(0) => Ok(None),
            Ok(code @ 1024..=32767) => Crs::from_authority_code(&format!("EPSG:{code}")).map(Some),
            _ => Err(Error::Crs(format!(
                "SRID \"{}\" is no EPSG code: give the column a CRS by authority and code, such as 'EPSG:4326'",
                shorten(text)
            ))),
        },
        _ if text.contains('[') => match wkt2_id(text) {
            Some(code) => Crs::from_authority_code(&code).map(Some),
            None => Err(Error::Crs(format!(
                "a CRS given as WKT without an ID is not supported, give it as PROJJSON or as authority and code: {}",
                shorten(text)
            ))),
        },
        _ => Crs::from_authority_code(text).map(Some),
    }
}

/// The `ID["EPSG",3067]` that closes a WKT2 text (`AUTHORITY["EPSG","3067"]` in WKT1).
fn wkt2_id(text: &str) -> Option<String> {
    let body = text.strip_suffix("]]")?;
    let (_, id) = body.rsplit_once('[')?;
    let keyword_end = body.len() - id.len() - 1;
    let keyword = body.get(..keyword_end)?.trim_end().to_ascii_uppercase();
    if !(keyword.ends_with(",ID") || keyword.ends_with(",AUTHORITY") || keyword.ends_with(" ID")) {
        return None;
    }
    let (authority, code) = id.split_once(',')?;
    // ID may go on with a version: ID["EPSG",3067,"10.0"].
    let code = code.split(',').next()?;
    Some(format!(
        "{}:{}",
        authority.trim().trim_matches('"'),
        code.trim().trim_matches('"')
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn unknown_in_every_form() {
        for text in [
            None,
            Some(""),
            Some("{}"),
            Some(r#"{"crs": null}"#),
            Some(r#"{"edges": "spherical"}"#),
        ] {
            assert_eq!(Crs::from_extension_metadata(text).unwrap(), None);
        }
        assert_eq!(Crs::to_extension_metadata(None), "{}");
    }

    #[test]
    fn round_trips() {
        let local = json!({"type": "ProjectedCRS", "name": "Site"});
        for crs in [
            Crs::lon_lat(),
            Crs::from_authority_code("EPSG:3067").unwrap(),
            Crs::from_projjson(local).unwrap(),
        ] {
            let text = Crs::to_extension_metadata(Some(&crs));
            assert_eq!(
                Crs::from_extension_metadata(Some(&text)).unwrap(),
                Some(crs)
            );
        }
    }

    #[test]
    fn other_notations() {
        let named =
            |text: &str| Crs::from_extension_metadata(Some(text)).map(|crs| crs.map(|c| c.name()));
        assert_eq!(
            named(r#"{"crs": "3067", "crs_type": "srid"}"#)
                .unwrap()
                .as_deref(),
            Some("EPSG:3067")
        );
        assert_eq!(named(r#"{"crs": "0", "crs_type": "srid"}"#).unwrap(), None);
        assert_eq!(
            named(r#"{"crs": "EPSG:3067"}"#).unwrap().as_deref(),
            Some("EPSG:3067")
        );
        let wkt = r#"{"crs": "PROJCRS[\"x\",BASEGEOGCRS[\"y\",ID[\"EPSG\",4258]],ID[\"EPSG\",3067]]", "crs_type": "wkt2:2019"}"#;
        assert_eq!(named(wkt).unwrap().as_deref(), Some("EPSG:3067"));
        let string = r#"{"crs": "{\"name\": \"Site\"}", "crs_type": "projjson"}"#;
        assert_eq!(named(string).unwrap().as_deref(), Some("Site"));
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        for text in [
            "{",
            "[]",
            r#"{"crs": 4326}"#,
            r#"{"crs": "somewhere"}"#,
            r#"{"crs": "900913", "crs_type": "srid"}"#,
            r#"{"crs": "LOCAL_CS[\"x\",UNIT[\"m\",1]]"}"#,
            r#"{"crs": "{broken"}"#,
        ] {
            assert!(
                matches!(Crs::from_extension_metadata(Some(text)), Err(Error::Crs(_))),
                "{text}"
            );
        }
    }
}

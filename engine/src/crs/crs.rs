//! The CRS of a geometry column.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::definition::Definition as EpsgDefinition;
use super::{projjson, wgs84};
use crate::{Error, Result};

/// A coordinate reference system: PROJJSON, or an `authority:code` alone.
///
/// Cheap to clone. `==` compares the definitions as written; use [`Crs::same_as`] to ask whether
/// coordinates of two columns can be compared.
#[derive(Clone, PartialEq, Eq)]
pub struct Crs(Arc<Definition>);

#[derive(PartialEq, Eq)]
enum Definition {
    ProjJson(Value),
    AuthorityCode(String),
}

impl Crs {
    /// Longitude and latitude on WGS 84, in degrees: `OGC:CRS84`, the default of GeoParquet.
    pub fn lon_lat() -> Self {
        Self(Arc::new(Definition::AuthorityCode("OGC:CRS84".into())))
    }

    /// Takes `EPSG:3067`, `urn:ogc:def:crs:EPSG::3067` or
    /// `http://www.opengis.net/def/crs/EPSG/0/3067`.
    ///
    /// Whether the authority knows the code is not looked up.
    ///
    /// # Errors
    /// [`Error::Crs`] when the text has another form.
    pub fn from_authority_code(text: &str) -> Result<Self> {
        parse_authority_code(text.trim())
            .map(|code| Self(Arc::new(Definition::AuthorityCode(code))))
            .ok_or_else(|| {
                Error::Crs(format!(
                    "\"{}\" is no coordinate reference system: write an authority and a code, such as 'EPSG:4326'",
                    shorten(text)
                ))
            })
    }

    /// Takes a PROJJSON object.
    ///
    /// # Errors
    /// [`Error::Crs`] when the value is no JSON object, or has neither `type`, `name` nor `id`.
    pub fn from_projjson(value: Value) -> Result<Self> {
        let looks_right = value.as_object().is_some_and(|o| {
            ["type", "name", "id"]
                .iter()
                .any(|key| o.contains_key(*key))
        });
        if looks_right {
            Ok(Self(Arc::new(Definition::ProjJson(value))))
        } else {
            Err(Error::Crs(format!(
                "a CRS must be a PROJJSON object, found {}",
                shorten(&value.to_string())
            )))
        }
    }

    /// What a person calls this CRS: `EPSG:3067`, else the name in the PROJJSON.
    pub fn name(&self) -> String {
        self.authority_code().unwrap_or_else(|| {
            self.projjson()
                .and_then(|json| json.get("name"))
                .and_then(Value::as_str)
                .unwrap_or("unnamed CRS")
                .to_owned()
        })
    }

    /// `authority:code`, `None` for PROJJSON that carries no `id`.
    pub fn authority_code(&self) -> Option<String> {
        match self.0.as_ref() {
            Definition::AuthorityCode(code) => Some(code.clone()),
            Definition::ProjJson(json) => {
                let id = json.get("id")?;
                let authority = id.get("authority")?.as_str()?;
                match id.get("code")? {
                    Value::String(code) => Some(format!("{authority}:{code}")),
                    Value::Number(code) => Some(format!("{authority}:{code}")),
                    _ => None,
                }
            }
        }
    }

    /// The PROJJSON, `None` when only an authority code is known.
    pub fn projjson(&self) -> Option<&Value> {
        match self.0.as_ref() {
            Definition::ProjJson(json) => Some(json),
            Definition::AuthorityCode(_) => None,
        }
    }

    /// PROJJSON for a file to be written: what the CRS carries, or the definition of its code if
    /// geoflow knows that.
    ///
    /// `None` for any other authority code alone: the caller must refuse to write, because a file
    /// without its CRS would claim to be in longitude and latitude.
    pub fn to_projjson_for_writing(&self) -> Option<Value> {
        match self.0.as_ref() {
            Definition::ProjJson(json) => Some(json.clone()),
            Definition::AuthorityCode(code) if code.eq_ignore_ascii_case("OGC:CRS84") => {
                Some(wgs84::ogc_crs84())
            }
            Definition::AuthorityCode(code) if code.eq_ignore_ascii_case("EPSG:4326") => {
                Some(wgs84::epsg_4326())
            }
            Definition::AuthorityCode(code) => projjson::of_code(code),
        }
    }

    /// The definition as WKT 1, for formats that want that; `None` where geoflow does not know it.
    pub fn to_wkt1(&self) -> Option<&'static str> {
        let wkt = EpsgDefinition::of(self).ok()?.wkt;
        let known = ["GEOGCS[", "PROJCS[", "COMPD_CS[", "GEOCCS[", "LOCAL_CS["];
        known
            .iter()
            .any(|node| wkt.starts_with(node))
            .then_some(wkt)
    }

    /// Whether this is longitude and latitude on WGS 84 (`OGC:CRS84` or `EPSG:4326`).
    pub fn is_lon_lat(&self) -> bool {
        self.same_as(&Self::lon_lat())
    }

    /// Whether coordinates are longitude and latitude in degrees, on whatever datum. `false` for what is
    /// not known.
    pub fn is_geographic(&self) -> bool {
        if self.is_lon_lat() {
            return true;
        }
        let definition = self.to_projjson_for_writing();
        let kind = definition.as_ref().and_then(|json| json.get("type"));
        kind.and_then(Value::as_str) == Some("GeographicCRS")
    }

    /// Whether coordinates in the two systems can be compared.
    ///
    /// Two authority codes decide alone, whatever their case; `EPSG:4326` and `OGC:CRS84` are one,
    /// because geometry columns hold longitude first, as GeoParquet asks. Without two codes the
    /// PROJJSON must be equal but for `$schema`: equal names are not enough, as two systems of one
    /// name may differ in datum or unit.
    pub fn same_as(&self, other: &Crs) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        match (self.authority_code(), other.authority_code()) {
            (Some(a), Some(b)) => canonical(&a) == canonical(&b),
            _ => match (self.projjson(), other.projjson()) {
                (Some(a), Some(b)) => without_schema(a).eq(without_schema(b)),
                _ => false,
            },
        }
    }
}

impl fmt::Debug for Crs {
    /// The name alone: PROJJSON of two hundred lines would bury every plan that holds it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crs({})", self.name())
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

fn canonical(code: &str) -> String {
    let upper = code.to_ascii_uppercase();
    if upper == "EPSG:4326" {
        "OGC:CRS84".into()
    } else {
        upper
    }
}

/// The members of a PROJJSON object in key order, less `$schema`, which changes with each
/// version of PROJ while the definition stays.
fn without_schema(json: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let mut members: Vec<_> = json
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "$schema")
        .collect();
    members.sort_by_key(|(key, _)| key.as_str());
    members.into_iter()
}

fn parse_authority_code(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (authority, code) = if lower.starts_with("urn:ogc:def:crs:") {
        // urn:ogc:def:crs:AUTHORITY:[VERSION]:CODE
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            [_, _, _, _, authority, _, code] => (*authority, *code),
            _ => return None,
        }
    } else if let Some(at) = lower.find("opengis.net/def/crs/") {
        // http://www.opengis.net/def/crs/AUTHORITY/VERSION/CODE
        let parts: Vec<&str> = text
            .get(at + "opengis.net/def/crs/".len()..)?
            .split('/')
            .collect();
        match parts.as_slice() {
            [authority, _, code] => (*authority, *code),
            _ => return None,
        }
    } else {
        text.split_once(':')?
    };
    let is_word = |s: &str, extra: &[char]| {
        !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
    };
    let valid = is_word(authority, &['_', '-']) && is_word(code, &['_', '-', '.']);
    valid.then(|| format!("{}:{}", authority.to_ascii_uppercase(), code))
}

/// Text from a file, cut for use in a message.
pub(super) fn shorten(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT {
        text.to_owned()
    } else {
        let mut short: String = text.chars().take(LIMIT).collect();
        short.push('…');
        short
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_in_every_notation() {
        for text in [
            "EPSG:3067",
            "epsg:3067",
            " EPSG:3067 ",
            "urn:ogc:def:crs:EPSG::3067",
            "http://www.opengis.net/def/crs/EPSG/0/3067",
        ] {
            assert_eq!(
                Crs::from_authority_code(text).unwrap().name(),
                "EPSG:3067",
                "{text}"
            );
        }
        assert_eq!(
            Crs::from_authority_code("urn:ogc:def:crs:OGC:1.3:CRS84")
                .unwrap()
                .name(),
            "OGC:CRS84"
        );
        for text in [
            "",
            "3067",
            "EPSG:",
            ":3067",
            "EPSG 3067",
            "EPSG:30 67",
            "urn:ogc:def:crs:",
        ] {
            let error = Crs::from_authority_code(text).unwrap_err();
            assert!(error.to_string().contains("EPSG:4326"), "{text}: {error}");
        }
    }

    #[test]
    fn projjson_must_be_an_object() {
        for value in [
            json!("EPSG:4326"),
            json!(4326),
            json!([]),
            json!({}),
            json!(null),
        ] {
            assert!(Crs::from_projjson(value).is_err());
        }
    }

    #[test]
    fn name_prefers_the_code() {
        let tm35 = json!({"type": "ProjectedCRS", "name": "ETRS89 / TM35FIN(E,N)",
            "id": {"authority": "EPSG", "code": 3067}});
        let crs = Crs::from_projjson(tm35).unwrap();
        assert_eq!(crs.name(), "EPSG:3067");
        assert_eq!(format!("{crs:?}"), "Crs(EPSG:3067)");
        let local =
            Crs::from_projjson(json!({"type": "ProjectedCRS", "name": "Site grid"})).unwrap();
        assert_eq!(local.authority_code(), None);
        assert_eq!(local.name(), "Site grid");
    }

    #[test]
    fn same_by_code_whatever_the_form() {
        let code = Crs::from_authority_code("EPSG:3067").unwrap();
        let json =
            Crs::from_projjson(json!({"name": "x", "id": {"authority": "epsg", "code": "3067"}}))
                .unwrap();
        assert!(code.same_as(&json) && json.same_as(&code));
        assert!(!code.same_as(&Crs::lon_lat()));
        assert!(Crs::lon_lat().same_as(&Crs::from_authority_code("EPSG:4326").unwrap()));
        assert!(Crs::from_projjson(wgs84::epsg_4326()).unwrap().is_lon_lat());
        assert!(Crs::from_projjson(wgs84::ogc_crs84()).unwrap().is_lon_lat());
    }

    #[test]
    fn without_codes_the_definition_decides() {
        let a = Crs::from_projjson(
            json!({"$schema": "v0.5", "type": "ProjectedCRS", "name": "Site", "unit": 1}),
        )
        .unwrap();
        let b = Crs::from_projjson(
            json!({"name": "Site", "type": "ProjectedCRS", "unit": 1, "$schema": "v0.7"}),
        )
        .unwrap();
        let c =
            Crs::from_projjson(json!({"type": "ProjectedCRS", "name": "Site", "unit": 2})).unwrap();
        assert!(a.same_as(&b));
        assert!(!a.same_as(&c), "one name, another unit");
        assert!(!a.same_as(&Crs::lon_lat()));
    }

    #[test]
    fn only_known_definitions_can_be_written() {
        for (text, name) in [("OGC:CRS84", "OGC:CRS84"), ("epsg:4326", "EPSG:4326")] {
            let json = Crs::from_authority_code(text)
                .unwrap()
                .to_projjson_for_writing()
                .unwrap();
            assert_eq!(Crs::from_projjson(json).unwrap().name(), name);
        }
        assert!(
            Crs::from_authority_code("EPSG:99999")
                .unwrap()
                .to_projjson_for_writing()
                .is_none()
        );
    }
}

//! One feature, handed on member by member.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::coordinates::{self, Coordinates};
use super::nested::{ReadScalar, Scalar};
use crate::geometry::geojson_to_wkb;
use crate::geometry::wkb::WkbKind;

/// Who wants the members of features.
pub(super) trait Sink {
    /// The number of a property; `None` when its value is not wanted.
    fn slot(&mut self, name: &str) -> Option<usize>;

    /// The value of a property.
    ///
    /// # Errors
    /// What is wrong with it.
    fn property(&mut self, slot: usize, value: Scalar<'_>) -> Result<(), String>;

    /// The `id` of the feature.
    ///
    /// # Errors
    /// What is wrong with it.
    fn id(&mut self, value: Scalar<'_>) -> Result<(), String>;

    /// Where the geometry is put, if it is wanted.
    fn geometry(&mut self) -> Option<&mut Geometry>;
}

/// The members of one geometry, in buffers for one after another.
#[derive(Debug, Default)]
pub(super) struct Geometry {
    kind: Option<WkbKind>,
    /// The type as it is written, where it is none of GeoJSON.
    odd: Option<String>,
    coordinates: Coordinates,
    has_coordinates: bool,
    parts: Option<Value>,
    is_null: bool,
}

impl Geometry {
    fn clear(&mut self) {
        self.kind = None;
        self.odd = None;
        self.coordinates.clear();
        self.has_coordinates = false;
        self.parts = None;
        self.is_null = true;
    }

    /// Puts the WKB in the place of what is in `out`; whether there is a geometry. `None` where it is wrong.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Option<bool> {
        out.clear();
        if self.is_null {
            return Some(false);
        }
        match (self.kind?, &self.parts) {
            (WkbKind::GeometryCollection, Some(parts)) => {
                let object = serde_json::json!({"type": "GeometryCollection", "geometries": parts});
                geojson_to_wkb(&object.to_string(), out).ok()?;
            }
            (kind, _) if self.has_coordinates => self.coordinates.write(kind, out)?,
            _ => return None,
        }
        Some(true)
    }

    fn set_kind(&mut self, name: &str) {
        self.kind = kind(name);
        self.odd = match self.kind {
            Some(_) => None,
            None => Some(name.to_owned()),
        };
    }
}

fn kind(name: &str) -> Option<WkbKind> {
    Some(match name {
        "Point" => WkbKind::Point,
        "LineString" => WkbKind::LineString,
        "Polygon" => WkbKind::Polygon,
        "MultiPoint" => WkbKind::MultiPoint,
        "MultiLineString" => WkbKind::MultiLineString,
        "MultiPolygon" => WkbKind::MultiPolygon,
        "GeometryCollection" => WkbKind::GeometryCollection,
        _ => return None,
    })
}

/// What is wrong with the geometry of a feature, with the path of the member.
pub(super) fn explain_geometry(text: &[u8]) -> String {
    let feature: Value = serde_json::from_slice(text).unwrap_or_default();
    let geometry = match feature.get("type").and_then(Value::as_str) {
        Some("Feature") => feature.get("geometry"),
        _ => Some(&feature),
    };
    let text = geometry.unwrap_or(&Value::Null).to_string();
    match geojson_to_wkb(&text, &mut vec![]) {
        Err(error) => format!("the geometry is wrong: {error}"),
        Ok(()) => "the geometry is wrong".to_owned(),
    }
}

/// Reads a feature, or a geometry that stands alone.
///
/// # Errors
/// As serde_json says it, with line and column in `text`.
pub(super) fn read(text: &[u8], sink: &mut impl Sink) -> serde_json::Result<()> {
    if let Some(geometry) = sink.geometry() {
        geometry.clear();
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Feature(sink).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// The name of a member, seldom copied.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A visitor of one kind of object, as a seed.
macro_rules! seed_of_object {
    ($name:ident $(, $parameter:ident)?) => {
        impl<'de $(, $parameter: Sink)?> DeserializeSeed<'de> for $name<'_ $(, $parameter)?> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

struct Feature<'a, S>(&'a mut S);
seed_of_object!(Feature, S);

impl<'de, S: Sink> Visitor<'de> for Feature<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Feature")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let sink = self.0;
        let mut is_feature = None;
        while let Some(key) = members.next_key_seed(Name)? {
            match key.as_ref() {
                "type" => {
                    let name = members.next_value_seed(Name)?;
                    is_feature = Some(name == "Feature");
                    if name != "Feature" {
                        if kind(&name).is_none() {
                            return Err(A::Error::custom(format!(
                                "expected the type Feature, found {name:?}"
                            )));
                        }
                        if let Some(geometry) = sink.geometry() {
                            geometry.set_kind(&name);
                            geometry.is_null = false;
                        }
                    }
                }
                "properties" => members.next_value_seed(Properties(sink))?,
                "id" => {
                    let value = members.next_value_seed(ReadScalar)?;
                    sink.id(value).map_err(A::Error::custom)?;
                }
                "geometry" => match sink.geometry() {
                    Some(geometry) => members.next_value_seed(Members(geometry))?,
                    None => {
                        members.next_value::<IgnoredAny>()?;
                    }
                },
                // Of a geometry that stands alone.
                "coordinates" | "geometries" if is_feature != Some(true) => match sink.geometry() {
                    Some(geometry) => member(geometry, &key, &mut members)?,
                    None => {
                        members.next_value::<IgnoredAny>()?;
                    }
                },
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        match is_feature {
            Some(_) => Ok(()),
            None => Err(A::Error::custom(
                "expected a member \"type\": this is no Feature of GeoJSON",
            )),
        }
    }
}

struct Properties<'a, S>(&'a mut S);
seed_of_object!(Properties, S);

impl<'de, S: Sink> Visitor<'de> for Properties<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"properties\" to be an object or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key_seed(Name)? {
            match self.0.slot(&name) {
                Some(slot) => {
                    let value = members.next_value_seed(ReadScalar)?;
                    let put = self.0.property(slot, value);
                    put.map_err(|what| A::Error::custom(format!("property \"{name}\": {what}")))?;
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The members of a geometry.
struct Members<'a>(&'a mut Geometry);
seed_of_object!(Members);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"geometry\" to be an object or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.is_null = false;
        while let Some(key) = members.next_key_seed(Name)? {
            match key.as_ref() {
                "type" => {
                    let name = members.next_value_seed(Name)?;
                    self.0.set_kind(&name);
                }
                "coordinates" | "geometries" => member(self.0, &key, &mut members)?,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

fn member<'de, A: MapAccess<'de>>(
    geometry: &mut Geometry,
    key: &str,
    members: &mut A,
) -> Result<(), A::Error> {
    if key == "geometries" {
        geometry.parts = Some(members.next_value()?);
        return Ok(());
    }
    geometry.coordinates.clear();
    geometry.has_coordinates = true;
    members.next_value_seed(coordinates::Read(&mut geometry.coordinates))
}

//! Values of properties: as they are, and objects and arrays as JSON text.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The value of a property.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'de> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Of an integer beyond 64 bits with sign, too.
    Float(f64),
    Text(Cow<'de, str>),
    /// An object or an array, as JSON text without white space.
    Nested(String),
}

impl Scalar<'_> {
    /// What a column of text holds of it; `None` for NULL.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(value) => value.to_string().into(),
            Self::Integer(value) => value.to_string().into(),
            Self::Float(value) => serde_json::Value::from(*value).to_string().into(),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Nested(text) => Cow::Borrowed(text),
        })
    }
}

/// Reads a value.
pub(super) struct ReadScalar;

impl<'de> DeserializeSeed<'de> for ReadScalar {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Scalar::Integer(value),
            Err(_) => Scalar::Float(value as f64),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        let mut text = String::new();
        Json(&mut text).visit_seq(items)?;
        Ok(Scalar::Nested(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let mut text = String::new();
        Json(&mut text).visit_map(members)?;
        Ok(Scalar::Nested(text))
    }
}

/// Appends a value as JSON, its members in their order.
struct Json<'a>(&'a mut String);

impl Json<'_> {
    fn push(self, value: impl Into<serde_json::Value>) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{}", value.into());
    }
}

impl<'de> DeserializeSeed<'de> for Json<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.push(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.push(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.push(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.push(value);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.push(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push('[');
        let mut before = self.0.len();
        while items.next_element_seed(Json(self.0))?.is_some() {
            before = self.0.len();
            self.0.push(',');
        }
        // The comma that no element follows.
        if self.0.ends_with(',') {
            self.0.truncate(before);
        }
        self.0.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.push('{');
        let mut any = false;
        while let Some(key) = members.next_key::<String>()? {
            if any {
                self.0.push(',');
            }
            any = true;
            Json(self.0).push(key);
            self.0.push(':');
            members.next_value_seed(Json(self.0))?;
        }
        self.0.push('}');
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Scalar<'_> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        ReadScalar.deserialize(&mut deserializer).unwrap()
    }

    #[test]
    fn scalars() {
        assert_eq!(read("null"), Scalar::Null);
        assert_eq!(read("-3"), Scalar::Integer(-3));
        assert_eq!(read("3.0"), Scalar::Float(3.0));
        assert_eq!(read("18446744073709551615"), Scalar::Float(u64::MAX as f64));
        assert_eq!(read(r#""a\"b""#).text().unwrap(), "a\"b");
        assert_eq!(read("1.5").text().unwrap(), "1.5");
    }

    #[test]
    fn nested_values_keep_their_order() {
        for text in [
            r#"{"z":1,"a":[true,null,"x\n",[],{}],"m":{"n":1.5}}"#,
            r#"[1,"a,",[","]]"#,
            "[]",
        ] {
            assert_eq!(read(text), Scalar::Nested(text.to_owned()));
        }
    }
}

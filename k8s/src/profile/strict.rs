//! Reading a value so strictly that nothing in it is passed over.
//!
//! Kubernetes' own types skip keys that they do not know, and a slip such as `toleratons` would
//! then change nothing at all. Every struct that serde reads says which fields it has; this
//! deserializer holds the keys to that list and names the nearest field.

use geoflow_engine::nearest;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// What is wrong, and with the value at which path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at(path))]
pub struct StrictError {
    /// Keys from the outside in, as `tolerations[0].key`; empty for the whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

fn at(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

impl serde::de::Error for StrictError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        StrictError {
            path: String::new(),
            message: message.to_string(),
        }
    }
}

/// Reads `value` as a `T`.
///
/// # Errors
/// A key that `T` does not have, at whatever depth, with the nearest one that it has; a value of
/// another type.
pub fn strict<T: DeserializeOwned>(value: &Value) -> Result<T, StrictError> {
    T::deserialize(Node {
        value,
        path: String::new(),
    })
}

struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    fn field(&self, key: &str, value: &'a Value) -> Node<'a> {
        let path = if self.path.is_empty() {
            key.to_string()
        } else {
            format!("{}.{key}", self.path)
        };
        Node { value, path }
    }

    /// Errors that serde makes know no path; the innermost node that sees one gives it its own.
    fn place(path: String, error: StrictError) -> StrictError {
        if error.path.is_empty() {
            StrictError { path, ..error }
        } else {
            error
        }
    }

    fn check_keys(&self, fields: &'static [&'static str]) -> Result<(), StrictError> {
        let Value::Object(map) = self.value else {
            return Ok(());
        };
        for key in map.keys() {
            if fields.contains(&key.as_str()) {
                continue;
            }
            let advice = match nearest(key, fields.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("it may be {}", fields.join(", ")),
            };
            return Err(StrictError {
                path: self.path.clone(),
                message: format!("unknown key \"{key}\"; {advice}"),
            });
        }
        Ok(())
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = StrictError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StrictError> {
        let path = self.path.clone();
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (_, Some(value)) => visitor.visit_i64(value),
                _ => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_str(text),
            Value::Array(items) => visitor.visit_seq(Items {
                path: path.clone(),
                items: items.iter().enumerate(),
            }),
            Value::Object(map) => visitor.visit_map(Entries {
                parent: &self,
                entries: map.iter(),
                value: None,
            }),
        }
        .map_err(|error| Node::place(path, error))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StrictError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StrictError> {
        self.check_keys(fields)?;
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, StrictError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StrictError> {
        let path = self.path.clone();
        match self.value {
            Value::String(name) => visitor.visit_enum(Name(name)),
            _ => Err(StrictError::custom("give one of its names")),
        }
        .map_err(|error| Node::place(path, error))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    path: String,
    items: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = StrictError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, StrictError> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        let path = format!("{}[{index}]", self.path);
        seed.deserialize(Node { value, path }).map(Some)
    }
}

struct Entries<'p, 'a> {
    parent: &'p Node<'a>,
    entries: serde_json::map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = StrictError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, StrictError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, value));
        let key: StrDeserializer<'_, StrictError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, StrictError> {
        let Some((key, value)) = self.value.take() else {
            return Err(StrictError::custom("a value without its key"));
        };
        let node = self.parent.field(key, value);
        let path = node.path.clone();
        seed.deserialize(node)
            .map_err(|error| Node::place(path, error))
    }
}

/// An enum without data, by its name.
struct Name<'a>(&'a str);

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = StrictError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), StrictError> {
        let name: StrDeserializer<'_, StrictError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Name<'_> {
    type Error = StrictError;

    fn unit_variant(self) -> Result<(), StrictError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        _seed: T,
    ) -> Result<T::Value, StrictError> {
        Err(StrictError::custom("give one of its names"))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, StrictError> {
        Err(StrictError::custom("give one of its names"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, StrictError> {
        Err(StrictError::custom("give one of its names"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Toleration;
    use serde_json::json;

    #[test]
    fn what_kubernetes_wrote_is_read_unchanged() {
        let value: Value = serde_json::from_str(include_str!(
            "../../testdata/clusters/v1.35/complete/job.json"
        ))
        .unwrap();
        let job: Job = strict(&value).unwrap();
        assert_eq!(serde_json::to_value(job).unwrap(), value);
    }

    #[test]
    fn a_slip_deep_inside_is_named_with_its_path() {
        let error = strict::<Job>(&json!({
            "spec": {"template": {"spec": {"containers": [
                {"name": "task"}, {"name": "b", "imagePulPolicy": "Never"}
            ]}}}
        }))
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "spec.template.spec.containers[1]: unknown key \"imagePulPolicy\"; \
             did you mean \"imagePullPolicy\"?"
        );
    }

    #[test]
    fn another_type_is_named_with_its_path() {
        let error = strict::<Vec<Toleration>>(&json!([{"tolerationSeconds": "soon"}])).unwrap_err();
        assert_eq!(error.path, "[0].tolerationSeconds");
        assert!(error.message.contains("invalid type: string"), "{error}");
    }
}

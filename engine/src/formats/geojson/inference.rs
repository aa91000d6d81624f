//! The columns of a file of GeoJSON, from what its features hold.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::feature::{Geometry, Sink};
use super::nested::Scalar;
use crate::formats::columns::unique_name;
use crate::formats::moment::Moment;

/// What values a property has had: one bit for each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds(u8);

impl Kinds {
    const BOOLEAN: u8 = 1;
    const INTEGER: u8 = 2;
    const FLOAT: u8 = 4;
    const DAY: u8 = 8;
    const INSTANT: u8 = 16;
    const LOCAL: u8 = 32;
    const OTHER: u8 = 64;

    fn add(&mut self, value: &Scalar<'_>) {
        self.0 |= match value {
            Scalar::Null => 0,
            Scalar::Boolean(_) => Self::BOOLEAN,
            Scalar::Integer(_) => Self::INTEGER,
            Scalar::Float(_) => Self::FLOAT,
            Scalar::Nested(_) => Self::OTHER,
            // One text that is no time is enough.
            Scalar::Text(_) if self.0 & Self::OTHER != 0 => 0,
            Scalar::Text(text) => match Moment::parse(text) {
                Some(Moment::Day(_)) => Self::DAY,
                Some(Moment::Instant(_)) => Self::INSTANT,
                Some(Moment::Local(_)) => Self::LOCAL,
                None => Self::OTHER,
            },
        };
    }

    /// The type that holds them all.
    fn data_type(self) -> DataType {
        const NUMBER: u8 = Kinds::INTEGER | Kinds::FLOAT;
        match self.0 {
            Self::BOOLEAN => DataType::Boolean,
            Self::INTEGER => DataType::Int64,
            Self::FLOAT | NUMBER => DataType::Float64,
            Self::DAY => DataType::Date32,
            Self::INSTANT => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::LOCAL => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        }
    }
}

/// Looks at the members of features, except for their geometries.
#[derive(Debug, Default)]
pub(super) struct Inference {
    names: Vec<String>,
    slots: HashMap<String, usize>,
    kinds: Vec<Kinds>,
    /// `None` while no feature has had an `id`.
    id: Option<Kinds>,
    /// Where the next name is likely to be.
    next: usize,
}

impl Inference {
    /// The columns: the `id` where there is one, the properties in the order in which they first appeared.
    /// Whether the first is the `id`.
    pub(super) fn fields(&self) -> (Vec<FieldRef>, bool) {
        let taken = |name: &str| self.slots.contains_key(name);
        let id = self.id.map(|kinds| {
            let name = unique_name("id", taken);
            FieldRef::new(Field::new(name, kinds.data_type(), true))
        });
        let has_id = id.is_some();
        let properties = self
            .names
            .iter()
            .zip(&self.kinds)
            .map(|(name, kinds)| FieldRef::new(Field::new(name, kinds.data_type(), true)));
        (id.into_iter().chain(properties).collect(), has_id)
    }
}

impl Sink for Inference {
    fn slot(&mut self, name: &str) -> Option<usize> {
        let slot = match self.names.get(self.next) {
            Some(expected) if expected == name => self.next,
            _ => match self.slots.get(name) {
                Some(slot) => *slot,
                None => {
                    self.names.push(name.to_owned());
                    self.kinds.push(Kinds::default());
                    self.slots.insert(name.to_owned(), self.names.len() - 1);
                    self.names.len() - 1
                }
            },
        };
        self.next = slot + 1;
        Some(slot)
    }

    fn property(&mut self, slot: usize, value: Scalar<'_>) -> Result<(), String> {
        if let Some(kinds) = self.kinds.get_mut(slot) {
            kinds.add(&value);
        }
        Ok(())
    }

    fn id(&mut self, value: Scalar<'_>) -> Result<(), String> {
        self.id.get_or_insert_default().add(&value);
        Ok(())
    }

    fn geometry(&mut self) -> Option<&mut Geometry> {
        None
    }
}

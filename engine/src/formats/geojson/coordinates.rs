//! The coordinates of one geometry, read in one pass into reusable buffers.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::geometry::wkb::WkbKind;
use crate::geometry::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// What an array of coordinates holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Node {
    Empty,
    /// The array is a position itself; the outermost alone is kept as a node.
    Position,
    Positions(usize),
    Arrays(usize),
}

/// Nested arrays of numbers, whatever their nesting: which type they fit is known when the member `type` is.
#[derive(Debug, Default)]
pub(super) struct Coordinates {
    /// In the order in which they begin.
    nodes: Vec<Node>,
    /// x, y and z of all positions; z is 0 where it is not given.
    numbers: Vec<f64>,
    has_z: bool,
}

impl Coordinates {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.numbers.clear();
        self.has_z = false;
    }

    /// Appends the WKB of a geometry of these coordinates. `None` where they do not fit its type; what has
    /// been appended by then is of no use.
    pub(super) fn write(&self, kind: WkbKind, out: &mut Vec<u8>) -> Option<()> {
        let mut writer = Writer {
            dimensions: match self.has_z {
                true => Dimensions::XYZ,
                false => Dimensions::XY,
            },
            nodes: self.nodes.iter(),
            positions: &self.numbers,
        };
        writer.geometry(kind, out)
    }
}

struct Writer<'a> {
    dimensions: Dimensions,
    nodes: std::slice::Iter<'a, Node>,
    positions: &'a [f64],
}

impl Writer<'_> {
    fn geometry(&mut self, kind: WkbKind, out: &mut Vec<u8>) -> Option<()> {
        write_header(kind, self.dimensions, out);
        let node = *self.nodes.next()?;
        match (kind, node) {
            (WkbKind::Point, Node::Position) => self.copy(1, out),
            (WkbKind::Point, Node::Empty) => {
                write_ordinates(&[f64::NAN; 4][..self.dimensions.ordinates()], out);
                Some(())
            }
            (WkbKind::GeometryCollection | WkbKind::Point, _) => None,
            (_, Node::Empty) => {
                write_count(0, out);
                Some(())
            }
            (WkbKind::LineString, Node::Positions(2..)) => self.run(node, out),
            (WkbKind::Polygon, Node::Arrays(n)) => {
                write_count(n, out);
                (0..n).try_for_each(|_| self.ring(out))
            }
            (WkbKind::MultiPoint, Node::Positions(n)) => {
                write_count(n, out);
                (0..n).try_for_each(|_| {
                    write_header(WkbKind::Point, self.dimensions, out);
                    self.copy(1, out)
                })
            }
            (WkbKind::MultiLineString, Node::Arrays(n)) => {
                write_count(n, out);
                (0..n).try_for_each(|_| self.geometry(WkbKind::LineString, out))
            }
            (WkbKind::MultiPolygon, Node::Arrays(n)) => {
                write_count(n, out);
                (0..n).try_for_each(|_| self.geometry(WkbKind::Polygon, out))
            }
            _ => None,
        }
    }

    /// Empty, or of four positions or more and closed.
    fn ring(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let node = *self.nodes.next()?;
        if let Node::Positions(n) = node {
            let all = self.positions;
            let (first, last) = (all.get(..2)?, all.get(n.checked_sub(1)? * 3..)?.get(..2)?);
            if n < 4 || first != last {
                return None;
            }
        }
        self.run(node, out)
    }

    fn run(&mut self, node: Node, out: &mut Vec<u8>) -> Option<()> {
        let n = match node {
            Node::Empty => 0,
            Node::Positions(n) => n,
            _ => return None,
        };
        write_count(n, out);
        self.copy(n, out)
    }

    fn copy(&mut self, n: usize, out: &mut Vec<u8>) -> Option<()> {
        let ordinates = self.dimensions.ordinates();
        for _ in 0..n {
            let (position, rest) = self.positions.split_at_checked(3)?;
            self.positions = rest;
            write_ordinates(position.get(..ordinates)?, out);
        }
        Some(())
    }
}

/// Reads the member `coordinates`.
pub(super) struct Read<'a>(pub(super) &'a mut Coordinates);

impl<'de> DeserializeSeed<'de> for Read<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match deserializer.deserialize_any(Element(self.0))? {
            Item::Array => Ok(()),
            Item::Position => {
                self.0.nodes.push(Node::Position);
                Ok(())
            }
            Item::Number(_) => Err(D::Error::custom("expected an array of coordinates")),
        }
    }
}

/// What an element of an array was.
enum Item {
    Number(f64),
    Position,
    Array,
}

struct Element<'a>(&'a mut Coordinates);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = Item;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Item, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or an array of coordinates")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Item, E> {
        Ok(Item::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Item, E> {
        Ok(Item::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Item, E> {
        Ok(Item::Number(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
        let all = self.0;
        let at = all.nodes.len();
        all.nodes.push(Node::Empty);
        let Some(first) = items.next_element_seed(Element(all))? else {
            return Ok(Item::Array);
        };
        let (mut arrays, mut positions) = (0, 0);
        match first {
            Item::Number(x) => {
                // A position is no node.
                all.nodes.truncate(at);
                let Some(y) = items.next_element::<f64>()? else {
                    return Err(A::Error::custom(
                        "expected a position of two numbers or more",
                    ));
                };
                let z = items.next_element::<f64>()?;
                all.has_z |= z.is_some();
                all.numbers.extend([x, y, z.unwrap_or(0.0)]);
                while items.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Item::Position);
            }
            Item::Array => arrays += 1,
            Item::Position => positions += 1,
        }
        while let Some(item) = items.next_element_seed(Element(all))? {
            match item {
                Item::Number(_) => return Err(A::Error::custom("expected a position")),
                Item::Array => arrays += 1,
                Item::Position => positions += 1,
            }
        }
        let node = match (arrays, positions) {
            (n, 0) => Node::Arrays(n),
            (0, n) => Node::Positions(n),
            _ => {
                return Err(A::Error::custom(
                    "expected positions alone or arrays alone, found both in one array",
                ));
            }
        };
        if let Some(slot) = all.nodes.get_mut(at) {
            *slot = node;
        }
        Ok(Item::Array)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::geometry::{geojson_to_wkb, wkb_to_wkt};

    fn wkt(kind: WkbKind, json: &str) -> Option<String> {
        let mut all = Coordinates::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        Read(&mut all).deserialize(&mut deserializer).ok()?;
        let (mut out, mut text) = (vec![], String::new());
        all.write(kind, &mut out)?;
        wkb_to_wkt(&out, &mut text).unwrap();
        Some(text)
    }

    #[test]
    fn every_type_as_the_slow_way_reads_it() {
        for (kind, json) in [
            (WkbKind::Point, "[1,2.5]"),
            (WkbKind::Point, "[1,2,3,4]"),
            (WkbKind::Point, "[]"),
            (WkbKind::LineString, "[[1,2],[3,4,5]]"),
            (WkbKind::LineString, "[]"),
            (
                WkbKind::Polygon,
                "[[[0,0],[1,0],[1,1],[0,0]],[[0,0],[1,0],[1,1],[0,0]]]",
            ),
            (WkbKind::Polygon, "[[]]"),
            (WkbKind::MultiPoint, "[[1,2],[3,4]]"),
            (WkbKind::MultiLineString, "[[[1,2],[3,4]],[]]"),
            (WkbKind::MultiPolygon, "[[[[0,0],[1,0],[1,1],[0,0]]],[]]"),
            // Of another nesting than the type says.
            (WkbKind::Point, "[[1,2]]"),
            (WkbKind::Point, "[1]"),
            (WkbKind::LineString, "[1,2]"),
            (WkbKind::LineString, "[[1,2]]"),
            (WkbKind::Polygon, "[[0,0],[1,0],[1,1],[0,0]]"),
            (WkbKind::Polygon, "[[[0,0],[1,0],[1,1]]]"),
            (WkbKind::Polygon, "[[[0,0],[1,0],[1,1],[0,1]]]"),
            (WkbKind::MultiPoint, "[[[1,2]]]"),
            (WkbKind::MultiPolygon, "[[[0,0],[1,0],[1,1],[0,0]]]"),
            (WkbKind::MultiLineString, "[[1,2],[[1,2],[3,4]]]"),
        ] {
            let object = format!(r#"{{"type":"{}","coordinates":{json}}}"#, kind.name());
            let (mut out, mut text) = (vec![], String::new());
            let slow = geojson_to_wkb(&object, &mut out)
                .ok()
                .map(|()| wkb_to_wkt(&out, &mut text).unwrap());
            assert_eq!(wkt(kind, json), slow.map(|_| text), "{object}");
        }
    }
}

//! One row as a feature of FlatGeobuf.

use flatbuffers::{FlatBufferBuilder, WIPOffset};
use flatgeobuf::{Feature, FeatureArgs, Geometry, GeometryArgs, GeometryType};

use super::attributes::{Kind, Values, date_text, time_text};
use crate::geometry::wkb::WkbKind;
use crate::geometry::{Body, Ordinates, Tree};

/// Builds features, one after another.
pub(super) struct FeatureBuilder<'a> {
    buffer: FlatBufferBuilder<'a>,
    properties: Vec<u8>,
    text: String,
}

impl FeatureBuilder<'_> {
    pub(super) fn new() -> Self {
        Self {
            buffer: FlatBufferBuilder::new(),
            properties: Vec::new(),
            text: String::new(),
        }
    }

    /// Adds a value of the next feature, in the order of columns; NULL is left out.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(super) fn property(
        &mut self,
        column: u16,
        kind: Kind,
        values: &Values,
        row: usize,
    ) -> Result<(), String> {
        if values.is_null(row) {
            return Ok(());
        }
        let out = &mut self.properties;
        out.extend(column.to_le_bytes());
        self.text.clear();
        match (values, kind) {
            (Values::Boolean(a), _) => out.push(u8::from(a.value(row))),
            // The values have come from a type of so many bits.
            (Values::Integer(a), Kind::Integer(8)) => {
                out.extend((a.value(row) as i8).to_le_bytes())
            }
            (Values::Integer(a), Kind::Integer(16)) => {
                out.extend((a.value(row) as i16).to_le_bytes());
            }
            (Values::Integer(a), Kind::Integer(32)) => {
                out.extend((a.value(row) as i32).to_le_bytes());
            }
            (Values::Integer(a), _) => out.extend(a.value(row).to_le_bytes()),
            (Values::Double(a), Kind::Single) => out.extend((a.value(row) as f32).to_le_bytes()),
            (Values::Double(a), _) => out.extend(a.value(row).to_le_bytes()),
            (Values::Text(a), _) => sized(a.value(row).as_bytes(), out)?,
            (Values::Bytes(a), _) => sized(a.value(row), out)?,
            (Values::Date(a), _) => {
                date_text(a.value(row), &mut self.text)?;
                sized(self.text.as_bytes(), out)?;
            }
            (Values::Timestamp(a), kind) => {
                time_text(a.value(row), &mut self.text)?;
                if kind == (Kind::Timestamp { utc: true }) {
                    self.text.push('Z');
                }
                sized(self.text.as_bytes(), out)?;
            }
        }
        Ok(())
    }

    /// The feature of the values so far and a geometry, with its length before it.
    pub(super) fn finish(&mut self, geometry: Option<&Tree>, out: &mut Vec<u8>) {
        let geometry = geometry.map(|tree| write(&mut self.buffer, tree));
        let properties = self.buffer.create_vector(&self.properties);
        let feature = Feature::create(
            &mut self.buffer,
            &FeatureArgs {
                geometry,
                properties: Some(properties),
                columns: None,
            },
        );
        self.buffer.finish_size_prefixed(feature, None);
        out.clear();
        out.extend_from_slice(self.buffer.finished_data());
        self.buffer.reset();
        self.properties.clear();
    }
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| "FlatGeobuf holds values of up to 4 GB".to_owned())?;
    out.extend(length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// What FlatGeobuf calls a type.
pub(super) fn geometry_type(kind: WkbKind) -> GeometryType {
    match kind {
        WkbKind::Point => GeometryType::Point,
        WkbKind::LineString => GeometryType::LineString,
        WkbKind::Polygon => GeometryType::Polygon,
        WkbKind::MultiPoint => GeometryType::MultiPoint,
        WkbKind::MultiLineString => GeometryType::MultiLineString,
        WkbKind::MultiPolygon => GeometryType::MultiPolygon,
        WkbKind::GeometryCollection => GeometryType::GeometryCollection,
    }
}

/// Coordinates flat, with the ends of rings or lines; polygons and what a collection holds as parts.
fn write<'a>(buffer: &mut FlatBufferBuilder<'a>, tree: &Tree) -> WIPOffset<Geometry<'a>> {
    let mut runs: Vec<&[Ordinates]> = vec![];
    let mut parts = None;
    // POINT EMPTY, as in WKB: readers want a coordinate of every point.
    let nowhere = [Ordinates {
        x: f64::NAN,
        y: f64::NAN,
        z: f64::NAN,
        m: f64::NAN,
    }];
    match &tree.body {
        Body::Coords(coords) if tree.kind == WkbKind::Point && coords.is_empty() => {
            runs.push(&nowhere);
        }
        Body::Coords(coords) => runs.push(coords),
        Body::Rings(rings) => runs.extend(rings.iter().map(Vec::as_slice)),
        Body::Parts(all) => match tree.kind {
            WkbKind::MultiPoint | WkbKind::MultiLineString => {
                runs.extend(all.iter().map(Tree::coords));
            }
            _ => {
                let all: Vec<_> = all.iter().map(|part| write(buffer, part)).collect();
                parts = Some(buffer.create_vector(&all));
            }
        },
    }
    let coords = || runs.iter().copied().flatten();
    let column = |buffer: &mut FlatBufferBuilder<'a>, value: fn(&Ordinates) -> f64| {
        let values: Vec<f64> = coords().map(value).collect();
        buffer.create_vector(&values)
    };
    let has_ends =
        matches!(tree.kind, WkbKind::Polygon | WkbKind::MultiLineString) && runs.len() > 1;
    let ends = has_ends.then(|| {
        let mut end = 0;
        let ends: Vec<u32> = runs
            .iter()
            .map(|run| {
                end += run.len() as u32;
                end
            })
            .collect();
        buffer.create_vector(&ends)
    });
    let flat = parts.is_none();
    let xy = flat.then(|| {
        let values: Vec<f64> = coords().flat_map(|c| [c.x, c.y]).collect();
        buffer.create_vector(&values)
    });
    let z = (flat && tree.dimensions.z).then(|| column(buffer, |c| c.z));
    let m = (flat && tree.dimensions.m).then(|| column(buffer, |c| c.m));
    Geometry::create(
        buffer,
        &GeometryArgs {
            ends,
            xy,
            z,
            m,
            t: None,
            tm: None,
            type_: geometry_type(tree.kind),
            parts,
        },
    )
}

//! GeoJSON (RFC 7946): a FeatureCollection, or a feature a line.
//!
//! The first geometry column is the geometry of the feature, all other columns are properties.
//! The lines have no record separators, which is what GDAL's GeoJSONSeq writes by default.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, StructArray};
use arrow::datatypes::{Field, Fields, SchemaRef};
use arrow::json::writer::{EncoderOptions, make_encoder};

use super::format::{arrow_failed, stream_failed};
use super::json_text::{JsonColumns, encoder_options};
use super::{GeometryColumn, RowWriter, find_geometries, not_lon_lat};
use crate::{Error, Result};

/// Bytes gathered before they are handed on.
const CHUNK: usize = 1 << 16;

/// Writes rows as GeoJSON features.
pub(super) struct GeoJsonWriter<W> {
    geometry: GeometryColumn,
    /// Columns of the properties.
    others: Vec<usize>,
    properties: JsonColumns,
    options: EncoderOptions,
    frame: Frame,
    started: bool,
    out: W,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Collection,
    Lines,
}

impl<W: Write> GeoJsonWriter<W> {
    /// One FeatureCollection.
    pub(super) fn collection(schema: &SchemaRef, out: W) -> Result<Self> {
        Self::new(schema, out, Frame::Collection)
    }

    /// One feature a line.
    pub(super) fn sequence(schema: &SchemaRef, out: W) -> Result<Self> {
        Self::new(schema, out, Frame::Lines)
    }

    fn new(schema: &SchemaRef, out: W, frame: Frame) -> Result<Self> {
        let columns = find_geometries(schema)?;
        for column in &columns {
            not_lon_lat(column, "GeoJSON")?;
        }
        let Some(geometry) = columns.into_iter().next() else {
            return Err(Error::Statement(
                "GeoJSON needs a geometry column, and the result has none: select one, \
                 make one with ST_Point(longitude, latitude), or write .ndjson"
                    .to_owned(),
            ));
        };
        let others: Vec<usize> = (0..schema.fields().len())
            .filter(|index| *index != geometry.index)
            .collect();
        let properties = schema.project(&others).map_err(|e| arrow_failed(&e))?;
        Ok(GeoJsonWriter {
            geometry,
            others,
            properties: JsonColumns::new(&properties)?,
            options: encoder_options(),
            frame,
            started: false,
            out,
        })
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started && self.frame == Frame::Collection {
            out.extend_from_slice(b"{\"type\":\"FeatureCollection\",\"features\":[");
        }
    }

    fn send(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.out.write_all(out).map_err(|e| stream_failed(&e))?;
        out.clear();
        Ok(())
    }
}

impl<W: Write + Send> RowWriter for GeoJsonWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let geometries = self.geometry.geojson(batch.column(self.geometry.index))?;
        let properties = batch.project(&self.others).map_err(|e| arrow_failed(&e))?;
        let properties = self.properties.convert(&properties)?;
        let fields: Fields = properties.schema().fields().clone();
        let field = Arc::new(Field::new_struct("", fields.clone(), false));
        let rows = batch.num_rows();
        let object = match fields.is_empty() {
            true => StructArray::new_empty_fields(rows, None),
            false => StructArray::from(properties),
        };
        let options = self.options.clone();
        let mut encoder = make_encoder(&field, &object, &options).map_err(|e| arrow_failed(&e))?;
        let mut out = Vec::with_capacity(2 * CHUNK);
        for row in 0..rows {
            self.start(&mut out);
            if self.frame == Frame::Collection {
                out.extend_from_slice(if self.started { b",\n" } else { b"\n" });
            }
            self.started = true;
            out.extend_from_slice(b"{\"type\":\"Feature\",\"geometry\":");
            match geometries.is_null(row) {
                true => out.extend_from_slice(b"null"),
                false => out.extend_from_slice(geometries.value(row).as_bytes()),
            }
            out.extend_from_slice(b",\"properties\":");
            encoder.encode(row, &mut out);
            out.push(b'}');
            if self.frame == Frame::Lines {
                out.push(b'\n');
            }
            if out.len() > CHUNK {
                self.send(&mut out)?;
            }
        }
        self.send(&mut out)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let mut out = Vec::new();
        self.start(&mut out);
        if self.frame == Frame::Collection {
            out.extend_from_slice(b"\n]}\n");
        }
        self.send(&mut out)?;
        self.out.flush().map_err(|e| stream_failed(&e))
    }
}

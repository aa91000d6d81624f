//! A FlatGeobuf file as a source of features.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::flatgeobuf::size_prefixed_root_as_feature;
use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use super::header::{FileHeader, open};
use super::{geometry, index, properties};
use crate::formats::columns::{Column, Rows, unique_name};
use crate::formats::files::cannot_read;
use crate::formats::source::{FeatureSource, Request, file_size};
use crate::geometry::wkb_writer::Dimensions;
use crate::geometry::{Bounds, GeometryType};
use crate::{Error, Result};

/// A FlatGeobuf file, whose header has been read.
#[derive(Debug)]
pub struct FlatGeobuf {
    path: PathBuf,
    header: FileHeader,
    schema: SchemaRef,
}

impl FlatGeobuf {
    /// Opens a file. The geometry is the last column.
    ///
    /// # Errors
    /// [`Error::Data`] where it is no FlatGeobuf, damaged or cut short; [`Error::Environment`] where it
    /// cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (_, header) = open(path)?;
        let mut fields: Vec<FieldRef> = vec![];
        for (_, field) in &header.columns {
            let name = unique_name(field.name(), |name| fields.iter().any(|f| f.name() == name));
            fields.push(Arc::new(field.clone().with_name(name)));
        }
        let name = unique_name("geometry", |name| fields.iter().any(|f| f.name() == name));
        let ty = GeometryType::wkb(header.crs.clone());
        fields.push(Arc::new(ty.to_field(&name, true)));
        Ok(Self {
            path: path.to_owned(),
            header,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// Whether rectangles are looked for in an index.
    pub fn has_index(&self) -> bool {
        self.header.node_size > 0 && self.header.features > 0
    }

    fn wrong(&self, number: u64, what: &str) -> Error {
        Error::Data(format!("{}, feature {number}: {what}", self.path.display()))
    }

    /// Reads the next feature into `buffer`, its length before it; `false` at the end of the file.
    fn feature(
        &self,
        reader: &mut BufReader<File>,
        at: u64,
        number: u64,
        buffer: &mut Vec<u8>,
    ) -> Result<bool> {
        if at == self.header.length {
            return Ok(false);
        }
        let cut_short = || {
            self.wrong(
                number,
                "the file ends before it does: it was perhaps not copied to its end",
            )
        };
        let mut prefix = [0; 4];
        reader.read_exact(&mut prefix).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => cut_short(),
            _ => cannot_read(&self.path, &e),
        })?;
        let size = u32::from_le_bytes(prefix);
        if u64::from(size) + 4 > self.header.length.saturating_sub(at) {
            return Err(cut_short());
        }
        buffer.clear();
        buffer.extend(prefix);
        buffer.resize(4 + size as usize, 0);
        let read = reader.read_exact(&mut buffer[4..]);
        read.map_err(|e| cannot_read(&self.path, &e))?;
        Ok(true)
    }
}

impl FeatureSource for FlatGeobuf {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn name(&self) -> String {
        format!("FlatGeobuf {}", self.path.display())
    }

    fn rows(&self) -> Option<u64> {
        let known = self.header.features > 0 || self.header.features_at == self.header.length;
        known.then_some(self.header.features)
    }

    fn bytes_about(&self) -> Option<u64> {
        file_size(&self.path)
    }

    fn extent(&self) -> Option<Bounds> {
        self.header.extent
    }

    fn geometry_types(&self) -> Vec<String> {
        let header = &self.header;
        let name = geometry::type_name(header.geometry_type, header.has_z, header.has_m);
        name.into_iter().collect()
    }

    fn has_index(&self) -> bool {
        self.has_index()
    }

    fn read(&self, request: &Request, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let failed =
            |e: arrow::error::ArrowError| Error::Data(format!("{}: {e}", self.path.display()));
        let (mut reader, header) = open(&self.path)?;
        let kinds: Vec<u8> = header.columns.iter().map(|(kind, _)| *kind).collect();
        let output = |column: usize| request.columns.iter().position(|c| *c == column);
        let targets: Vec<Option<usize>> = (0..kinds.len()).map(output).collect();
        let wants_properties = targets.iter().any(Option::is_some);
        let geometry_column = output(kinds.len());
        let within = &request.within;
        let all = within.is_everything()
            || !self.has_index()
            || header.extent.is_some_and(|extent| within.covers(&extent));
        let mut found = match all {
            true => None,
            false => Some(index::search(&mut reader, &self.path, &header, within)?.into_iter()),
        };
        let seek = |reader: &mut BufReader<File>, at: u64| {
            reader
                .seek(SeekFrom::Start(at))
                .map_err(|e| cannot_read(&self.path, &e))
        };
        let mut at = header.features_at;
        seek(&mut reader, at)?;
        let mut rows = Rows::new(&self.schema, &request.columns, request.rows);
        let (mut buffer, mut wkb) = (vec![], vec![]);
        let mut number = 0;
        loop {
            number += 1;
            if let Some(found) = &mut found {
                let Some(offset) = found.next() else { break };
                let wanted = header.features_at.checked_add(offset);
                let wanted = wanted.filter(|at| *at < header.length).ok_or_else(|| {
                    Error::Data(format!(
                        "{}: the spatial index is damaged",
                        self.path.display()
                    ))
                })?;
                if wanted != at {
                    let by = i64::try_from(wanted).ok().zip(i64::try_from(at).ok());
                    let moved = by.map(|(to, from)| reader.seek_relative(to - from));
                    moved
                        .unwrap_or(Ok(()))
                        .map_err(|e| cannot_read(&self.path, &e))?;
                    at = wanted;
                }
            }
            if !self.feature(&mut reader, at, number, &mut buffer)? {
                if header.features > 0 && number <= header.features {
                    return Err(self.wrong(
                        number,
                        &format!(
                            "{} are announced: the file was perhaps not copied to its end",
                            header.features
                        ),
                    ));
                }
                break;
            }
            at += buffer.len() as u64;
            let feature = size_prefixed_root_as_feature(&buffer)
                .map_err(|e| self.wrong(number, &format!("it is damaged: {e}")))?;
            if let Some(column) = geometry_column
                && let Some(geometry) = feature.geometry()
                && let Some(Column::Bytes(builder)) = rows.columns.get_mut(column)
            {
                wkb.clear();
                let empty = Dimensions {
                    z: header.has_z,
                    m: header.has_m,
                };
                geometry::write_wkb(&geometry, (header.geometry_type, empty), &mut wkb)
                    .map_err(|what| self.wrong(number, &what))?;
                builder.append_value(&wkb);
            }
            if wants_properties && let Some(values) = feature.properties() {
                let done = rows.len();
                properties::append(values.bytes(), &kinds, &targets, &mut rows.columns, done)
                    .map_err(|(column, what)| match column {
                        Some(column) => {
                            let name = self.schema.field(column).name();
                            self.wrong(number, &format!("column \"{name}\": {what}"))
                        }
                        None => self.wrong(number, &what),
                    })?;
            }
            if rows.end_row() && !give(rows.finish().map_err(failed)?) {
                return Ok(());
            }
        }
        if rows.len() > 0 {
            give(rows.finish().map_err(failed)?);
        }
        Ok(())
    }
}

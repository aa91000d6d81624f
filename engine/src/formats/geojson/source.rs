//! A file of GeoJSON as a source of features.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;

use super::feature::{self, Geometry, Sink, explain_geometry};
use super::inference::Inference;
use super::nested::Scalar;
use super::split::{Piece, SplitError, Splitter};
use crate::crs::Crs;
use crate::formats::columns::{Column, Rows, unique_name};
use crate::formats::files::{cannot_open, cannot_read};
use crate::formats::source::{FeatureSource, Request, file_size};
use crate::geometry::GeometryType;
use crate::{Error, Result};

/// How a file of GeoJSON is read.
#[derive(Debug, Clone, Default)]
pub struct GeoJsonOptions {
    /// How many features tell the columns and their types; `None`: all.
    pub sample_size: Option<u64>,
    /// The CRS, whatever the file says of it.
    pub crs: Option<Crs>,
}

/// A file of GeoJSON, of whose columns the types are known.
#[derive(Debug)]
pub struct GeoJson {
    path: PathBuf,
    schema: SchemaRef,
    has_id: bool,
    /// Where the whole file has been looked at.
    rows: Option<u64>,
    /// About what a feature takes in the file.
    feature_bytes: f64,
}

impl GeoJson {
    /// Opens a file, and looks at its features for the types of their properties.
    ///
    /// Numbers with and without a fraction are `Float64`; texts that are all dates or all times become such;
    /// values of several kinds become text, objects and arrays their JSON. The geometry is the last column.
    /// Without a member `crs`, which old files have, it is in longitude and latitude.
    ///
    /// # Errors
    /// [`Error::Data`] where it is no GeoJSON, with line and column; [`Error::Environment`] where it
    /// cannot be read.
    pub fn open(path: &Path, options: &GeoJsonOptions) -> Result<Self> {
        let mut splitter = Splitter::new(open(path)?);
        let mut inference = Inference::default();
        let (mut seen, mut end) = (0, 0);
        let sampled = loop {
            if options.sample_size.is_some_and(|most| seen >= most.max(1)) {
                break true;
            }
            let piece = splitter.next().map_err(|e| split_error(path, e))?;
            let Some(piece) = piece else { break false };
            feature::read(piece.text, &mut inference).map_err(|e| wrong(path, &piece, &e))?;
            seen += 1;
            end = piece.at + piece.text.len() as u64;
        };
        let crs = match (&options.crs, splitter.crs()) {
            (Some(crs), _) => Some(crs.clone()),
            (None, Some(text)) => member_crs(text)
                .map_err(|what| Error::Data(format!("{}: {what}", path.display())))?,
            (None, None) => Some(Crs::lon_lat()),
        };
        let (mut fields, has_id) = inference.fields();
        let name = unique_name("geometry", |name| fields.iter().any(|f| f.name() == name));
        fields.push(Arc::new(GeometryType::wkb(crs).to_field(&name, true)));
        Ok(Self {
            path: path.to_owned(),
            schema: Arc::new(Schema::new(fields)),
            has_id,
            rows: (!sampled).then_some(seen),
            feature_bytes: end as f64 / (seen.max(1) as f64),
        })
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| cannot_open(path, &e))
}

/// The CRS of a member `crs`, which the first GeoJSON of 2008 had; NULL is none.
fn member_crs(text: &str) -> std::result::Result<Option<Crs>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("the member crs: {e}"))?;
    if value.is_null() {
        return Ok(None);
    }
    let name = value.pointer("/properties/name").and_then(Value::as_str);
    // Of another kind than by name, it is a link to the web.
    let name = name.ok_or(
        "the member crs names no CRS: give one, as read_geojson('...', crs := 'EPSG:3067')",
    )?;
    Crs::from_authority_code(name)
        .map(Some)
        .map_err(|e| format!("the member crs: {e}"))
}

impl FeatureSource for GeoJson {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn name(&self) -> String {
        format!("GeoJSON {}", self.path.display())
    }

    fn rows(&self) -> Option<u64> {
        self.rows
    }

    fn rows_about(&self) -> Option<u64> {
        let counted = |size: u64| (size as f64 / self.feature_bytes) as u64;
        self.rows.or_else(|| file_size(&self.path).map(counted))
    }

    fn bytes_about(&self) -> Option<u64> {
        file_size(&self.path)
    }

    fn read(&self, request: &Request, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let path = &self.path;
        let failed = |e: arrow::error::ArrowError| Error::Data(format!("{}: {e}", path.display()));
        let mut splitter = Splitter::new(open(path)?);
        let mut reader = Reader::new(self, request);
        while let Some(piece) = splitter.next().map_err(|e| split_error(path, e))? {
            feature::read(piece.text, &mut reader).map_err(|e| wrong(path, &piece, &e))?;
            if !reader.put_geometry() {
                return Err(at(path, &piece, piece.at, &explain_geometry(piece.text)));
            }
            if reader.rows.end_row() && !give(reader.rows.finish().map_err(failed)?) {
                return Ok(());
            }
        }
        if reader.rows.len() > 0 {
            give(reader.rows.finish().map_err(failed)?);
        }
        Ok(())
    }
}

/// Puts features into rows.
struct Reader {
    rows: Rows,
    /// Names of the properties, in the order of the schema, and their columns in the batch.
    names: Vec<(String, Option<usize>)>,
    slots: HashMap<String, usize>,
    next: usize,
    id: Option<usize>,
    geometry_column: Option<usize>,
    geometry: Geometry,
    wkb: Vec<u8>,
}

impl Reader {
    fn new(file: &GeoJson, request: &Request) -> Self {
        let fields = file.schema.fields();
        let output = |column: usize| request.columns.iter().position(|c| *c == column);
        let last = fields.len().saturating_sub(1);
        let names: Vec<_> = (usize::from(file.has_id)..last)
            .filter_map(|i| Some((fields.get(i)?.name().clone(), output(i))))
            .collect();
        let slots = names
            .iter()
            .enumerate()
            .map(|(i, (name, _))| (name.clone(), i));
        Self {
            rows: Rows::new(&file.schema, &request.columns, request.rows),
            slots: slots.collect(),
            names,
            next: 0,
            id: if file.has_id { output(0) } else { None },
            geometry_column: output(last),
            geometry: Geometry::default(),
            wkb: vec![],
        }
    }

    /// Whether the geometry is right.
    fn put_geometry(&mut self) -> bool {
        let column = self
            .geometry_column
            .and_then(|i| self.rows.columns.get_mut(i));
        if let Some(Column::Bytes(builder)) = column {
            match self.geometry.write(&mut self.wkb) {
                Some(true) => builder.append_value(&self.wkb),
                Some(false) => builder.append_null(),
                None => return false,
            }
        }
        true
    }

    fn put(&mut self, column: usize, value: &Scalar<'_>) -> std::result::Result<(), String> {
        let rows = self.rows.len();
        match self.rows.columns.get_mut(column) {
            // Of a name that comes twice the first counts.
            Some(column) if column.len() == rows => column.append_scalar(value),
            _ => Ok(()),
        }
    }
}

impl Sink for Reader {
    fn slot(&mut self, name: &str) -> Option<usize> {
        let slot = match self.names.get(self.next) {
            Some((expected, _)) if expected == name => self.next,
            _ => match self.slots.get(name) {
                Some(slot) => *slot,
                // Told apart from those that are not wanted, which are in the schema.
                None => return Some(usize::MAX),
            },
        };
        self.next = slot + 1;
        self.names.get(slot)?.1
    }

    fn property(&mut self, slot: usize, value: Scalar<'_>) -> std::result::Result<(), String> {
        match slot {
            usize::MAX => Err(
                "none of the features that the columns were taken from has it. A larger sample_size, or none, lets more features be looked at"
                    .into(),
            ),
            slot => self.put(slot, &value),
        }
    }

    fn id(&mut self, value: Scalar<'_>) -> std::result::Result<(), String> {
        match self.id {
            Some(column) => self
                .put(column, &value)
                .map_err(|what| format!("the id: {what}")),
            None => Ok(()),
        }
    }

    fn geometry(&mut self) -> Option<&mut Geometry> {
        self.geometry_column.is_some().then_some(&mut self.geometry)
    }
}

fn split_error(path: &Path, error: SplitError) -> Error {
    match error {
        SplitError::Io(error) => cannot_read(path, &error),
        SplitError::Text { at, what } => {
            Error::Data(format!("{}{}: {what}", path.display(), position(path, at)))
        }
    }
}

/// What serde_json says of the text of a feature, placed in the file.
fn wrong(path: &Path, piece: &Piece<'_>, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let what = match message.rsplit_once(" at line ") {
        Some((what, _)) => what,
        None => &message,
    };
    let lines = piece.text.split_inclusive(|b| *b == b'\n');
    let before: usize = lines
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let offset = before + error.column().saturating_sub(1);
    at(path, piece, piece.at + offset as u64, what)
}

fn at(path: &Path, piece: &Piece<'_>, offset: u64, what: &str) -> Error {
    Error::Data(format!(
        "{}, feature {}{}: {what}",
        path.display(),
        piece.number,
        position(path, offset)
    ))
}

/// The line and the column, both from one, of a byte of a file, which is read again for it.
fn position(path: &Path, offset: u64) -> String {
    let Ok(file) = File::open(path) else {
        return String::new();
    };
    let (mut line, mut column) = (1_u64, 1_u64);
    for byte in BufReader::new(file)
        .bytes()
        .take(usize::try_from(offset).unwrap_or(0))
    {
        match byte {
            Ok(b'\n') => (line, column) = (line + 1, 1),
            Ok(_) => column += 1,
            Err(_) => return String::new(),
        }
    }
    format!(", line {line}, column {column}")
}

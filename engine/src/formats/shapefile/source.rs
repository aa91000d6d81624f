//! A Shapefile as a source of features.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};

use super::dbf::Dbf;
use super::encoding::TextEncoding;
use super::{shape, shp};
use crate::crs::Crs;
use crate::formats::columns::{Column, Rows, unique_name};
use crate::formats::files::cannot_read;
use crate::formats::source::{FeatureSource, Request, file_size};
use crate::geometry::{Bounds, GeometryType};
use crate::{Error, Result};

/// How a Shapefile is read.
#[derive(Debug, Clone, Default)]
pub struct ShapefileOptions {
    /// The CRS, whatever the `.prj` says.
    pub crs: Option<Crs>,
    /// The encoding of texts, whatever the `.cpg` says.
    pub encoding: Option<String>,
}

/// A Shapefile, whose attributes and CRS are known.
#[derive(Debug)]
pub struct Shapefile {
    path: PathBuf,
    index: PathBuf,
    dbf: Dbf,
    schema: SchemaRef,
    extent: Option<Bounds>,
    code: i32,
}

impl Shapefile {
    /// Opens `a.shp`, and `a.dbf`, `a.shx`, `a.prj` and `a.cpg` beside it, of which the last three may be
    /// missing. The geometry is the last column; its CRS is `None` where the `.prj` is missing, or stands for
    /// no EPSG code that is known.
    ///
    /// # Errors
    /// [`Error::Data`] where one of them is broken, or the `.dbf` is missing; [`Error::Statement`] where
    /// the `.shp` is, or an encoding is not known; [`Error::Environment`] where one cannot be read.
    pub fn open(path: &Path, options: &ShapefileOptions) -> Result<Self> {
        let (_, header, _) = shp::open(path)?;
        let table = beside(path, "dbf");
        if !table.is_file() {
            return Err(Error::Data(format!(
                "{} has no attributes: {} is missing. A Shapefile is several files: copy all of them, from .shp to .prj",
                path.display(),
                table.display()
            )));
        }
        let encoding = match &options.encoding {
            Some(label) => Some(TextEncoding::of_label(label).ok_or_else(|| {
                Error::Statement(format!(
                    "\"{label}\" is no encoding that is known: write 'UTF-8', 'ISO-8859-1' or '1252', for example"
                ))
            })?),
            None => read(&beside(path, "cpg"))?
                .and_then(|label| TextEncoding::of_label(&label)),
        };
        let dbf = Dbf::open(&table, encoding)?;
        let index = beside(path, "shx");
        if let Some(shapes) = shp::indexed(&index)?
            && shapes != dbf.records
        {
            return Err(Error::Data(format!(
                "{} has {shapes} features and {} has {} records: they do not belong together, or one was not copied to its end",
                path.display(),
                table.display(),
                dbf.records
            )));
        }
        let crs = match &options.crs {
            Some(crs) => Some(crs.clone()),
            None => match read(&beside(path, "prj"))? {
                Some(wkt) => Crs::from_wkt(&wkt)?,
                None => None,
            },
        };
        let mut fields: Vec<FieldRef> = dbf.columns().cloned().map(Field::into).collect();
        let name = unique_name("geometry", |name| fields.iter().any(|f| f.name() == name));
        fields.push(Arc::new(GeometryType::wkb(crs).to_field(&name, true)));
        Ok(Self {
            path: path.to_owned(),
            index,
            dbf,
            schema: Arc::new(Schema::new(fields)),
            extent: header.bounds,
            code: header.code,
        })
    }

    fn wrong(&self, number: u64, what: &str) -> Error {
        Error::Data(format!("{}, feature {number}: {what}", self.path.display()))
    }
}

/// The file of the same name with another extension, in whichever case it is written.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let lower = path.with_extension(extension);
    let upper = path.with_extension(extension.to_ascii_uppercase());
    match !lower.is_file() && upper.is_file() {
        true => upper,
        false => lower,
    }
}

/// The text of a small file that may be missing. What is no UTF-8 is replaced.
fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

impl FeatureSource for Shapefile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn name(&self) -> String {
        format!("Shapefile {}", self.path.display())
    }

    fn rows(&self) -> Option<u64> {
        Some(self.dbf.records)
    }

    fn bytes_about(&self) -> Option<u64> {
        file_size(&self.path)
    }

    fn extent(&self) -> Option<Bounds> {
        self.extent
    }

    fn geometry_types(&self) -> Vec<String> {
        shape::type_names(self.code)
    }

    fn read(&self, request: &Request, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let failed =
            |e: arrow::error::ArrowError| Error::Data(format!("{}: {e}", self.path.display()));
        let geometry = self.schema.fields().len() - 1;
        let wants_shapes = request.columns.contains(&geometry) || !request.within.is_everything();
        let mut shapes = match wants_shapes {
            true => Some(shp::Shapes::open(&self.path, &self.index)?),
            false => None,
        };
        let mut records = self.dbf.records()?;
        let mut rows = Rows::new(&self.schema, &request.columns, request.rows);
        let mut wkb = vec![];
        for number in 1..=self.dbf.records {
            if let Some(shapes) = &mut shapes {
                if !shapes.advance()? {
                    let what = "there is none, as the .dbf has more records";
                    return Err(self.wrong(number, what));
                }
                let within = &request.within;
                let wanted = within.is_everything()
                    || shape::bounds(&shapes.record).is_some_and(|b| within.may_hold(&b));
                if !wanted {
                    records.skip()?;
                    continue;
                }
            }
            if !records.advance()? {
                continue;
            }
            for (column, from) in rows.columns.iter_mut().zip(&request.columns) {
                match (&shapes, column) {
                    (Some(shapes), Column::Bytes(builder)) if *from == geometry => {
                        let there = shape::write_wkb(&shapes.record, &mut wkb);
                        match there.map_err(|what| self.wrong(number, &what))? {
                            true => builder.append_value(&wkb),
                            false => builder.append_null(),
                        }
                    }
                    (_, column) => records.append(*from, column)?,
                }
            }
            if rows.end_row() && !give(rows.finish().map_err(failed)?) {
                return Ok(());
            }
        }
        // Without an index, only the shapes themselves tell how many there are.
        if let Some(shapes) = &mut shapes
            && shapes.advance()?
        {
            let what = "the .dbf has no record for it";
            return Err(self.wrong(shapes.number, what));
        }
        if rows.len() > 0 {
            give(rows.finish().map_err(failed)?);
        }
        Ok(())
    }
}

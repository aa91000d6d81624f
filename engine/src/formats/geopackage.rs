//! GeoPackage: layers of a SQLite database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::geopackage_columns::{ColumnBuilder, data_type};
use super::table::FeatureSource;
use crate::crs::Crs;
use crate::geometry::GeometryType;
use crate::{Error, Result};

/// How long another program may hold a lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// A GeoPackage that is open for reading.
#[derive(Debug)]
pub struct GeoPackage {
    path: PathBuf,
    connection: Connection,
}

impl GeoPackage {
    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::Data`] when it is no GeoPackage, [`Error::Environment`] when it is locked or cannot be
    /// opened.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| explain(path, &e))?;
        connection
            .busy_timeout(PATIENCE)
            .map_err(|e| explain(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            connection,
        })
    }

    /// The names of all layers, in their order.
    ///
    /// # Errors
    /// As [`GeoPackage::open`].
    pub fn layers(&self) -> Result<Vec<String>> {
        let sql = "SELECT table_name FROM gpkg_contents WHERE data_type IN ('features', 'attributes') ORDER BY rowid";
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(sql)?;
            let names = statement.query_map([], |row| row.get(0))?;
            names.collect()
        };
        read().map_err(|e| explain(&self.path, &e))
    }

    /// One layer; the only one when `name` is `None`.
    ///
    /// # Errors
    /// [`Error::Statement`] when there is no such layer, or more than one to choose from; otherwise as
    /// [`GeoPackage::open`].
    pub fn layer(&self, name: Option<&str>) -> Result<GeoPackageLayer> {
        let layers = self.layers()?;
        let shown = self.path.display();
        let table = match (name, layers.as_slice()) {
            (Some(name), _) => layers.iter().find(|layer| *layer == name).ok_or_else(|| {
                Error::Statement(format!(
                    "{shown} has no layer \"{name}\", it has {}",
                    layers.join(", ")
                ))
            })?,
            (None, [only]) => only,
            (None, []) => {
                return Err(Error::Data(format!("{shown} has no layer of features")));
            }
            (None, several) => {
                return Err(Error::Statement(format!(
                    "{shown} has {} layers: name one, as '{shown}/{}'. There are {}",
                    several.len(),
                    several.first().map_or("", String::as_str),
                    several.join(", ")
                )));
            }
        };
        let (schema, geometry) = self.schema(table)?;
        Ok(GeoPackageLayer {
            path: self.path.clone(),
            table: table.clone(),
            schema,
            geometry,
        })
    }

    /// The columns of a table, and which of them is the geometry.
    fn schema(&self, table: &str) -> Result<(SchemaRef, Option<usize>)> {
        let failed = |e: rusqlite::Error| explain(&self.path, &e);
        let geometry: Option<(String, i64)> = self
            .connection
            .query_row(
                "SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = ?1",
                [table],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(failed)?;
        let declared: Vec<(String, String, bool)> = (|| {
            let mut statement = self.connection.prepare(
                "SELECT name, type, \"notnull\" OR pk FROM pragma_table_info(?1) ORDER BY cid",
            )?;
            let rows =
                statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })()
        .map_err(failed)?;
        let mut fields: Vec<FieldRef> = vec![];
        let mut at = None;
        for (i, (name, ty, not_null)) in declared.iter().enumerate() {
            fields.push(Arc::new(match &geometry {
                Some((column, srs)) if column == name => {
                    at = Some(i);
                    GeometryType::wkb(self.crs(*srs)?).to_field(name, true)
                }
                _ => Field::new(name, data_type(ty), !not_null),
            }));
        }
        Ok((Arc::new(Schema::new(fields)), at))
    }

    /// The CRS of a number that means something in this file alone. 0 and -1 are none.
    fn crs(&self, srs: i64) -> Result<Option<Crs>> {
        if srs <= 0 {
            return Ok(None);
        }
        let found: Option<(String, i64)> = self
            .connection
            .query_row(
                "SELECT organization, organization_coordsys_id FROM gpkg_spatial_ref_sys WHERE srs_id = ?1",
                [srs],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|e| explain(&self.path, &e))?;
        let (authority, code) = found.ok_or_else(|| {
            Error::Data(format!(
                "{}: the layer is in the CRS number {srs}, which the file does not describe",
                self.path.display()
            ))
        })?;
        // What an organisation of no name has defined is known by its WKT alone.
        if authority.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        Crs::from_authority_code(&format!("{}:{code}", authority.to_ascii_uppercase())).map(Some)
    }
}

/// One layer of a GeoPackage.
#[derive(Debug)]
pub struct GeoPackageLayer {
    path: PathBuf,
    table: String,
    schema: SchemaRef,
    geometry: Option<usize>,
}

impl FeatureSource for GeoPackageLayer {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(
        &self,
        projection: &[usize],
        rows: usize,
        give: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<()> {
        let failed = |e: rusqlite::Error| explain(&self.path, &e);
        let package = GeoPackage::open(&self.path)?;
        let fields: Vec<&FieldRef> = projection
            .iter()
            .filter_map(|i| self.schema.fields().get(*i))
            .collect();
        let columns: Vec<String> = fields.iter().map(|field| quoted(field.name())).collect();
        let list = if columns.is_empty() {
            "1".to_owned()
        } else {
            columns.join(", ")
        };
        let sql = format!("SELECT {list} FROM {}", quoted(&self.table));
        let mut statement = package.connection.prepare(&sql).map_err(failed)?;
        let mut cursor = statement.query([]).map_err(failed)?;
        let schema = Arc::new(Schema::new(
            fields
                .iter()
                .map(|f| FieldRef::clone(f))
                .collect::<Vec<_>>(),
        ));
        let mut builders: Vec<ColumnBuilder> = projection
            .iter()
            .zip(&fields)
            .map(|(i, field)| ColumnBuilder::new(field, self.geometry == Some(*i)))
            .collect();
        let (mut pending, mut done) = (0, 0_u64);
        loop {
            let row = cursor.next().map_err(failed)?;
            if let Some(row) = row {
                for (at, builder) in builders.iter_mut().enumerate() {
                    let value = row.get_ref(at).map_err(failed)?;
                    builder
                        .push(value)
                        .map_err(|what| self.wrong(fields[at], done + 1, &what))?;
                }
                pending += 1;
                done += 1;
            }
            let ended = row.is_none();
            if pending == rows || (ended && pending > 0) {
                let arrays = builders
                    .iter_mut()
                    .zip(&fields)
                    .map(|(builder, field)| {
                        builder
                            .finish(field)
                            .map_err(|what| self.wrong(field, done, &what))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(pending));
                let batch =
                    RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)
                        .map_err(|e| {
                            Error::Data(format!(
                                "{}, layer \"{}\": {e}",
                                self.path.display(),
                                self.table
                            ))
                        })?;
                pending = 0;
                if !give(batch) {
                    return Ok(());
                }
            }
            if ended {
                return Ok(());
            }
        }
    }
}

impl GeoPackageLayer {
    fn wrong(&self, field: &Field, row: u64, what: &str) -> Error {
        Error::Data(format!(
            "{}, layer \"{}\", column \"{}\", about row {row}: {what}",
            self.path.display(),
            self.table,
            field.name()
        ))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What SQLite's errors mean for somebody who has a file.
fn explain(path: &Path, error: &rusqlite::Error) -> Error {
    let shown = path.display();
    let code = error.sqlite_error_code();
    match code {
        Some(ErrorCode::NotADatabase) => Error::Data(format!(
            "{shown} is no GeoPackage: it is no SQLite database"
        )),
        Some(ErrorCode::DatabaseCorrupt) => Error::Data(format!(
            "{shown} is damaged ({error}): copy it again, or repair it with `sqlite3 {shown} .recover`"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Environment {
            message: format!(
                "{shown} is locked by another program, such as QGIS while it edits: save and close it there"
            ),
            retryable: true,
        },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::Environment {
                message: format!(
                    "{shown} cannot be opened ({error}). A GeoPackage in WAL mode needs its -wal and -shm files beside it, in a folder that can be written to"
                ),
                retryable: false,
            }
        }
        _ if error.to_string().contains("no such table: gpkg_") => Error::Data(format!(
            "{shown} is a SQLite database, but no GeoPackage: it has no table gpkg_contents"
        )),
        _ => Error::Environment {
            message: format!("{shown} cannot be read: {error}"),
            retryable: false,
        },
    }
}

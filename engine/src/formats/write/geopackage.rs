//! Writing a layer of a GeoPackage.
//!
//! ```text
//!  rows ──> INSERT, in one transaction, without journal: the file is not there yet for others
//!       └─> boxes of all rows ──at the end──> spatial index, triggers, bounds, type of the layer
//! ```

use std::path::{Path, PathBuf};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use rusqlite::types::Null;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};

use super::attributes::{Attribute, Kind, Values, attributes, date_text, time_text};
use super::geometry::only_geometry;
use super::geopackage_blob::write_blob;
use super::geopackage_schema::{
    APPLICATION_ID, CORE, MISSING, VERSION, create_table, quoted, spatial_ref_sys, triggers, wgs84,
};
use super::rtree::{self, Cell};
use super::{GeometryColumn, RowWriter};
use crate::crs::Crs;
use crate::geometry::Bounds;
use crate::geometry::wkb::{WkbHeader, WkbKind};
use crate::tiling::HilbertCurve;
use crate::{Error, Result};

/// The type of a layer of several.
const MIXED: &str = "GEOMETRY";

/// Names of the key, the usual one first.
const KEYS: [&str; 3] = ["fid", "ogc_fid", "geoflow_fid"];

/// Writes rows as a layer.
pub(super) struct GeoPackageWriter {
    connection: Connection,
    path: PathBuf,
    table: String,
    insert: String,
    attributes: Vec<Attribute>,
    geometry: Option<Layer>,
    key: Key,
    rows: u64,
}

/// The geometry of the layer, and what is seen of it.
struct Layer {
    column: GeometryColumn,
    srs: i32,
    kinds: Vec<WkbKind>,
    with_z: (bool, bool),
    with_m: (bool, bool),
    bounds: Bounds,
    curve: HilbertCurve,
    cells: Vec<Cell>,
}

/// The whole numbers that rows are known by.
struct Key {
    name: String,
    /// The attribute that has them, else they are counted.
    attribute: Option<usize>,
}

impl GeoPackageWriter {
    /// Makes the file `path`, as a copy of `added_to` when there is one, and the layer in it.
    pub(super) fn create(
        path: &Path,
        schema: &Schema,
        layer: &str,
        added_to: Option<&Path>,
    ) -> Result<Self> {
        let column = only_geometry(schema, "a layer of a GeoPackage")?;
        let index = column.as_ref().map(|column| column.index);
        let attributes = attributes(schema, index, "GeoPackage")?;
        let key = Key::choose(&attributes, column.as_ref());
        if layer.is_empty() || layer.to_ascii_lowercase().starts_with("gpkg_") {
            return Err(Error::Statement(format!(
                "a layer cannot be called \"{layer}\": names that begin with gpkg_ belong to the format"
            )));
        }
        let failed = |e: rusqlite::Error| cannot_write(path, &e);
        let connection = open(path, added_to)?;
        if let Some(there) = added_to {
            refuse_layer(&connection, there, layer).map_err(failed)??;
        }
        let srs = match &column {
            Some(column) => {
                describe(&connection, column.ty.crs.as_ref(), &column.name).map_err(failed)??
            }
            None => 0,
        };
        let writer = Self {
            insert: insert(layer, &key, column.as_ref(), &attributes),
            connection,
            path: path.to_owned(),
            table: layer.to_owned(),
            attributes,
            geometry: column.map(|column| Layer {
                curve: HilbertCurve::over(column.ty.crs.as_ref()),
                column,
                srs,
                kinds: vec![],
                with_z: (false, false),
                with_m: (false, false),
                bounds: Bounds::EMPTY,
                cells: vec![],
            }),
            key,
            rows: 0,
        };
        let table = writer.create_table(MIXED);
        writer.connection.execute_batch(&table).map_err(failed)?;
        Ok(writer)
    }

    fn create_table(&self, ty: &str) -> String {
        let geometry = self.geometry.as_ref();
        let others: Vec<&Attribute> = self
            .attributes
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != self.key.attribute)
            .map(|(_, attribute)| attribute)
            .collect();
        let geometry = geometry.map(|layer| (layer.column.name.as_str(), ty));
        create_table(&self.table, &self.key.name, geometry, &others)
    }

    fn insert(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self
            .attributes
            .iter()
            .map(|attribute| attribute.values(batch))
            .collect::<Result<Vec<_>>>()?;
        let geometries = match &self.geometry {
            Some(layer) => Some(layer.column.wkb(batch)?),
            None => None,
        };
        let failed = |e: rusqlite::Error| cannot_write(&self.path, &e);
        let mut statement = self
            .connection
            .prepare_cached(&self.insert)
            .map_err(failed)?;
        let (mut blob, mut text) = (Vec::new(), String::new());
        for row in 0..batch.num_rows() {
            let number = self.rows + row as u64 + 1;
            let mut key = number as i64;
            let mut at = 1;
            for (i, (attribute, values)) in self.attributes.iter().zip(&columns).enumerate() {
                let slot = if self.key.attribute == Some(i) {
                    key = self.key.of(values, row, number)?;
                    1
                } else {
                    at += 1;
                    at
                };
                bind(&mut statement, slot, values, attribute.kind, row, &mut text)
                    .map_err(failed)?
                    .map_err(|e| self.wrong(attribute, number, &e))?;
            }
            if self.key.attribute.is_none() {
                statement.raw_bind_parameter(1, key).map_err(failed)?;
            }
            if let (Some(layer), Some(geometries)) = (&mut self.geometry, &geometries) {
                at += 1;
                match geometries.wkb(row) {
                    None => statement.raw_bind_parameter(at, Null).map_err(failed)?,
                    Some(wkb) => {
                        let (header, bounds) = write_blob(wkb, layer.srs, &mut blob)
                            .map_err(|e| layer.column.invalid(row, &e.to_string()))?;
                        layer.see(&header, &bounds, key);
                        statement
                            .raw_bind_parameter(at, blob.as_slice())
                            .map_err(failed)?;
                    }
                }
            }
            statement
                .raw_execute()
                .map_err(|e| explain_row(&self.path, &e, &self.key.name, key, number))?;
        }
        drop(statement);
        if let Some(layer) = &mut self.geometry {
            layer.column.passed(batch.num_rows());
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn wrong(&self, attribute: &Attribute, row: u64, what: &str) -> Error {
        Error::Data(format!(
            "column \"{}\", row {row} of the result: {what}",
            attribute.name
        ))
    }

    /// What is known only now: the rows of the tables that describe the layer, and its index.
    fn describe(&mut self) -> rusqlite::Result<()> {
        let layer = self.geometry.take();
        let kind = if layer.is_some() {
            "features"
        } else {
            "attributes"
        };
        let b = layer.as_ref().map(|layer| layer.bounds);
        let side = |value: fn(&Bounds) -> f64| b.filter(|b| !b.is_empty()).map(|b| value(&b));
        self.connection.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) \
             VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7)",
            (
                &self.table,
                kind,
                side(|b| b.min_x),
                side(|b| b.min_y),
                side(|b| b.max_x),
                side(|b| b.max_y),
                layer.as_ref().map(|layer| layer.srs),
            ),
        )?;
        let Some(layer) = layer else {
            return Ok(());
        };
        let ty = layer.type_name();
        self.connection.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (
                &self.table,
                &layer.column.name,
                ty,
                layer.srs,
                flag(layer.with_z, ty),
                flag(layer.with_m, ty),
            ),
        )?;
        let name = layer.column.name.clone();
        let index = format!("rtree_{}_{name}", self.table);
        self.connection.execute_batch(&format!(
            "CREATE VIRTUAL TABLE {} USING rtree(id, minx, maxx, miny, maxy)",
            quoted(&index)
        ))?;
        rtree::fill(&self.connection, &index, layer.cells)?;
        self.connection
            .execute_batch(&triggers(&self.table, &name, &self.key.name))?;
        self.connection.execute(
            "INSERT INTO gpkg_extensions VALUES \
             (?1, ?2, 'gpkg_rtree_index', 'http://www.geopackage.org/spec140/#extension_rtree', 'write-only')",
            (&self.table, &name),
        )?;
        Ok(())
    }
}

impl RowWriter for GeoPackageWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.insert(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        // The type of the geometry column, which stands in the schema, was not known before.
        let ty = self.geometry.as_ref().map(|layer| layer.type_name());
        let table = ty.map(|ty| self.create_table(ty));
        let path = self.path.clone();
        let failed = |e: rusqlite::Error| cannot_write(&path, &e);
        self.describe().map_err(failed)?;
        if let Some(table) = table {
            self.connection
                .execute_batch("PRAGMA writable_schema = ON")
                .and_then(|()| {
                    let sql =
                        "UPDATE sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2";
                    self.connection.execute(sql, (&table, &self.table))
                })
                .and_then(|_| {
                    self.connection
                        .execute_batch("PRAGMA writable_schema = RESET")
                })
                .map_err(failed)?;
        }
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        self.connection.close().map_err(|(_, e)| failed(e))
    }

    fn memory_size(&self) -> usize {
        let layer = self.geometry.as_ref();
        layer.map_or(0, |layer| layer.cells.capacity() * size_of::<Cell>())
    }
}

impl Layer {
    fn see(&mut self, header: &WkbHeader, bounds: &Bounds, key: i64) {
        if !self.kinds.contains(&header.kind) {
            self.kinds.push(header.kind);
        }
        let note = |seen: &mut (bool, bool), has: bool| match has {
            true => seen.0 = true,
            false => seen.1 = true,
        };
        note(&mut self.with_z, header.has_z);
        note(&mut self.with_m, header.has_m);
        if !bounds.is_empty() {
            self.bounds = self.bounds.union(bounds);
            self.cells.push(Cell::new(key, bounds, &self.curve));
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kinds.as_slice() {
            [only] => only.tag(),
            _ => MIXED,
        }
    }
}

/// Whether no, all or some geometries have an ordinate, given whether some have and some have not.
///
/// Of mixed types all "may" have it: GDAL makes a type of "must" that readers above it do not know.
fn flag((with, without): (bool, bool), ty: &str) -> i64 {
    match (with, without) {
        (false, _) => 0,
        (true, false) if ty != MIXED => 1,
        (true, _) => 2,
    }
}

impl Key {
    fn choose(attributes: &[Attribute], geometry: Option<&GeometryColumn>) -> Self {
        let is = |attribute: &Attribute, name: &str| attribute.name.eq_ignore_ascii_case(name);
        let own = attributes
            .iter()
            .position(|a| is(a, KEYS[0]) && matches!(a.kind, Kind::Integer(_)));
        if let Some(own) = own {
            return Self {
                name: attributes[own].name.clone(),
                attribute: Some(own),
            };
        }
        let taken = |name: &str| {
            attributes.iter().any(|attribute| is(attribute, name))
                || geometry.is_some_and(|column| column.name.eq_ignore_ascii_case(name))
        };
        let free = KEYS.iter().map(|name| (*name).to_owned());
        let more = (1..).map(|n| format!("geoflow_fid_{n}"));
        let name = free.chain(more).find(|name| !taken(name));
        Self {
            name: name.unwrap_or_default(),
            attribute: None,
        }
    }

    fn of(&self, values: &Values, row: usize, number: u64) -> Result<i64> {
        match values {
            Values::Integer(keys) if keys.is_valid(row) => Ok(keys.value(row)),
            _ => Err(Error::Data(format!(
                "the column \"{}\", by which a GeoPackage tells rows apart, is NULL in row {number}: give it another name with AS",
                self.name
            ))),
        }
    }
}

/// The statement that adds a row: key, attributes in their order, geometry.
fn insert(
    table: &str,
    key: &Key,
    geometry: Option<&GeometryColumn>,
    attributes: &[Attribute],
) -> String {
    let mut columns = vec![quoted(&key.name)];
    for (i, attribute) in attributes.iter().enumerate() {
        if Some(i) != key.attribute {
            columns.push(quoted(&attribute.name));
        }
    }
    columns.extend(geometry.map(|column| quoted(&column.name)));
    let slots: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({})",
        quoted(table),
        columns.join(", "),
        slots.join(", ")
    )
}

/// Binds one value. The inner error says what is wrong with it.
fn bind(
    statement: &mut Statement<'_>,
    slot: usize,
    values: &Values,
    kind: Kind,
    row: usize,
    text: &mut String,
) -> rusqlite::Result<Result<(), String>> {
    if values.is_null(row) {
        return statement.raw_bind_parameter(slot, Null).map(Ok);
    }
    text.clear();
    let written = match values {
        Values::Boolean(a) => return statement.raw_bind_parameter(slot, a.value(row)).map(Ok),
        Values::Integer(a) => return statement.raw_bind_parameter(slot, a.value(row)).map(Ok),
        Values::Double(a) => return statement.raw_bind_parameter(slot, a.value(row)).map(Ok),
        Values::Text(a) => return statement.raw_bind_parameter(slot, a.value(row)).map(Ok),
        Values::Bytes(a) => return statement.raw_bind_parameter(slot, a.value(row)).map(Ok),
        Values::Date(a) => date_text(a.value(row), text),
        Values::Timestamp(a) => time_text(a.value(row), text),
    };
    if kind == (Kind::Timestamp { utc: true }) {
        text.push('Z');
    }
    match written {
        Ok(()) => statement.raw_bind_parameter(slot, text.as_str()).map(Ok),
        Err(wrong) => Ok(Err(wrong)),
    }
}

fn open(path: &Path, added_to: Option<&Path>) -> Result<Connection> {
    let failed = |e: rusqlite::Error| cannot_write(path, &e);
    if let Some(there) = added_to {
        // A copy that has what a write-ahead log holds, and needs no lock for long.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let unreadable = |e: rusqlite::Error| cannot_write(there, &e);
        let source = Connection::open_with_flags(there, flags).map_err(unreadable)?;
        source
            .execute("VACUUM INTO ?1", [path.to_string_lossy()])
            .map_err(unreadable)?;
    }
    let connection = Connection::open(path).map_err(failed)?;
    // Rows are appended, and so is the index: pages that are full do not come back.
    let set = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; \
               PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;";
    connection.execute_batch(set).map_err(failed)?;
    if added_to.is_none() {
        let new = format!(
            "PRAGMA page_size = 4096; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; BEGIN; {CORE}"
        );
        connection.execute_batch(&new).map_err(failed)?;
        let wgs84 = wgs84();
        connection
            .execute(
                "INSERT INTO gpkg_spatial_ref_sys VALUES (?1, ?2, ?3, ?2, ?4, \
                 'longitude/latitude coordinates in decimal degrees on the WGS 84 spheroid')",
                (wgs84.name, wgs84.code, wgs84.organization, wgs84.definition),
            )
            .map_err(failed)?;
    } else {
        let more = format!("BEGIN; {MISSING}");
        connection.execute_batch(&more).map_err(failed)?;
    }
    Ok(connection)
}

/// The inner error is the user's: there is such a layer.
fn refuse_layer(connection: &Connection, file: &Path, layer: &str) -> rusqlite::Result<Result<()>> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE lower(name) = lower(?1)";
    let there: i64 = connection.query_row(sql, [layer], |row| row.get(0))?;
    Ok(match there {
        0 => Ok(()),
        _ => Err(Error::Statement(format!(
            "{} has a layer \"{layer}\" already: give the new one another name, or overwrite the file",
            file.display()
        ))),
    })
}

/// The number by which the file knows a CRS; it is described there, if it is not yet.
fn describe(
    connection: &Connection,
    crs: Option<&Crs>,
    column: &str,
) -> rusqlite::Result<Result<i32>> {
    let Some(crs) = crs else {
        return Ok(Ok(-1));
    };
    let Some(srs) = spatial_ref_sys(crs) else {
        return Ok(Err(Error::Crs(format!(
            "a GeoPackage knows coordinate reference systems by authority and number, and that of \"{column}\", {crs}, has none: \
             write ST_Transform({column}, 'EPSG:...')"
        ))));
    };
    let sql = "SELECT srs_id FROM gpkg_spatial_ref_sys \
               WHERE lower(organization) = lower(?1) AND organization_coordsys_id = ?2";
    let mut known = connection.prepare(sql)?;
    let mut rows = known.query((&srs.organization, srs.code))?;
    if let Some(row) = rows.next()? {
        return row.get(0).map(Ok);
    }
    // Its own number, where that is free.
    let sql = "SELECT CASE WHEN ?1 IN (SELECT srs_id FROM gpkg_spatial_ref_sys) \
               THEN (SELECT max(srs_id, 100000) + 1 FROM (SELECT max(srs_id) AS srs_id FROM gpkg_spatial_ref_sys)) \
               ELSE ?1 END";
    let id: i32 = connection.query_row(sql, [srs.code], |row| row.get(0))?;
    connection.execute(
        "INSERT INTO gpkg_spatial_ref_sys VALUES (?1, ?2, ?3, ?4, ?5, NULL)",
        (srs.name, id, srs.organization, srs.code, srs.definition),
    )?;
    Ok(Ok(id))
}

fn explain_row(path: &Path, error: &rusqlite::Error, name: &str, key: i64, row: u64) -> Error {
    if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
        return Error::Data(format!(
            "row {row} of the result has the key {name} = {key}, which another row has: a GeoPackage tells rows apart by it. \
             Give the column another name with AS, or leave it out"
        ));
    }
    cannot_write(path, error)
}

/// What SQLite's errors mean for somebody who writes a file.
fn cannot_write(path: &Path, error: &rusqlite::Error) -> Error {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Environment {
            message: format!(
                "{shown} could not be written: the disk is full. Make room and write again"
            ),
            retryable: false,
        },
        Some(ErrorCode::NotADatabase) => Error::Data(format!(
            "{shown} is no GeoPackage: it is no SQLite database"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Environment {
            message: format!(
                "{shown} is locked by another program, such as QGIS while it edits: save and close it there"
            ),
            retryable: true,
        },
        Some(ErrorCode::TooBig) => Error::Data(format!(
            "{shown}: a value is greater than the 1 GB that SQLite holds"
        )),
        _ => Error::Environment {
            message: format!("{shown} could not be written: {error}"),
            retryable: false,
        },
    }
}

//! GeoPackage: layers of a SQLite database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::columns::MOST_BYTES;
use super::geopackage_columns::{ColumnBuilder, data_type};
use super::source::{FeatureSource, Request, Within, file_size};
use crate::crs::Crs;
use crate::geometry::{Bounds, GeometryType};
use crate::{Error, Result};

/// How long another program may hold a lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a connection keeps of the file, in KiB as SQLite has it: below zero.
const CACHE_KB: i64 = -256;

/// The part of a layer's extent up to which rows are looked up in its index.
const MOST_BY_INDEX: f64 = 0.25;

/// Rectangles that the R-tree is asked for at most: of more, each row is looked at.
const MOST_RECTANGLES: usize = 500;

/// Rows that are worth a thread of their own.
const LEAST_OF_A_PART: i128 = 20_000;

/// Bytes of a file whose rows are, however few.
const LEAST_BYTES_OF_A_PART: u64 = 4 << 20;

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
        let connection = connect(path).map_err(|e| explain(path, &e))?;
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
        let column = geometry.map(|at| schema.field(at).name().as_str());
        Ok(GeoPackageLayer {
            path: self.path.clone(),
            table: table.clone(),
            key: self.key(table),
            range: None,
            index: column.and_then(|column| self.index(table, column)),
            rows: self.number(
                "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = ?1",
                table,
            ),
            span: self.span(table),
            // Of one layer among several it is not known.
            bytes: match layers.as_slice() {
                [_] => file_size(&self.path),
                _ => None,
            },
            extent: self.extent(table),
            geometry_types: column.map_or(vec![], |column| self.geometry_types(table, column)),
            schema,
            geometry,
        })
    }

    /// A number that may be missing, as may its table.
    fn number(&self, sql: &str, table: &str) -> Option<u64> {
        let found = self
            .connection
            .query_row(sql, [table], |row| row.get::<_, i64>(0));
        found.ok().and_then(|n| n.try_into().ok())
    }

    /// How many rows there are if their numbers leave none out.
    fn span(&self, table: &str) -> Option<u64> {
        let key = self.key(table)?;
        let (first, last) = ends(&self.connection, table, &key).ok()??;
        last.checked_sub(first)?.checked_add(1)?.try_into().ok()
    }

    fn extent(&self, table: &str) -> Option<Bounds> {
        let sql = "SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?1";
        let found = self.connection.query_row(sql, [table], |row| {
            Ok(Bounds::new(
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
            ))
        });
        found.ok().filter(|bounds| !bounds.is_empty())
    }

    /// The type that is declared, as GeoParquet names it; none where it says little.
    fn geometry_types(&self, table: &str, column: &str) -> Vec<String> {
        let sql = "SELECT geometry_type_name, z, m FROM gpkg_geometry_columns \
                   WHERE table_name = ?1 AND column_name = ?2";
        let found = self.connection.query_row(sql, [table, column], |row| {
            let name: String = row.get(0)?;
            Ok((name, row.get::<_, i64>(1)? == 1, row.get::<_, i64>(2)? == 1))
        });
        let Ok((name, z, m)) = found else {
            return vec![];
        };
        let name = match name.to_ascii_uppercase().as_str() {
            "POINT" => "Point",
            "LINESTRING" => "LineString",
            "POLYGON" => "Polygon",
            "MULTIPOINT" => "MultiPoint",
            "MULTILINESTRING" => "MultiLineString",
            "MULTIPOLYGON" => "MultiPolygon",
            "GEOMETRYCOLLECTION" => "GeometryCollection",
            _ => return vec![],
        };
        let suffix = match (z, m) {
            (true, true) => " ZM",
            (true, false) => " Z",
            (false, true) => " M",
            (false, false) => "",
        };
        vec![format!("{name}{suffix}")]
    }

    /// The column that numbers the rows of a table.
    fn key(&self, table: &str) -> Option<String> {
        let keys = "SELECT name, type FROM pragma_table_info(?1) WHERE pk > 0";
        let mut statement = self.connection.prepare(keys).ok()?;
        let keys = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
        let keys: Vec<(String, String)> = keys.ok()?.collect::<rusqlite::Result<_>>().ok()?;
        match keys.as_slice() {
            [(name, ty)] if ty.eq_ignore_ascii_case("INTEGER") => Some(name.clone()),
            _ => None,
        }
    }

    /// The R-tree of a geometry column, where it has one.
    fn index(&self, table: &str, column: &str) -> Option<SpatialIndex> {
        let tree = format!("rtree_{table}_{column}");
        let declared = self.connection.query_row(
            "SELECT count(*) FROM gpkg_extensions WHERE extension_name = 'gpkg_rtree_index' \
             AND lower(table_name) = lower(?1) AND lower(column_name) = lower(?2)",
            [table, column],
            |row| row.get::<_, i64>(0),
        );
        let there = self.number(
            "SELECT count(*) FROM sqlite_master WHERE lower(name) = lower(?1)",
            &tree,
        );
        let usable = declared.is_ok_and(|n| n > 0) && there.is_some_and(|n| n > 0);
        usable.then_some(SpatialIndex { tree })
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
#[derive(Debug, Clone)]
pub struct GeoPackageLayer {
    path: PathBuf,
    table: String,
    /// The column that numbers the rows, where one does.
    key: Option<String>,
    /// The first and the last number of the rows that are read, of a part of the layer.
    range: Option<(i64, i64)>,
    schema: SchemaRef,
    geometry: Option<usize>,
    index: Option<SpatialIndex>,
    rows: Option<u64>,
    /// How many there are if their numbers leave none out.
    span: Option<u64>,
    /// Of the file, where it is the layer's alone.
    bytes: Option<u64>,
    extent: Option<Bounds>,
    geometry_types: Vec<String>,
}

/// The R-tree of a layer, which numbers rows by their key.
#[derive(Debug, Clone)]
struct SpatialIndex {
    /// Its table.
    tree: String,
}

impl FeatureSource for GeoPackageLayer {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn name(&self) -> String {
        format!("GeoPackage {}, layer {}", self.path.display(), self.table)
    }

    fn rows(&self) -> Option<u64> {
        self.rows
    }

    fn rows_about(&self) -> Option<u64> {
        self.rows.or(self.span)
    }

    fn bytes_about(&self) -> Option<u64> {
        self.bytes
    }

    fn extent(&self) -> Option<Bounds> {
        self.extent
    }

    fn geometry_types(&self) -> Vec<String> {
        self.geometry_types.clone()
    }

    fn has_index(&self) -> bool {
        self.index.is_some()
    }

    fn parts(&self, most: usize) -> Result<Vec<Arc<dyn FeatureSource>>> {
        let (Some(key), None) = (&self.key, self.range) else {
            return Ok(vec![]);
        };
        let package = GeoPackage::open(&self.path)?;
        let ends = ends(&package.connection, &self.table, key);
        let Some((first, last)) = ends.map_err(|e| explain(&self.path, &e))? else {
            return Ok(vec![]);
        };
        let ranges = ranges(first, last, self.bytes, most);
        let count = ranges.len() as u64;
        let part = |range| -> Arc<dyn FeatureSource> {
            Arc::new(Self {
                range: Some(range),
                rows: self.rows.map(|rows| rows / count.max(1)),
                span: self.span.map(|rows| rows / count.max(1)),
                bytes: self.bytes.map(|bytes| bytes / count.max(1)),
                ..self.clone()
            })
        };
        Ok(ranges.into_iter().map(part).collect())
    }

    fn read(&self, request: &Request, give: &mut dyn FnMut(RecordBatch) -> bool) -> Result<()> {
        let (projection, rows) = (&request.columns, request.rows);
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
        let (condition, numbers) = self.condition(&request.within);
        let sql = format!("SELECT {list} FROM {}{condition}", quoted(&self.table));
        let mut statement = package.connection.prepare(&sql).map_err(failed)?;
        let numbers = rusqlite::params_from_iter(numbers);
        let mut cursor = statement.query(numbers).map_err(failed)?;
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
        let (mut pending, mut bytes, mut done) = (0, 0, 0_u64);
        loop {
            let row = cursor.next().map_err(failed)?;
            if let Some(row) = row {
                for (at, builder) in builders.iter_mut().enumerate() {
                    let value = row.get_ref(at).map_err(failed)?;
                    bytes += match value {
                        ValueRef::Text(value) | ValueRef::Blob(value) => value.len(),
                        _ => 0,
                    };
                    builder
                        .push(value)
                        .map_err(|what| self.wrong(fields[at], done + 1, &what))?;
                }
                pending += 1;
                done += 1;
            }
            let ended = row.is_none();
            let full = pending == rows || bytes >= MOST_BYTES;
            if full || (ended && pending > 0) {
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
                (pending, bytes) = (0, 0);
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
    /// What lets the R-tree find the rows that are wanted, of the part that is read, and the numbers in it.
    fn condition(&self, within: &Within) -> (String, Vec<f64>) {
        let (searches, numbers) = self.searches(within);
        let mut conditions = searches;
        if let (Some((first, last)), Some(key)) = (self.range, &self.key) {
            // With a sign before it SQLite looks up what the R-tree has found, and not all rows of the part.
            let sign = if conditions.is_empty() { "" } else { "+" };
            conditions.push(format!("{sign}{} BETWEEN {first} AND {last}", quoted(key)));
        }
        match conditions.is_empty() {
            true => (String::new(), numbers),
            false => (format!(" WHERE {}", conditions.join(" AND ")), numbers),
        }
    }

    /// One condition for each list of rectangles, and the numbers in them.
    fn searches(&self, within: &Within) -> (Vec<String>, Vec<f64>) {
        let (Some(SpatialIndex { tree }), Some(key)) = (&self.index, &self.key) else {
            return (vec![], vec![]);
        };
        // Of much of it, the table alone is quicker, which is then not read row by row.
        let all = (self.extent).is_some_and(|extent| within.share_of(&extent) > MOST_BY_INDEX);
        let listed: usize = within.0.iter().map(|list| list.len()).sum();
        if within.is_everything() || within.is_nothing() || all || listed > MOST_RECTANGLES {
            return (vec![], vec![]);
        }
        let mut numbers = vec![];
        let lists: Vec<String> = within
            .0
            .iter()
            .map(|list| {
                let searches: Vec<String> = list
                    .iter()
                    .map(|r| {
                        numbers.extend([r.min_x, r.max_x, r.min_y, r.max_y]);
                        format!(
                            "SELECT id FROM {} WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ?",
                            quoted(tree)
                        )
                    })
                    .collect();
                format!("{} IN ({})", quoted(key), searches.join(" UNION "))
            })
            .collect();
        (lists, numbers)
    }

    fn wrong(&self, field: &Field, row: u64, what: &str) -> Error {
        let from = match (self.range, &self.key) {
            (Some((first, _)), Some(key)) => format!(" from {key} {first} on"),
            _ => String::new(),
        };
        Error::Data(format!(
            "{}, layer \"{}\", column \"{}\", about row {row}{from}: {what}",
            self.path.display(),
            self.table,
            field.name()
        ))
    }
}

/// The first and the last number of a table's rows; `None` without rows.
fn ends(connection: &Connection, table: &str, key: &str) -> rusqlite::Result<Option<(i64, i64)>> {
    let (key, table) = (quoted(key), quoted(table));
    let sql = format!("SELECT (SELECT min({key}) FROM {table}), (SELECT max({key}) FROM {table})");
    connection.query_row(&sql, [], |row| {
        let first: Option<i64> = row.get(0)?;
        Ok(first.zip(row.get(1)?))
    })
}

/// Cuts numbers from `first` to `last` into ranges of equal length; none where one is enough. `bytes`: of all of them.
fn ranges(first: i64, last: i64, bytes: Option<u64>, most: usize) -> Vec<(i64, i64)> {
    let (first, last) = (i128::from(first), i128::from(last));
    let numbers = last - first + 1;
    let by_bytes = i128::from(bytes.unwrap_or(0) / LEAST_BYTES_OF_A_PART).min(numbers);
    let count = (numbers / LEAST_OF_A_PART).max(by_bytes).min(most as i128);
    if count < 2 {
        return vec![];
    }
    let cut = |i: i128| first + numbers * i / count;
    // All lie between two numbers of 64 bits.
    let range = |i| (cut(i) as i64, (cut(i + 1) - 1) as i64);
    (0..count).map(range).collect()
}

/// Opens the database, and reads from it, as not before then SQLite finds what is wrong.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ready = |connection: Connection| {
        connection.busy_timeout(PATIENCE)?;
        // Rows are read one after another, each page once, by as many connections as there are threads.
        connection.pragma_update(None, "cache_size", CACHE_KB)?;
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    };
    let error = match Connection::open_with_flags(path, flags).and_then(ready) {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    // In WAL mode even readers write to files beside the database. Where they cannot, and nothing waits in
    // such a file, nobody else is writing either.
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let waiting = std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0);
    let cannot = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    );
    let (Some(path), true, true) = (path.to_str(), cannot && !waiting, path.is_file()) else {
        return Err(error);
    };
    let mut uri = "file:".to_owned();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).and_then(ready)
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

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn rows_are_cut_by_their_numbers() {
        assert!(ranges(1, 30_000, None, 8).is_empty());
        assert_eq!(
            ranges(1, 100_000, None, 2),
            [(1, 50_000), (50_001, 100_000)]
        );
        assert_eq!(ranges(-5, 59_994, None, 8).len(), 3);
        let all = ranges(i64::MIN, i64::MAX, None, 3);
        assert_eq!((all[0].0, all[2].1), (i64::MIN, i64::MAX));
        assert!(all.windows(2).all(|w| w[0].1 + 1 == w[1].0));
    }
}

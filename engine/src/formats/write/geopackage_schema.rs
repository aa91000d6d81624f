//! The tables of a GeoPackage, as its specification has them.
//!
//! <https://www.geopackage.org/spec140/>, with the triggers of annex F.3.

use crate::crs::Crs;

use super::attributes::{Attribute, Kind};

/// `GPKG`, what SQLite calls the application.
pub(super) const APPLICATION_ID: i64 = 0x4750_4B47;

/// Version 1.4 of the specification.
pub(super) const VERSION: i64 = 10400;

/// The tables that every GeoPackage has, and the three systems that it must describe.
pub(super) const CORE: &str = "
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, \
organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, \
identifier TEXT UNIQUE, description TEXT DEFAULT '', \
last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), \
min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER, \
CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, \
geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, \
CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), \
CONSTRAINT uk_gc_table_name UNIQUE (table_name), \
CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), \
CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, \
definition TEXT NOT NULL, scope TEXT NOT NULL, \
CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
INSERT INTO gpkg_spatial_ref_sys VALUES \
('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'), \
('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system');
";

/// What a GeoPackage that others have made may lack.
pub(super) const MISSING: &str = "
CREATE TABLE IF NOT EXISTS gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, \
geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, \
CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), \
CONSTRAINT uk_gc_table_name UNIQUE (table_name), \
CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name), \
CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, \
definition TEXT NOT NULL, scope TEXT NOT NULL, \
CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
";

/// A row of `gpkg_spatial_ref_sys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpatialRefSys {
    pub(super) name: String,
    pub(super) organization: String,
    pub(super) code: i64,
    pub(super) definition: String,
}

/// How a GeoPackage describes WGS 84, which every one must.
pub(super) fn wgs84() -> SpatialRefSys {
    let crs = Crs::lon_lat();
    SpatialRefSys {
        name: "WGS 84 geodetic".to_owned(),
        organization: "EPSG".to_owned(),
        code: 4326,
        definition: crs.to_wkt1().unwrap_or("undefined").to_owned(),
    }
}

/// The description of a CRS; `None` for one that has no authority and number.
pub(super) fn spatial_ref_sys(crs: &Crs) -> Option<SpatialRefSys> {
    if crs.is_lon_lat() {
        return Some(wgs84());
    }
    let code = crs.authority_code()?;
    let (organization, code) = code.split_once(':')?;
    let definition = crs.to_wkt1().unwrap_or("undefined");
    let name = definition.split('"').nth(1).unwrap_or(organization);
    Some(SpatialRefSys {
        name: name.to_owned(),
        organization: organization.to_owned(),
        code: code.parse().ok()?,
        definition: definition.to_owned(),
    })
}

/// The type of a column.
fn declared(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "BOOLEAN",
        Kind::Integer(8) => "TINYINT",
        Kind::Integer(16) => "SMALLINT",
        Kind::Integer(32) => "MEDIUMINT",
        Kind::Integer(_) => "INTEGER",
        Kind::Single => "FLOAT",
        Kind::Double => "DOUBLE",
        Kind::Text => "TEXT",
        Kind::Bytes => "BLOB",
        Kind::Date => "DATE",
        Kind::Timestamp { .. } => "DATETIME",
    }
}

/// The statement that makes the table of a layer. The key comes first.
pub(super) fn create_table(
    table: &str,
    key: &str,
    geometry: Option<(&str, &str)>,
    attributes: &[&Attribute],
) -> String {
    let mut columns = vec![format!(
        "{} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
        quoted(key)
    )];
    if let Some((name, ty)) = geometry {
        columns.push(format!("{} {ty}", quoted(name)));
    }
    for attribute in attributes {
        let not_null = if attribute.nullable { "" } else { " NOT NULL" };
        columns.push(format!(
            "{} {}{not_null}",
            quoted(&attribute.name),
            declared(attribute.kind)
        ));
    }
    format!("CREATE TABLE {} ({})", quoted(table), columns.join(", "))
}

/// The triggers that keep the spatial index of a layer up to date.
pub(super) fn triggers(table: &str, geometry: &str, key: &str) -> String {
    let index = format!("rtree_{table}_{geometry}");
    let name = |suffix: &str| quoted(&format!("{index}_{suffix}"));
    let (t, c, i, r) = (quoted(table), quoted(geometry), quoted(key), quoted(&index));
    let has = |row: &str| format!("({row}.{c} NOTNULL AND NOT ST_IsEmpty({row}.{c}))");
    let none = |row: &str| format!("({row}.{c} ISNULL OR ST_IsEmpty({row}.{c}))");
    let values = format!(
        "(NEW.{i}, ST_MinX(NEW.{c}), ST_MaxX(NEW.{c}), ST_MinY(NEW.{c}), ST_MaxY(NEW.{c}))"
    );
    [
        format!(
            "CREATE TRIGGER {} AFTER INSERT ON {t} WHEN {} BEGIN INSERT OR REPLACE INTO {r} VALUES {values}; END;",
            name("insert"),
            has("NEW")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE OF {c} ON {t} WHEN OLD.{i} = NEW.{i} AND {} AND {} BEGIN \
             UPDATE {r} SET minx = ST_MinX(NEW.{c}), maxx = ST_MaxX(NEW.{c}), miny = ST_MinY(NEW.{c}), \
             maxy = ST_MaxY(NEW.{c}) WHERE id = NEW.{i}; END;",
            name("update6"),
            has("NEW"),
            has("OLD")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE OF {c} ON {t} WHEN OLD.{i} = NEW.{i} AND {} AND {} BEGIN \
             INSERT INTO {r} VALUES {values}; END;",
            name("update7"),
            has("NEW"),
            none("OLD")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE OF {c} ON {t} WHEN OLD.{i} = NEW.{i} AND {} BEGIN \
             DELETE FROM {r} WHERE id = OLD.{i}; END;",
            name("update2"),
            none("NEW")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {t} WHEN OLD.{i} != NEW.{i} AND {} BEGIN \
             DELETE FROM {r} WHERE id = OLD.{i}; INSERT OR REPLACE INTO {r} VALUES {values}; END;",
            name("update5"),
            has("NEW")
        ),
        format!(
            "CREATE TRIGGER {} AFTER UPDATE ON {t} WHEN OLD.{i} != NEW.{i} AND {} BEGIN \
             DELETE FROM {r} WHERE id IN (OLD.{i}, NEW.{i}); END;",
            name("update4"),
            none("NEW")
        ),
        format!(
            "CREATE TRIGGER {} AFTER DELETE ON {t} WHEN OLD.{c} NOT NULL BEGIN \
             DELETE FROM {r} WHERE id = OLD.{i}; END;",
            name("delete")
        ),
    ]
    .join("\n")
}

/// A name as SQL needs it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn systems_by_their_codes() {
        let of = |code: &str| spatial_ref_sys(&Crs::from_authority_code(code).unwrap());
        assert_eq!(of("OGC:CRS84").unwrap(), wgs84());
        let finnish = of("EPSG:3067").unwrap();
        assert_eq!(
            (finnish.organization.as_str(), finnish.code),
            ("EPSG", 3067)
        );
        assert!(finnish.name.contains("TM35FIN") && finnish.definition.starts_with("PROJCS["));
        assert_eq!(of("EPSG:99999").unwrap().definition, "undefined");
        assert_eq!(of("OGC:CRS27"), None);
    }

    #[test]
    fn the_schema_is_sql() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(CORE).unwrap();
        connection.execute_batch(MISSING).unwrap();
        let sql = create_table("a \"b\"", "fid", Some(("g", "POINT")), &[]);
        connection.execute_batch(&sql).unwrap();
        let sql =
            "CREATE VIRTUAL TABLE \"rtree_a \"\"b\"\"_g\" USING rtree(id, minx, maxx, miny, maxy)";
        connection.execute_batch(sql).unwrap();
        connection
            .execute_batch(&triggers("a \"b\"", "g", "fid"))
            .unwrap();
    }
}

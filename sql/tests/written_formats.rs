//! Files of other formats than GeoParquet that statements write: what comes back, what is refused, what
//! is left behind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use geoflow_sql::Session;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;

const KINDS: [(&str, &str); 7] = [
    ("POINT", "(1 2)"),
    ("LINESTRING", "(1 2,3 4)"),
    ("POLYGON", "((0 0,0 9,9 9,0 0),(1 2,2 4,1 4,1 2))"),
    ("MULTIPOINT", "((1 2),(3 4))"),
    ("MULTILINESTRING", "((1 2,3 4),(5 6,7 8))"),
    (
        "MULTIPOLYGON",
        "(((0 0,0 9,9 9,0 0)),((20 20,20 29,29 29,20 20)))",
    ),
    ("GEOMETRYCOLLECTION", "(POINT (1 2),LINESTRING (1 2,3 4))"),
];

const DIMENSIONS: [(&str, &str); 4] = [("", ""), (" Z", " 7"), (" M", " 7"), (" ZM", " 7 8")];

/// A number behind every coordinate.
fn with_more(text: &str, more: &str) -> String {
    let mut out = String::new();
    let mut after_digit = false;
    for c in text.chars() {
        if matches!(c, ',' | ')') && after_digit {
            out.push_str(more);
        }
        after_digit = c.is_ascii_digit();
        out.push(c);
    }
    out
}

/// Rows of every type of geometry with these ordinates, an EMPTY of each, and NULL.
fn geometries(kinds: &[(&str, &str)], (tag, more): (&str, &str), empty: bool) -> String {
    let mut texts = vec![];
    for (kind, body) in kinds {
        let body = with_more(body, more)
            .replace("POINT (", &format!("POINT{tag} ("))
            .replace("LINESTRING (", &format!("LINESTRING{tag} ("));
        texts.push(format!("'{kind}{tag} {body}'"));
        if empty {
            texts.push(format!("'{kind}{tag} EMPTY'"));
        }
    }
    texts.push("NULL".to_owned());
    let rows: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| format!("({i}, {text})"))
        .collect();
    format!(
        "SELECT id, ST_SetCRS(ST_GeomFromText(text), 'EPSG:3067') AS geometry FROM (VALUES {}) AS v(id, text)",
        rows.join(", ")
    )
}

async fn run(session: &Session, sql: &str) -> Result<String, DataFusionError> {
    let batches = session.sql(sql).await?.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

async fn ok(session: &Session, sql: &str) -> String {
    run(session, sql)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

async fn refused(session: &Session, sql: &str) -> String {
    match run(session, sql).await {
        Ok(rows) => panic!("{sql}:\n{rows}"),
        Err(e) => e.to_string(),
    }
}

/// What there is in a folder, hidden files too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const SHOWN: &str = "id, encode(ST_AsBinary(geometry), 'hex') AS wkb, ST_SRID(geometry) AS srid";

#[tokio::test]
async fn geometries_come_back() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    for dimensions in DIMENSIONS {
        let tag = dimensions.0.trim();
        let query = geometries(&KINDS, dimensions, true);
        let expected = ok(
            &session,
            &format!("SELECT {SHOWN} FROM ({query}) ORDER BY id"),
        )
        .await;
        let path = folder.path().join(format!("a{tag}.gpkg"));
        let path = path.display();
        ok(&session, &format!("COPY ({query}) TO '{path}'")).await;
        let found = ok(
            &session,
            &format!("SELECT {SHOWN} FROM '{path}' ORDER BY id"),
        )
        .await;
        assert_eq!(found, expected, "{path}");
    }
}

#[tokio::test]
async fn values_come_back() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("values.gpkg");
    let path = path.display();
    let row = |values: [&str; 9]| {
        let types = [
            "Boolean", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64", "Utf8", "Date32",
        ];
        let columns: Vec<String> = values
            .iter()
            .zip(types)
            .map(|(value, ty)| format!("arrow_cast({value}, '{ty}') AS \"{ty}\""))
            .collect();
        columns.join(", ")
    };
    let full = row([
        "true",
        "-128",
        "32767",
        "-5",
        "9223372036854775807",
        "0.5",
        "0.1",
        "'Åä 日本'",
        "'2024-02-29'",
    ]);
    let none = row(["NULL"; 9]);
    let ms = "'Timestamp(Millisecond, Some(\"UTC\"))'";
    let query = format!(
        "SELECT 1 AS fid, {full}, arrow_cast('2024-02-29T12:30:00.125Z', {ms}) AS at, \
         arrow_cast(decode('00ff', 'hex'), 'Binary') AS bytes, ST_Point(1, 2, 4326) AS geometry \
         UNION ALL SELECT 7, {none}, arrow_cast(NULL, {ms}), arrow_cast(NULL, 'Binary'), NULL"
    );
    ok(&session, &format!("COPY ({query}) TO '{path}'")).await;
    let typed = |from: &str| {
        format!(
            "SELECT * EXCEPT (geometry, bytes), encode(bytes, 'hex') AS bytes, ST_AsText(geometry) AS text FROM {from} ORDER BY fid"
        )
    };
    let found = ok(&session, &typed(&format!("'{path}'"))).await;
    assert_eq!(found, ok(&session, &typed(&format!("({query})"))).await);
    let types = format!(
        "SELECT arrow_typeof(at), arrow_typeof(\"Int8\"), arrow_typeof(\"Float32\"), arrow_typeof(\"Date32\") FROM '{path}' LIMIT 1"
    );
    let found = ok(&session, &types).await;
    for ty in ["Timestamp(ms, \"UTC\")", "Int8", "Float32", "Date32"] {
        assert!(found.contains(ty), "{found}");
    }
}

#[tokio::test]
async fn rows_without_geometry_are_a_table() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gpkg");
    let path = path.display();
    ok(
        &session,
        &format!("COPY (SELECT 5 AS n, 'x' AS t) TO '{path}'"),
    )
    .await;
    let found = ok(&session, &format!("SELECT fid, n, t FROM '{path}'")).await;
    assert!(found.contains("| 1   | 5 | x |"), "{found}");
    for format in ["fgb", "shp", "geojson"] {
        let to = folder.path().join(format!("b.{format}"));
        let error = refused(
            &session,
            &format!("COPY (SELECT 5 AS n) TO '{}'", to.display()),
        )
        .await;
        assert!(error.contains("geometry"), "{format}: {error}");
    }
    assert_eq!(names(folder.path()), ["a.gpkg"]);
}

#[tokio::test]
async fn what_a_format_cannot_hold_is_refused_and_leaves_nothing() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let point = "ST_Point(1, 2, 4326) AS geometry";
    for (format, query, words) in [
        ("gpkg", format!("SELECT [1, 2] AS tags, {point}"), &["\"tags\"", "array_to_string"][..]),
        ("gpkg", format!("SELECT named_struct('a', 1) AS s, {point}"), &["\"s\"", "fields"]),
        ("gpkg", format!("SELECT 1 AS \"A\", 2 AS a, {point}"), &["by case", "\"a\""]),
        ("gpkg", format!("SELECT {point}, ST_Point(3, 4, 4326) AS other"), &["one geometry a row", "ST_AsText(other)"]),
        ("gpkg", format!("SELECT arrow_cast('1.5', 'Decimal128(20, 2)') AS d, {point}"), &["\"d\"", "DOUBLE"]),
        ("gpkg", format!("SELECT 18446744073709551615::BIGINT UNSIGNED AS big, {point}"), &["\"big\""]),
        ("gpkg", format!("SELECT 1 AS fid, {point} UNION ALL SELECT 1, NULL"), &["fid = 1", "another row"]),
        ("gpkg", format!("SELECT CASE WHEN i > 1 THEN i END AS fid, {point} FROM generate_series(1, 2) AS t(i)"), &["\"fid\"", "NULL"]),
        ("fgb", "SELECT ST_Point(1, 2) AS geometry UNION ALL SELECT ST_GeomFromText('POINT Z (1 2 3)')".to_owned(), &["same dimensions", "ST_Force"]),
        ("shp", format!("SELECT 1 AS a_long_name_indeed, {point}"), &["\"a_long_name_indeed\"", "10 bytes"]),
        ("shp", format!("SELECT TIMESTAMP '2024-02-29T00:00:00' AS at, {point}"), &["\"at\"", "CAST"]),
        ("shp", format!("SELECT repeat('x', 255) AS t, {point}"), &["\"t\"", "row 1", "254"]),
        ("shp", format!("SELECT 1000000000000000000 AS n, {point}"), &["\"n\"", "18"]),
        ("shp", format!("SELECT 'NaN'::DOUBLE AS d, {point}"), &["\"d\"", "NaN"]),
        ("shp", "SELECT ST_Point(1, 2) AS geometry UNION ALL SELECT ST_GeomFromText('LINESTRING (1 2, 3 4)')".to_owned(), &["one type"]),
        ("shp", "SELECT ST_GeomFromText('POINT EMPTY') AS geometry".to_owned(), &["EMPTY", "NOT ST_IsEmpty"]),
        ("shp", "SELECT ST_GeomFromText('GEOMETRYCOLLECTION (POINT (1 2))') AS geometry".to_owned(), &["collections"]),
        ("geojson", "SELECT ST_Point(1, 2, 3067) AS geometry".to_owned(), &["EPSG:3067", "ST_Transform"]),
    ] {
        let to = folder.path().join(format!("out.{format}"));
        let error = refused(&session, &format!("COPY ({query}) TO '{}'", to.display())).await;
        for word in words {
            assert!(error.contains(word), "{format}, {query}: no {word} in: {error}");
        }
        assert!(!error.contains(".tmp"), "{error}");
        assert!(names(folder.path()).is_empty(), "{query}: {:?}", names(folder.path()));
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_leaves_what_was_there() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    for format in ["gpkg", "fgb", "shp", "geojson", "geojsonl"] {
        let to = folder.path().join(format!("a.{format}"));
        let to = to.display();
        ok(
            &session,
            &format!("COPY (SELECT 1 AS n, ST_Point(1, 2, 4326) AS geometry) TO '{to}'"),
        )
        .await;
        let before = names(folder.path());
        let bytes = std::fs::read(to.to_string()).unwrap();
        let error = refused(
            &session,
            &format!("COPY (SELECT 10 / (50000 - i) AS n, ST_Point(i, 2, 4326) AS geometry FROM generate_series(1, 60000) AS t(i)) \
                      TO '{to}' OPTIONS (overwrite 'true')"),
        )
        .await;
        assert!(error.to_lowercase().contains("divide by zero"), "{error}");
        let error = refused(
            &session,
            &format!("COPY (SELECT ST_Point(1, 2, 4326) AS geometry) TO '{to}'"),
        )
        .await;
        assert!(error.contains("exists already"), "{error}");
        assert_eq!(names(folder.path()), before);
        assert_eq!(std::fs::read(to.to_string()).unwrap(), bytes, "{format}");
        let replaced = format!(
            "COPY (SELECT 2 AS n, ST_Point(5, 6, 4326) AS geometry) TO '{to}' OPTIONS (overwrite 'true')"
        );
        ok(&session, &replaced).await;
        assert_ne!(std::fs::read(to.to_string()).unwrap(), bytes, "{format}");
    }
}

#[tokio::test]
async fn layers_are_added() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.gpkg");
    let path = path.display();
    let copy = |n: i32, options: &str| {
        format!(
            "COPY (SELECT {n} AS n, ST_Point({n}, 2, 4326) AS geometry) TO '{path}' OPTIONS ({options})"
        )
    };
    ok(&session, &copy(1, "layer 'one'")).await;
    ok(
        &session,
        &copy(2, "layer 'the \"second\"', if_exists 'append'"),
    )
    .await;
    let error = refused(&session, &copy(3, "layer 'ONE', if_exists 'append'")).await;
    assert!(
        error.contains("has a layer") && error.contains("another name"),
        "{error}"
    );
    for (layer, n) in [("one", 1), ("the \"second\"", 2)] {
        let found = ok(
            &session,
            &format!("SELECT n, ST_AsText(geometry) AS g FROM '{path}/{layer}'"),
        )
        .await;
        assert!(
            found.contains(&format!("POINT({n} 2)")) || found.contains(&format!("POINT ({n} 2)")),
            "{found}"
        );
    }
    let error = refused(
        &session,
        &copy(4, "layer 'gpkg_mine'").replace("a.gpkg", "b.gpkg"),
    )
    .await;
    assert!(error.contains("gpkg_mine"), "{error}");
    assert_eq!(names(folder.path()), ["a.gpkg"]);
}

#[tokio::test]
async fn places_and_options_that_cannot_be() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(at("dir.gpkg")).unwrap();
    let rows = "(SELECT 1 AS n, ST_Point(1, 2, 4326) AS geometry)";
    for (sql, words) in [
        (
            format!("COPY {rows} TO '{}' STORED AS GPKG", at("out/")),
            &["one file", "out.gpkg"][..],
        ),
        (format!("COPY {rows} TO '{}'", at("dir.gpkg")), &["folder"]),
        (
            format!("COPY {rows} TO '{}'", at("no/such/a.gpkg")),
            &["folder", "no/such"],
        ),
        (
            format!("COPY {rows} TO '{}' PARTITIONED BY (n)", at("a.gpkg")),
            &["PARTITIONED BY", "PARQUET"],
        ),
        (
            format!("COPY {rows} TO '{}' OPTIONS (encoding 'wkb')", at("a.gpkg")),
            &["no option", "'layer'"],
        ),
        (
            format!("COPY {rows} TO '{}' OPTIONS (lair 'x')", at("a.gpkg")),
            &["'lair'"],
        ),
        (
            format!(
                "COPY {rows} TO '{}' OPTIONS (if_exists 'append')",
                at("a.fgb")
            ),
            &["FlatGeobuf"],
        ),
        (
            format!("COPY {rows} TO '{}' OPTIONS (layer 'x')", at("a.geojson")),
            &["layers"],
        ),
        (
            format!(
                "COPY (SELECT 1 AS n) TO '{}' OPTIONS (sort_by 'hilbert')",
                at("a.gpkg")
            ),
            &["geometry column"],
        ),
    ] {
        let error = refused(&session, &sql).await;
        for word in words {
            assert!(error.contains(word), "{sql}: no {word} in: {error}");
        }
    }
    assert_eq!(names(folder.path()), ["dir.gpkg"]);
}

#[tokio::test]
async fn files_are_made_here_and_sent_to_a_store() {
    let session = Session::try_new().unwrap();
    let store = Arc::new(InMemory::new());
    let url = url::Url::parse("mem://bucket").unwrap();
    session
        .context()
        .runtime_env()
        .register_object_store(&url, Arc::clone(&store) as Arc<dyn ObjectStore>);
    let rows = "(SELECT 1 AS n, ST_Point(1, 2, 4326) AS geometry)";
    for format in ["gpkg", "fgb", "shp", "geojson"] {
        let sql = format!("COPY {rows} TO 'mem://bucket/in/a.{format}'");
        ok(&session, &sql).await;
        let size = store
            .head(&format!("in/a.{format}").into())
            .await
            .unwrap()
            .size;
        assert!(size > 0, "{format}");
        let error = refused(&session, &sql).await;
        assert!(error.contains("exists already"), "{error}");
        ok(&session, &format!("{sql} OPTIONS (overwrite 'true')")).await;
    }
    for part in ["shx", "dbf", "prj", "cpg"] {
        assert!(
            store.head(&format!("in/a.{part}").into()).await.is_ok(),
            "{part}"
        );
    }
}

#[tokio::test]
async fn text_and_arrow_with_geometry() {
    let session = Session::try_new().unwrap();
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("a.csv");
    let rows = "(SELECT 1 AS n, ST_Point(1, 2, 4326) AS geometry)";
    ok(&session, &format!("COPY {rows} TO '{}'", csv.display())).await;
    let text = std::fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("n,geometry\n1,POINT"), "{text}");
    let error = refused(
        &session,
        &format!(
            "COPY {rows} TO '{}' OPTIONS (format.delimiter ';')",
            folder.path().join("b.csv").display()
        ),
    )
    .await;
    assert!(error.contains("ST_AsText"), "{error}");
    let plain = folder.path().join("plain.csv");
    ok(
        &session,
        &format!(
            "COPY (SELECT 1 AS a, 2 AS b) TO '{}' OPTIONS (format.delimiter ';')",
            plain.display()
        ),
    )
    .await;
    assert_eq!(std::fs::read_to_string(&plain).unwrap(), "a;b\n1;2\n");
}

//! Paths and URLs as tables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::DataFusionError;
use geoflow_engine::Error;
use geoflow_engine::geometry::GeometryType;
use geoflow_sql::{Session, SessionBuilder};
use tempfile::TempDir;

const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata");

fn session() -> Session {
    SessionBuilder::new().threads(2).build().unwrap()
}

async fn rows(sql: &str) -> Vec<RecordBatch> {
    let session = session();
    session.sql(sql).await.unwrap().collect().await.unwrap()
}

async fn count(name: impl std::fmt::Display) -> i64 {
    let batches = rows(&format!("SELECT count(*) FROM '{name}'")).await;
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

async fn failure(name: impl std::fmt::Display) -> String {
    let result = session().sql(&format!("SELECT * FROM '{name}'")).await;
    let Err(error) = result else {
        panic!("{name} was read");
    };
    match error.find_root() {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(error) => error.to_string(),
            None => panic!("no error of geoflow: {inner}"),
        },
        other => panic!("no error of geoflow: {other}"),
    }
}

fn copy(from: &str, to: PathBuf) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(Path::new(TESTDATA).join(from), to).unwrap();
}

#[tokio::test]
async fn one_file_however_it_is_named() {
    assert_eq!(
        count(format!("{TESTDATA}/helsinki_roads.parquet")).await,
        2504
    );
    assert_eq!(count("../testdata/helsinki_roads.parquet").await, 2504);
    assert_eq!(count("./../testdata/./helsinki_roads.parquet").await, 2504);
    let full = fs::canonicalize(TESTDATA).unwrap();
    assert_eq!(
        count(format!("file://{}/helsinki_roads.parquet", full.display())).await,
        2504
    );

    let dir = TempDir::new().unwrap();
    for name in [
        "with space.parquet",
        "ä#1.parquet",
        "50%.parquet",
        "[x].parquet",
        "no_extension",
        "a.geoparquet",
    ] {
        let path = dir.path().join(name);
        copy("helsinki_buildings.parquet", path.clone());
        assert_eq!(count(path.display()).await, 489, "{name}");
    }
}

#[tokio::test]
async fn geometry_keeps_its_type() {
    let batches = rows("SELECT * FROM '../testdata/helsinki_buildings.parquet'").await;
    let schema = batches[0].schema();
    let ty = GeometryType::from_field(schema.field_with_name("geometry").unwrap());
    assert_eq!(ty.unwrap().unwrap().crs.unwrap().name(), "EPSG:4326");
}

#[tokio::test]
async fn folders_and_patterns() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("my data");
    copy("helsinki_buildings.parquet", root.join("a1.parquet"));
    copy("helsinki_buildings.parquet", root.join("a2.parquet"));
    copy("helsinki_buildings.parquet", root.join("b1.parquet"));
    copy(
        "helsinki_buildings.parquet",
        root.join("deep/er/c1.parquet"),
    );
    fs::write(root.join("README.md"), "no data").unwrap();
    let root = root.display();
    for (name, files) in [
        (format!("{root}"), 3),
        (format!("{root}/"), 3),
        (format!("{root}/*.parquet"), 3),
        (format!("{root}/*"), 3),
        (format!("{root}/a?.parquet"), 2),
        (format!("{root}/[ab]1.parquet"), 2),
        (format!("{root}/**/*.parquet"), 4),
        (format!("{root}/*/*/c1.parquet"), 1),
        (format!("{root}/deep/*/*.parquet"), 1),
    ] {
        assert_eq!(count(&name).await, 489 * files, "{name}");
    }
    for (name, expected) in [
        (format!("{root}/x*.parquet"), "no file matches"),
        (format!("{root}/deep"), "only in folders below"),
        (format!("{root}/none/*.parquet"), "does not exist"),
    ] {
        let message = failure(&name).await;
        assert!(
            message.contains(expected) && message.contains(&root.to_string()),
            "{message}"
        );
    }
}

#[tokio::test]
async fn hive_folders_become_columns() {
    let dir = TempDir::new().unwrap();
    for (country, year) in [("FI", 2023), ("FI", 2024), ("S%20E", 2024)] {
        copy(
            "helsinki_buildings.parquet",
            dir.path()
                .join(format!("country={country}/year={year}/part-0.parquet")),
        );
    }
    let root = dir.path().display();
    for name in [
        format!("{root}"),
        format!("{root}/**/*.parquet"),
        format!("{root}/country=*/year=*/*.parquet"),
    ] {
        let batches = rows(&format!(
            "SELECT country, year, count(*) AS n FROM '{name}' WHERE year > 2023 GROUP BY country, year ORDER BY country"
        ))
        .await;
        let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        assert_eq!(batch.num_rows(), 2, "{name}");
        assert_eq!(batch.schema().field(1).data_type(), &DataType::Int64);
        let text = arrow::util::pretty::pretty_format_batches(&[batch])
            .unwrap()
            .to_string();
        assert!(
            text.contains("| FI      | 2024 | 489 |") && text.contains("| S E"),
            "{text}"
        );
    }
    // Only the files that match, though their keys are no columns then.
    assert_eq!(
        count(format!("{root}/country=F*/year=2024/*.parquet")).await,
        489
    );

    copy(
        "helsinki_buildings.parquet",
        dir.path().join("stray.parquet"),
    );
    let message = failure(root).await;
    assert!(
        message.contains("different keys") && message.contains("stray.parquet"),
        "{message}"
    );
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    for (name, expected) in [
        (
            "../testdata/citys.parquet",
            "Is ../testdata/cities.parquet meant?",
        ),
        ("no/such/folder.parquet", "there is no folder no"),
        ("s4://bucket/x.parquet", "\"s4://\" is not supported"),
        (
            "../testdata/README.md",
            "is no Parquet file: it starts with \"# Test data",
        ),
        (
            "../testdata/scripts",
            "there is no .parquet file in ../testdata/scripts",
        ),
    ] {
        let message = failure(name).await;
        assert!(message.contains(expected), "{message}");
    }
    // A plain name stays an unknown table.
    let error = session()
        .sql("SELECT * FROM nowhere")
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("nowhere") && error.contains("not found"),
        "{error}"
    );

    let dir = TempDir::new().unwrap();
    let empty = dir.path().join("empty.parquet");
    fs::write(&empty, "").unwrap();
    assert!(
        failure(empty.display())
            .await
            .contains("is empty (0 bytes)")
    );
    let gpkg = dir.path().join("a.gpkg");
    fs::write(&gpkg, "SQLite format 3").unwrap();
    assert!(
        failure(gpkg.display())
            .await
            .contains("is no GeoPackage: it is no SQLite database")
    );
    let kml = dir.path().join("a.kml");
    fs::write(&kml, "kml").unwrap();
    assert!(failure(kml.display()).await.contains("ogr2ogr"));
}

#[tokio::test]
async fn a_folder_that_changes_is_read_anew() {
    let dir = TempDir::new().unwrap();
    copy("helsinki_buildings.parquet", dir.path().join("a.parquet"));
    let session = session();
    let sql = format!("SELECT count(*) FROM '{}'", dir.path().display());
    for files in 1..=2 {
        let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
        assert_eq!(
            batches[0].column(0).as_primitive::<Int64Type>().value(0),
            489 * files
        );
        copy("helsinki_buildings.parquet", dir.path().join("b.parquet"));
    }
}

#[tokio::test]
async fn csv_and_registered_tables_still_work() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, "name,n\nx,1\ny,2\n").unwrap();
    assert_eq!(count(path.display()).await, 2);

    let session = session();
    session
        .sql(&format!("CREATE EXTERNAL TABLE roads STORED AS PARQUET LOCATION '{TESTDATA}/helsinki_roads.parquet'"))
        .await
        .unwrap();
    let batches = session
        .sql("SELECT geometry FROM roads")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert!(
        GeometryType::from_field(batches[0].schema().field(0))
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn created_tables_name_what_is_missing() {
    let create =
        |location: &str| format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{location}'");
    let dir = TempDir::new().unwrap();
    let empty = dir.path().display().to_string();
    for (location, expected) in [
        (
            "../testdata/citys.parquet",
            "Is ../testdata/cities.parquet meant?",
        ),
        (
            "../testdata/*.nothing",
            "no .parquet file in ../testdata/*.nothing",
        ),
        (empty.as_str(), "there is no .parquet file in"),
        ("nowhere", "nowhere does not exist"),
    ] {
        let error = session().sql(&create(location)).await.err().unwrap();
        let message = error.find_root().to_string();
        assert!(message.contains(expected), "{location}: {message}");
    }
    for location in [
        "../testdata/helsinki_r*.parquet",
        "../testdata/helsinki_roads.parquet",
    ] {
        let session = session();
        session.sql(&create(location)).await.unwrap();
        let batches = session
            .sql("SELECT count(*) FROM t")
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        assert_eq!(
            batches[0].column(0).as_primitive::<Int64Type>().value(0),
            2504
        );
    }

    // Declared first, filled later.
    let session = session();
    let target = format!("{empty}/new/");
    fs::create_dir(&target).unwrap();
    session
        .sql(&format!(
            "CREATE EXTERNAL TABLE t (n BIGINT) STORED AS PARQUET LOCATION '{target}'"
        ))
        .await
        .unwrap();
    session
        .sql("INSERT INTO t VALUES (1), (2)")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let batches = session
        .sql("SELECT sum(n) FROM t")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 3);
}

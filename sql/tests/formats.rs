//! Files of other formats than Parquet as tables.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "formats/arrow.rs"]
mod arrow_ipc;
#[path = "formats/delimited.rs"]
mod delimited;
#[path = "formats/flatgeobuf.rs"]
mod flatgeobuf;
#[path = "formats/foreign.rs"]
mod foreign;
#[path = "formats/geojson.rs"]
mod geojson;
#[path = "formats/geopackage.rs"]
mod geopackage;
#[path = "formats/shapefile.rs"]
mod shapefile;

use std::fs;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use geoflow_engine::Error;
use geoflow_engine::geometry::GeometryType;
use geoflow_sql::{Session, SessionBuilder};
use tempfile::TempDir;

/// Files as GDAL writes them, by `testdata/scripts/formats.py`.
const TESTDATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/formats");

/// Files of a test, and statements about them.
struct Desk {
    dir: TempDir,
    session: Session,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            session: SessionBuilder::new()
                .threads(2)
                .batch_size(4)
                .build()
                .unwrap(),
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A copy of a file of `testdata/formats`.
    fn copy(&self, from: &str, to: &str) {
        fs::copy(PathBuf::from(TESTDATA).join(from), self.path(to)).unwrap();
    }

    /// `$/` is the folder of the files, `$T/` that of the test data.
    fn sql(&self, sql: &str) -> String {
        sql.replace("$T/", &format!("{TESTDATA}/"))
            .replace("$/", &format!("{}/", self.dir.path().display()))
    }

    async fn batches(&self, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
        self.session.sql(&self.sql(sql)).await?.collect().await
    }

    /// The answer as text, a line for each row, its values parted by `|`.
    async fn answer(&self, sql: &str) -> Vec<String> {
        let batches = self.batches(sql).await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let rows = text.lines().filter(|line| line.starts_with('|')).skip(1);
        rows.map(|row| {
            let cells = row.trim_matches('|').split('|').map(str::trim);
            cells.collect::<Vec<_>>().join("|")
        })
        .collect()
    }

    /// Names and types of the columns.
    async fn columns(&self, sql: &str) -> String {
        let frame = self.session.sql(&self.sql(sql)).await.unwrap();
        let fields = frame.schema().fields().iter();
        let columns = fields.map(|f| format!("{} {}", f.name(), f.data_type()));
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The CRS of the column `geometry`.
    async fn crs(&self, sql: &str) -> Option<String> {
        let frame = self.session.sql(&self.sql(sql)).await.unwrap();
        let schema = frame.schema().as_arrow().clone();
        let ty = GeometryType::from_field(schema.field_with_name("geometry").unwrap());
        ty.unwrap().unwrap().crs.map(|crs| crs.name())
    }

    /// The plan of a statement.
    async fn plan(&self, sql: &str) -> String {
        self.answer(&format!("EXPLAIN {sql}")).await.join("\n")
    }

    /// What a statement fails with, less the folder.
    async fn failure(&self, sql: &str) -> String {
        let Err(error) = self.batches(sql).await else {
            panic!("{sql} was answered");
        };
        let message = match error.find_root() {
            DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
                Some(error) => error.to_string(),
                None => panic!("no error of geoflow: {inner}"),
            },
            other => other.to_string(),
        };
        let message = message.replace(&format!("{TESTDATA}/"), "");
        message.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

//! A directory of small files and the command that runs in it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::metadata::KeyValue;
use insta_cmd::get_cargo_bin;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory for one test.
pub(crate) struct Fixture {
    directory: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Fixture {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A directory with `places.parquet`: two points, a NULL and a polygon.
    pub(crate) fn with_places() -> Self {
        let fixture = Fixture::new();
        let rows = [
            Some(point(24.94, 60.17)),
            Some(point(-0.5, 51.25)),
            None,
            Some(square(10.0, 20.0)),
        ];
        fixture.write("places.parquet", &rows, Some(&geo(json!({}))));
        fixture
    }

    /// geoflow in this directory, its surroundings shut out.
    pub(crate) fn geoflow(&self) -> Command {
        let mut command = Command::new(get_cargo_bin("geoflow"));
        command.current_dir(self.path(".")).env_clear();
        command
    }

    /// geoflow with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Command {
        let mut command = self.geoflow();
        command.args(args);
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of all files, hidden ones too.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path("."))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Writes columns id, name, size and geometry; `geo` is the metadata as text, broken or not.
    pub(crate) fn write(&self, name: &str, geometries: &[Option<Vec<u8>>], geo: Option<&str>) {
        write_parquet(&self.path(name), geometries, geo);
    }
}

fn write_parquet(path: &Path, geometries: &[Option<Vec<u8>>], geo: Option<&str>) {
    let names = ["Helsinki", "a \"quoted\", name", "", "tab\there"];
    let rows = geometries.len();
    let ids: Int64Array = (0..rows).map(|i| Some(i64::MAX - i as i64)).collect();
    let names: StringArray = (0..rows).map(|i| names.get(i).copied()).collect();
    let sizes: Float64Array = (0..rows)
        .map(|i| (i != 1).then_some(i as f64 + 0.5))
        .collect();
    let geometries: BinaryArray = geometries.iter().map(|value| value.as_deref()).collect();
    let batch = RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("name", Arc::new(names)),
        ("size", Arc::new(sizes)),
        ("geometry", Arc::new(geometries)),
    ])
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    if let Some(geo) = geo {
        writer.append_key_value_metadata(KeyValue::new("geo".to_string(), geo.to_string()));
    }
    writer.close().unwrap();
}

/// `geo` metadata with more keys for the geometry column, a CRS for instance.
pub(crate) fn geo(more: Value) -> String {
    let mut column = json!({ "encoding": "WKB", "geometry_types": [] });
    for (key, value) in more.as_object().unwrap() {
        column[key] = value.clone();
    }
    json!({ "version": "1.1.0", "primary_column": "geometry", "columns": { "geometry": column } })
        .to_string()
}

/// A CRS of the Finnish survey, as far as a test needs it.
pub(crate) fn finnish_crs() -> Value {
    json!({ "type": "ProjectedCRS", "name": "ETRS89 / TM35FIN(E,N)", "id": { "authority": "EPSG", "code": 3067 } })
}

/// WKB of a point.
pub(crate) fn point(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
    wkb
}

/// WKB of a square of side one, its ring clockwise.
pub(crate) fn square(x: f64, y: f64) -> Vec<u8> {
    let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
    for (dx, dy) in [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)] {
        wkb.extend((x + dx).to_le_bytes());
        wkb.extend((y + dy).to_le_bytes());
    }
    wkb
}
